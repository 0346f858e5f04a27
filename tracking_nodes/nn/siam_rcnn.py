"""
SiamRCNN: a two-stage detector of the object that a template shows, over a whole image.

Li, Wang, Gao, Li and Hu, "Globally Spatial-Temporal Perception: a Long-Term Tracking System",
section 2.1. Boxes in here are (left, top, right, bottom) in pixels, as torchvision has them.
"""
from dataclasses import asdict, dataclass
import json

import torch
from torch import nn
import torch.nn.functional as functional
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import batched_nms, clip_boxes_to_image, roi_align

from tracking_nodes.errors import WeightsError
from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.resnet import Residual
from tracking_nodes.nn.weights import (
    default_weights, fill, find_weights, read_metadata, read_weights)

NETWORK = 'gstp_siamrcnn'   # of the shipped file in the manifest
ANCHOR_SIDES = (32, 64, 128, 256)
ANCHOR_RATIOS = (0.5, 1.0, 2.0)
SMALLEST_SIDE = 4.0         # pixels of a proposal


@dataclass(frozen=True)
class Shape:
    """
    The sizes of what follows the backbone.

    fusion: channels of the two 1x1 convolutions; the paper has 1024. head: channels that the RoI
    head ends with; the paper has 2048. blocks: residual blocks of the RoI head, whose first one
    halves the paper's 14 x 14 cells, with a mean over the cells after the last; ResNet-50's stage
    5 has 3. With 0 blocks a layer sees all of 7 x 7 cells at once instead: it takes far less
    training to say where in a box the object is. template: cells per side of the object's
    features, odd.

    neck: channels of a 1x1 convolution before the correlation, by which a frozen backbone's
    features become comparable; 0 as in the paper, which trains the backbone. sharp: whether the
    fusion sees the features times the object's mean as well: the correlation with T x T cells
    blurs where objects end.
    """

    fusion: int = 1024
    head: int = 2048
    blocks: int = 3
    template: int = 7
    neck: int = 0
    sharp: bool = False


# By backbone; the light one is what a CPU can still learn and follow.
SHAPES = {'resnet50': Shape(), 'resnet18': Shape(256, 256, 0, 5, 256, True)}


