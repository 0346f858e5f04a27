"""Frozen feature extractors by name: maps of several layers, and where each map cell lies."""
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from tracking_nodes.errors import SettingError, WeightsError
from tracking_nodes.nn import plain, resnet, weights as files
from tracking_nodes.nn.normalisation import Normalisation


@dataclass(frozen=True)
class Network:
    """
    One row of the table of networks.

    stages: makes the stages from the `Weights`. adapt: gives a file's tensors the stages'
    names. enum: torchvision's weights enum, the last resort, or ''. head: prefixes of tensors that
    belong to what follows the stages.
    """

    stages: Callable
    adapt: Callable
    enum: str
    head: tuple


def _chain(rows, enum, head):
    return Network(lambda weights: plain.chain_stages(rows),
                   lambda weights: plain.rename_features(weights.tensors, rows), enum, head)


def _resnet(stages, enum):
    return Network(stages,
                   lambda weights: resnet.fold_batch_norm(weights.tensors, weights.bn_eps),
                   enum, ('layer4.', 'fc.'))


# What files of whole networks have behind their backbone, see `online.spatial_weights` and
# `nn.siam_rcnn`.
_BEHIND = ('projection.', 'fc4.', 'fc5.', 'neck.', 'fusion.', 'rpn_', 'head.', 'roi_')
_NETWORKS = {
    'vggm': _chain(plain.VGG_M, '', ('conv4.', 'conv5.', 'fc')),
    'alexnet': _chain(plain.ALEXNET, 'AlexNet_Weights.IMAGENET1K_V1', ('classifier.',)),
    'vgg16': _chain(plain.VGG_16, 'VGG16_Weights.IMAGENET1K_V1', ('classifier.',)),
    'resnet18': _resnet(resnet.resnet18_stages, 'ResNet18_Weights.IMAGENET1K_V1'),
    'resnet50': _resnet(resnet.resnet50_stages, 'ResNet50_Weights.IMAGENET1K_V1'),
}


def names():
    """Return the names of all backbones."""
    return list(_NETWORKS)


def load_backbone(name, weights='', models='', dense=False, seed=0):
    """
    Return a backbone on the CPU, frozen and in evaluation mode.

    :param name: one of `names()`.
    :param weights: '' for the network's usual weights, 'random' for seeded random ones, or a
        file: a path, or a name searched in `models`, `TRACKING_MODELS` and the package.
    :param models: folder searched first, or ''.
    :param dense: double the resolution from the last subsampling on, with the same weights.
    :param seed: of random weights.
    :raises SettingError: unknown name.
    :raises WeightsError: a file is missing, damaged or of another network.
    """
    if name not in _NETWORKS:
        raise SettingError(f'no backbone {name!r}; known: {", ".join(_NETWORKS)}')
    network = _NETWORKS[name]
    if weights == 'random':
        loaded = files.Weights({}, 'random')
    elif weights:
        loaded = files.read_weights(files.find_weights(weights, models))
    else:
        loaded = files.default_weights(name, models, network.enum)
    backbone = Backbone(network.stages(loaded), loaded.preprocessing, dense)
    if weights == 'random':
        plain.he_initialise(backbone, seed)
    else:
        _fill(backbone, network, loaded)
    return backbone.eval().requires_grad_(False)


class Backbone(nn.Module):
    """
    A chain of named stages with its own preprocessing.

    taps: names of the layers, in order. channels, stride, offset: by tap. `stride` is in
    pixels; `offset` is the image coordinate, in both axes, of the centre of the receptive field
    of map cell 0 in the box convention (the centre of the first pixel is 0.5). Image coordinate
    x is therefore (x - offset) / stride + 0.5 on the map as `torchvision.ops.roi_align` counts
    with aligned=True and spatial_scale=1.
    """

    def __init__(self, stages, preprocessing, dense=False):
        """
        Take ready stages.

        :param stages: ordered mapping of layer name to `nn.Sequential`.
        :param preprocessing: a `Preprocessing`.
        :param dense: as in `load_backbone`.
        """
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        self.preprocessing = preprocessing
        self.normalise = Normalisation(preprocessing)
        if dense:
            _replace_last_stride([pair for stage in stages.values()
                                  for pair in _main_path(stage)])
        self.taps = tuple(self.stages)
        self.channels, self.stride, self.offset = {}, {}, {}
        self._measure()

    def forward(self, images, taps):
        """
        Return the maps of some layers; nothing deeper than them is computed.

        :param images: (N, 3, H, W) float, BGR, 0..255.
        :param taps: names of layers.
        :return: list of (N, channels[tap], H', W'), in the order of `taps`.
        :raises SettingError: unknown tap.
        """
        unknown = [tap for tap in taps if tap not in self.taps]
        if unknown or not taps:
            raise SettingError(f'no layer {", ".join(unknown) or "asked for"}; known: '
                               f'{", ".join(self.taps)}')
        deepest = max(self.taps.index(tap) for tap in taps)
        maps = self.normalise(images)
        found = {}
        for tap in self.taps[:deepest + 1]:
            maps = self.stages[tap](maps)
            found[tap] = maps
        return [found[tap] for tap in taps]

    def file_tensors(self):
        """Return the weights, detached, by the names they have in files."""
        return {name.replace('.conv.', '.'): parameter.detach()
                for name, parameter in self.stages.named_parameters()}

    def _measure(self):
        stride, centre = 1, 0.5
        for tap, stage in self.stages.items():
            for layer, _ in _main_path(stage):
                reach = _first(layer.dilation) * (_first(layer.kernel_size) - 1) / 2
                centre += (reach - _first(layer.padding)) * stride
                stride *= _first(layer.stride)
                if isinstance(layer, nn.Conv2d):
                    self.channels[tap] = layer.out_channels
            self.stride[tap], self.offset[tap] = stride, centre


def _main_path(stage):
    """Return (convolution or pool, convolution of the shortcut beside it or None) in order."""
    pairs = []
    for layer in stage:
        if isinstance(layer, resnet.Residual):
            shortcut = None if layer.downsample is None else layer.downsample[0]
            pairs += [(convolution, shortcut) for convolution in layer.main]
        elif isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            pairs.append((layer, None))
    return pairs


def _replace_last_stride(pairs):
    """Set the last stride of 2 to 1 and spread all later kernels over twice the distance."""
    last = max(index for index, (layer, _) in enumerate(pairs) if _first(layer.stride) > 1)
    strided, shortcut = pairs[last]
    strided.stride = 1 if isinstance(strided, nn.MaxPool2d) else (1, 1)
    if shortcut is not None:
        shortcut.stride = (1, 1)
    for layer, _ in pairs[last + 1:]:
        layer.padding = tuple(2 * value for value in layer.padding)
        layer.dilation = tuple(2 * value for value in layer.dilation)


def _first(value):
    return value[0] if isinstance(value, tuple) else value


def _fill(backbone, network, weights):
    """Copy the file's tensors into the stages; every name and shape has to match."""
    tensors = {name: tensor for name, tensor in network.adapt(weights).items()
               if not name.startswith(network.head + _BEHIND)}
    own = backbone.file_tensors()
    missing, foreign = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or foreign:
        raise WeightsError(f'{weights.origin} is not of this network: it lacks '
                           f'{missing[:5] or "nothing"} and has the foreign {foreign[:5]}')
    files.fill(own, tensors, weights.origin)
