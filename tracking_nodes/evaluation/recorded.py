"""Answers recorded from a running node, matched to the frames of the video it was shown."""
from dataclasses import dataclass
import logging

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.measures.latency import newest_outputs
from tracking_nodes.evaluation.metrics import has_truth, repeat_missing
from tracking_nodes.evaluation.ope import first_target, Run
from tracking_nodes.evaluation.run import SKIPPED, STARTED, TRACKED

_log = logging.getLogger(__name__)


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


def pair_answers(answers, sequence, shown=None):
    """
    Return the run as its user saw it: each frame with the newest answer received by its stamp.

    This is latency-aware evaluation, `protocols.latency`, of a system that ran. The answer to the
    first frame with ground truth is that box, known at once. An answer without a target repeats
    the box before it and is not present.

    :param answers: `Answers`, received on the clock of the stamps, as a bag that was recorded
        while the camera ran has them.
    :param sequence: the `Sequence` with the camera's images and their stamps.
    :param shown: (N,) int64 ns, when the recorder got each image: where stamps are of an earlier
        recording that was replayed in real time, they tell how far its clock is from theirs.
    :return: a `Run` with ages; its events say which frames were answered.
    :raises SequenceError: as `match_answers`, or the clock was another one.
    """
    run, _ = match_answers(answers, sequence)
    first, stamps = first_target(sequence), sequence.stamps
    received = np.round(1e9 * answers.received).astype(np.int64)
    if not _on_one_clock(received, answers.stamps, stamps):
        received = received - _replayed_later(shown, sequence)
    if not _on_one_clock(received, answers.stamps, stamps):
        late = (np.round(1e9 * answers.received) - answers.stamps) / 1e9
        raise SequenceError(f'answers to {sequence.name} were received {late.min():.3f} to '
                            f'{late.max():.3f} s after the stamps of their images: their clock is '
                            'not that of the stamps (was a bag replayed, but not in real time?), '
                            'so their age is unknown')
    order = np.argsort(answers.stamps, kind='stable')
    order = order[answers.stamps[order] > stamps[first]]
    boxes = np.concatenate([sequence.boxes[first:first + 1], answers.boxes[order]])
    about = np.concatenate([stamps[first:first + 1], answers.stamps[order]])
    out = np.concatenate([stamps[first:first + 1], received[order]])
    scores = np.concatenate([[1.0], np.nan_to_num(answers.scores[order])])
    chosen = newest_outputs(stamps[first:], about, out)
    before = np.full(first, np.nan)
    events = np.where(np.isin(stamps, about), TRACKED, SKIPPED).astype(np.int8)
    events[first] = STARTED
    return Run(np.concatenate([np.full((first, 4), np.nan), repeat_missing(boxes)[chosen]]),
               np.nan_to_num(np.concatenate([before, scores[chosen]])),
               np.concatenate([before == 0, np.isfinite(boxes).all(axis=1)[chosen]]),
               run.seconds, run.image_size, events,
               np.concatenate([before, (stamps[first:] - about[chosen]) / 1e9]))


def _on_one_clock(received, about, stamps):
    late = received - about
    return late.min() >= 0 and np.median(late) <= stamps[-1] - stamps[0]


def _replayed_later(shown, sequence):
    """Return by how many ns images were shown later than stamped, 0 if not in real time."""
    if shown is None or len(sequence) < 2:
        return 0
    offsets = shown - sequence.stamps
    offset, period = offsets.min(), np.median(np.diff(sequence.stamps))
    half, most = np.percentile(offsets - offset, [50, 95])
    if half > period / 2 or most > period:
        return 0
    _log.warning('%s: the recorder got the images %.3f s after their stamps, at their pace: taken '
                 'for a replay in real time, and ages count from there', sequence.name,
                 offset / 1e9)
    return offset


def _intervals(received, rows):
    """Return the seconds between each answer and the one before; 0 where there is none."""
    seconds, before = np.zeros(len(rows)), None
    for index, row in enumerate(rows):
        if row is not None:
            seconds[index] = 0 if before is None else received[row] - before
            before = received[row]
    return seconds
