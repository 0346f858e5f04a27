"""One-pass evaluation: start a tracker on the first box and follow it to the end, no reset."""
import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.metrics import has_truth
from tracking_nodes.evaluation.run import Recorder, Run

__all__ = ['first_target', 'run_ope', 'run_pass', 'Run']


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
    first = first_target(sequence)
    return run_pass(tracker, sequence, first, len(sequence) - 1, sequence.boxes[first], on_frame)


def run_pass(tracker, sequence, first, last, box, on_frame=None):
    """
    Run a tracker once over part of a sequence.

    :param tracker: a `Tracker`.
    :param sequence: a `Sequence`.
    :param first: index of the frame it starts in.
    :param last: index of the last frame it follows.
    :param box: (4,), where it starts.
    :param on_frame: called after each frame with (index, image, box, score, present).
    :return: a `Run` over all frames of the sequence.
    :raises SequenceError: fewer or more images than boxes of ground truth.
    """
    recorder = Recorder(sequence, on_frame)
    for index, image in recorder.frames(last):
        if index == first:
            recorder.start(tracker, index, image, box)
        elif index > first:
            recorder.follow(tracker, index, image)
    return recorder.run()


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
