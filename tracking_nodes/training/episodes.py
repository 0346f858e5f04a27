"""
Episodes for learning to tell a target from its surroundings after one look at it.

An episode shows one target twice, each time for a few frames in a row: the support, on which a
last layer is solved or learned, and the query, on which it is judged. They come from any
sequences the package reads and from synthetic clips.
"""
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from tqdm import tqdm

from tracking_nodes.errors import SequenceError
from tracking_nodes.geometry import area_side, iou, xywh_to_cxcywh, xywh_to_xyxy
from tracking_nodes.online import sampling
from tracking_nodes.online.regions import Region
from tracking_nodes.training.clips import synthetic_clip
from tracking_nodes.training.drawing import DrawnByRules
from tracking_nodes.training.squares import kept_squares, SMALLEST, usable_frames

_SYNTHETIC_SIDE = 400   # pixels of a synthetic frame
_LARGEST_STEP = 2       # frames of a sequence from one of a clip to the next


@dataclass(frozen=True)
class Shot:
    """
    A target in consecutive frames.

    regions: `Region`s, what is kept of each frame. boxes: (F, 4), pixels of the whole frames.
    """

    regions: list
    boxes: np.ndarray

    def window(self, centre, side, size):
        """
        Return the same square of every frame, and the boxes in it.

        :param centre: (x, y) in pixels of the frames.
        :param side: of the square, in pixels of the frames.
        :param size: of the result, in pixels.
        :return: (F, size, size, 3) uint8 and (F, 4).
        """
        corner, scale = np.asarray(centre) - side / 2, size / side
        pixels = [_resampled(region, corner, side, size) for region in self.regions]
        return np.stack(pixels), np.concatenate([(self.boxes[:, :2] - corner) * scale,
                                                 self.boxes[:, 2:] * scale], axis=1)

    def still(self):
        """Return the last frame, repeated: how a tracker sees its first frame."""
        count = len(self.regions)
        return Shot([self.regions[-1]] * count, np.repeat(self.boxes[-1:], count, axis=0))


class SequenceShots:
    """Shots of the targets of sequences, kept in memory as JPEG squares."""

    def __init__(self, sequences, frames, most=200):
        """
        Read the frames once.

        :param sequences: list of `Sequence`.
        :param frames: of a shot.
        :param most: frames kept of one sequence, in a row from its first usable one.
        :raises SequenceError: no sequence has two shots.
        """
        self._frames, self._kept = frames, []
        for sequence in tqdm(sequences, desc='reading sequences', unit='sequence'):
            kept = {one.frame: one
                    for one in kept_squares(sequence, usable_frames(sequence.boxes)[:most])}
            starts = [first for first in kept
                      if all(first + ahead in kept for ahead in range(frames))]
            if len(starts) > 1:
                self._kept.append((kept, starts))
        if not self._kept:
            raise SequenceError(f'none of {len(sequences)} sequences shows a target of at least '
                                f'{SMALLEST} pixels in {frames + 1} frames in a row')

    def __len__(self):
        return len(self._kept)

    def draw(self, random, farthest=60):
        """Return two `Shot`s of one target that begin at most `farthest` frames apart."""
        kept, starts = self._kept[random.integers(len(self._kept))]
        first = starts[random.integers(len(starts))]
        near = [start for start in starts if abs(start - first) <= farthest]
        return self._shot(kept, first, random), self._shot(
            kept, near[random.integers(len(near))], random)

    def _shot(self, kept, first, random):
        step = int(random.integers(1, _LARGEST_STEP + 1))
        numbers = [first + step * ahead for ahead in range(self._frames)]
        if any(number not in kept for number in numbers):
            numbers = [first + ahead for ahead in range(self._frames)]
        rows = [kept[number] for number in numbers]
        return Shot([row.region() for row in rows], np.stack([row.box for row in rows]))


class ClipShots:
    """Shots of the targets of synthetic clips, drawn anew every time."""

    def __init__(self, stills, frames):
        """
        Hold what the clips are made of.

        :param stills: `Stills`.
        :param frames: of a shot.
        """
        self._stills, self._frames = stills, frames

    def draw(self, random):
        """Return two `Shot`s of one target, the target in every frame."""
        count = self._frames
        while True:
            images, boxes = synthetic_clip(self._stills, random, 2 * count, _SYNTHETIC_SIDE,
                                           random.uniform(0.1, 0.6))
            if np.isfinite(boxes).all() and boxes[:, 2:].min() >= SMALLEST:
                regions = [Region(image, 0, 0, 1.0) for image in images]
                return (Shot(regions[:count], boxes[:count]),
                        Shot(regions[count:], boxes[count:]))


