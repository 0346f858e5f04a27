"""
EDCF: an online context-aware correlation filter beside a fixed semantic template.

Wang, Zhang, Xing, Gao, Hu, Maybank: "Do not Lose the Details: Reinforced Representation Learning
for High Performance Visual Tracking", IJCAI 2018. Equations are numbered as there.
"""
import copy
from dataclasses import dataclass
import math
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional

from tracking_nodes.errors import SettingError
from tracking_nodes.geometry import area_side, clip_box, cxcywh_to_xywh, xywh_to_cxcywh
from tracking_nodes.nn.correlation_filter import (
    centre_cells, centred, cosine_window, cross_correlate, gaussian_label, respond, solve_filter,
    windows_around)
from tracking_nodes.nn.device import (
    convolution_type, keep_freed_memory, PRECISIONS, read_back, resolve_device, to_device)
from tracking_nodes.nn.encoder_decoder import (
    DEEP_STRIDE, FINE_CELLS, FINE_STRIDE, load_encoder, PATCH)
from tracking_nodes.nn.graphs import graphed
from tracking_nodes.online.background import BackgroundLearner
from tracking_nodes.online.peak import peak_at
from tracking_nodes.online.pictures import stacked
from tracking_nodes.online.regions import sample
from tracking_nodes.parameters import setting
from tracking_nodes.trackers.base import Location, Tracker
from tracking_nodes.trackers.redetection import RedetectionSettings
from tracking_nodes.trackers.robust import ROBUST_ABLATION, RobustSettings
from tracking_nodes.trackers.stages import stage
from tracking_nodes.trackers.together import Looker

# Cells per side of the transforms: 125 filled up to a power of two takes less than half the time.
_TRANSFORM = (128, 128)
# Directions of the context patches around the target, in the order they are taken.
AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


@dataclass(frozen=True)
class EdcfSettings(RobustSettings, RedetectionSettings):
    """Parameters of EDCF; CACFNet, CACFNet+ and EDSiam are settings of it."""

    # The refinement says how large the target is.
    # Its own filter says where to look.
    presets: ClassVar[dict] = {'robust': {
        'scales': 1, 'redetection': True, 'robust_filter': False, 'robust_own': 6.0}}

    weights: str = setting(
        '', "weights file of the encoder; empty for the shipped one, random for none; DCFNet's "
        'param.pth gives the fine-grained branch alone')
    semantic: bool = setting(
        True, 'whether the fixed template of the first frame takes part', source='eq. 3, eq. 16')
    fine: bool = setting(
        True, 'whether the online correlation filter takes part', source='eq. 7, eq. 16')
    padding: float = setting(
        3.0, 'context around the target in a patch, in sides of the target', minimum=0.5,
        maximum=6.0, source='measured: SiamFC has 3, section 4.1 has 2, which loses fast targets')
    scales: int = setting(
        3, 'scales that are searched', minimum=1, maximum=9, source='section 4.1')
    scale_step: float = setting(
        1.02, 'ratio of neighbouring scales', minimum=1.0, maximum=1.5, source='section 4.1')
    scale_penalty: float = setting(
        1.0, 'factor on the responses of all scales but the last one', minimum=0.1, maximum=1.0,
        source='not in the paper; measured: below 1 the size stays behind')
    scale_damping: float = setting(
        0.8, 'share of a change of scale that is taken over', minimum=0.0, maximum=1.0,
        source='measured; SiamFC has 0.59', live=True)
    semantic_scales: bool = setting(
        True, 'whether the semantic branch looks at every scale, or at the last one only',
        source='the paper is silent')
    semantic_weight: float = setting(
        1.0, 'weight of the semantic response in the sum', minimum=0.0, maximum=100.0,
        source='eq. 16: 1', live=True)
    window_weight: float = setting(
        0.1, 'share of a Hann window in the fused response', minimum=0.0, maximum=1.0,
        source='measured; SiamFC has 0.176', live=True)
    template_cells: int = setting(
        6, 'cells per side of the semantic template, even', minimum=2, maximum=20,
        source='SiamFC: 6')
    context_patches: int = setting(
        4, 'patches around the target that the filter is to answer with zero', minimum=0,
        maximum=8, source='the paper is silent; CACF has 4')
    context_distance: float = setting(
        1.0, 'from the target to a context patch, in sides of the target', minimum=0.1,
        maximum=3.0, source='CACF: the size of the target')
    ridge: float = setting(
        1e-4, 'lambda_1', minimum=0.0, maximum=1e6, source='section 4.1')
    context_weight: float = setting(
        0.1, 'lambda_2', minimum=0.0, maximum=1e3, source='section 4.1')
    label_width: float = setting(
        0.1, 'standard deviation of the label, in sides of the target', minimum=0.01,
        maximum=1.0, source='DCFNet: 0.1')
    cosine_window: bool = setting(
        True, 'whether fine-grained maps are faded out at the borders', source='DCFNet, CACF')
    learning_rate: float = setting(
        0.017, 'alpha, the share of a new filter', minimum=0.0, maximum=1.0,
        source='eq. 17, section 4.1', live=True)
    score_middle: float = setting(
        0.558, 'height of the fused response, as a share of what is possible, that is scored 0.5',
        minimum=0.0, maximum=1.0, source='fitted by training.score_calibration', live=True)
    score_slope: float = setting(
        13.9, 'how fast the score rises there', minimum=0.1, maximum=100.0,
        source='fitted by training.score_calibration', live=True)
    present_threshold: float = setting(
        0.5, 'score from which the target is believed present', minimum=0.0, maximum=1.0,
        source='the calibrated point of doubt', live=True)
    precision: str = setting(
        'auto', 'of the encoder on a CPU; auto is bfloat16 where the processor computes in it',
        choices=PRECISIONS, source='measured: see docs/trackers/edcf.md')

    def __post_init__(self):
        super().__post_init__()
        if not (self.semantic or self.fine):
            raise SettingError('semantic = false and fine = false leave nothing to track with')
        if self.template_cells % 2:
            raise SettingError(f'template_cells = {self.template_cells} is odd; the template is '
                               'cut from the middle of 22 cells')
        if self.scales % 2 == 0:
            raise SettingError(f'scales = {self.scales} is even; the last scale is the middle one')

    @property
    def context_cells(self):
        """Return the distance to a context patch in cells of the fine-grained maps."""
        return round(self.context_distance * self._target_cells) if self.context_patches else 0

    @property
    def label_cells(self):
        """Return the standard deviation of the label in cells of the fine-grained maps."""
        return self.label_width * self._target_cells

    @property
    def wide_patch(self):
        """Return the pixels per side of the patch that shows target and contexts."""
        return PATCH + 2 * FINE_STRIDE * self.context_cells

    @property
    def _target_cells(self):
        return PATCH / FINE_STRIDE / (1 + self.padding)