class SiamRcnn(nn.Module):
    """Feature extraction, feature fusion, RPN head and RoI head."""

    def __init__(self, backbone, shape):
        """
        Put random heads behind a backbone.

        :param backbone: a `Backbone`; its last tap is used.
        :param shape: a `Shape`.
        """
        super().__init__()
        self.backbone, self.shape, self.tap = backbone, shape, backbone.taps[-1]
        self.stride, self.offset = backbone.stride[self.tap], backbone.offset[self.tap]
        channels = backbone.channels[self.tap]
        self.neck = nn.Conv2d(channels, shape.neck, 1) if shape.neck else nn.Identity()
        channels = (shape.neck or channels) * (2 if shape.sharp else 1)
        # The scale of a correlation is that of its features squared; nothing else evens it out.
        self.fusion = nn.Sequential(
            nn.BatchNorm2d(channels), *_convolution(channels, shape.fusion),
            *_convolution(shape.fusion, shape.fusion))
        self.anchors = AnchorGenerator((ANCHOR_SIDES,), (ANCHOR_RATIOS,))
        count = self.anchors.num_anchors_per_location()[0]
        self.rpn_class = nn.Conv2d(shape.fusion, 2 * count, 1)
        self.rpn_box = nn.Conv2d(shape.fusion, 4 * count, 1)
        self.cells = 14 if shape.blocks else 7
        self.head = (_residual_head(shape.fusion, shape.head, shape.blocks) if shape.blocks
                     else _cell_head(shape.fusion, shape.head, self.cells))
        self.roi_class = nn.Linear(shape.head, 2)
        self.roi_box = nn.Linear(shape.head, 4)
        for layer in (self.rpn_class, self.rpn_box, self.roi_class, self.roi_box):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        self.rpn_coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        self.roi_coder = BoxCoder((10.0, 10.0, 5.0, 5.0))

    def features(self, images):
        """Return (N, C, H', W') of images (N, 3, H, W), BGR, 0..255."""
        return self.backbone(images, [self.tap])[0]

    def template(self, features, boxes):
        """
        Return the object's features, by RoIAlign: (N, C, T, T).

        :param features: (N, C, H', W') of the template images.
        :param boxes: (N, 4), one in each.
        """
        return self._pool(features, list(boxes[:, None].unbind()), self.shape.template, 2)

    def fuse(self, features, templates):
        """
        Return the fusion feature (N, F, H', W').

        :param features: (N, C, H', W') of the search images.
        :param templates: (N, C, T, T).
        """
        features, templates = self.neck(features), self.neck(templates)
        maps = depthwise_correlation(features, templates)
        if self.shape.sharp:
            means = templates.mean(dim=(2, 3), keepdim=True)
            maps = torch.cat([maps, features * means.to(features)], dim=1)
        return self.fusion(maps)

    def propose(self, fused):
        """
        Return what the RPN head says of every anchor.

        :param fused: (N, F, H', W').
        :return: logits (N, A, 2), background first; steps (N, A, 4); anchors (A, 4).
        """
        height, width = fused.shape[-2:]
        strides = [torch.tensor((self.stride, self.stride), device=fused.device)]
        self.anchors.set_cell_anchors(torch.float32, fused.device)
        anchors, = self.anchors.grid_anchors([(height, width)], strides)
        logits, steps = (_rows(_full(layer(fused)), size)
                         for layer, size in ((self.rpn_class, 2), (self.rpn_box, 4)))
        return logits, steps, (anchors + self.offset).to(steps)

    def proposals(self, logits, steps, anchors, size, before, after, overlap):
        """
        Return the proposals of every image, (P, 4) each, best first.

        :param logits: (N, A, 2), steps: (N, A, 4), anchors: (A, 4): of `propose`.
        :param size: (H, W) of the image, to which boxes are cut.
        :param before: how many are decoded.
        :param after: how many are left at most.
        :param overlap: from which of two boxes only the better one stays.
        """
        found = []
        for scores, moves in zip(logits[..., 1] - logits[..., 0], steps):
            best = scores.topk(min(before, len(scores))).indices
            boxes = clip_boxes_to_image(
                self.rpn_coder.decode_single(moves[best], anchors[best]), size)
            kept = _kept(boxes, scores[best], overlap)[:after]
            found.append(boxes[kept])
        return found

    def judge(self, fused, boxes):
        """
        Return what the RoI head says of boxes.

        :param fused: (N, F, H', W').
        :param boxes: list of (P, 4), one for each image.
        :return: logits (sum of P, 2), background first; steps (sum of P, 4).
        """
        pooled = self.head(self._pool(fused, boxes, self.cells, 1))
        return _full(self.roi_class(pooled)), _full(self.roi_box(pooled))

    def detect(self, features, templates, size, before=400, proposals=32, overlap=0.7,
               final_overlap=0.5):
        """
        Return the objects like the template in one image, best first.

        :param features: (1, C, H', W') of the image.
        :param templates: (1, C, T, T).
        :param size: (H, W) of the image in pixels.
        :param before: proposals that are decoded.
        :param proposals: proposals that the RoI head judges.
        :param overlap: of the proposals' non-maximum suppression.
        :param final_overlap: of that of the answers.
        :return: boxes (M, 4) and probabilities (M,).
        """
        fused = self.fuse(features, templates)
        found = self.proposals(*self.propose(fused), size, before, proposals, overlap)
        logits, steps = self.judge(fused, found)
        boxes = clip_boxes_to_image(self.roi_coder.decode_single(steps, found[0]), size)
        scores = logits.softmax(dim=1)[:, 1]
        kept = _kept(boxes, scores, final_overlap)
        return boxes[kept], scores[kept]

    def file_tensors(self):
        """Return all tensors, detached, by the names they have in files."""
        heads = {name: tensor.detach() for name, tensor in self._heads().items()}
        return {**self.backbone.file_tensors(), **heads}

    def load(self, tensors, origin):
        """
        Take the heads of a file.

        :param tensors: by the names of `file_tensors`; the backbone's are left alone.
        :param origin: the file, for messages.
        :raises WeightsError: one is missing or of another shape.
        """
        fill(self._heads(), tensors, origin)

    def _heads(self):
        return {name: tensor for name, tensor in self.state_dict().items()
                if not name.startswith('backbone.') and not name.endswith('num_batches_tracked')}

    def _pool(self, maps, boxes, cells, samples):
        """Return (sum of P, C, cells, cells) of boxes in pixels, by RoIAlign."""
        # It has no kernel for half precision on every device.
        maps = _full(maps)
        placed = [((rows - self.offset) / self.stride + 0.5).to(maps) for rows in boxes]
        return roi_align(maps, placed, cells, aligned=True, sampling_ratio=samples)


