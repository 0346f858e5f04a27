"""
Positions as 2D Gaussian heatmaps, what GSTP's motion model takes in and gives out.

Positions are (x, y), (0, 0) the corner of the first cell, whose centre is (0.5, 0.5). GSTP
section 2.2.
"""
import torch
from torch.nn import functional


def heatmaps(positions, height, width, sigma):
    """
    Return one Gaussian per position, 1 at the position itself.

    :param positions: (..., 2) x, y in cells; NaN where there is none, whose heatmap is zero.
    :param height: of a heatmap, in cells.
    :param width: of a heatmap, in cells.
    :param sigma: standard deviation, in cells; the paper's is 3.
    :return: (..., height, width), of the positions' type.
    """
    across, down = (
        _profile(positions[..., axis, None], count, sigma)
        for axis, count in enumerate((width, height)))
    return down[..., :, None] * across[..., None, :]


def trajectory(positions, count, height, width, sigma):
    """
    Return the trajectory tensor: the heatmaps of past positions in the order of time.

    :param positions: (..., n, 2), the oldest first, n at most `count`.
    :param count: K, channels of the tensor; the first K - n are zero, history that is missing.
    :param height: as of `heatmaps`, as are `width` and `sigma`.
    :return: (..., K, height, width).
    """
    found = heatmaps(positions, height, width, sigma)
    return functional.pad(found, (0, 0, 0, 0, count - positions.shape[-2], 0))


def _profile(middle, count, sigma):
    """Return (..., count): one axis of the Gaussian, which is the product of its axes."""
    centres = torch.arange(count, device=middle.device) + 0.5
    return torch.exp(-0.5 * ((centres - middle) / sigma).square()).nan_to_num(nan=0.0)
