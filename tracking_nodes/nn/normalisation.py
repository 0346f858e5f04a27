"""Pixels as a network was trained on them."""
import torch
from torch import nn


class Normalisation(nn.Module):
    """Turns BGR pixels of 0..255 into a network's input; it has no parameters of its own."""

    def __init__(self, preprocessing):
        """
        Keep mean and spread on the scale and in the order of the pixels.

        :param preprocessing: a `weights.Preprocessing`.
        """
        super().__init__()
        self._is_rgb = preprocessing.order == 'rgb'
        for name in ('mean', 'std'):
            values = torch.tensor(getattr(preprocessing, name), dtype=torch.float32)
            self.register_buffer(
                name, preprocessing.scale * (values.flip(0) if self._is_rgb else values),
                persistent=False)

    def forward(self, pixels):
        """Return pixels (N, 3, ...) float, BGR, 0..255 as the network's input, of that shape."""
        shape = (3,) + (1,) * (pixels.dim() - 2)
        pixels = (pixels - self.mean.view(shape)) / self.std.view(shape)
        return pixels.flip(1) if self._is_rgb else pixels
