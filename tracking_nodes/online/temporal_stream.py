"""
The Temporal ConvNet of CSTNet (TIP 2021), section III.B: which boxes held the target for a while.

3D convolutions see the last four frames through one window around the last box. A candidate,
repeated over these frames, is a cuboid; RoIAlign takes its features, and a classifier that
learns online scores it. Any tracker that has candidates can ask this stream for a second opinion
(section V.E.6).
"""
from collections import deque
from dataclasses import dataclass

import numpy as np
import torch

from tracking_nodes.geometry import iou
from tracking_nodes.nn.c3d import FRAMES
from tracking_nodes.nn.device import convolution_type, frozen, resolve_device, to_device
from tracking_nodes.nn.temporal_backbones import load_temporal_backbone, NAMES
from tracking_nodes.online.classifier import OnlineClassifier
from tracking_nodes.online.clip import Clip
from tracking_nodes.online.features import corners_in, pool_boxes, Projection
from tracking_nodes.online.refinement import ORDERS
from tracking_nodes.parameters import setting, Settings

# Width of C3D with random weights, which only show that everything runs.
RANDOM_WIDTH = 0.25


@dataclass(frozen=True)
class TemporalSettings(Settings):
    """The temporal stream, and how it and the tracker's own scores agree on a box."""

    temporal: bool = setting(
        False, 'whether the temporal stream of CSTNet joins in', source='CSTNet section V.E.6')
    temporal_backbone: str = setting(
        'c3d', 'network of the temporal stream', choices=NAMES, source='CSTNet section III.C')
    temporal_weights: str = setting(
        '', 'weights file of the temporal backbone; empty for its usual one, random for none')
    temporal_scale: float = setting(
        4.0, "side of the clip's window in units of sqrt(w h) of the target", minimum=2.0,
        maximum=12.0, source='not in the paper; what the shipped weights were trained with')
    temporal_size: int = setting(
        224, "side of the clip's window after resizing, pixels", minimum=48,
        maximum=512, source='CSTNet Table I')
    temporal_overlap: float = setting(
        0.6, 'mean overlap over the clip above which a cuboid is positive', minimum=0.0,
        maximum=1.0, source='CSTNet eq. 6')
    refinement: str = setting(
        'ref2', "which stream comes first: the temporal one (ref2) or the tracker's own (ref1)",
        choices=ORDERS, source='CSTNet Fig. 11')
    refinement_weight: float = setting(
        0.3, 'gamma of eq. 11, weight of the stream that comes first', minimum=0.0,
        maximum=10.0, source='CSTNet section V.A', live=True)
    refinement_overlap: float = setting(
        0.5, "overlap with the first stream's box above which a candidate is raised",
        minimum=0.0, maximum=1.0, source='not in the paper', live=True)


