"""Measure how long the stages of a tracker take here: for a latency profile, or for a look."""
from contextlib import contextmanager, nullcontext
from itertools import islice
import time

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.latency_profile import Duration, Row, STAGES
from tracking_nodes.evaluation.ope import first_target
from tracking_nodes.trackers.stages import StageWatch


def measure_row(contender, sequences, frames):
    """
    Run a contender and return the mean and standard deviation of each stage.

    Reading the images is not counted. A stage that did not happen, such as learning in a tracker
    that never does, counts as 0. In the background an update is timed in its thread, and the
    other stages are those beside an update, unless there never was one.

    :param contender: a `Contender`.
    :param sequences: list of `Sequence`; the tracker starts once in each.
    :param frames: how many frames of each, from the first with ground truth on; at least 2.
    :return: a `Row` that holds for exactly these settings.
    :raises SequenceError: a sequence has no ground truth, or ends with its first.
    """
    tracker = contender.create()
    tracker.warm_up()
    times, alone = ({stage: [] for stage in STAGES} for _ in range(2))
    beside = contender.runtime.learning == 'background'
    with _timed_updates(times['learn']) if beside else nullcontext():
        for sequence in sequences:
            images, box = targets(sequence, frames)
            _timed(times['start'], tracker.start, next(images), box)
            for image in images:
                apart = beside and not tracker.progress.running
                _timed(alone['locate'] if apart else times['locate'], tracker.locate, image)
                begin = time.perf_counter()
                changed = tracker.learn() and not beside
                apart = beside and not tracker.progress.running
                stage = 'learn' if changed else 'gather'
                (alone if apart else times)[stage].append(time.perf_counter() - begin)
    return Row(contender.tracker, tracker.settings.as_dict(),
               {stage: _duration(seconds or alone[stage]) for stage, seconds in times.items()},
               contender.runtime.learning)


def measure_stages(contender, sequences, frames):
    """
    Run a contender and return the mean seconds per frame of what its tracker marks as stages.

    The first frame of a sequence is not counted, nor is reading the images.

    :param contender: a `Contender` of a tracker of the package.
    :param sequences: list of `Sequence`; the tracker starts once in each.
    :param frames: how many frames of each, from the first with ground truth on; at least 2.
    :return: {stage: seconds}; 'other' is what no stage has, 'frame' the sum.
    :raises SequenceError: a sequence has no ground truth, or ends with its first.
    """
    tracker = contender.create()
    tracker.warm_up()
    watch, whole, count = StageWatch(), [], 0
    for sequence in sequences:
        images, box = targets(sequence, frames)
        tracker.start(next(images), box)
        for image in images:
            with watch:
                _timed(whole, lambda: (tracker.locate(image), tracker.learn()))
            count += 1
    means = {name: seconds / count for name, seconds in watch.seconds.items()}
    frame = sum(whole) / count
    return {**means, 'other': frame - sum(means.values()), 'frame': frame}


def stages_table(measured):
    """
    Return the table in Markdown, milliseconds per frame.

    :param measured: {label: what `measure_stages` returned}.
    """
    names = [name for name in dict.fromkeys(name for row in measured.values() for name in row)
             if name not in ('other', 'frame')] + ['other', 'frame']
    lines = [' | '.join(['| ms a frame', *names, 'fps']) + ' |',
             '|---|' + '---|' * (len(names) + 1)]
    for label, row in measured.items():
        cells = [f'{1e3 * row[name]:.1f}' if name in row else '-' for name in names]
        lines.append(' | '.join([f'| {label}', *cells, f'{1 / row["frame"]:.1f}']) + ' |')
    return '\n'.join(lines)


def targets(sequence, frames):
    """
    Return an iterator over the images from the first target on, and that target's box.

    :param sequence: a `Sequence`.
    :param frames: how many images at most; at least 2.
    :raises SequenceError: it has no ground truth, or ends with its first.
    """
    first = first_target(sequence)
    if len(sequence) - first < 2:
        raise SequenceError(f'{sequence.name} has ground truth in its last frame only; there '
                            'is nothing to locate')
    return islice(sequence.images(), first, first + frames), sequence.boxes[first]


@contextmanager
def _timed_updates(seconds):
    """Let updates in the background add what they take to a list, and wait for the last."""
    # Not above: OpenCV's trackers need no PyTorch.
    from tracking_nodes.online.background import learning_thread, updates_in

    with learning_thread() as thread:
        submit = thread.submit
        thread.submit = lambda *work: submit(_timed, seconds, *work)
        with updates_in(thread):
            yield


def _timed(seconds, call, *arguments):
    begin = time.perf_counter()
    result = call(*arguments)
    seconds.append(time.perf_counter() - begin)
    return result


def _duration(seconds):
    milliseconds = 1e3 * np.array(seconds or [0.0])
    return Duration(float(milliseconds.mean()), float(milliseconds.std()))
