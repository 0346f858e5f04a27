"""
Features of candidate boxes, by two paths with the same result shape.

`shared`: one search region around the last box goes through the backbone once, and RoIAlign
takes each candidate's features from its maps. `crop`: each candidate is cut out, resized and
goes through the backbone by itself, as MDNet, RMAN, TSN and CSTNet publish it.
"""
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from torchvision.ops import roi_align

from tracking_nodes.geometry import area_side, cxcywh_to_xywh, xywh_to_cxcywh, xywh_to_xyxy
from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.device import (
    convolution_type, frozen, PRECISIONS, read_back, resolve_device, to_device)
from tracking_nodes.nn.graphs import graphed
from tracking_nodes.online.pictures import crops, stacked
from tracking_nodes.online.regions import cut
from tracking_nodes.parameters import setting, Settings

# Layers whose maps are joined where nothing else is asked for: the last one knows what the
# target is, the one before where it is.
_USUAL_TAPS = {'vggm': 'conv2+conv3', 'alexnet': 'conv2+conv5', 'vgg16': 'conv3_3+conv4_3',
               'resnet18': 'layer2+layer3', 'resnet50': 'layer2+layer3'}


@dataclass(frozen=True)
class FeatureSettings(Settings):
    """Backbone, path and size of the features of a candidate."""

    backbone: str = setting(
        'vggm', 'network of the features', source='VGG-M in RMAN, TSN and CSTNet',
        choices=tuple(_USUAL_TAPS))
    weights: str = setting(
        '', 'weights file of the backbone; empty for its usual one, random for none')
    taps: str = setting(
        '', 'layers of the backbone, joined by +; empty for the usual ones of the backbone',
        source='measured: two layers localise better than the last alone')
    dense: bool = setting(
        False, 'double the resolution of the deepest layer', source='RT-MDNet')
    precision: str = setting(
        'auto', 'of the networks of the features on a CPU; auto is bfloat16 where the processor '
        'computes in it', choices=PRECISIONS, source='speed')
    feature_path: str = setting(
        'shared', 'one search region for all candidates, or one crop per candidate',
        choices=('shared', 'crop'), source='RMAN section V.D proposes RoIAlign for speed')
    search_scale: float = setting(
        5.0, 'side of the search region in units of sqrt(w h) of the target', minimum=2.0,
        maximum=12.0, source='measured; shared path only')
    search_size: int = setting(
        288, 'side of the search region after resizing, pixels', minimum=96, maximum=1024,
        source='measured; shared path only')
    crop_size: int = setting(
        107, 'side of a resized candidate, pixels; crop path only', minimum=75, maximum=512,
        source='MDNet, CSTNet section III')
    crop_padding: float = setting(
        0.15, 'context kept around a candidate, as a share of the crop; crop path only',
        minimum=0.0, maximum=0.45, source='MDNet: 16 of 107 pixels')
    pool_size: int = setting(
        3, 'cells per side of the features of a candidate', minimum=1, maximum=14,
        source='conv3 of VGG-M on 107 pixels is 3x3')
    feature_channels: int = setting(
        64, 'principal components kept of each layer, found in the first frame; 0 keeps all',
        minimum=0, maximum=2048, source='speed: the layer behind has several times fewer inputs')
    feature_rms: float = setting(
        3.0, 'root mean square the features are scaled to', minimum=0.01, maximum=100.0,
        source='measured: the papers give learning rates for unscaled VGG-M features')


def tap_names(settings):
    """Return the names of the layers that a `FeatureSettings` asks for."""
    return (settings.taps or _USUAL_TAPS[settings.backbone]).split('+')


