"""Squares around the targets of sequences, small enough to be kept in memory all at once."""
from dataclasses import dataclass

import cv2
import numpy as np

from tracking_nodes.geometry import area_side, xywh_to_cxcywh
from tracking_nodes.online.regions import cut, Region

KEPT_SIDE = 480         # pixels of a stored square, about 80 of them the target's
KEPT_CONTEXT = 6.0      # its side in sides of the target
SMALLEST = 10           # pixels; smaller targets hold too little detail
_JPEG_QUALITY = 92


@dataclass(frozen=True)
class KeptSquare:
    """
    A compressed `Region` of a frame.

    frame: its number. data: JPEG. left, top, scale: as of `Region`. box: (4,), the target in
    pixels of the whole frame.
    """

    frame: int
    data: np.ndarray
    left: float
    top: float
    scale: float
    box: np.ndarray

    def region(self):
        """Return the `Region`."""
        return Region(cv2.imdecode(self.data, cv2.IMREAD_COLOR), self.left, self.top, self.scale)


def usable_frames(boxes):
    """Return the numbers of the frames whose target is there and large enough, (M,)."""
    with np.errstate(invalid='ignore'):
        return np.flatnonzero(np.isfinite(boxes).all(axis=1)
                              & (boxes[:, 2:].min(axis=1) >= SMALLEST))


def kept_squares(sequence, frames):
    """
    Yield a `KeptSquare` of some frames of a sequence.

    :param sequence: a `Sequence`.
    :param frames: their numbers, among its `usable_frames`.
    """
    wanted = set(frames.tolist())
    for index, image in enumerate(sequence.images()):
        if not wanted:
            break
        if index in wanted:
            wanted.remove(index)
            box = sequence.boxes[index]
            region = cut(image, xywh_to_cxcywh(box)[:2], KEPT_CONTEXT * area_side(box), KEPT_SIDE)
            data = cv2.imencode('.jpg', region.pixels, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
            yield KeptSquare(index, data[1], region.left, region.top, region.scale, box)
