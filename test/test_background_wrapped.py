"""What learns beside the frames in and around a tracker that others are around."""
from learning_gate import frame, NAMES, same, settle, started, until_due
import pytest
from small_trackers import clip, make, ROBUST

from tracking_nodes.trackers.redetection import Redetecting


class Blind:
    """A detector that finds nothing."""

    def start(self, image, box):
        pass

    def reset(self):
        pass


@pytest.mark.parametrize('name', NAMES)
def test_redetection_passes_it_through(gate, name):
    images, boxes = clip(24)
    inner = make(name, learning='background', present_threshold=0.0)
    tracker = Redetecting(inner, Blind())
    tracker.start(images[0], boxes[0])
    gate.opened.clear()
    number = until_due(tracker)
    assert tracker.progress == inner.progress and tracker.progress.running
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    tracker.locate(images[number])
    assert tracker.learn() is True and tracker.progress.updates == 1
    tracker.reset()
    assert tracker.progress.updates == 0 and tracker.progress.age is None


def test_a_tracker_and_the_filter_around_it_learn_beside_the_frames_and_are_counted_together(gate):
    images, _ = clip(24)
    # What refines knows nothing of random features and would lead away.
    tracker = started('edcf', filter_early=10, robust_refinement=False, **ROBUST)
    held = [tracker._filter.weights, tracker._tracker._filter]
    gate.opened.clear()
    for number in range(1, 5):
        frame(tracker, images[number])
    # Three frames more were answered while both were under way.
    settle(lambda: gate.began < 2)
    assert tracker.progress.running and gate.began == 2
    assert (tracker.progress.updates, tracker.progress.skipped) == (0, 6)
    assert tracker._filter.weights is held[0] and tracker._tracker._filter is held[1]
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    # Trained, but not taken over.
    assert tracker._filter.weights is held[0] and tracker._tracker._filter is held[1]
    tracker.locate(images[5])
    assert tracker._filter.weights is not held[0] and tracker._tracker._filter is not held[1]
    assert tracker.progress.updates == 2 and tracker.learn() is True
    tracker.reset()
    assert tracker.progress.updates == tracker.progress.skipped == 0


def test_verifying_with_the_preset_around_a_tracker_takes_nothing_over(gate):
    images, boxes = clip(24)
    tracker = started('edcf', **ROBUST)
    gate.opened.clear()
    number = until_due(tracker)
    held = tracker._filter.weights, tracker._tracker._filter
    expected = tracker.verify(images[number], boxes[number])
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    assert same(tracker.verify(images[number], boxes[number]), expected)
    assert tracker._filter.weights is held[0] and tracker._tracker._filter is held[1]
    assert tracker.progress.updates == 0


def test_an_error_of_the_filters_update_is_raised_once_and_learning_goes_on(gate):
    images, _ = clip(24)
    tracker = started('gstp', robust_refinement=False, **ROBUST)
    before, gate.error = tracker._filter.weights, FloatingPointError('told to fail')
    frame(tracker, images[1])
    settle(lambda: tracker.progress.running)
    tracker.locate(images[2])
    with pytest.raises(FloatingPointError, match='told to fail'):
        tracker.learn()
    assert tracker._filter.weights is before
    assert (tracker.progress.failed, tracker.progress.updates) == (1, 0)
    gate.error = None
    for image in images[3:5]:
        frame(tracker, image)
        settle(lambda: tracker.progress.running)
    tracker.locate(images[-1])
    assert tracker.progress.updates > 0 and tracker._filter.weights is not before
