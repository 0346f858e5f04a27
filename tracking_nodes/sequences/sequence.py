"""One video with its ground truth, whatever it was read from."""
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import islice
import re

import numpy as np

from tracking_nodes.errors import SequenceError

DEFAULT_RATE = 30.0
# Not zero, because a zero stamp says that there is none.
FIRST_STAMP = 1_000_000_000
# Names of `Sequence.values`: the difference of overlap that annotators do not see (VOT), and 1
# where OTB's toolkit starts no tracker since the target is hidden.
PRACTICAL = 'practical'
INIT_OMIT = 'init_omit'
_INSIDE = re.compile(r'[^/\\\x00-\x1f]+')


def camera_stamps(count, rate=DEFAULT_RATE):
    """
    Return the stamps of a camera that runs without jitter.

    :param count: number of frames.
    :param rate: frames per second, in Hz.
    :return: (count,) int64, nanoseconds, the first at one second.
    """
    return FIRST_STAMP + np.round(np.arange(count) * (1e9 / rate)).astype(np.int64)


def checked_name(name):
    """
    Return the name of a sequence, under which its results and videos are stored.

    :raises SequenceError: it would lead out of the folder it is stored in.
    """
    if not name or name in ('.', '..') or not _INSIDE.fullmatch(name):
        raise SequenceError(f'{name!r} cannot name a sequence: files are stored under it, so it '
                            'must not be empty, hold a slash, a backslash or a control '
                            'character, or be . or ..')
    return name


@dataclass(frozen=True)
class EncodedImage:
    """An image as its file or message holds it: codec 'jpeg' or 'png', and the bytes."""

    codec: str
    data: bytes


class Sequence(ABC):
    """
    A named video whose frames are read when asked for.

    boxes: (N, 4) float64, x, y, w, h in 0-based pixels, NaN rows where the target is absent or
    not annotated. stamps: (N,) int64, nanoseconds, increasing. polygons: (N, 8) or None.
    attributes: names of the benchmark's attributes. tags: name to (N,) bool, what the benchmark
    says of each frame. values: name to (N,) float64, what it counts or measures in each frame:
    `PRACTICAL`, `INIT_OMIT`. sources: the files that hold the frames, in their order; () where
    there are none. There is a row of `boxes` for every frame.
    """

    def __init__(self, name, boxes, stamps, polygons=None, attributes=(), tags=None, sources=(),
                 values=None):
        self.name = checked_name(name)
        self.boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        self.stamps = np.asarray(stamps, dtype=np.int64)
        self.polygons = polygons
        self.attributes = tuple(attributes)
        self.tags = dict(tags or {})
        self.values = dict(values or {})
        self.sources = tuple(sources)

    def __len__(self):
        return len(self.stamps)

    @abstractmethod
    def images(self):
        """Yield every frame in order, (H, W, 3) uint8 BGR."""

    def image(self, index):
        """
        Return one frame; read many in order with `images`, which is faster.

        :param index: 0 to len - 1.
        :return: (H, W, 3) uint8, BGR.
        :raises SequenceError: there is no such frame.
        """
        self._check_index(index)
        return next(islice(self.images(), index, None))

    def _check_index(self, index):
        if not 0 <= index < len(self):
            raise SequenceError(f'{self.name} has frames 0 to {len(self) - 1}, not {index}')

    def where(self, index):
        """Return where the ground truth of a frame is written, as file:line, for messages."""
        return f'{self.name}, frame {index}'

    def encoded_images(self):
        """Yield an `EncodedImage` per frame, or None where the source has no bytes as they are."""
        for _ in range(len(self)):
            yield None
