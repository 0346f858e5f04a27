"""Answers recorded from a running node, matched to the frames of the video it was shown."""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.metrics import has_truth
from tracking_nodes.evaluation.ope import Run


@dataclass(frozen=True)
class Answers:
    """
    What a node answered, in the order received.

    stamps: (M,) int64, of the images answered, ns. boxes: (M, 4), NaN rows where the node saw no
    target. scores: (M,) in [0, 1]. received: (M,), seconds of any steady clock.
    """

    stamps: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    received: np.ndarray


def match_answers(answers, sequence):
    """
    Return the run a node made over a sequence, one row per frame.

    From the first frame with ground truth on, a frame without a box repeats the box before: one
    that the node never answered (it takes the newest frame) and one answered with no target. The
    latter is not present. A frame's seconds are the time between its answer and the one before.

    :param answers: `Answers`.
    :param sequence: the `Sequence` that was replayed, with its stamps.
    :return: a `Run` and the number of frames without an answer, both from the start on.
    :raises SequenceError: no answer has the stamp of any frame, or there is no ground truth.
    """
    valid = has_truth(sequence.boxes)
    if not valid.any():
        raise SequenceError(f'{sequence.name}: no frame has ground truth to score the answers by')
    row_of = {int(stamp): row for row, stamp in enumerate(answers.stamps)}
    rows = [row_of.get(int(stamp)) for stamp in sequence.stamps]
    if all(row is None for row in rows):
        raise SequenceError(f'none of the {len(answers.stamps)} answers has the stamp of a frame '
                            f'of {sequence.name}: was another video replayed, or are stamps '
                            'replaced on the way?')
    count, first = len(sequence), int(np.argmax(valid))
    boxes, scores = np.full((count, 4), np.nan), np.zeros(count)
    present = np.zeros(count, dtype=bool)
    boxes[first] = sequence.boxes[first]
    for index in range(first, count):
        row = rows[index]
        present[index] = row is not None and not np.isnan(answers.boxes[row]).any()
        if present[index]:
            boxes[index], scores[index] = answers.boxes[row], answers.scores[row]
        elif index > first:
            boxes[index] = boxes[index - 1]
    height, width = next(iter(sequence.images())).shape[:2]
    run = Run(boxes, scores, present, _intervals(answers.received, rows), (width, height))
    return run, sum(row is None for row in rows[first:])


def _intervals(received, rows):
    """Return the seconds between each answer and the one before; 0 where there is none."""
    seconds, before = np.zeros(len(rows)), None
    for index, row in enumerate(rows):
        if row is not None:
            seconds[index] = 0 if before is None else received[row] - before
            before = received[row]
    return seconds
