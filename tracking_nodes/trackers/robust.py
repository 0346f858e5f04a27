"""
The robust preset: what every tracker of this package can have around it, beyond its paper.

A dense ridge filter that learns online says where in the search region the target may be. The
tracker's own model, asked without being moved, says what it thinks of the best of these places
and of its own answer. A network trained offline for that turns the chosen rough box into an exact
one and says how well it overlaps. The three opinions together are the score.
"""
import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tracking_nodes.errors import SettingError
from tracking_nodes.geometry import (
    clip_box, cxcywh_to_xywh, xywh_to_cxcywh, xywh_to_xyxy, xyxy_to_xywh)
from tracking_nodes.nn.device import read_back
from tracking_nodes.online.background import BackgroundLearner
from tracking_nodes.online.box_correction import BoxCorrection
from tracking_nodes.online.box_refiner import BoxRefiner
from tracking_nodes.online.features import FeatureExtractor, FeatureSettings, Projection
from tracking_nodes.online.first_views import first_views
from tracking_nodes.online.peak import best_peaks
from tracking_nodes.online.ridge_filter import FilterSettings, RidgeFilter
from tracking_nodes.parameters import setting
from tracking_nodes.trackers.base import Location, Progress
from tracking_nodes.trackers.stages import stage
from tracking_nodes.trackers.wrapped import Wrapped

PRESETS = ('paper', 'robust')
# Settings of what filter and refinement see that are the tracker's own, where it has them.
_ALIKE = ('precision', 'search_scale', 'search_size')
# The rows of the robust preset's own ablation, one mechanism less each.
_WITHOUT: dict[str, dict] = {
    'robust': {},
    'without filter': {'robust_filter': False},
    'without judgement': {'robust_judge': False},
    'without refinement': {'robust_refinement': False},
    'without distractors': {'filter_distractors': 0.0},
    'without long-term memory': {'filter_first': 0.0},
    'without the gate on learning': {'robust_sure': 0.0},
    'without correction': {'robust_correction': 0.0},
    'without re-detection': {'redetection': False},
}
ROBUST_ABLATION = {row: {'preset': 'robust', **changes} for row, changes in _WITHOUT.items()}


@dataclass(frozen=True)
class RobustSettings(FilterSettings):
    """The preset, and what the robust one consists of; nothing of it counts in the other."""

    presets: ClassVar[dict] = {'robust': {}}

    preset: str = setting(
        'paper', 'paper: the configuration of the paper; robust: with all below around it, and '
        'other defaults of some parameters, see docs/robust.md', choices=PRESETS)
    robust_filter: bool = setting(
        True, 'whether an online ridge filter says where the target may be')
    robust_places: int = setting(
        3, 'highest places of the filter that are looked at', minimum=1, maximum=16, live=True,
        source='more are seldom right')
    robust_judge: bool = setting(
        True, "whether the tracker's own model has a say in which of them is the target")
    robust_refinement: bool = setting(
        True, 'whether a network trained for that makes rough boxes exact')
    robust_backbone: str = setting(
        'gstp_siamrcnn_resnet18.safetensors', 'weights file of the ResNet-18 that filter and '
        'refinement see; empty for the usual one', source='the one the refinement learned on')
    robust_refinement_weights: str = setting(
        '', 'weights file of the refinement; empty for the shipped one')
    robust_size: float = setting(
        0.4, 'share of the refined change of size that the search goes on from where the score is '
        '1; less where it is lower, none in doubt', minimum=0.0, maximum=1.0, live=True,
        source='measured: 1 shrinks with targets that are covered')
    robust_correction: float = setting(
        0.5, 'share of the difference between the first box given and its own refinement by which '
        'all later boxes are corrected', minimum=0.0, maximum=1.0, source='measured')
    robust_others: float = setting(
        0.2, "weight of the overlap that is expected and of the tracker's own score, against the "
        'height of the filter, in the choice between places', minimum=0.0, maximum=100.0,
        live=True, source='measured: the filter alone is seldom wrong, the others often agree')
    robust_sure: float = setting(
        0.5, 'score from which the target is believed present and is learned from', minimum=0.0,
        maximum=1.0, source='the calibrated point of doubt', live=True)
    robust_bias: float = setting(-4.0, 'constant of the logistic function that is the score',
                                 minimum=-100.0, maximum=100.0, live=True)
    robust_height: float = setting(1.2, "weight in it of the height of the filter's response",
                                   minimum=0.0, maximum=100.0, live=True)
    robust_overlap: float = setting(3.6, 'weight in it of the overlap that is expected',
                                    minimum=0.0, maximum=100.0, live=True)
    robust_own: float = setting(3.3, "weight in it of the tracker's own score", minimum=0.0,
                                maximum=100.0, live=True)

    def __post_init__(self):
        super().__post_init__()
        if self.preset == 'robust' and not (
                self.robust_filter or self.robust_judge or self.robust_refinement):
            raise SettingError('robust_filter = False, robust_judge = False and robust_refinement '
                               '= False leave nothing of preset = robust; keep one of them, or '
                               'set preset to paper')


