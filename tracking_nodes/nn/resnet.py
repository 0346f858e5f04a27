"""ResNet-18 and ResNet-50 up to layer3 (C4), with the batch norms folded into the convolutions."""
from collections import OrderedDict

import torch
from torch import nn

_WIDTHS = (64, 128, 256)


class Residual(nn.Module):
    """Convolutions with ReLU between, a shortcut, and ReLU of the sum."""

    def __init__(self, convolutions, downsample=None):
        """
        Make a block.

        :param convolutions: `nn.Conv2d` modules in order; they become conv1, conv2, ...
        :param downsample: 1x1 convolution of the shortcut, or None for the identity.
        """
        super().__init__()
        for number, convolution in enumerate(convolutions, start=1):
            self.add_module(f'conv{number}', convolution)
        self.depth = len(convolutions)
        self.downsample = None if downsample is None else nn.Sequential(downsample)

    @property
    def main(self):
        """The convolutions of the main path, in order."""
        return [getattr(self, f'conv{number}') for number in range(1, self.depth + 1)]

    def forward(self, maps):
        """Return (N, C', H', W') maps for (N, C, H, W)."""
        *first, last = self.main
        inner = maps
        for convolution in first:
            inner = torch.relu(convolution(inner))
        shortcut = maps if self.downsample is None else self.downsample(maps)
        return torch.relu(last(inner) + shortcut)


def resnet18_stages(weights):
    """Return the stages conv1, layer1, layer2 and layer3 of ResNet-18."""
    return _stages((2, 2, 2), 1, lambda channels, width, stride: [
        nn.Conv2d(channels, width, 3, stride, padding=1),
        nn.Conv2d(width, width, 3, padding=1)])


def resnet50_stages(weights):
    """
    Return the stages conv1, layer1, layer2 and layer3 of ResNet-50.

    :param weights: `Weights`, whose `stride_on` says which convolution of a block is strided.
    """
    def bottleneck(channels, width, stride):
        first, second = (stride, 1) if weights.stride_on == 'conv1' else (1, stride)
        return [nn.Conv2d(channels, width, 1, first),
                nn.Conv2d(width, width, 3, second, padding=1),
                nn.Conv2d(width, 4 * width, 1)]
    return _stages((3, 4, 6), 4, bottleneck)


def _stages(depths, expansion, convolutions):
    stages = OrderedDict(conv1=nn.Sequential(OrderedDict(
        conv=nn.Conv2d(3, 64, 7, 2, padding=3), relu=nn.ReLU())))
    channels = 64
    for number, (depth, width) in enumerate(zip(depths, _WIDTHS), start=1):
        layers = OrderedDict()
        if number == 1:
            layers['pool'] = nn.MaxPool2d(3, 2, padding=1)
        for index in range(depth):
            stride = 2 if number > 1 and index == 0 else 1
            out = width * expansion
            changes = stride > 1 or channels != out
            layers[str(index)] = Residual(
                convolutions(channels, width, stride),
                nn.Conv2d(channels, out, 1, stride) if changes else None)
            channels = out
        stages[f'layer{number}'] = nn.Sequential(layers)
    return stages


def fold_batch_norm(tensors, epsilon):
    """
    Return the tensors of an equal network without batch norms.

    :param tensors: torchvision's names, convolutions with or without biases, `bn1`, `bn2`, ...
        and `downsample.1` batch norms; one without batch norms is returned as it is.
    :param epsilon: of the batch norms.
    """
    norms = {name.removesuffix('.running_var') for name in tensors
             if name.endswith('.running_var')}
    folded = {name: tensor for name, tensor in tensors.items()
              if name.rpartition('.')[0] not in norms}
    for norm in norms:
        convolution = norm.replace('bn', 'conv')
        if norm.endswith('downsample.1'):
            convolution = norm.removesuffix('1') + '0'
        gain = tensors[f'{norm}.weight'] * torch.rsqrt(tensors[f'{norm}.running_var'] + epsilon)
        weight = tensors[f'{convolution}.weight']
        bias = tensors.get(f'{convolution}.bias', torch.zeros(len(weight)))
        folded[f'{convolution}.weight'] = weight * gain[:, None, None, None]
        folded[f'{convolution}.bias'] = (
            tensors[f'{norm}.bias'] + gain * (bias - tensors[f'{norm}.running_mean']))
    return folded
