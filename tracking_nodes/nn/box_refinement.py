"""
Box refinement: the exact box of the object that a template shows, from a rough one.

After Alpha-Refine (Yan et al., CVPR 2021): pixel-wise correlation of what lies around the rough
box with the cells of the template. Here it sees the maps that a tracker has already computed, and
answers steps of R-CNN and the overlap they lead to. Boxes in here are (left, top, right, bottom)
in pixels, as torchvision has them.
"""
from dataclasses import asdict, dataclass
import json

import torch
from torch import nn
import torch.nn.functional as functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.detection._utils import BoxCoder

from tracking_nodes.errors import WeightsError
from tracking_nodes.nn.rois import pool_rois
from tracking_nodes.nn.weights import (
    default_weights, fill, find_weights, read_metadata, read_weights)

NETWORK = 'box_refinement'      # of the shipped file in the manifest


@dataclass(frozen=True)
class Tap:
    """A layer whose maps are seen: its name, and what `nn.backbones.Backbone` says of it."""

    name: str
    channels: int
    stride: int
    offset: float


@dataclass(frozen=True)
class RefinementShape:
    """
    The sizes of the network.

    channels: of each tap after its projection. template: cells per side of the template, odd.
    context: side of what the template shows in sides of its box. window: the same of a rough box;
    what the object may reach beyond it has to be seen. cells: per side of a window. width:
    channels of the convolutions. head: of the layer before the answers.
    """

    channels: int = 64
    template: int = 7
    context: float = 1.4
    window: float = 2.0
    cells: int = 12
    width: int = 96
    head: int = 256


