"""Pairs of a template and a search region that stands as a tracker's does: near the target."""
from dataclasses import dataclass

import numpy as np
import torch

from tracking_nodes.training.drawing import DrawnByRules
from tracking_nodes.training.search_pairs import cut_around, mirrored


@dataclass(frozen=True)
class RegionRules:
    """
    How regions are cut, at the scale of `online.features`: search_scale and search_size.

    scale: side of a search region in sides of the target. search, template: pixels per side; the
    template shows `template / search` times as much, at the same scale, the target in its middle.
    shift: standard deviation of the search region's place, in sides of the target. zoom: of the
    logarithm of its side. foreign: share of search regions around another target.
    """

    scale: float = 5.0
    search: int = 288
    template: int = 192
    shift: float = 0.35
    zoom: float = 0.2
    foreign: float = 0.2


class RegionPairs(DrawnByRules):
    """Pairs by `RegionRules`, some of two targets; sources draw (View, View)."""

    def make(self, drawn, random):
        """
        Return the tensors of a pair.

        :return: template (3, T, T) uint8 BGR; the target's corners in it (4,); search region
            (3, S, S); corners of the object it was cut around (4,); whether that is the
            template's, a float of 0 or 1.
        """
        rules, (first, second) = self.rules, drawn
        foreign = random.random() < rules.foreign
        if foreign:
            second = self.draw(random)[1]
        side = rules.search / rules.scale
        template = cut_around(first, rules.template, side, np.zeros(2))
        wanted = side * np.exp(random.normal(0, rules.zoom))
        search = cut_around(second, rules.search, wanted, wanted * random.normal(
            0, rules.shift, 2).clip(-1.5, 1.5))
        if random.random() < 0.5:
            template, search = mirrored(*template), mirrored(*search)
        tensors = [part for image, corners in (template, search) for part in (
            torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(corners).float())]
        return *tensors, torch.tensor(float(not foreign))
