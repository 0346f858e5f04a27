"""Recorded answers against the frames they belong to."""
import numpy as np
import pytest

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.recorded import Answers, match_answers
from tracking_nodes.sequences.sequence import Sequence

STAMPS = np.array([10, 20, 30, 40, 50], dtype=np.int64)


class GreyClip(Sequence):
    """Five grey frames of 64x48 pixels."""

    def images(self):
        for _ in self.stamps:
            yield np.full((48, 64, 3), 90, np.uint8)


def clip(boxes=None):
    """Return a clip whose ground truth moves by a pixel a frame."""
    if boxes is None:
        boxes = [[index, 2, 10, 12] for index in range(5)]
    return GreyClip('clip', boxes, STAMPS)


def answers(stamps, boxes, scores=None, received=None):
    """Return `Answers` of lists."""
    count = len(stamps)
    return Answers(np.array(stamps), np.array(boxes, dtype=float),
                   np.full(count, 0.9) if scores is None else np.array(scores),
                   np.arange(count) * 0.5 if received is None else np.array(received))


def test_every_answer_lands_on_its_own_frame_in_any_order():
    order = [3, 0, 4, 1, 2]
    boxes = np.arange(20.0).reshape(5, 4) + 1
    scores = np.linspace(0.1, 0.9, 5)
    run, missing = match_answers(
        answers(STAMPS[order], boxes[order], scores[order]), clip())
    np.testing.assert_array_equal(run.boxes, boxes)
    np.testing.assert_array_equal(run.scores, scores)
    assert missing == 0 and run.present.all() and run.image_size == (64, 48)


def test_dropped_frames_repeat_the_box_and_are_counted():
    run, missing = match_answers(
        answers([10, 30], [[0, 2, 10, 12], [5, 5, 9, 9]], received=[7.0, 7.25]), clip())
    assert missing == 3
    np.testing.assert_array_equal(run.boxes[1], [0, 2, 10, 12])
    np.testing.assert_array_equal(run.boxes[2:], [[5, 5, 9, 9]] * 3)
    assert run.present.tolist() == [True, False, True, False, False]
    np.testing.assert_allclose(run.seconds, [0, 0, 0.25, 0, 0])


def test_a_lost_target_repeats_the_box_but_is_an_answer():
    lost = [np.nan] * 4
    run, missing = match_answers(
        answers(STAMPS, [[1, 1, 5, 5], lost, lost, [2, 2, 5, 5], [3, 3, 5, 5]]), clip())
    assert missing == 0
    assert run.present.tolist() == [True, False, False, True, True]
    np.testing.assert_array_equal(run.boxes[1:3], [[1, 1, 5, 5]] * 2)
    assert run.scores[1] == 0
    np.testing.assert_allclose(run.seconds[1:], 0.5)


def test_frames_before_the_first_ground_truth_have_no_box():
    truth = [[np.nan] * 4] * 2 + [[4, 4, 8, 8]] * 3
    run, missing = match_answers(answers([40], [[6, 6, 8, 8]]), clip(truth))
    assert np.isnan(run.boxes[:2]).all()
    np.testing.assert_array_equal(run.boxes[2:], [[4, 4, 8, 8], [6, 6, 8, 8], [6, 6, 8, 8]])
    assert missing == 2


def test_answers_to_another_video_are_refused():
    with pytest.raises(SequenceError, match='none of the 1 answers.*clip'):
        match_answers(answers([11], [[1, 1, 5, 5]]), clip())
    with pytest.raises(SequenceError, match='no frame has ground truth'):
        match_answers(answers([10], [[1, 1, 5, 5]]), clip([[np.nan] * 4] * 5))
