"""A frame and where its target was before: the examples of GSTP's motion model."""
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from tqdm import tqdm

from tracking_nodes.errors import SequenceError
from tracking_nodes.geometry import xywh_to_cxcywh
from tracking_nodes.online.motion_model import letterboxed
from tracking_nodes.training.clips import synthetic_clip
from tracking_nodes.training.drawing import DrawnByNumber

_JPEG_QUALITY = 92
_LARGEST_STEP = 3       # frames of a sequence from one position to the next
_PACES = 0.02, 0.6      # of synthetic clips, slowest and fastest
# How a tracker's past differs from the truth.
_JITTER = 0.08          # standard deviation of a position in sides of the target
_SHORT = 0.3            # share of examples that know only some of the last positions
_ABSENT = 0.3           # share of examples in which a run of positions is missing
_NOTHING = 0.03         # share of examples without any


@dataclass(frozen=True)
class Moment:
    """
    A frame with the path of its target.

    pixels: (H, W, 3) uint8 BGR, of the network's size. path: (K + 1, 2) x, y of the target in
    these pixels, the last in this frame, the others before, the oldest first; NaN where it was
    absent. sides: (K + 1,) sqrt(w h) of its boxes.
    """

    pixels: np.ndarray
    path: np.ndarray
    sides: np.ndarray


class SequenceMoments:
    """Moments of sequences, whose frames are kept in memory as JPEG of the network's size."""

    def __init__(self, sequences, history, size, most=200):
        """
        Read the frames once.

        :param sequences: list of `Sequence`.
        :param history: K, past positions.
        :param size: (width, height) of the network's image.
        :param most: frames kept of one sequence, spread evenly; positions are kept of all.
        :raises SequenceError: no sequence has two frames.
        """
        self._history, self._kept = history, []
        for sequence in tqdm(sequences, desc='reading sequences', unit='sequence'):
            count = len(sequence)
            if count < 2 or not np.isfinite(sequence.boxes).all(axis=1).any():
                continue
            chosen = np.unique(np.linspace(1, count - 1, min(most, count - 1)).round().astype(int))
            self._kept.append(_compressed(sequence, set(chosen.tolist()), size))
        if not self._kept:
            raise SequenceError(f'none of {len(sequences)} sequences has two frames and a box')

    def draw(self, random):
        """Return a `Moment`."""
        frames, path, sides = self._kept[random.integers(len(self._kept))]
        number = list(frames)[random.integers(len(frames))]
        step = int(random.integers(1, _LARGEST_STEP + 1))
        rows = number - step * np.arange(self._history, -1, -1)
        # Before the first frame nothing is known, as for a tracker that has just started.
        known = np.where(rows[:, None] >= 0, path[rows.clip(0)], np.nan)
        return Moment(cv2.imdecode(frames[number], cv2.IMREAD_COLOR), known, sides[rows.clip(0)])


class ClipMoments:
    """Moments of synthetic clips, drawn anew every time."""

    def __init__(self, stills, history, size):
        """
        Hold what the clips are made of.

        :param stills: `Stills`.
        :param history: K, past positions.
        :param size: (width, height) of the network's image.
        """
        self._stills, self._history, self._size = stills, history, np.array(size)

    def draw(self, random):
        """Return a `Moment` of the middle of a clip; beyond it the target is absent."""
        side = int(self._size.max())
        images, boxes = synthetic_clip(self._stills, random, self._history + 1, side,
                                       np.exp(random.uniform(*np.log(_PACES))))
        left, top = (side - self._size) // 2
        path = xywh_to_cxcywh(boxes)[:, :2] - (left, top)
        with np.errstate(invalid='ignore'):
            path[((path < 0) | (path >= self._size)).any(axis=1)] = np.nan
        width, height = self._size
        return Moment(images[-1][top:top + height, left:left + width], path, _sides(boxes))


class Moments(DrawnByNumber):
    """Moments as a tracker would know them."""

    def make(self, drawn, random):
        """
        Return a moment's frame, past and present.

        :return: image (3, H, W) uint8, BGR; past (K, 2) float32, x, y in its pixels with a
            tracker's inaccuracy, the oldest first, NaN where nothing is known; truth (2,)
            float32, NaN where the target is absent.
        """
        past, truth = drawn.path[:-1].copy(), drawn.path[-1].copy()
        past += _JITTER * drawn.sides[:-1, None] * random.normal(size=past.shape)
        past[forgotten(len(past), random)] = np.nan
        pixels = drawn.pixels
        if random.random() < 0.5:
            pixels = pixels[:, ::-1]
            past[:, 0], truth[0] = pixels.shape[1] - past[:, 0], pixels.shape[1] - truth[0]
        return (torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))),
                torch.from_numpy(past).float(), torch.from_numpy(truth).float())


def forgotten(count, random):
    """
    Return which of the past positions are withheld, (count,) bool.

    The older ones, as after a start; a run of them, as after an absence; all; or none.
    """
    numbers, kind = np.arange(count), random.random()
    if kind < _NOTHING:
        return numbers >= 0
    if kind < _NOTHING + _SHORT:
        return numbers < random.integers(count)
    if kind < _NOTHING + _SHORT + _ABSENT:
        first = random.integers(count)
        return (numbers >= first) & (numbers <= first + random.integers(count))
    return numbers < 0


def _compressed(sequence, chosen, size):
    """Return JPEGs by frame number, and the centres and sides of the boxes in their pixels."""
    frames = {}
    for number, image in enumerate(sequence.images()):
        if number in chosen:
            pixels, letterbox = letterboxed(image, *size)
            frames[number] = cv2.imencode('.jpg', pixels,
                                          (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))[1]
    path = letterbox.from_image(xywh_to_cxcywh(sequence.boxes)[:, :2])
    return frames, path, _sides(sequence.boxes) * np.sqrt(letterbox.scale.prod())


def _sides(boxes):
    return np.sqrt(boxes[:, 2:].prod(axis=1))