class Edcf(Looker, Tracker):
    """
    EDCF and, by its settings, the other rows of the paper's table 1.

    height: of the fused response in the last located frame, as a share of what is possible.
    """

    settings_class = EdcfSettings
    robust_ablation = {
        **{row: changes for row, changes in ROBUST_ABLATION.items()
           if not any('filter' in name for name in changes)},
        'with the filter': {'preset': 'robust', 'robust_filter': True}}
    learns = True
    ablation = {
        'SiamFC': {'weights': 'edcf_siamfc.safetensors', 'fine': False},
        'EDSiam': {'weights': 'edcf_edsiam.safetensors', 'fine': False},
        'CACFNet': {'weights': 'edcf_cacfnet.safetensors', 'semantic': False},
        'CACFNet+': {'semantic': False},
        'EDCF': {},
    }

    def __init__(self, settings=None, runtime=None):
        super().__init__(settings, runtime)
        settings = self.settings
        self.device = resolve_device(self.runtime.device)
        self._encoder = load_encoder(settings.weights, self.runtime.models, self.runtime.seed)
        if settings.semantic and not self._encoder.has_deep:
            raise SettingError(f'weights = {settings.weights} has no semantic branch; set '
                               'semantic = false')
        if self.runtime.learning == 'background':
            self._background = BackgroundLearner(self.device)
        self._type = convolution_type(self.device, self.settings.precision, self.runtime.half)
        keep_freed_memory()
        self._encoder.to(self.device, self._type, memory_format=torch.channels_last)
        self._encode, self._learned = (graphed(each, self.device, self.runtime.graphs)
                                       for each in (self._maps, self._solved))
        exponents = np.arange(settings.scales) - settings.scales // 2
        self._steps = settings.scale_step ** exponents.astype(float)
        self._middle = settings.scales // 2
        self._penalties = torch.where(torch.from_numpy(exponents == 0), 1.0,
                                      settings.scale_penalty).to(self.device)[:, None, None]
        cells = (FINE_CELLS, FINE_CELLS)
        self._fade = (cosine_window(*cells) if settings.cosine_window else
                      torch.ones(cells)).to(self.device)
        self._prior = cosine_window(*cells).to(self.device)
        self._label = gaussian_label(*_TRANSFORM, settings.label_cells).to(self.device)
        self._reset()

    @torch.inference_mode()
    def _start(self, image, box):
        self._take(box)
        if self.settings.semantic:
            first = self._encoder.first(self._patches(image, [1.0], PATCH))
            deep = self._encoder.deep(first).float()
            self._template = centre_cells(deep, self.settings.template_cells).contiguous()
            # What the unmoved target is answered with: the scale of all later answers.
            self._first_answer = self._semantic(deep).max()
        if self.settings.fine:
            self._filter = self._new_filter(image)

    @torch.inference_mode()
    def _locate(self, image):
        settings = self.settings
        self._image = image
        responses = self.responses(image)
        self._looked_at = self._centre, self._side(), responses['fused'][self._middle]
        fused = responses['fused']
        if settings.window_weight:
            fused = torch.lerp(fused, self._prior * fused.amax(), settings.window_weight)
        chosen, cell = peak_at(fused * self._penalties)
        heights = responses['fused'].amax(dim=(1, 2))
        if settings.semantic:
            answers = responses['semantic'].amax(dim=(1, 2))
            self._answer = answers.take(chosen) if settings.semantic_scales else answers[0]
        with stage('reading'):
            chosen, cell, height = read_back(chosen, cell, heights.take(chosen))
        scale = self._steps[int(chosen)]
        moved = (cell - FINE_CELLS // 2)[::-1] * FINE_STRIDE * scale * self._side() / PATCH
        self._centre = self._centre + moved
        self._size = self._size * (1 + settings.scale_damping * (scale - 1))
        box = clip_box(cxcywh_to_xywh([*self._centre, *self._size]), *image.shape[1::-1])
        self._take(box)
        self.height = float(height) / self._highest
        score = float(self._score(self.height))
        return Location(box, score, score >= settings.present_threshold)

    @property
    def _highest(self):
        """Return the fused response that is possible at the most."""
        settings = self.settings
        return settings.fine + settings.semantic * settings.semantic_weight

    def _score(self, height):
        """Return the score of responses, as shares of what is possible."""
        settings = self.settings
        return 1 / (1 + np.exp(settings.score_slope * (settings.score_middle - height)))

    def _judge(self, boxes):
        if self._looked_at is None:
            return super()._judge(boxes)
        centre, side, response = self._looked_at
        cells = (xywh_to_cxcywh(boxes)[:, :2] - centre) * PATCH / side / FINE_STRIDE
        columns, rows = np.round(cells + FINE_CELLS // 2).astype(int).T
        inside = (np.minimum(rows, columns) >= 0) & (np.maximum(rows, columns) < FINE_CELLS)
        # A place is as good as the best of the cells next to it.
        best, = read_back(functional.max_pool2d(response[None], 5, 1, 2)[0])
        scores = np.zeros(len(boxes))
        scores[inside] = self._score(best[rows[inside], columns[inside]] / self._highest)
        return scores

    def _learn(self):
        if self._image is None or not self.settings.fine:
            return False
        with stage('learning'):
            if self._background is None:
                self._adopt(self._train(self._snapshot()))
            else:
                self._submit(self._snapshot, self._train, self._adopt)
        self._image = None
        return self._background is None

    @torch.inference_mode()
    def _snapshot(self):
        """
        Return what an update is made of: patches of the last frame, filter and rate.

        The rate is () complex64, as the filter, on the device.
        """
        rate = torch.full((), self.settings.learning_rate, dtype=torch.float64, device=self.device)
        if self.settings.semantic:
            rate = rate * (self._answer / self._first_answer).clamp(0, 1)    # eq. 18
        return self._wide_patches(self._image), self._filter, rate.to(self._filter.dtype)

    @torch.inference_mode()
    def _train(self, snapshot):
        """Return the filter after an update; the one in use is left as it is."""
        patches, current, rate = snapshot
        return torch.lerp(current, self._filter_of(patches), rate)    # eq. 17

    def _adopt(self, trained):
        self._filter = trained

    def _probe(self):
        # Locating gives a tracker new attributes and leaves the old objects alone.
        return copy.copy(self)

    def _relocate(self, box):
        self._take(box)

    def _take(self, box):
        """Go on from a box, of which nothing is kept."""
        self._foreseen = None
        self._centre, self._size = xywh_to_cxcywh(box)[:2], box[2:].copy()

    def _reset(self):
        self._centre = self._size = self._image = self._looked_at = None
        self._template = self._filter = self._first_answer = self._answer = None
        self.height = math.nan

    @torch.inference_mode()
    def responses(self, image):
        """
        Return the response maps around the last position, for `locate` and for figures.

        :param image: (H, W, 3) uint8, BGR.
        :return: 'fine', 'semantic' (what the settings have of them) and 'fused' (eq. 16), each
            (scales, 125, 125): cells of two pixels of the patch, no displacement in the middle.
        """
        settings, found = self.settings, {}
        with stage('features'):
            seen = self.look(image)
        if settings.fine:
            with stage('filter'):
                maps = seen.pop(0) * self._fade
                found['fine'] = _around_middle(centred(respond(maps, self._filter, _TRANSFORM)))
        if settings.semantic:
            with stage('template'):
                found['semantic'] = self._on_fine_cells(self._semantic(seen.pop(0)))
        weighted = [found['fine']] if settings.fine else []
        if settings.semantic:
            weighted.append(settings.semantic_weight * found['semantic'])
        found['fused'] = sum(weighted)
        return found

    @property
    def looker(self):
        """Return itself."""
        return self

    def views(self, image):
        """Return the patch around the last position at every scale."""
        return self._squares(image, self._steps, PATCH)

    @torch.inference_mode()
    def see(self, views):
        """Return the fine-grained and the semantic maps, what the settings have of them."""
        return self._encode(self._on_device(views))

    def _maps(self, patches):
        settings, seen = self.settings, []
        first = self._encoder.first(patches)
        if settings.fine:
            seen.append(self._encoder.fine(first).float())
        if settings.semantic:
            looked = first if settings.semantic_scales else first[self._middle::settings.scales]
            seen.append(self._encoder.deep(looked).float())
        return seen

    def search_view(self, image):
        """
        Return what is searched in an image, and the fused response to it at the last scale.

        :param image: (H, W, 3) uint8, BGR.
        :return: patch (255, 255, 3) uint8 and response (125, 125) float32, both over the same
            square of the image.
        """
        self._require_target()
        patch, = sample(image, self._centre, [self._side()], PATCH)
        return patch, self.responses(image)['fused'][self._middle].float().cpu().numpy()

    def _semantic(self, deep):
        """Return eq. 3 as the probability that eq. 4 trained it to be."""
        return self._encoder.logits(cross_correlate(self._template, deep)).sigmoid()

    def _on_fine_cells(self, response):
        """Return the semantic response (N, R, R) on the cells of the fine-grained one."""
        factor = DEEP_STRIDE // FINE_STRIDE
        size = (response.shape[-1] - 1) * factor + 1
        response = functional.interpolate(response[:, None], (size, size), mode='bilinear',
                                          align_corners=True)[:, 0]
        margin = (FINE_CELLS - size) // 2
        if margin < 0:
            return centre_cells(response, FINE_CELLS)
        return functional.pad(response, (margin,) * 4)

    def _new_filter(self, image):
        """Return the filter of eq. 7 on the target and the patches around it."""
        # Not replayed: an update of the last target may still be under way beside it.
        return self._solved(self._wide_patches(image))[0]

    def _wide_patches(self, image):
        """Return the patch (1, 3, size, size) that shows the target and what is around it."""
        size = self.settings.wide_patch
        return self._patches(image, [size / PATCH], size)

    def _filter_of(self, patches):
        """Return the filter of eq. 7 of what `_wide_patches` returns, for an update."""
        return self._learned(patches)[0]

    def _solved(self, patches):
        """Return the same in a list, as it is computed."""
        settings = self.settings
        maps = self._encoder.fine(self._encoder.first(patches))[0].float()
        windows = windows_around(maps, FINE_CELLS, settings.context_cells,
                                 AROUND[:settings.context_patches]) * self._fade
        return [solve_filter(windows[0], self._label, settings.ridge,
                             windows[1:] if settings.context_patches else None,
                             settings.context_weight)]

    def _patches(self, image, steps, size):
        """Return patches (N, 3, size, size) around the target, at the scales `steps`."""
        return self._on_device(self._squares(image, steps, size))

    def _squares(self, image, steps, size):
        """Return the same as (N, size, size, 3) uint8, where the image is."""
        return stacked(*sample(image, self._centre, [step * self._side() for step in steps], size))

    def _on_device(self, squares):
        return to_device(squares, self.device).to(self._type).permute(0, 3, 1, 2)

    def _side(self):
        return (1 + self.settings.padding) * area_side([0, 0, *self._size])


def _around_middle(responses):
    """Return the (N, 125, 125) cells around displacement zero of `_TRANSFORM` many."""
    first = _TRANSFORM[0] // 2 - FINE_CELLS // 2
    return responses[:, first:first + FINE_CELLS, first:first + FINE_CELLS]
