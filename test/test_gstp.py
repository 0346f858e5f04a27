"""GSTP: what it makes of candidates and of the motion model's word."""
import numpy as np
import pytest
from small_trackers import clip, make

from tracking_nodes.online.global_search import Candidates
from tracking_nodes.trackers.gstp import Gstp

LEFT, RIGHT = [10.0, 20.0, 30.0, 40.0], [120.0, 60.0, 30.0, 40.0]


class Answers:
    """A detector that finds what it is told to."""

    def __init__(self, *rows):
        self.rows = list(rows)

    def start(self, image, box):
        pass

    def view(self, image):
        return image

    def see(self, view):
        return view

    def search(self, image, seen=None):
        boxes, scores = self.rows.pop(0)
        return Candidates(np.array(boxes, float).reshape(-1, 4), np.array(scores, float))

    def reset(self):
        pass


class Path:
    """A motion model that is sure of the left, and keeps what it is shown."""

    def __init__(self):
        self.seen = []

    def start(self, image, position):
        self.seen = [tuple(position)]

    def predict(self, image):
        return 'left'

    def rescored(self, boxes, scores, distribution):
        assert distribution == 'left'
        return scores * np.where(boxes[:, 0] < 60, 1.0, 0.2)

    def see(self, position):
        self.seen.append(None if position is None else tuple(position))

    def reset(self):
        self.seen = []


def started(*rows, first=([], []), **values):
    """Return a tracker that was started, its detector's answer `first`, and the next image."""
    tracker = make('gstp', **values)
    tracker._detector = Answers(first, *rows)
    if tracker._motion is not None:
        tracker._motion = Path()
    images, boxes = clip()
    tracker.start(images[0], boxes[0])
    return tracker, images[1]


def test_the_motion_model_chooses_among_candidates():
    rows = ([RIGHT, LEFT], [0.9, 0.7])
    with_it, image = started(rows)
    without, _ = started(rows, motion=False)
    found, alone = with_it.locate(image), without.locate(image)
    assert found.box.tolist() == LEFT and found.score == pytest.approx(0.7) and found.present
    assert alone.box.tolist() == RIGHT and alone.score == pytest.approx(0.9)
    assert with_it._motion.seen[-1] == (25.0, 40.0)


@pytest.mark.parametrize('rows, score', [(([], []), 0.0), (([LEFT], [0.3]), 0.3)])
def test_absence_is_said_and_told_to_the_motion_model(rows, score):
    tracker, image = started(rows, ([RIGHT], [0.9]))
    start = tracker._box.copy()
    found = tracker.locate(image)
    assert not found.present and found.score == pytest.approx(score)
    np.testing.assert_allclose(found.box, start)
    assert tracker._motion.seen[-1] is None
    # Nothing limits where it is found again but its score, here made small by the motion model.
    assert not tracker.locate(image).present


def test_a_target_that_comes_back_is_found_anywhere():
    tracker, image = started(([], []), ([RIGHT], [0.9]), motion=False)
    assert not tracker.locate(image).present
    found = tracker.locate(image)
    assert found.present and found.box.tolist() == RIGHT


@pytest.mark.parametrize('share, expected', [(0.0, [120, 60, 30, 40]), (1.0, [110, 60, 50, 40])])
def test_boxes_are_drawn_as_the_first_one_was(share, expected):
    _, boxes = clip()
    x, y, width, height = boxes[0]
    # As wide as three fifths of what was given, around the same centre.
    narrow = [x + 0.2 * width, y, 0.6 * width, height]
    tracker, image = started(([RIGHT], [0.9]), first=([narrow], [0.8]), motion=False,
                             box_correction=share)
    np.testing.assert_allclose(tracker.locate(image).box, expected)


def test_nothing_is_learned_online():
    tracker, image = started(([LEFT], [0.9]))
    tracker.locate(image)
    assert tracker.learn() is False


def test_rows_of_the_ablation_differ_in_the_motion_model():
    assert Gstp.ablation == {'SiamRCNN': {'motion': False}, 'GSTP': {}}
    assert make('gstp', motion=False)._motion is None
