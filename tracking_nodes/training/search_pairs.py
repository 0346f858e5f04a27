"""Pairs of a template image and a search image, the target anywhere in it or not at all."""
from dataclasses import dataclass

import numpy as np
import torch

from tracking_nodes.geometry import area_side, xywh_to_cxcywh, xywh_to_xyxy
from tracking_nodes.online.regions import cut
from tracking_nodes.training.drawing import DrawnByRules


@dataclass(frozen=True)
class SearchRules:
    """
    How template and search images are cut.

    template, search: pixels per side. least, most: side of the target in the search image,
    pixels. change: standard deviation of the logarithm of the ratio of the target's sides in both
    images. absent: share of search images of another target.
    """

    template: int = 192
    search: int = 320
    least: float = 64.0
    most: float = 256.0
    change: float = 0.25
    absent: float = 0.15


@dataclass(frozen=True)
class SearchPair:
    """
    What SiamRCNN is trained on.

    template: (T, T, 3) uint8 BGR. box: (4,) left, top, right, bottom of the target in it.
    search: (S, S, 3). truth: (4,), NaN where the target is absent.
    """

    template: np.ndarray
    box: np.ndarray
    search: np.ndarray
    truth: np.ndarray


class SearchPairs(DrawnByRules):
    """Pairs by `SearchRules`, some of two targets; sources draw (View, View)."""

    def make(self, drawn, random):
        """Return the parts of a `SearchPair` as tensors, images with channels first."""
        first, second = drawn
        foreign = random.random() < self.rules.absent
        if foreign:
            second = self.draw(random)[1]
        pair = make_search_pair(first, second, self.rules, random, not foreign)
        template, search = (torch.from_numpy(image).permute(2, 0, 1)
                            for image in (pair.template, pair.search))
        return template, torch.from_numpy(pair.box), search, torch.from_numpy(pair.truth)


def make_search_pair(first, second, rules, random, present):
    """
    Return the `SearchPair` of two views.

    :param first: `View` the template is cut from, around the target.
    :param second: `View` the search image is cut from.
    :param rules: `SearchRules`.
    :param random: `numpy.random.Generator` of place, size and mirroring.
    :param present: whether both show the same target.
    """
    wanted = np.exp(random.uniform(np.log(rules.least), np.log(rules.most)))
    shift = random.uniform(-0.5, 0.5, 2) * max(rules.search - wanted, 0)
    search, truth = cut_around(second, rules.search, wanted, shift)
    # The template's target has to fit its image.
    size = np.clip(wanted * np.exp(random.normal(0, rules.change)), 0.5 * rules.least,
                   0.7 * rules.template)
    template, box = cut_around(first, rules.template, size, np.zeros(2))
    if random.random() < 0.5:
        template, box = mirrored(template, box)
        search, truth = mirrored(search, truth)
    if not present:
        truth = np.full(4, np.nan)
    return SearchPair(template, box.astype(np.float32), search, truth.astype(np.float32))


def cut_around(view, size, wanted, shift):
    """
    Return a square of a view, (size, size, 3), and the target's corners in it.

    :param view: a `View`.
    :param size: of the square, pixels.
    :param wanted: side of the target in it, pixels.
    :param shift: (across, down) pixels of the target off the square's middle.
    """
    scale = wanted / area_side(view.box)
    region = cut(view.image, xywh_to_cxcywh(view.box)[:2] - shift / scale, size / scale, size)
    corners = region.from_image(xywh_to_xyxy(view.box))
    return region.pixels, np.clip(corners, 0, size)


def mirrored(image, corners):
    """Return an image and corners in it, left and right exchanged."""
    left, top, right, bottom = corners
    width = image.shape[1]
    return (np.ascontiguousarray(image[:, ::-1]),
            np.array([width - right, top, width - left, bottom]))
