"""One video with its ground truth, whatever it was read from."""
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EncodedImage:
    """An image as its file or message holds it: format 'jpeg' or 'png', and the bytes."""

    format: str
    data: bytes


class Sequence(ABC):
    """
    A named video whose frames are read when asked for.

    boxes: (N, 4) float64, x, y, w, h in 0-based pixels, NaN rows where the target is absent or
    not annotated. stamps: (N,) int64, nanoseconds, increasing. polygons: (N, 8) or None.
    attributes: names of the benchmark's attributes. There is a row of `boxes` for every frame.
    """

    def __init__(self, name, boxes, stamps, polygons=None, attributes=()):
        self.name = name
        self.boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        self.stamps = np.asarray(stamps, dtype=np.int64)
        self.polygons = polygons
        self.attributes = tuple(attributes)

    def __len__(self):
        return len(self.stamps)

    @abstractmethod
    def images(self):
        """Yield every frame in order, (H, W, 3) uint8 BGR."""

    def encoded_images(self):
        """Yield an `EncodedImage` per frame, or None where the source has no bytes as they are."""
        for _ in range(len(self)):
            yield None