class FeatureExtractor:
    """Loaded backbone and path; makes the features of one frame after the other."""

    def __init__(self, settings, runtime, projection=None):
        """
        Load the backbone.

        :param settings: a `FeatureSettings`.
        :param runtime: a `trackers.base.Runtime`.
        :param projection: a trained `Projection`; None finds one in every first frame.
        """
        self.settings = settings
        self.device = resolve_device(runtime.device)
        self._kind = convolution_type(self.device, settings.precision, runtime.half)
        backbone = load_backbone(settings.backbone, settings.weights, runtime.models,
                                 settings.dense, runtime.seed)
        self.backbone = backbone.to(self.device, memory_format=torch.channels_last)
        self.taps = tap_names(settings)
        # Batches of crops come in many sizes.
        self._see = graphed(self._seen, self.device,
                            runtime.graphs and settings.feature_path == 'shared')
        self._trained = projection and projection.to(self.device)

    def maps(self, pixels):
        """
        Return the backbone's maps.

        :param pixels: (N, H, W, 3) uint8, BGR.
        :return: list of (N, C, H', W') float32, one per tap.
        """
        return self._see(to_device(pixels, self.device))

    def _seen(self, pixels):
        batch = pixels.permute(0, 3, 1, 2)
        with frozen(self.device, self._kind):
            return [m.float() for m in self.backbone(batch.float(), self.taps)]

    def pool(self, maps, corners, size):
        """
        Return what boxes enclose on the maps of all taps, on one grid and joined.

        :param maps: list of (1, C, H', W'), one per tap.
        :param corners: (N, 4) float32, left, top, right, bottom in pixels of the network's input.
        :param size: cells per side.
        :return: (N, sum of C, size, size).
        """
        stride, offset = self.backbone.stride, self.backbone.offset
        return torch.cat([pool_boxes(projected, corners, stride[tap], offset[tap], size)
                          for tap, projected in zip(self.taps, maps)], dim=1)

    def region(self, image, box):
        """Return the `Region` of an image that is searched around a box, for the shared path."""
        # Three times the image holds all of it and of its candidates, wherever the centre is.
        side = min(self.settings.search_scale * area_side(box), 3 * max(image.shape[:2]))
        return cut(image, xywh_to_cxcywh(box)[:2], side, self.settings.search_size)

    def searches_as(self, settings):
        """Return whether maps and regions are what they would be by other `FeatureSettings`."""
        return (self.settings.feature_path == 'shared'
                and self.taps == tap_names(settings)
                and all(getattr(self.settings, name) == getattr(settings, name) for name in (
                    'backbone', 'weights', 'dense', 'precision', 'search_scale', 'search_size')))

    def look(self, image, box):
        """Return the `Region` around a box and its maps, list of (1, C, H, W)."""
        region = self.region(image, box)
        return region, self.maps(region.pixels[None])

    def frame(self, image, box, projection=None, seen=None):
        """
        Return the features of an image searched around a box.

        :param image: (H, W, 3) uint8, BGR.
        :param box: (x, y, w, h).
        :param projection: a `Projection` found in an earlier frame; None for the trained one, or
            else one found in this frame.
        :param seen: the `Region` around the box and its maps where the network has seen it
            already; shared path only.
        :return: an object with `projection`, `of(boxes)` and `windows(boxes, scale, cells)`.
        """
        if self.settings.feature_path == 'crop':
            return CropFeatures(self, image, box, projection or self._trained)
        if seen is None:
            seen = self.look(image, box)
        return SharedFeatures(self, *seen, projection or self._trained)


class SharedFeatures:
    """
    Features of boxes by RoIAlign on the maps of one search region.

    region: the `Region`. maps: what the backbone says of it, list of (1, C, H, W).
    """

    def __init__(self, extractor, region, maps, projection=None):
        """Take what the backbone saw of the search region; see `FeatureExtractor.frame`."""
        self._extractor, self.region, self.maps = extractor, region, maps
        settings = extractor.settings
        self.projection = projection or Projection.fit(
            [m[0].flatten(1).T for m in maps], settings.feature_channels, settings.feature_rms)
        self._maps = self.projection.of_maps(maps)

    def of(self, boxes):
        """
        Return the features of boxes.

        :param boxes: (N, 4), an array or a tensor on the device.
        :return: (N, D), D = channels x pool_size x pool_size, on the device.
        """
        return self._pooled(boxes, self._extractor.settings.pool_size).flatten(1)

    def windows(self, boxes, scale, cells):
        """
        Return the maps of squares around boxes, all layers resampled to one grid and joined.

        :param boxes: (N, 4), as of `of`.
        :param scale: side of a square in units of sqrt(w h) of its box; what lies beyond the
            maps is zero.
        :param cells: n, cells per side.
        :return: (N, channels, n, n) on the device.
        """
        return self._pooled(square_around(boxes, scale), cells)

    def _pooled(self, boxes, size):
        corners = corners_in(self.region, boxes, self._extractor.device)
        return self._extractor.pool(self._maps, corners, size)


def corners_in(region, boxes, device):
    """
    Return the corners of boxes in what the network sees of an image.

    :param region: the `Region` that it sees.
    :param boxes: (N, 4) in the image: an array, which is sent, or a tensor that is there.
    :param device: a torch device.
    :return: (N, 4) float32 tensor: left, top, right, bottom in pixels of the region.
    """
    corners = region.from_image(xywh_to_xyxy(boxes))
    return (corners if torch.is_tensor(corners) else to_device(corners, device)).float()


def pool_boxes(maps, corners, stride, offset, size):
    """
    Return RoIAlign of boxes on one map.

    :param maps: (1, C, H, W).
    :param corners: (N, 4) float32, left, top, right, bottom in pixels of the network's input.
    :param stride: of the map, see `nn.backbones.Backbone`.
    :param offset: of the map.
    :param size: cells per side.
    :return: (N, C, size, size), on the maps' device.
    """
    on_map = (corners - offset) / stride + 0.5
    rois = functional.pad(on_map, (1, 0)).to(maps.device)
    return roi_align(maps, rois, size, sampling_ratio=2, aligned=True)