class BoxRefinement(nn.Module):
    """Projection, correlation with a template, convolutions, and a head of five numbers."""

    def __init__(self, backbone, taps, shape):
        """
        Make the network with random weights.

        :param backbone: name of the network whose maps are seen.
        :param taps: tuple of `Tap`, in the order of the maps.
        :param shape: a `RefinementShape`.
        """
        super().__init__()
        self.backbone, self.taps, self.shape = backbone, tuple(taps), shape
        self.projections = nn.ModuleList(
            nn.Conv2d(tap.channels, shape.channels, 1, bias=False) for tap in taps)
        joined, width = shape.channels * len(self.taps), shape.width
        self.trunk = nn.Sequential(
            *_convolution(2 * joined + shape.template ** 2, width, 1),
            *_convolution(width, width, 3), *_convolution(width, width, 3, 2),
            *_convolution(width, width, 3), *_convolution(width, width // 2, 1))
        # A mean over the cells would lose where in the window the object ends.
        cells = (shape.cells + 1) // 2
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(width // 2 * cells ** 2, shape.head),
                                  nn.ReLU())
        self.step, self.overlap = nn.Linear(shape.head, 4), nn.Linear(shape.head, 1)
        for layer in (self.step, self.overlap):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        self.coder = BoxCoder((10.0, 10.0, 5.0, 5.0))

    def template(self, maps, boxes):
        """
        Return what a box and a little around it enclose, (N, sum of C, T, T).

        :param maps: list of (N, C, H, W), one per tap.
        :param boxes: (N, 4), one for each image.
        """
        rows = enlarged(boxes, self.shape.context)[:, None]
        return torch.cat(self._pooled(maps, rows, self.shape.template), dim=1)

    def describe(self, pooled):
        """
        Return the cells that windows are compared with, (N, D, T, T).

        :param pooled: (N, sum of C, T, T) of `template`.
        """
        return self._projected(pooled.split([tap.channels for tap in self.taps], dim=1))

    def forward(self, maps, described, boxes):
        """
        Return how each rough box should change, and how well it will fit then.

        :param maps: list of (N, C, H, W), one per tap.
        :param described: (N, D, T, T) of `describe`, one for each image.
        :param boxes: (N, P, 4), rough boxes of each image.
        :return: refined boxes (N * P, 4), their steps (N * P, 4) in units of the coder, and
            logits of the overlaps (N * P,).
        """
        # A few boxes have fewer cells than the maps: they are projected afterwards.
        windows = self._projected(
            self._pooled(maps, enlarged(boxes, self.shape.window), self.shape.cells))
        described = described.repeat_interleave(boxes.shape[1], dim=0)
        joined = torch.cat([windows, windows * self._inner(described),
                            likeness(windows, described)], dim=1)
        found = self.head(self.trunk(joined))
        steps, logits = self.step(found).float(), self.overlap(found).float()[:, 0]
        return self.coder.decode_single(steps, boxes.flatten(0, 1)), steps, logits

    def load(self, tensors, origin):
        """
        Take the tensors of a file.

        :raises WeightsError: one is missing or of another shape.
        """
        fill(self.file_tensors(), tensors, origin)

    def fold_batch_norms(self):
        """Let the trunk's convolutions do what its batch norms do; not for training."""
        convolutions, norms = self.trunk[::3], self.trunk[1::3]
        self.trunk = nn.Sequential(*(layer for pair in zip(convolutions, norms)
                                     for layer in (fuse_conv_bn_eval(*pair), nn.ReLU())))

    def file_tensors(self):
        """Return all tensors, detached, by the names they have in files."""
        return {name: tensor.detach() for name, tensor in self.state_dict().items()
                if not name.endswith('num_batches_tracked')}

    def _inner(self, described):
        """Return the mean over the cells of the box itself, (N, D, 1, 1)."""
        cells = self.shape.template
        edge = round(0.5 * cells * (1 - 1 / self.shape.context))
        return described[:, :, edge:cells - edge, edge:cells - edge].mean(dim=(2, 3), keepdim=True)

    def _pooled(self, maps, boxes, cells):
        return [pool_rois(one, boxes, tap.stride, tap.offset, cells)
                for one, tap in zip(maps, self.taps)]

    def _projected(self, parts):
        return torch.cat([layer(part) for layer, part in zip(self.projections, parts)], dim=1)


def enlarged(boxes, factor):
    """Return boxes (..., 4) with the same centres and `factor` times the sides."""
    grow = (factor - 1) / 2 * (boxes[..., 2:] - boxes[..., :2])
    return torch.cat([boxes[..., :2] - grow, boxes[..., 2:] + grow], dim=-1)


def likeness(windows, described):
    """
    Return the cosine of each cell of a window and each cell of its template.

    :param windows: (M, D, S, S).
    :param described: (M, D, T, T).
    :return: (M, T * T, S, S).
    """
    rows = functional.normalize(windows.flatten(2), dim=1)
    columns = functional.normalize(described.flatten(2), dim=1)
    return torch.bmm(columns.transpose(1, 2), rows).unflatten(2, windows.shape[2:])


def taps_of(backbone, names):
    """Return the `Tap`s of some layers of a `Backbone`."""
    return tuple(Tap(name, backbone.channels[name], backbone.stride[name], backbone.offset[name])
                 for name in names)


def load_box_refinement(weights='', models=''):
    """
    Return a frozen network on the CPU.

    :param weights: '' for the shipped file, or a file: a path, or a name searched in `models`,
        `TRACKING_MODELS` and the package.
    :param models: folder searched first, or ''.
    :raises WeightsError: the file is missing, damaged or of another network.
    """
    loaded = (read_weights(find_weights(weights, models)) if weights
              else default_weights(NETWORK, models))
    stated = read_metadata(loaded.origin)
    missing = {'backbone', 'taps', 'shape'} - stated.keys()
    if missing:
        raise WeightsError(f'{loaded.origin} does not say its {", ".join(sorted(missing))}; give '
                           'a file of python -m tracking_nodes.training.box_refinement')
    network = BoxRefinement(stated['backbone'], [Tap(**row) for row in json.loads(stated['taps'])],
                            RefinementShape(**json.loads(stated['shape'])))
    network.load(loaded.tensors, loaded.origin)
    network.eval().fold_batch_norms()
    return network.requires_grad_(False)


def metadata_of(network):
    """Return what `load_box_refinement` needs to know of a network, for its file."""
    return {'backbone': network.backbone,
            'taps': json.dumps([asdict(tap) for tap in network.taps]),
            'shape': json.dumps(asdict(network.shape))}


def _convolution(inputs, outputs, kernel, stride=1):
    return (nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs), nn.ReLU())
