"""
How the Spatial Net of TSN (ICCV 2017, section 3.3) learns online and refines boxes.

It sees square windows around boxes, `windows(boxes, scale, cells)` of `online.features`, and
answers with a confidence map over each window's cells.
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from tracking_nodes.geometry import cxcywh_to_xywh, xywh_to_cxcywh
from tracking_nodes.nn.device import to_device
from tracking_nodes.nn.spatial_net import SpatialNetwork
from tracking_nodes.online import sampling
from tracking_nodes.online.learner import Learner
from tracking_nodes.online.peak import peaks_of
from tracking_nodes.online.sample_memory import FrameMemory
from tracking_nodes.online.tsn_losses import response_loss
from tracking_nodes.parameters import setting, Settings


@dataclass(frozen=True)
class SpatialSettings(Settings):
    """Windows, network and learning of the Spatial Net."""

    spatial_scale: float = setting(
        3.0, 'side of a window in units of sqrt(w h) of its candidate', minimum=1.5,
        maximum=12.0, source='measured; not in the paper')
    spatial_cells: int = setting(
        18, 'cells per side of a window', minimum=8, maximum=128,
        source='measured; not in the paper')
    spatial_sigma: float = setting(
        0.15, 'standard deviation of the Gaussian label, in sides of the target', minimum=0.01,
        maximum=1.0, source='measured; the paper says proportional')
    spatial_first_channels: int = setting(
        32, 'channels of the first layer', minimum=1, maximum=1024,
        source='speed; Table 1 has 96')
    spatial_second_channels: int = setting(
        32, 'channels of the second layer', minimum=1, maximum=1024,
        source='speed; Table 1 has 256')
    spatial_decay: float = setting(1e-4, 'lambda of eq. 5', minimum=0.0, maximum=1.0,
                                   source='section 3.3')
    spatial_rate: float = setting(
        0.001, 'zeta of eq. 6, the learning rate', minimum=0.0, maximum=10.0,
        source='section 3.3 has 0.01; with the momentum of 0.9 steps are as long as that')
    spatial_momentum: float = setting(0.9, 'momentum of SGD', minimum=0.0, maximum=0.9999,
                                      source='section 4.1')
    spatial_gradient_norm: float = setting(
        10.0, 'largest norm of a gradient', minimum=1e-6, maximum=1e9,
        source='not in the paper; a first step too long leaves all sigmoids at zero')
    spatial_samples: int = setting(
        16, 'windows of the first frame', minimum=1, maximum=1000, source='not in the paper')
    spatial_first_iterations: int = setting(
        100, 'iterations in the first frame', minimum=1, maximum=10000,
        source='measured; not in the paper')
    spatial_iterations: int = setting(
        1, 'iterations of an update', minimum=1, maximum=1000,
        source='measured; not in the paper', live=True)
    spatial_batch: int = setting(4, 'windows of a batch', minimum=2, maximum=64,
                                 source='speed; not in the paper')
    spatial_enough: float = setting(
        1.0, 'peak of the response from which no update is needed; 1 updates in every frame',
        minimum=0.0, maximum=1.0, source='section 4.1: every frame', live=True)
    spatial_doubt: float = setting(
        0.2, 'peak of the response that means a score of 0.5 where there is no Temporal Net',
        minimum=0.001, maximum=0.999, source='measured; not in the paper', live=True)
    spatial_memory: int = setting(
        20, 'later frames whose windows are kept', minimum=1, maximum=1000,
        source='not in the paper')


def gaussian_labels(windows, box, scale, cells, sigma):
    """
    Return the labels of windows: Gaussians at the target's centre, wide in its wide direction.

    :param windows: (N, 4) boxes the windows are around.
    :param box: (4,) the target.
    :param scale: side of a window in units of sqrt(w h) of its box.
    :param cells: n, cells per side.
    :param sigma: standard deviation in sides of the target.
    :return: (N, n, n) float64.
    """
    rows, target = xywh_to_cxcywh(windows), xywh_to_cxcywh(box)
    side = scale * np.sqrt(rows[:, 2:].prod(axis=1))[:, None]
    along = (np.arange(cells) + 0.5) / cells - 0.5
    # Distance of each cell from the target's centre, in its standard deviations.
    across, down = ((rows[:, [axis]] + along * side - target[axis]) / (sigma * target[2 + axis])
                    for axis in (0, 1))
    return np.exp(-0.5 * (down[:, :, None] ** 2 + across[:, None, :] ** 2))


def refine(boxes, responses, scale):
    """
    Return eq. 7: boxes moved to where their windows' confidence is largest.

    :param boxes: (B, 4) float64 tensor.
    :param responses: (B, n, n), on its device.
    :param scale: side of a window in units of sqrt(w h) of its box.
    :return: (B, 4), there.
    """
    rows = xywh_to_cxcywh(boxes)
    places = (peaks_of(responses).flip(1) + 0.5) / responses.shape[-1] - 0.5
    rows[:, :2] += places * scale * rows[:, 2:].prod(dim=1, keepdim=True).sqrt()
    return cxcywh_to_xywh(rows)


def importances(similarities, peaks):
    """
    Return the weights pi_k of eq. 8, the product of both nets' confidences, scaled to sum to 1.

    :param similarities: (B,) of the Temporal Net; float64 tensor.
    :param peaks: (B,) largest confidences of the Spatial Net; likewise.
    :return: (B,), on their device.
    """
    product = similarities * peaks
    # Both are sigmoids, above zero but for underflow.
    return (product + 1e-12) / (product + 1e-12).sum()


class Windows(NamedTuple):
    """What the Spatial Net learns from: windows (N, C, n, n) and their labels (N, n, n)."""

    windows: torch.Tensor
    labels: torch.Tensor


class WindowMemory(FrameMemory):
    """What frames taught are `Windows`."""

    def draw(self, rng, size):
        """
        Return `Windows`: half of the first frame, the latest, and others.

        :param rng: a numpy Generator.
        :param size: how many.
        """
        later = len(self._later)
        first = size // 2 if later else size
        rows = to_device(rng.integers(0, len(self._first.windows), first),
                         self._first.windows.device)
        parts = [Windows(*(each[rows] for each in self._first))]
        if later:
            others = rng.integers(0, later, size - first - 1)
            parts += [self._later[index] for index in [later - 1, *others]]
        return Windows(*map(torch.cat, zip(*parts)))


class SpatialLearner(Learner):
    """A `SpatialNetwork` that learns one target from windows around it."""

    def __init__(self, features, box, settings, rng, generator, graphs=False):
        """
        Learn the first frame.

        :param features: of the frame, as `FeatureExtractor.frame` returns them.
        :param box: (4,) the target.
        :param settings: a `SpatialSettings`.
        :param rng: numpy Generator of windows and batches.
        :param generator: torch Generator of the initial weights.
        :param graphs: whether a GPU replays steps as CUDA graphs.
        """
        self._settings = settings
        shifted = sampling.uniform(rng, box, settings.spatial_samples - 1, 0.25
                                   * settings.spatial_scale, 3.0)
        examples = self._examples(features, np.concatenate([box[None], shifted]), box)
        channels = settings.spatial_first_channels, settings.spatial_second_channels
        network = SpatialNetwork(examples.windows.shape[1], channels,
                                 generator).to(examples.windows.device)
        super().__init__(network, WindowMemory(examples, settings.spatial_memory), rng,
                         momentum=settings.spatial_momentum,
                         gradient_norm=settings.spatial_gradient_norm, graphs=graphs)
        self._train(settings.spatial_first_iterations)

    def respond(self, features, boxes):
        """
        Return the confidence maps of windows around boxes.

        :param features: of the frame.
        :param boxes: (B, 4).
        :return: (B, n, n).
        """
        settings = self._settings
        with torch.no_grad():
            return self.network(features.windows(boxes, settings.spatial_scale,
                                                 settings.spatial_cells))

    def collect(self, features, box):
        """Take in a window of a later frame that shows the target in a box, off its middle."""
        shifted = sampling.uniform(self._rng, box, 1, 0.25 * self._settings.spatial_scale, 1.0)
        self.memory.add(self._examples(features, shifted, box))

    def update(self):
        """Train on the windows in memory."""
        self._train(self._settings.spatial_iterations)

    def _examples(self, features, boxes, target):
        settings = self._settings
        scale, cells = settings.spatial_scale, settings.spatial_cells
        windows = features.windows(boxes, scale, cells)
        labels = gaussian_labels(boxes, target, scale, cells, settings.spatial_sigma)
        return Windows(windows, to_device(labels, windows.device).to(windows.dtype))

    def _train(self, iterations):
        self._descend(iterations, self._settings.spatial_rate, self._batch, self._loss)

    def _batch(self):
        return self.memory.draw(self._rng, self._settings.spatial_batch)

    def _loss(self, batch):
        windows, labels = batch
        return response_loss(self.network(windows), labels, self.network.parameters(),
                             self._settings.spatial_decay)
