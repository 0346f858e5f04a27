"""
A dense filter that learns one target online, in closed form.

A convolution over the maps of a search region answers a Gaussian around the target. It is the
solution of a weighted ridge regression over all cells of all frames seen: their normal equations
are accumulated with a forgetting factor, so one Cholesky solve is exact, without learning rate or
iterations, and the memory does not grow. Frame one, the only one whose label is certain, keeps a
share of the weight for ever.
"""
from dataclasses import dataclass
import math

import torch
from torch.nn import functional

from tracking_nodes.parameters import setting, Settings

# The label up to which a cell is off the target.
_OFF_TARGET = 0.1


@dataclass(frozen=True)
class FilterSettings(Settings):
    """Size, label and learning of the ridge filter of the robust preset."""

    filter_channels: int = setting(
        96, "principal components of the backbone's deepest layer that the filter of the robust "
        'preset sees', minimum=1, maximum=256, source='measured: a layer more gains nothing')
    filter_cells: int = setting(
        3, 'cells per side of the filter', minimum=1, maximum=9,
        source='measured: 4, which is the whole target, loses more of them and takes longer')
    filter_label: float = setting(
        0.25, 'standard deviation of the label, in sides of the target', minimum=0.01,
        maximum=1.0, source='measured')
    filter_background: float = setting(
        0.15, 'weight of a cell of the background in the regression; one on the target has 1 more',
        minimum=0.001, maximum=10.0, source='measured')
    filter_distractors: float = setting(
        1.0, 'further weight of a background cell per unit of what the filter answered there '
        'before; 0: all alike', minimum=0.0, maximum=100.0,
        source='mining of distractors in the search region', live=True)
    filter_ridge: float = setting(
        1e-3, 'ridge penalty, in units of the mean energy of a cell', minimum=1e-9, maximum=1e3,
        source='measured')
    filter_first: float = setting(
        0.25, 'share of the first frame in what is learned', minimum=0.0, maximum=1.0,
        source='measured: the only label that is certain')
    filter_forgetting: float = setting(
        0.02, 'share of the past that is forgotten in a frame', minimum=0.0, maximum=1.0,
        source='measured', live=True)
    filter_every: int = setting(
        5, 'frames from one update of the filter to the next', minimum=1, maximum=1000,
        source='speed', live=True)
    filter_early: int = setting(
        10, 'first frames after which the filter is updated each time', minimum=0, maximum=1000,
        source='so young a filter knows little but one picture', live=True)


@dataclass(frozen=True)
class NormalEquations:
    """
    Sums over cells of a weighted regression.

    moments: (D, D), of the inputs. products: (D,), of inputs and labels.
    """

    moments: torch.Tensor
    products: torch.Tensor

    @classmethod
    def of(cls, inputs, labels, weights):
        """
        Return the sums over the cells of one frame.

        :param inputs: (P, D).
        :param labels: (P,).
        :param weights: (P,), not negative.
        """
        weighted = inputs * weights[:, None]
        return cls(weighted.T @ inputs, weighted.T @ labels)

    def mixed(self, other, share):
        """Return the sums of which another's have a share in [0, 1]."""
        return NormalEquations(torch.lerp(self.moments, other.moments, share),
                               torch.lerp(self.products, other.products, share))

    def solved(self, ridge):
        """
        Return the weights (D,) of the ridge regression.

        :param ridge: penalty in units of the mean of the moments' diagonal.
        """
        moments = self.moments.clone()
        diagonal = moments.diagonal()
        # Where an image has no texture all moments are zero.
        diagonal.add_(ridge * diagonal.mean() + 1e-6)
        return torch.cholesky_solve(self.products[:, None], torch.linalg.cholesky(moments))[:, 0]


class RidgeFilter:
    """
    The filter of one target.

    Maps are (1, C, H, W), cells of `stride` pixels of the search region, the centre of the first
    one at `offset`. A response has one value between every filter_cells neighbours across and
    down: (H + 1, W + 1) for an even number of them, (H, W) for an odd one.
    """

    def __init__(self, settings, stride, offset):
        """
        Begin without a target.

        :param settings: a `FilterSettings`.
        :param stride: of the maps, pixels.
        :param offset: of the maps, pixels, as of `nn.backbones.Backbone`.
        """
        self.settings, self.stride = settings, stride
        cells = settings.filter_cells
        # Of the first value of a response, in pixels.
        self.origin = offset - (0 if cells % 2 else stride / 2)
        self._padding = cells // 2
        self.reset()

    def reset(self):
        """Forget the target."""
        self._first = self._seen = self.weights = None

    def start(self, maps, corners):
        """
        Learn a first frame from several views of it.

        :param maps: list of (1, C, H, W), one per view.
        :param corners: list of (4,), left, top, right, bottom of the target in pixels of each.
        """
        self.reset()
        parts = [self._equations(*pair) for pair in zip(maps, corners)]
        self._first = NormalEquations(torch.stack([part.moments for part in parts]).mean(dim=0),
                                      torch.stack([part.products for part in parts]).mean(dim=0))
        self._seen = self._first
        self.weights = self._first.solved(self.settings.filter_ridge)

    def respond(self, maps):
        """Return the response to maps (1, C, H, W)."""
        size = [side + 2 * self._padding - self.settings.filter_cells + 1
                for side in maps.shape[2:]]
        return (self._inputs(maps) @ self.weights).view(size)

    def learned(self, maps, corners, frames):
        """
        Return what `adopt` takes: this filter after one more frame; it is left as it is.

        :param maps: (1, C, H, W) of the frame.
        :param corners: (4,) of the target in it.
        :param frames: for how many frames it stands, those since the last update.
        """
        settings = self.settings
        share = 1 - (1 - settings.filter_forgetting) ** frames
        seen = self._seen.mixed(self._equations(maps, corners), share)
        return seen, seen.mixed(self._first, settings.filter_first).solved(settings.filter_ridge)

    def adopt(self, learned):
        """Go on with what `learned` returned."""
        self._seen, self.weights = learned

    def positions(self, places):
        """Return (..., 2) x, y in pixels of places (..., 2) down, across in a response's cells."""
        return places[..., ::-1] * self.stride + self.origin

    def places(self, positions):
        """Return (..., 2) down, across in a response's cells of (..., 2) x, y in pixels."""
        return (positions[..., ::-1] - self.origin) / self.stride

    def _inputs(self, maps):
        """Return (P, D): what the filter sees at each value of the response."""
        return functional.unfold(maps, self.settings.filter_cells,
                                 padding=self._padding)[0].T

    def _equations(self, maps, corners):
        settings, inputs = self.settings, self._inputs(maps)
        labels = self._labels(maps, corners)
        weights = settings.filter_background + labels
        if settings.filter_distractors and self.weights is not None:
            answers = (inputs @ self.weights).clamp_min(0)
            weights = weights + settings.filter_distractors * answers * (labels < _OFF_TARGET)
        return NormalEquations.of(inputs, labels, weights)

    def _labels(self, maps, corners):
        """Return (P,): a Gaussian around the middle of the target."""
        left, top, right, bottom = (float(value) for value in corners)
        sigma = self.settings.filter_label * math.sqrt((right - left) * (bottom - top))
        rows, columns = (
            torch.arange(side + 2 * self._padding - self.settings.filter_cells + 1,
                         device=maps.device) * self.stride + self.origin
            for side in maps.shape[2:])
        down = (rows - (top + bottom) / 2) / sigma
        across = (columns - (left + right) / 2) / sigma
        return torch.exp(-0.5 * (down[:, None] ** 2 + across[None, :] ** 2)).flatten()