@dataclass(frozen=True)
class EpisodeRules:
    """
    How a shot is cut and its boxes are drawn.

    context: side of the window in sides of the target. size: of the window, in pixels.
    positives, negatives: boxes per shot. positive_overlap: mean overlap over the shot's frames
    above which a box is the target (CSTNet eq. 5, 6; eq. 1 for a single frame).
    negative_overlap: up to which one is background; none is drawn between the two. shift, zoom:
    standard deviations of the window's place, in sides of the target, and of its logarithmic
    side: how badly the tracker knows where the target is. stills: share of supports that repeat
    one frame.
    """

    context: float
    size: int
    positives: int = 32
    negatives: int = 96
    positive_overlap: float = 0.6
    negative_overlap: float = 0.4
    shift: float = 0.35
    zoom: float = 0.1
    stills: float = 0.5


class Episodes(DrawnByRules):
    """Support and query of one target by `EpisodeRules`; sources draw (Shot, Shot)."""

    def make(self, drawn, random):
        """
        Return support and query, stacked in the first dimension.

        :return: clips (2, 3, F, S, S) uint8, BGR; corners of boxes in them (2, N, 4) float32,
            x1, y1, x2, y2, positives first; labels (2, N) float32. None where the boxes asked
            for cannot be found.
        """
        support, query = drawn
        if random.random() < self.rules.stills:
            support = support.still()
        parts = [self._sampled(shot, random) for shot in (support, query)]
        if any(part is None for part in parts):
            return None
        clips, corners = (torch.from_numpy(np.stack(rows)) for rows in zip(*parts))
        labels = torch.zeros(corners.shape[:2])
        labels[:, :self.rules.positives] = 1
        return clips, corners.float(), labels

    def _sampled(self, shot, random):
        """Return (clip, corners), or None where the boxes asked for cannot be found."""
        rules = self.rules
        # The last frame is where the target is searched, the one before where it was.
        known = shot.boxes[max(len(shot.boxes) - 2, 0)]
        side = area_side(known)
        centre = xywh_to_cxcywh(known)[:2] + random.normal(0, rules.shift * side, 2)
        pixels, path = shot.window(centre, rules.context * side * np.exp(
            random.normal(0, rules.zoom)), rules.size)
        near = _with_overlap(
            lambda n: sampling.gaussian(random, path.mean(axis=0), n, 0.12, 1.3, 0.65), path,
            rules.positives, rules.positive_overlap, 1)
        far = _with_overlap(
            lambda n: np.concatenate([
                sampling.uniform(random, path[-1], n, rules.context / 2 - 0.5, 5.0, 1.0),
                sampling.gaussian(random, path[-1], n, 0.7, 2.0, 1.0),
                sampling.uniform(random, path[-1], n, 0.3, 15.0, 2.0)])[random.permutation(3 * n)],
            path, rules.negatives, 0, rules.negative_overlap)
        if len(near) < rules.positives or len(far) < rules.negatives:
            return None
        return pixels.transpose(3, 0, 1, 2), xywh_to_xyxy(np.concatenate([near, far]))


def _with_overlap(draw, path, count, low, high, attempts=8):
    """Return up to `count` drawn boxes whose mean overlap with a path is in a range."""
    kept = np.zeros((0, 4))
    for _ in range(attempts):
        boxes = draw(2 * count)
        overlap = np.mean([iou(boxes, box) for box in path], axis=0)
        kept = np.concatenate([kept, boxes[(overlap > low) & (overlap <= high) if low else
                                           overlap <= high]])
        if len(kept) >= count:
            break
    return kept[:count]


def _resampled(region, corner, side, size):
    """Return (size, size, 3): a square of the frame that a region was cut from."""
    step = side / size * region.scale
    left, top = region.from_image(corner) + 0.5 * step - 0.5
    pixels = region.pixels
    if step > 1.5:
        pixels = cv2.blur(pixels, (int(step + 0.5),) * 2)
    return cv2.warpAffine(pixels, np.array([[step, 0, left], [0, step, top]]), (size, size),
                          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REPLICATE)