def load_siam_rcnn(weights, models='', seed=0):
    """
    Return a frozen SiamRCNN on the CPU.

    :param weights: '' for the shipped file, 'random:' and a key of `SHAPES` for random weights, or
        a file: a path, or a name searched in `models`, `TRACKING_MODELS` and the package.
    :param models: folder searched first, or ''.
    :param seed: of random weights.
    :raises WeightsError: the file is missing, damaged or of another network.
    """
    kind, _, name = weights.partition(':')
    if kind == 'random':
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = SiamRcnn(load_backbone(name, 'random', seed=seed), SHAPES[name])
        return network.eval().requires_grad_(False)
    loaded = (read_weights(find_weights(weights, models)) if weights
              else default_weights(NETWORK, models))
    path = loaded.origin
    stated = read_metadata(path)
    if 'backbone' not in stated or 'shape' not in stated:
        raise WeightsError(f'{path} does not say its backbone and shape; give a file written by '
                           'python -m tracking_nodes.training.siam_rcnn')
    network = SiamRcnn(load_backbone(stated['backbone'], path),
                       Shape(**json.loads(stated['shape'])))
    network.load(loaded.tensors, path)
    return network.eval().requires_grad_(False)


def metadata_of(network, backbone):
    """Return what `load_siam_rcnn` needs to know of a network, for its file."""
    preprocessing = asdict(network.backbone.preprocessing)
    return {'backbone': backbone, 'shape': json.dumps(asdict(network.shape)),
            'preprocessing': json.dumps(preprocessing)}


def depthwise_correlation(features, templates):
    """
    Return each channel of the features correlated with that channel of the template.

    :param features: (N, C, H, W).
    :param templates: (N, C, T, T), T odd.
    :return: (N, C, H, W), a mean over the template's cells; zero outside of the features.
    """
    count, channels, height, width = features.shape
    cells = templates.shape[-1]
    kernels = templates.reshape(count * channels, 1, cells, cells) / cells ** 2
    rows = features.reshape(1, count * channels, height, width)
    return functional.conv2d(rows, kernels.to(rows), padding=cells // 2,
                             groups=count * channels).view(features.shape)


def _convolution(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


def _residual_head(inputs, outputs, blocks):
    first, *others = [inputs] + [outputs] * (blocks - 1)
    return nn.Sequential(_bottleneck(first, outputs, 2),
                         *(_bottleneck(one, outputs, 1) for one in others),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _cell_head(inputs, outputs, cells):
    width = inputs // 4
    return nn.Sequential(nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(), nn.Flatten(),
                         nn.Linear(width * cells ** 2, outputs), nn.ReLU())


def _bottleneck(inputs, outputs, stride):
    width = outputs // 4
    layers = [nn.Conv2d(inputs, width, 1), nn.Conv2d(width, width, 3, stride, padding=1),
              nn.Conv2d(width, outputs, 1)]
    # A block without batch norm begins as its shortcut.
    nn.init.zeros_(layers[-1].weight)
    return Residual(layers, None if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride))


def _full(values):
    """Return values of half precision in full, others as they are."""
    return values.float() if values.dtype.itemsize == 2 else values


def _rows(maps, size):
    """Return (N, anchors, size) of (N, anchors per cell * size, H, W), in the anchors' order."""
    count, _, height, width = maps.shape
    return maps.view(count, -1, size, height, width).permute(0, 3, 4, 1, 2).reshape(
        count, -1, size)


def _kept(boxes, scores, overlap):
    """Return the numbers of the boxes that are large enough and the best where they are."""
    large = ((boxes[:, 2:] - boxes[:, :2]).amin(dim=1) >= SMALLEST_SIDE).nonzero()[:, 0]
    groups = torch.zeros_like(large)
    return large[batched_nms(boxes[large].float(), scores[large].float(), groups, overlap)]