class CropFeatures:
    """Features of boxes, each cut out and sent through the backbone."""

    BATCH = 64

    def __init__(self, extractor, image, box, projection=None):
        """Keep the image; see `FeatureExtractor.frame`."""
        self._extractor = extractor
        self._image = image
        self.projection = projection or self._fit(box)

    def of(self, boxes):
        """Return the features of boxes, as `SharedFeatures.of`; a tensor of them is read back."""
        boxes = _on_host(boxes)
        size = self._extractor.settings.pool_size
        batches = []
        for start in range(0, len(boxes), self.BATCH):
            maps = self._extractor.maps(self._crops(boxes[start:start + self.BATCH]))
            batches.append(torch.cat([functional.adaptive_avg_pool2d(m, size)
                                      for m in self.projection.of_maps(maps)], dim=1))
        return torch.cat(batches).flatten(1)

    def windows(self, boxes, scale, cells):
        """Return the maps of squares around boxes, as `SharedFeatures.windows`."""
        settings, extractor = self._extractor.settings, self._extractor
        # As many pixels per side of the target as a candidate's own crop has.
        size = int(round(settings.crop_size * (1 - 2 * settings.crop_padding) * scale))
        squares = square_around(_on_host(boxes), scale)
        regions = [cut(self._image, xywh_to_cxcywh(square)[:2], square[2], size)
                   for square in squares]
        maps = self.projection.of_maps(extractor.maps(stacked(*(r.pixels for r in regions))))
        corners = np.stack([region.from_image(xywh_to_xyxy(square))
                            for region, square in zip(regions, squares)])
        rows = to_device(corners, extractor.device).float().split(1)
        return torch.cat([extractor.pool([m[row:row + 1] for m in maps], corner, cells)
                          for row, corner in enumerate(rows)])

    def _fit(self, box):
        steps = np.linspace(-1.5, 1.5, 7)
        shifts = np.array([(x, y, 0, 0) for x in steps for y in steps])
        maps = self._extractor.maps(self._crops(box + shifts * np.asarray(box)[[2, 3, 2, 3]]))
        settings = self._extractor.settings
        return Projection.fit([m.permute(0, 2, 3, 1).flatten(0, 2) for m in maps],
                              settings.feature_channels, settings.feature_rms)

    def _crops(self, boxes):
        settings, rows = self._extractor.settings, xywh_to_cxcywh(boxes)
        rows[:, 2:] *= 1 / (1 - 2 * settings.crop_padding)
        return crops(self._image, rows, settings.crop_size)


def _on_host(boxes):
    """Return boxes (N, 4) as an array: what is cut out of an image is cut by the CPU."""
    return read_back(boxes)[0] if torch.is_tensor(boxes) else boxes


def square_around(boxes, scale):
    """
    Return squares with the centres of boxes.

    :param boxes: (N, 4), an array or a tensor.
    :param scale: side of a square in units of sqrt(w h) of its box.
    :return: (N, 4).
    """
    rows = xywh_to_cxcywh(boxes)
    rows[:, 2:] = scale * (rows[:, 2:3] * rows[:, 3:4]) ** 0.5
    return cxcywh_to_xywh(rows)


@dataclass(frozen=True)
class Projection:
    """Linear map of each layer's channels to fewer, of a common scale; fixed in frame one."""

    weights: list
    biases: list

    @classmethod
    def fit(cls, cells, keep, rms):
        """
        Find principal components and scale.

        :param cells: one (M, C) tensor per layer: feature vectors of map cells.
        :param keep: principal components of each layer; 0 keeps all channels as they are.
        :param rms: root mean square that each layer is scaled to.
        :return: a `Projection`.
        """
        weights, biases = [], []
        for layer in cells:
            mean = layer.mean(dim=0)
            centred = layer - mean
            if keep and keep < layer.shape[1]:
                covariance = centred.T @ centred
                # Where an image has no texture, rounding alone would not converge.
                covariance.diagonal().add_(1e-6)
                # The eigenvectors come in ascending order.
                basis = torch.linalg.eigh(covariance)[1].flip(1)[:, :keep].T
                projected = centred @ basis.T
            else:
                basis = torch.eye(layer.shape[1], device=layer.device)
                projected = centred
            gain = rms / projected.square().mean().sqrt().clamp_min(1e-6)
            weights.append((gain * basis)[:, :, None, None])
            biases.append(-(gain * basis) @ mean)
        return cls(weights, biases)

    def to(self, device):
        """Return the same projection on a device."""
        return Projection(*([tensor.to(device) for tensor in part]
                            for part in (self.weights, self.biases)))

    def of_maps(self, maps):
        """Return the projected maps, (N, C, H, W) each."""
        return [functional.conv2d(m, weight, bias)
                for m, weight, bias in zip(maps, self.weights, self.biases)]
