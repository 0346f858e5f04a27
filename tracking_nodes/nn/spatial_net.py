"""
The Spatial Net of TSN: where in a window the target's centre is.

Teng et al., "Robust Object Tracking based on Temporal and Spatial Deep Networks", ICCV 2017,
section 3.3.
"""
from torch import nn
import torch.nn.functional as functional

# Table 1; its strides repeat the Feature Net's and would leave no response map.
KERNELS = (7, 5, 3)
# An untrained net answers with about the mean of a label instead of a half everywhere.
_FIRST_ANSWER = -3.0


class SpatialNetwork(nn.Module):
    """Three convolutions of stride 1 that keep the window's size: ReLU, ReLU, sigmoid."""

    def __init__(self, inputs, channels, generator):
        """
        Make a network with random weights.

        :param inputs: channels of the joined feature maps.
        :param channels: of the first and the second layer; the third has one.
        :param generator: torch Generator, on the CPU, of all weights.
        """
        super().__init__()
        widths = (inputs, *channels, 1)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, kernel, padding=kernel // 2)
            for before, after, kernel in zip(widths, widths[1:], KERNELS))
        for layer in self.layers:
            fan_in = layer.weight[0].numel()
            nn.init.normal_(layer.weight, std=fan_in ** -0.5, generator=generator)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.layers[-1].bias, _FIRST_ANSWER)

    def forward(self, windows):
        """
        Return eq. 4, the confidence maps.

        :param windows: (N, C, n, n).
        :return: (N, n, n) in (0, 1).
        """
        first, second, third = self.layers
        maps = functional.relu(second(functional.relu(first(windows))))
        return third(maps)[:, 0].sigmoid()
