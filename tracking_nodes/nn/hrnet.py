"""
HRNet: a network that keeps its highest resolution from the first stage to the last.

Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation", CVPR 2019,
section 3 and its released configuration of W32 and W48. Stages of two, three and four parallel
resolutions, each half of the one before and twice as wide, exchange what they see again and
again; the heatmap is predicted from the highest.
"""
import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tracking_nodes.nn.resnet import Residual

STRIDE = 4              # pixels of the input per cell of the heatmap
_PUBLISHED_WIDTH = 18   # the narrowest of the published networks
_STEM = 64              # channels of theirs
_HEAD_SPREAD = 1e-3     # of the first weights of the heatmap's layer, as published


class HRNet(nn.Module):
    """
    The network, with batch norms after all convolutions but the last until it is folded.

    From width 18 on it is as deep as the published ones: four bottlenecks, then 1, 4 and 3
    modules of four blocks per resolution. Narrower ones have a stem and bottlenecks that are
    narrowed in proportion, two bottlenecks, and one module of two blocks in each stage.
    """

    def __init__(self, inputs, width, outputs=1):
        """
        Make the layers, PyTorch's default initialisation.

        :param inputs: channels of the input.
        :param width: C, channels of the highest resolution; 32 and 48 are the paper's.
        :param outputs: heatmaps.
        """
        super().__init__()
        is_published = width >= _PUBLISHED_WIDTH
        stem = _STEM if is_published else 2 * width
        bottlenecks, modules, blocks = (4, (1, 4, 3), 4) if is_published else (2, (1, 1, 1), 2)
        self.stem = nn.Sequential(Unit(inputs, stem, stride=2), nn.ReLU(),
                                  Unit(stem, stem, stride=2), nn.ReLU())
        self.stage1 = nn.Sequential(
            _bottleneck(stem, stem),
            *(_bottleneck(4 * stem, stem) for _ in range(bottlenecks - 1)))
        before = [4 * stem]
        for number, count in enumerate(modules, start=2):
            channels = [width * 2 ** level for level in range(number)]
            kept = [number if number < 4 or index < count - 1 else 1 for index in range(count)]
            self.add_module(f'transition{number}', Transition(before, channels))
            self.add_module(f'stage{number}', nn.Sequential(
                *(Exchange(channels, blocks, each) for each in kept)))
            before = channels
        self.head = nn.Conv2d(width, outputs, 1)
        nn.init.normal_(self.head.weight, std=_HEAD_SPREAD)
        nn.init.zeros_(self.head.bias)

    def forward(self, maps):
        """
        Return the heatmaps.

        :param maps: (N, inputs, H, W), H and W multiples of 32.
        :return: (N, outputs, H / 4, W / 4), not bounded.
        """
        levels = [self.stage1(self.stem(maps))]
        for number in (2, 3, 4):
            levels = getattr(self, f'transition{number}')(levels)
            levels = getattr(self, f'stage{number}')(levels)
        return self.head(levels[0])

    def folded(self):
        """Return an equal network for use alone: a frozen copy without batch norms."""
        network = copy.deepcopy(self).eval().requires_grad_(False)
        for module in network.modules():
            if isinstance(module, Unit):
                module.fold()
        return network


class Unit(nn.Module):
    """A convolution that keeps the size, or halves it, and its batch norm."""

    def __init__(self, inputs, outputs, size=3, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, maps):
        """Return (N, outputs, H / stride, W / stride) for (N, inputs, H, W)."""
        return self.norm(self.conv(maps))

    def fold(self):
        """Take the batch norm, as it is in use, into the convolution."""
        self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class Transition(nn.Module):
    """From the resolutions of one stage to those of the next, which has one more."""

    def __init__(self, before, after):
        """
        Make the convolutions.

        :param before: channels of the resolutions so far, the highest first.
        :param after: channels of those of the next stage.
        """
        super().__init__()
        self.paths = nn.ModuleList(
            nn.Identity() if have == want else nn.Sequential(Unit(have, want), nn.ReLU())
            for have, want in zip(before, after))
        self.paths.append(nn.Sequential(Unit(before[-1], after[-1], stride=2), nn.ReLU()))

    def forward(self, levels):
        """Return the maps of all resolutions, a list, for those of one fewer."""
        return [path(maps) for path, maps in zip(self.paths, [*levels, levels[-1]])]


class Exchange(nn.Module):
    """A module: residual blocks at each resolution, then the fusion of all of them into each."""

    def __init__(self, channels, blocks, kept):
        """
        Make blocks and fusion.

        :param channels: of the resolutions, the highest first.
        :param blocks: per resolution.
        :param kept: number of resolutions that are fused, from the highest on.
        """
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(Residual([Unit(each, each), Unit(each, each)])
                            for _ in range(blocks))) for each in channels)
        self.paths = nn.ModuleList(
            nn.ModuleList(_path(channels, start, end) for start in range(len(channels)))
            for end in range(kept))

    def forward(self, levels):
        """Return the fused maps, a list, for a list of maps."""
        levels = [branch(maps) for branch, maps in zip(self.branches, levels)]
        return [torch.relu(sum(path(maps) for path, maps in zip(paths, levels)))
                for paths in self.paths]


def _bottleneck(inputs, inner):
    outputs = 4 * inner
    return Residual([Unit(inputs, inner, 1), Unit(inner, inner), Unit(inner, outputs, 1)],
                    None if inputs == outputs else Unit(inputs, outputs, 1))


def _path(channels, start, end):
    """Return what brings the maps of one resolution to another."""
    if start == end:
        return nn.Identity()
    if start > end:
        return nn.Sequential(Unit(channels[start], channels[end], 1),
                             nn.Upsample(scale_factor=2 ** (start - end)))
    steps = []
    for _ in range(end - start - 1):
        steps += [Unit(channels[start], channels[start], stride=2), nn.ReLU()]
    return nn.Sequential(*steps, Unit(channels[start], channels[end], stride=2))