@dataclass(frozen=True)
class Opinions:
    """
    What is thought of N boxes.

    boxes: (N, 4) x, y, w, h. heights: (N,) response of the filter. overlaps: (N,) expected by the
    refinement. own: (N,) scores of the tracker's own model. NaN: no opinion.
    """

    boxes: np.ndarray
    heights: np.ndarray
    overlaps: np.ndarray
    own: np.ndarray

    def best(self, settings):
        """Return the index of the box that is believed to be the target."""
        others = np.nan_to_num(self.overlaps) + np.nan_to_num(self.own)
        return int((np.nan_to_num(self.heights) + settings.robust_others * others).argmax())

    def scores(self, settings):
        """
        Return (N,): the logistic function of the opinions.

        One that there is none of about a box counts 0; one that there is none of about any box,
        as of a mechanism that is off, is made up for by the others.
        """
        opinions = np.stack([self.heights, self.overlaps, self.own])
        weights = np.array([settings.robust_height, settings.robust_overlap, settings.robust_own])
        given = weights[~np.isnan(opinions).all(axis=1)].sum()
        share = weights.sum() / given if given else 0.0
        return 1 / (1 + np.exp(-settings.robust_bias - share * weights @ np.nan_to_num(opinions)))


class Robust(Wrapped):
    """
    A tracker with the mechanisms of the robust preset around it.

    opinions: the `Opinions` of the last located frame.
    """

    def __init__(self, tracker):
        """
        Wrap a tracker and load the networks.

        :param tracker: a `Tracker` whose settings are `RobustSettings`.
        """
        settings = tracker.settings
        self._extractor = self._extractor_of(tracker)
        self._filter = self._refiner = None
        if settings.robust_filter:
            backbone, tap = self._extractor.backbone, self._extractor.taps[-1]
            self._filter = RidgeFilter(settings, backbone.stride[tap], backbone.offset[tap])
        if settings.robust_refinement:
            self._refiner = BoxRefiner(settings.robust_refinement_weights, tracker.runtime)
        super().__init__(tracker)
        if self.runtime.learning == 'background':
            self._background = BackgroundLearner(self._extractor.device)
        self._reset()

    @staticmethod
    def _extractor_of(tracker):
        """Return the tracker's own `FeatureExtractor` where it sees the same, or another."""
        settings = tracker.settings
        # What the tracker searches decides, so that a smaller region stays one pass for both.
        alike = {name: getattr(settings, name) for name in _ALIKE if hasattr(settings, name)}
        wanted = FeatureSettings(backbone='resnet18', weights=settings.robust_backbone, **alike)
        own = getattr(tracker, 'extractor', None)
        if own is not None and own.searches_as(wanted):
            return own
        return FeatureExtractor(wanted, tracker.runtime)

    @property
    def progress(self):
        """Return the `Progress` of the tracker and of the filter together."""
        own, inner = super().progress, self._tracker.progress
        times = [each.taught for each in (own, inner) if each.taught is not None]
        return Progress(own.updates + inner.updates, own.skipped + inner.skipped,
                        own.failed + inner.failed, own.running or inner.running,
                        max(times, default=None))

    def _set(self, settings):
        if self._filter is not None:
            self._filter.settings = settings

    def _start(self, image, box):
        self._box = box
        self._tracker.start(image, box)
        region, maps = self._looked_at(image)
        if self._filter is not None:
            self._start_filter(image, maps)
        if self._refiner is not None:
            self._refiner.start(maps, region.from_image(xywh_to_xyxy(box)))
            refined = self._refined(region, maps, box[None])[0]
            self._correction = BoxCorrection(refined, box, self.settings.robust_correction)

    def _start_filter(self, image, maps):
        """Learn the filter on the first image, whose maps these are."""
        seen = self._extractor.settings
        cells = maps[-1][0].flatten(1).T
        self._projection = Projection.fit([cells], self.settings.filter_channels, 1.0)
        pixels, corners = first_views(image, self._box, seen.search_scale, seen.search_size)
        views = (self._extractor.maps(pixels[index:index + 1]) for index in range(len(pixels)))
        self._filter.start([self._filtered(view) for view in views], corners)

    def _filtered(self, maps):
        """Return what the filter sees, (1, filter_channels, H, W), of the maps of all layers."""
        return self._projection.of_maps(maps[-1:])[0]

    def _locate(self, image):
        settings, (height, width) = self.settings, image.shape[:2]
        own = self._tracker.locate(image)
        with stage('features'):
            region, maps = self._looked_at(image)
        boxes, heights, seen = own.box[None], np.full(1, np.nan), None
        if self._filter is not None:
            with stage('filter'):
                seen = self._filtered(maps)
                response = self._filter.respond(seen)
                places, heights = self._places(response, region, own.box)
                boxes = np.concatenate([places, boxes])
        judged = overlaps = np.full(len(boxes), np.nan)
        if settings.robust_judge:
            with stage('judgement'):
                judged = self._tracker.judge(boxes)
        if self._refiner is not None:
            with stage('refinement'):
                boxes, overlaps = self._refined(region, maps, boxes)
                exact = ~np.isnan(overlaps)
                boxes[exact] = self._correction.applied(boxes[exact])
        self.opinions = Opinions(boxes, heights, overlaps, judged)
        best = self.opinions.best(settings)
        score = float(self.opinions.scores(settings)[best])
        self._sure = score >= settings.robust_sure
        box = clip_box(boxes[best], width, height)
        self._box = self._next(box, score)
        self._tracker.relocate(self._box)
        self._seen = None
        if seen is not None and _searched(region, box[None])[0]:
            self._seen = seen, region.from_image(xywh_to_xyxy(box))
        return Location(box, score, self._sure)

    def _looked_at(self, image):
        """Return the region around the last box and its maps, the tracker's where it has them."""
        if self._extractor is getattr(self._tracker, 'extractor', None):
            return self._tracker.looked_at
        return self._extractor.look(image, self._box)

    def _refined(self, region, maps, boxes):
        """
        Return exact boxes (N, 4) of rough ones in the image, and their overlaps (N,).

        Of what is not searched nothing is seen: such a box is left alone, its overlap is NaN.
        """
        refined, overlaps = boxes.copy(), np.full(len(boxes), np.nan)
        searched = _searched(region, boxes)
        corners, overlaps[searched] = self._refiner.refine(
            maps, region.from_image(xywh_to_xyxy(boxes[searched])))
        refined[searched] = xyxy_to_xywh(region.to_image(corners))
        return refined, overlaps

    def _places(self, response, region, box):
        """
        Return boxes (N, 4) of the last size at the filter's best places.

        :return: these, and heights (N + 1,), the last one at a given box.
        """
        places, heights, own = read_back(*best_peaks(response, self.settings.robust_places, 2),
                                         self._height_at(response, region, box))
        places, heights = places[heights > -np.inf], heights[heights > -np.inf]
        centres = region.to_image(self._filter.positions(places))
        sizes = np.broadcast_to(self._box[2:], centres.shape)
        boxes = cxcywh_to_xywh(np.concatenate([centres, sizes], axis=1))
        return boxes, np.append(heights, own)

    def _height_at(self, response, region, box):
        """Return the highest response (), near a box's middle; NaN where it is not searched."""
        if not _searched(region, box[None])[0]:
            return response.new_full((), np.nan)
        centre = self._filter.places(region.from_image(xywh_to_cxcywh(box)[:2]))
        row, column = np.clip(np.round(centre).astype(int), 0, np.subtract(response.shape, 1))
        return response[max(row - 1, 0):row + 2, max(column - 1, 0):column + 2].max()

    def _next(self, box, score):
        """Return the box to search on from: the less sure, the more of the last size."""
        settings, row = self.settings, xywh_to_cxcywh(box)
        certainty = max(score - settings.robust_sure, 0.0) / max(1 - settings.robust_sure, 1e-9)
        row[2:] = self._box[2:] * (row[2:] / self._box[2:]) ** (settings.robust_size * certainty)
        return cxcywh_to_xywh(row)

    def _learn(self):
        if not self._sure:
            return False
        self._changed |= self._tracker.learn()
        seen, self._seen = self._seen, None
        if seen is None:
            return False
        self._index += 1
        every = 1 if self._index <= self.settings.filter_early else self.settings.filter_every
        if self._index - self._updated < every:
            return False
        frame = *seen, self._index - self._updated
        with stage('filter learning'):
            if self._background is None:
                self._filter.adopt(self._filter.learned(*frame))
                self._updated = self._index
                return True
            if self._submit(lambda: frame, lambda seen: self._filter.learned(*seen),
                            self._filter.adopt):
                self._updated = self._index
        return False

    def _probe(self):
        # Locating gives a tracker new attributes and leaves the old objects alone.
        probe = copy.copy(self)
        probe._tracker = self._tracker._probe()
        # What was learned beside the frames is for the tracker itself to take over.
        probe._tracker._background = None
        return probe

    def _rehearse(self, image):
        self.locate(image)
        # Noise is seldom believed in, and would not be learned from.
        self._sure = True
        self.learn()

    def _relocate(self, box):
        self._box = box
        self._tracker.relocate(box)

    def _reset(self):
        for each in (self._tracker, self._filter, self._refiner):
            if each is not None:
                each.reset()
        self._box = self._projection = self._seen = self._correction = self.opinions = None
        self._sure = True
        self._index = self._updated = 0


def _searched(region, boxes):
    """Return (N,) whether the middles of boxes (N, 4) lie in what is searched."""
    middles = region.from_image(xywh_to_cxcywh(boxes)[:, :2])
    return ((middles >= 0) & (middles < len(region.pixels))).all(axis=1)