class TemporalStream:
    """
    Scores of cuboids around one target.

    `start` on a target; then, in every frame, `see` it and ask for the `logits` of candidates;
    `collect` what a believed frame taught. classifier: the `OnlineClassifier` that learns it.
    """

    def __init__(self, settings, features, learning, runtime):
        """
        Load the network.

        :param settings: a `TemporalSettings`.
        :param features: a `FeatureSettings`; pool_size, feature_channels, feature_rms and
            precision count.
        :param learning: a `ClassifierSettings`.
        :param runtime: a `trackers.base.Runtime`.
        """
        self._settings, self._features, self._learning = settings, features, learning
        self._seed, self._graphs = runtime.seed, runtime.graphs
        self.device = resolve_device(runtime.device)
        self._kind = convolution_type(self.device, features.precision, runtime.half)
        network = load_temporal_backbone(settings.temporal_backbone, settings.temporal_weights,
                                         runtime.models, runtime.seed, RANDOM_WIDTH)
        self._network = network.to(self.device)
        self._trained = {name: tensor for name, tensor in network.extra.items()
                         if name.startswith(('fc4.', 'fc5.'))}
        self._projection = _trained_projection(network, self._trained, self.device)
        self.reset()

    def reset(self):
        """Forget the target; the weights stay loaded."""
        self._clip = self._path = self._region = self._map = self._found = None
        self.classifier = None

    def start(self, image, box, near, far):
        """
        Learn the target in the first frame, which all frames of the clip show.

        :param image: (H, W, 3) uint8, BGR.
        :param box: (x, y, w, h) of the target.
        :param near: (P, 4) boxes on the target.
        :param far: (M, 4) boxes beside it or of another size.
        """
        settings = self._settings
        self._clip = Clip(image, box, FRAMES, settings.temporal_scale, settings.temporal_size)
        self._path = deque([box] * (FRAMES - 1), maxlen=FRAMES - 1)
        self._found = self._projection
        self._look(box)
        positives, negatives = self._samples(box, near, far)
        if not len(positives):
            # A target that reaches far out of the image has none by eq. 6.
            positives = self._of(near)
        self.classifier = OnlineClassifier(
            positives, negatives, self._learning, np.random.default_rng(self._seed),
            torch.Generator().manual_seed(self._seed), self._trained,
            f'the weights of {settings.temporal_backbone}', self._graphs)

    def see(self, image, box):
        """
        Take in the next frame.

        :param image: (H, W, 3) uint8, BGR.
        :param box: (x, y, w, h) of the target in the frame before, the window's centre.
        """
        self._clip.add(image)
        self._path.append(box)
        self._look(box)

    def logits(self, boxes):
        """Return (N,) logits of holding the target over the clip (eq. 8), of boxes (N, 4)."""
        return self.classifier.logits(self._of(boxes))

    def collect(self, box, near, far):
        """
        Take in the frame last seen.

        :param box: (x, y, w, h) of the target in it.
        :param near: (P, 4) boxes on the target.
        :param far: (M, 4) boxes beside it or of another size.
        """
        self.classifier.collect(*self._samples(box, near, far))

    def _look(self, box):
        self._region = self._clip.window(box)
        clip = to_device(self._region.pixels, self.device)  # (T, H, W, 3)
        with frozen(self.device, self._kind):
            maps = self._network(clip.permute(3, 0, 1, 2)[None].float()).float()
        if self._found is None:
            self._found = Projection.fit([maps[0].flatten(1).T], self._features.feature_channels,
                                         self._features.feature_rms)
        self._map, = self._found.of_maps([maps])

    def _of(self, boxes):
        corners = corners_in(self._region, boxes, self.device)
        return pool_boxes(self._map, corners, self._network.stride, self._network.offset,
                          self._features.pool_size).flatten(1)

    def _samples(self, box, near, far):
        """Return features of positive and negative cuboids, by eq. 6."""
        path, threshold = np.array([*self._path, box]), self._settings.temporal_overlap
        # What holds the target now but did not before is neither: as a negative it would teach
        # that the target is background wherever it moves fast.
        return (self._of(near[cuboid_overlap(near, path) > threshold]),
                self._of(far[cuboid_overlap(far, path) <= threshold]))


def cuboid_overlap(boxes, path):
    """
    Return eq. 5, the mean overlap of cuboids with the target over a clip.

    :param boxes: (N, 4), each the same in all frames of its cuboid.
    :param path: (T, 4) boxes of the target, the tube.
    :return: (N,) in [0, 1].
    """
    return iou(np.asarray(boxes)[:, None], np.asarray(path)[None]).mean(axis=1)


def _trained_projection(network, head, device):
    """Return the projection before a trained head, or None where there is none to be kept to."""
    tensors = network.extra
    if 'projection.weight' in tensors:
        weight, bias = tensors['projection.weight'], tensors['projection.bias']
    elif head:
        weight, bias = torch.eye(network.channels), torch.zeros(network.channels)
    else:
        return None
    return Projection([weight[:, :, None, None]], [bias]).to(device)
