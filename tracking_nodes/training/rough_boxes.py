"""Boxes near a target and beside it, as a tracker that only knows the place proposes them."""
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Spread:
    """
    How far boxes are from the target's.

    count: how many. shift: standard deviation of the centre in sides of the target. size, aspect:
    standard deviations of the logarithms of the mean side and of the square root of the ratio of
    the sides. away: least distance of the centres in mean sides, in any direction.
    """

    count: int
    shift: float
    size: float
    aspect: float
    away: float = 0.0


# What a tracker usually proposes, its worse answers, and what lies beside the target.
SPREADS = (Spread(4, 0.15, 0.2, 0.1), Spread(1, 0.3, 0.35, 0.2), Spread(1, 0.4, 0.25, 0.15, 0.8))


def rough_boxes(truths, spreads, generator):
    """
    Draw boxes around targets.

    :param truths: (N, 4) left, top, right, bottom.
    :param spreads: tuple of `Spread`.
    :param generator: `torch.Generator` of all draws.
    :return: (N, sum of counts, 4).
    """
    centres, sides = (truths[:, :2] + truths[:, 2:]) / 2, truths[:, 2:] - truths[:, :2]
    return torch.cat([_drawn(centres[:, None], sides[:, None], spread, generator)
                      for spread in spreads], dim=1)


def _drawn(centres, sides, spread, generator):
    shape = len(centres), spread.count

    def normal(*last):
        return torch.randn(*shape, *last, generator=generator).clamp(-2.5, 2.5)

    angle = 2 * torch.pi * torch.rand(shape, generator=generator)
    away = spread.away * torch.stack([angle.cos(), angle.sin()], dim=2)
    shift = spread.shift * normal(2)
    if spread.away:
        # Outwards, or some of what should lie beside the target would lie on it.
        shift = shift.abs() * away.sign()
    centres = centres + shift * sides + away * sides.prod(dim=2, keepdim=True).sqrt()
    size, aspect = spread.size * normal(1), spread.aspect * normal(1)
    half = sides * torch.exp(torch.cat([size + aspect, size - aspect], dim=2)) / 2
    return torch.cat([centres - half, centres + half], dim=2)
