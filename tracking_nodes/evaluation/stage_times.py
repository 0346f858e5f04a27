"""Measure how long the stages of a tracker take here, for a latency profile."""
from itertools import islice
import time

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.latency_profile import Duration, Row, STAGES
from tracking_nodes.evaluation.ope import first_target


def measure_row(contender, sequences, frames):
    """
    Run a contender and return the mean and standard deviation of each stage.

    Reading the images is not counted. A stage that did not happen, such as learning in a tracker
    that never does, counts as 0.

    :param contender: a `Contender`.
    :param sequences: list of `Sequence`; the tracker starts once in each.
    :param frames: how many frames of each, from the first with ground truth on; at least 2.
    :return: a `Row` that holds for exactly these settings.
    :raises SequenceError: a sequence has no ground truth, or ends with its first.
    """
    tracker = contender.create()
    tracker.warm_up()
    times = {stage: [] for stage in STAGES}
    for sequence in sequences:
        first = first_target(sequence)
        if len(sequence) - first < 2:
            raise SequenceError(f'{sequence.name} has ground truth in its last frame only; there '
                                'is nothing to locate')
        images = islice(sequence.images(), first, first + frames)
        _timed(times['start'], tracker.start, next(images), sequence.boxes[first])
        for image in images:
            _timed(times['locate'], tracker.locate, image)
            begin = time.perf_counter()
            changed = tracker.learn()
            times['learn' if changed else 'gather'].append(time.perf_counter() - begin)
    return Row(contender.tracker, tracker.settings.as_dict(),
               {stage: _duration(seconds) for stage, seconds in times.items()})


def _timed(seconds, call, *arguments):
    begin = time.perf_counter()
    call(*arguments)
    seconds.append(time.perf_counter() - begin)


def _duration(seconds):
    milliseconds = 1e3 * np.array(seconds or [0.0])
    return Duration(float(milliseconds.mean()), float(milliseconds.std()))
