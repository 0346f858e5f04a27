"""
The context-aware correlation filter as a differentiable layer, and the semantic correlation.

Maps are (..., C, H, W), responses (..., H, W). The filter lives in the Fourier domain, half of it,
as `torch.fft.rfft2` returns it: (..., C, H, W // 2 + 1) complex. H and W are those of the label:
maps that are smaller are filled up with zeros, so that a size can be chosen whose transform is
fast. Transforms are not normalised, so
the penalties are those of the ridge regression over circulant matrices (Wang et al., IJCAI 2018,
eq. 6). Displacements are circular and counted from cell (0, 0): the response to an unmoved target
has its peak there; `centred` brings it to the middle.
"""
import torch
from torch.nn import functional


def gaussian_label(height, width, sigma, shift=(0.0, 0.0)):
    """
    Return the regression target y, a Gaussian that wraps around the borders.

    :param sigma: standard deviation in cells.
    :param shift: (down, across) cells of the peak from cell (0, 0), fractions allowed.
    :return: (height, width) float32, its peak 1.
    """
    def squared(count, offset):
        distance = (torch.arange(count, dtype=torch.float64) - offset + count / 2) % count
        return (distance - count / 2).square()

    total = squared(height, shift[0])[:, None] + squared(width, shift[1])[None, :]
    return torch.exp(-0.5 * total / sigma ** 2).float()


def cosine_window(height, width):
    """Return a Hann window (height, width), float32, that fades maps out at the borders."""
    return (torch.hann_window(height, periodic=False)[:, None]
            * torch.hann_window(width, periodic=False)[None, :])


def solve_filter(target, label, ridge, contexts=None, context_weight=0.0):
    """
    Return the filter that answers the label on the target and zero on the contexts (eq. 7).

    Eq. 7 is written for one channel. With several, the denominator is the sum over the channels,
    as in DCFNet: for no contexts that is the exact solution of eq. 6 for all channels together,
    with contexts it is exact for one channel.

    :param target: (..., C, h, w) maps z_0, h <= H and w <= W.
    :param label: (..., H, W) or (H, W), y.
    :param ridge: lambda_1.
    :param contexts: (..., K, C, h, w) maps z_i, or None.
    :param context_weight: lambda_2.
    :return: (..., C, H, W // 2 + 1) complex.
    """
    size = label.shape[-2:]
    found = torch.fft.rfft2(target, s=size)
    energy = _power(found) + ridge
    if contexts is not None:
        energy = energy + context_weight * _power(torch.fft.rfft2(contexts, s=size)).sum(dim=-3)
    answer = (torch.fft.rfft2(label) / energy).unsqueeze(-3)
    return found.conj() * answer


def respond(maps, weights, size=None):
    """
    Return the filter's response on maps (eq. 9).

    :param maps: (..., C, h, w).
    :param weights: (..., C, H, W // 2 + 1), from `solve_filter`.
    :param size: (H, W), where the maps are smaller than the filter's label.
    :return: (..., H, W).
    """
    size = size or maps.shape[-2:]
    spectrum = (torch.fft.rfft2(maps, s=size) * weights).sum(dim=-3)
    return torch.fft.irfft2(spectrum, s=size)


def centred(response):
    """Return responses (..., H, W) with displacement zero at cell (H // 2, W // 2)."""
    return torch.fft.fftshift(response, dim=(-2, -1))


def cross_correlate(templates, maps):
    """
    Return the semantic correlation of each template with its own maps (eq. 3).

    :param templates: (N, C, h, w), or (1, C, h, w) for one template on all maps.
    :param maps: (N, C, H, W).
    :return: (N, H - h + 1, W - w + 1), divided by C h w.
    """
    count, channels, height, width = maps.shape
    scale = 1 / templates[0].numel()
    if len(templates) == 1:
        return functional.conv2d(maps, templates)[:, 0] * scale
    joined = functional.conv2d(maps.reshape(1, count * channels, height, width), templates,
                               groups=count)
    return joined[0] * scale


def centre_cells(maps, cells):
    """Return the (..., cells, cells) in the middle of maps (..., H, W); H - cells is even."""
    margin = (maps.shape[-1] - cells) // 2
    return maps[..., margin:margin + cells, margin:margin + cells]


def windows_around(maps, cells, distance, directions):
    """
    Return windows of maps, the first in the middle, the others moved away from it.

    :param maps: (..., C, H, H), H = cells + 2 distance.
    :param cells: per side of a window.
    :param distance: of the moved windows, in cells.
    :param directions: (down, across) of each moved window, -1, 0 or 1.
    :return: (..., 1 + len(directions), C, cells, cells).
    """
    corners = [(distance * (1 + down), distance * (1 + across))
               for down, across in ((0, 0), *directions)]
    return torch.stack([maps[..., top:top + cells, left:left + cells] for top, left in corners],
                       dim=-4)


def _power(spectrum):
    return (spectrum.real.square() + spectrum.imag.square()).sum(dim=-3)
