"""VGG-M, AlexNet and VGG-16: chains of convolution, normalisation and pooling."""
from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Convolution:
    """One row of a chain network; `norm` and `pool` (size, stride) come before it."""

    name: str
    channels: int
    size: int
    stride: int = 1
    padding: int = 0
    norm: bool = False
    pool: tuple = ()


# Chatfield et al. 2014, CNN-M, without padding as in MDNet, so that 107x107 gives 3x3.
VGG_M = (
    Convolution('conv1', 96, 7, stride=2),
    Convolution('conv2', 256, 5, stride=2, norm=True, pool=(3, 2)),
    Convolution('conv3', 512, 3, norm=True, pool=(3, 2)),
)

# Krizhevsky 2014 ("one weird trick"), as torchvision has it.
ALEXNET = (
    Convolution('conv1', 64, 11, stride=4, padding=2),
    Convolution('conv2', 192, 5, padding=2, pool=(3, 2)),
    Convolution('conv3', 384, 3, padding=1, pool=(3, 2)),
    Convolution('conv4', 256, 3, padding=1),
    Convolution('conv5', 256, 3, padding=1),
)

# Simonyan and Zisserman 2015, configuration D.
VGG_16 = tuple(
    Convolution(f'conv{block}_{index}', channels, 3, padding=1,
                pool=(2, 2) if block > 1 and index == 1 else ())
    for block, (channels, depth) in enumerate(
        ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1)
    for index in range(1, depth + 1))


class LocalResponseNorm(nn.Module):
    """
    x / (2 + 1e-4 * sum of squares over five neighbouring channels) ** 0.75.

    These are MatConvNet's numbers for VGG-M, param [5 2 1e-4 0.75]: its alpha multiplies the
    sum. Caffe and `torch.nn.LocalResponseNorm` divide alpha by the size, so theirs is 5e-4.
    The sum of shifted slices is twice as fast on a CPU as torch's pooling.
    """

    def forward(self, maps):
        """Return the normalised maps, (N, C, H, W) like the input."""
        channels = maps.shape[1]
        squares = nn.functional.pad(maps * maps, (0, 0, 0, 0, 2, 2))
        total = sum(squares[:, shift:shift + channels] for shift in range(5))
        return maps * (2 + 1e-4 * total).pow(-0.75)


class ConstantNorm(nn.Module):
    """
    What `LocalResponseNorm` amounts to while activations stay below ten.

    With it a training step of VGG-M takes less than half the time; the weights are used with the
    real one.
    """

    def forward(self, maps):
        """Return the scaled maps, (N, C, H, W) like the input."""
        return maps * 2 ** -0.75


def use_constant_norms(stages):
    """Replace the `LocalResponseNorm`s in stages of a chain network, in place."""
    for stage in stages.values():
        if isinstance(getattr(stage, 'norm', None), LocalResponseNorm):
            stage.norm = ConstantNorm()


def chain_stages(rows):
    """
    Return the stages of a chain network, each ending with the ReLU of its convolution.

    :param rows: `Convolution` rows.
    :return: ordered mapping of layer name to `nn.Sequential`.
    """
    stages, channels = OrderedDict(), 3
    for row in rows:
        layers = OrderedDict()
        if row.norm:
            layers['norm'] = LocalResponseNorm()
        if row.pool:
            layers['pool'] = nn.MaxPool2d(*row.pool)
        layers['conv'] = nn.Conv2d(channels, row.channels, row.size, row.stride, row.padding)
        layers['relu'] = nn.ReLU()
        stages[row.name] = nn.Sequential(layers)
        channels = row.channels
    return stages


def rename_features(tensors, rows):
    """
    Return tensors under the names of the rows, where torchvision counts `features.<n>`.

    :param tensors: mapping of name to tensor; one without `features.` is returned as it is.
    :param rows: `Convolution` rows of the network.
    """
    numbers = sorted({int(name.split('.')[1]) for name in tensors if name.startswith('features.')})
    names = {f'features.{number}': row.name for number, row in zip(numbers, rows)}
    renamed = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition('.')
        renamed[f'{names.get(layer, layer)}.{kind}'] = tensor
    return renamed


def he_initialise(module, seed):
    """Give every convolution He's normal weights and zero biases, drawn from the seed."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity='relu', generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
