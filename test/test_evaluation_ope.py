"""One-pass evaluation over small sequences made in the test."""
import numpy as np
import pytest

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.ope import run_ope
from tracking_nodes.sequences.sequence import Sequence
from tracking_nodes.trackers.base import Location, Tracker

BOXES = np.array([[5.0 + index, 8, 20, 10] for index in range(6)])


class Clip(Sequence):
    """Frames whose first pixel is their number; it may yield more or fewer than announced."""

    def __init__(self, boxes, images=None):
        super().__init__('clip', boxes, np.arange(len(boxes)) * 10 ** 7)
        self.count = len(boxes) if images is None else images

    def images(self):
        for index in range(self.count):
            yield np.full((60, 80, 3), index, dtype=np.uint8)


class Diary(Tracker):
    """Writes down what it is asked, and answers with a box at the frame's number."""

    def _start(self, image, box):
        self.calls.append(('start', image[0, 0, 0], tuple(box)))

    def _locate(self, image):
        self.calls.append(('locate', image[0, 0, 0]))
        return Location(np.array([image[0, 0, 0], 0, 4, 4]), 0.25, bool(image[0, 0, 0] % 2))

    def _learn(self):
        self.calls.append(('learn',))
        return True

    def _relocate(self, box):
        raise AssertionError('one-pass evaluation never moves a tracker')

    def _reset(self):
        self.calls = []


def test_every_frame_is_located_and_learned_once_in_order():
    tracker, seen = Diary(), []
    run = run_ope(tracker, Clip(BOXES), lambda index, *rest: seen.append((index, *rest)))
    assert tracker.calls == [('start', 0, (5, 8, 20, 10))] + [
        call for index in range(1, 6) for call in (('locate', index), ('learn',))]
    np.testing.assert_array_equal(run.boxes[0], BOXES[0])
    np.testing.assert_array_equal(run.boxes[1:, 0], [1, 2, 3, 4, 5])
    assert run.scores.tolist() == [1] + [0.25] * 5
    assert run.present.tolist() == [True, True, False, True, False, True]
    assert (run.seconds > 0).all()
    assert run.image_size == (80, 60)
    assert [row[0] for row in seen] == list(range(6))
    assert all(row[1][0, 0, 0] == row[0] for row in seen)


def test_it_starts_on_the_first_frame_with_ground_truth():
    boxes = BOXES.copy()
    boxes[:2] = np.nan
    tracker = Diary()
    run = run_ope(tracker, Clip(boxes))
    assert tracker.calls[0] == ('start', 2, tuple(BOXES[2]))
    assert np.isnan(run.boxes[:2]).all() and np.isfinite(run.boxes[2:]).all()
    assert not run.present[:2].any()
    assert run.seconds[:2].tolist() == [0, 0]


@pytest.mark.parametrize('images, words', [(5, '5 images for 6 boxes'),
                                           (7, 'more images than the 6 boxes')])
def test_ground_truth_must_have_the_length_of_the_video(images, words):
    with pytest.raises(SequenceError, match=f'clip: {words}'):
        run_ope(Diary(), Clip(BOXES, images))


def test_without_ground_truth_there_is_nothing_to_start_on():
    with pytest.raises(SequenceError, match='clip: no frame has ground truth'):
        run_ope(Diary(), Clip(BOXES * np.nan))
