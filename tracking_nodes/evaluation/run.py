"""What a tracker answered over one sequence, and how an answer is written down."""
from dataclasses import dataclass
import time

import numpy as np

from tracking_nodes.errors import SequenceError

# What happened in a frame of a reset-based run. The first three are the numbers that VOT's raw
# results write in place of a region.
SKIPPED, STARTED, FAILED, TRACKED = 0, 1, 2, 3


@dataclass(frozen=True)
class Run:
    """
    What a tracker answered in every frame of a sequence.

    boxes: (N, 4), NaN rows where it did not run. scores: (N,) in [0, 1]; NaN, but perhaps in
    frames of a start, of a tracker that gives none. present: (N,) bool.
    seconds: (N,), start or locate plus learn, without reading the image; 0 where it did not run.
    image_size: (width, height) of the first frame in pixels. events: (N,) int8, one of `SKIPPED`,
    `STARTED`, `FAILED` and `TRACKED` per frame, or None for a run without resets. ages: (N,)
    seconds between the frame's stamp and that of the image its answer is about, or None where
    every frame was waited for. regions: list of N arrays, a box (4,) or the corners of a polygon
    (2n,) each, in pixels, where the tracker answered more than the boxes around them, else None.
    """

    boxes: np.ndarray
    scores: np.ndarray
    present: np.ndarray
    seconds: np.ndarray
    image_size: tuple
    events: np.ndarray | None = None
    ages: np.ndarray | None = None
    regions: list | None = None

    @property
    def answers(self):
        """The regions, where there are polygons among them; else the boxes."""
        return self.boxes if self.regions is None else self.regions

    @property
    def scored(self):
        """Whether the tracker gave a score."""
        return not np.isnan(self.scores).any()

    @property
    def confidence(self):
        """The scores; 1 or 0 by presence where the tracker gave none."""
        return np.where(np.isnan(self.scores), self.present, self.scores)


class Recorder:
    """
    Writes a run down frame by frame while it goes through a sequence's images.

    A protocol loops over `frames()`, asks the tracker through `start` and `follow`, or writes an
    answer of its own with `keep`, and takes the `Run` at the end.
    """

    def __init__(self, sequence, on_frame=None):
        """
        Prepare an empty run.

        :param sequence: the `Sequence` to go through.
        :param on_frame: called after each frame with (index, image, box, score, present).
        """
        count = len(sequence)
        self.sequence, self._on_frame = sequence, on_frame
        self.boxes, self.scores = np.full((count, 4), np.nan), np.zeros(count)
        self.present, self.seconds = np.zeros(count, dtype=bool), np.zeros(count)
        self._size = None

    def frames(self, last=None):
        """
        Yield (index, image) from the first frame to `last`, the last of the sequence by default.

        :raises SequenceError: there are fewer or more images than boxes of ground truth.
        """
        count, read = len(self.sequence), 0
        last = count - 1 if last is None else last
        for index, image in enumerate(self.sequence.images()):
            if index >= count:
                raise SequenceError(f'{self.sequence.name}: more images than the {count} boxes of '
                                    'ground truth')
            self._size, read = self._size or (image.shape[1], image.shape[0]), index + 1
            yield index, image
            if self._on_frame is not None:
                self._on_frame(index, image, self.boxes[index], self.scores[index],
                               self.present[index])
            if index == last < count - 1:
                return
        if read < count:
            raise SequenceError(f'{self.sequence.name}: {read} images for {count} boxes of ground '
                                'truth')

    def start(self, tracker, index, image, box):
        """Start the tracker on a box, which is then the frame's answer."""
        begin = time.perf_counter()
        tracker.start(image, box)
        self.keep(index, box, 1.0, True, time.perf_counter() - begin)

    def follow(self, tracker, index, image):
        """
        Let the tracker locate and learn, and write its answer down.

        :return: whether the tracker's model changed.
        """
        begin = time.perf_counter()
        found = tracker.locate(image)
        changed = tracker.learn()
        self.keep(index, found.box, found.score, found.present, time.perf_counter() - begin)
        return changed

    def keep(self, index, box, score, present, seconds=0.0):
        """Write one answer down."""
        self.boxes[index], self.scores[index] = box, score
        self.present[index], self.seconds[index] = present, seconds

    def run(self, events=None):
        """Return the `Run` written so far."""
        return Run(self.boxes, self.scores, self.present, self.seconds, self._size, events)
