"""
Pairs of patches of one target, from sequences and from synthetic clips, for Siamese training.

A patch is a square around the target, its side (1 + padding) sqrt(w h), resized to a fixed size;
in the search patch the target is off the middle by a known displacement.
"""
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from tracking_nodes.errors import SequenceError
from tracking_nodes.geometry import area_side, xywh_to_cxcywh
from tracking_nodes.online.regions import cut
from tracking_nodes.training.clips import synthetic_clip
from tracking_nodes.training.squares import kept_squares, SMALLEST, usable_frames


@dataclass(frozen=True)
class View:
    """A target in a picture: image (H, W, 3) uint8 BGR, box (4,)."""

    image: np.ndarray
    box: np.ndarray


@dataclass(frozen=True)
class Pair:
    """
    A template patch, a search patch, and where the target went.

    template: (T, T, 3) uint8 BGR. search: (S, S, 3). shift: (down, across) pixels of the search
    patch from its middle to the target's centre.
    """

    template: np.ndarray
    search: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class PairRules:
    """
    How patches are cut.

    padding: context around the target in its sides. template, search: pixels per side of the
    patches; the template shows `template / search` times as much, at the same scale.
    largest_shift: of the target in the search patch, pixels. scale_spread: standard deviation of
    the logarithm of the search patch's scale.
    """

    padding: float = 3.0
    template: int = 255
    search: int = 255
    largest_shift: float = 56.0
    scale_spread: float = 0.04


class SequenceViews:
    """Squares around the targets of sequences, kept in memory as JPEG."""

    def __init__(self, sequences, step=1, most=200):
        """
        Read the frames once.

        :param sequences: list of `Sequence`.
        :param step: every how many frames one is kept.
        :param most: frames kept of one sequence, spread evenly.
        :raises SequenceError: no sequence has two usable frames.
        """
        self._kept = []
        for sequence in tqdm(sequences, desc='reading sequences', unit='sequence'):
            kept = list(kept_squares(sequence, _chosen(sequence.boxes, step, most)))
            if len(kept) > 1:
                self._kept.append(kept)
        if not self._kept:
            raise SequenceError(f'none of {len(sequences)} sequences has two frames with a target '
                                f'of at least {SMALLEST} pixels')

    def __len__(self):
        return len(self._kept)

    def draw(self, random, farthest=60):
        """Return two `View`s of one target, at most `farthest` kept frames apart."""
        kept = self._kept[random.integers(len(self._kept))]
        first = int(random.integers(len(kept)))
        low, high = max(0, first - farthest), min(len(kept), first + farthest + 1)
        second = int(random.integers(low, high))
        return _view(kept[first]), _view(kept[second])


class ClipViews:
    """Targets of synthetic clips, drawn anew every time."""

    def __init__(self, stills):
        """Hold the `Stills` the clips are made of."""
        self._stills = stills

    def draw(self, random):
        """Return two `View`s of one target, both with the target in the image."""
        while True:
            images, boxes = synthetic_clip(self._stills, random, pace=random.uniform(0.5, 2))
            if np.isfinite(boxes).all() and boxes[:, 2:].min() >= SMALLEST:
                return View(images[0], boxes[0]), View(images[1], boxes[1])


def make_pair(views, rules, random):
    """
    Return the `Pair` of two views.

    :param views: template and search `View`.
    :param rules: `PairRules`.
    :param random: `numpy.random.Generator` of shift and scale.
    """
    template = _patch(views[0], rules.padding, rules.template, rules.search, np.zeros(2))
    shift = random.uniform(-rules.largest_shift, rules.largest_shift, 2)
    padding = (1 + rules.padding) * np.exp(random.normal(0, rules.scale_spread)) - 1
    search = _patch(views[1], padding, rules.search, rules.search, shift)
    pixels = [template.pixels, search.pixels]
    centre = search.from_image(xywh_to_cxcywh(views[1].box)[:2])
    shift = (centre - rules.search / 2)[::-1]
    if random.random() < 0.5:
        pixels = [np.ascontiguousarray(patch[:, ::-1]) for patch in pixels]
        shift = shift * [1, -1]
    return Pair(*pixels, shift)


def _patch(view, padding, size, search, shift):
    """Return the `Region` whose middle is `shift` pixels before the target's centre."""
    scale = (1 + padding) * area_side(view.box) / search
    centre = xywh_to_cxcywh(view.box)[:2] - shift[::-1] * scale
    return cut(view.image, centre, size * scale, size)


def _chosen(boxes, step, most):
    """Return the numbers of the usable frames that are kept."""
    usable = usable_frames(boxes)[::step]
    if len(usable) > most:
        usable = usable[np.linspace(0, len(usable) - 1, most).round().astype(int)]
    return usable


def _view(kept):
    region = kept.region()
    corner = region.from_image(kept.box[:2])
    return View(region.pixels, np.concatenate([corner, kept.box[2:] * region.scale]))
