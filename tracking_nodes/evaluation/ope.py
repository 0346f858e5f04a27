"""One-pass evaluation: start a tracker on the first box and follow it to the end, no reset."""
from dataclasses import dataclass
import time

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.metrics import has_truth


@dataclass(frozen=True)
class Run:
    """
    What a tracker answered in every frame.

    boxes: (N, 4), NaN rows before the start. scores: (N,) in [0, 1]. present: (N,) bool.
    seconds: (N,), start or locate plus learn, without reading the image; 0 before the start.
    image_size: (width, height) of the first frame in pixels.
    """

    boxes: np.ndarray
    scores: np.ndarray
    present: np.ndarray
    seconds: np.ndarray
    image_size: tuple


def run_ope(tracker, sequence, on_frame=None):
    """
    Run a tracker once over a sequence, learning after every frame.

    It starts on the first frame that has ground truth, and that frame's answer is the box given.

    :param tracker: a `Tracker`.
    :param sequence: a `Sequence`.
    :param on_frame: called after each frame with (index, image, box, score, present).
    :return: a `Run`.
    :raises SequenceError: no ground truth, or fewer or more images than boxes of ground truth.
    """
    count, first = len(sequence), first_target(sequence)
    boxes, scores = np.full((count, 4), np.nan), np.zeros(count)
    present, seconds = np.zeros(count, dtype=bool), np.zeros(count)
    size, read = None, 0
    for index, image in enumerate(sequence.images()):
        if index >= count:
            raise SequenceError(f'{sequence.name}: more images than the {count} boxes of ground '
                                'truth')
        size, read = size or (image.shape[1], image.shape[0]), index + 1
        if index >= first:
            begin = time.perf_counter()
            if index == first:
                tracker.start(image, sequence.boxes[first])
                boxes[index], scores[index], present[index] = sequence.boxes[first], 1.0, True
            else:
                found = tracker.locate(image)
                tracker.learn()
                boxes[index], scores[index], present[index] = found.box, found.score, found.present
            seconds[index] = time.perf_counter() - begin
        if on_frame is not None:
            on_frame(index, image, boxes[index], scores[index], present[index])
    if read < count:
        raise SequenceError(f'{sequence.name}: {read} images for {count} boxes of ground truth')
    return Run(boxes, scores, present, seconds, size)


def first_target(sequence):
    """
    Return the index of the first frame with ground truth.

    :raises SequenceError: there is none.
    """
    valid = has_truth(sequence.boxes)
    if not valid.any():
        raise SequenceError(f'{sequence.name}: no frame has ground truth, so there is no box to '
                            'start on; give a ground truth topic or file')
    return int(np.argmax(valid))
