"""Several targets in one image: one pass of the network, the answers of trackers on their own."""
import numpy as np
import pytest
from small_trackers import clip, make, ROBUST

from tracking_nodes.trackers.redetection import Redetecting
from tracking_nodes.trackers.static import StaticTracker
from tracking_nodes.trackers.together import look_together

OTHER = (40.0, 60.0, 50.0, 36.0)
# Batches are rounded differently in bfloat16; that is a question of the processor.
EXACT = {'edcf': {'precision': 'float32'}, 'gstp': {'detector_precision': 'float32'}}


def trackers(name, boxes, **changes):
    """Return a tracker on each of some boxes in the first image of the clip."""
    images, _ = clip()
    made = []
    for box in boxes:
        tracker = make(name, **{**EXACT.get(name, {'precision': 'float32'}), **changes})
        tracker.start(images[0], box)
        made.append(tracker)
    return made


def passes(tracker, monkeypatch):
    """Return a list that gets the shape of the views of every pass of a tracker's network."""
    seen, original = [], tracker.see

    def counted(views):
        seen.append(views.shape)
        return original(views)
    monkeypatch.setattr(tracker, 'see', counted)
    return seen


@pytest.mark.parametrize('name, changes', [
    *((name, {}) for name in ('edcf', 'rman', 'tsn', 'cstnet', 'gstp')), ('tsn', ROBUST)])
def test_targets_get_the_answers_they_get_alone(name, changes):
    images, boxes = clip()
    alone, together = (trackers(name, [boxes[0], OTHER], **changes) for _ in range(2))
    for image in images[1:6]:
        assert look_together(together, image) >= 1
        for one, other in zip(alone, together):
            expected, found = one.locate(image), other.locate(image)
            np.testing.assert_allclose(found.box, expected.box, atol=0.02)
            assert found.score == pytest.approx(expected.score, abs=1e-3)
            one.learn()
            other.learn()


@pytest.mark.parametrize('name, views', [
    ('edcf', (9, 255, 255, 3)), ('tsn', (3, 128, 128, 3))])
def test_regions_of_their_own_are_one_batch(name, views, monkeypatch):
    images, boxes = clip()
    made = trackers(name, [boxes[0], OTHER, boxes[0] + [5, 5, 0, 0]])
    counts = [passes(tracker, monkeypatch) for tracker in made]
    assert look_together(made, images[1]) == 1
    for tracker in made:
        tracker.locate(images[1])
    assert counts == [[views], [], []]


def test_the_whole_image_is_looked_at_once_for_all(monkeypatch):
    images, boxes = clip()
    made = trackers('gstp', [boxes[0], boxes[0] + [20, 10, 0, 0]])
    counts = [passes(tracker, monkeypatch) for tracker in made]
    assert look_together(made, images[1]) == 1
    for tracker in made:
        tracker.locate(images[1])
    assert [len(each) for each in counts] == [1, 0] and counts[0][0][0] == 1


@pytest.mark.parametrize('moves', [True, False])
def test_what_was_foreseen_counts_for_its_image_and_its_position_only(moves, monkeypatch):
    images, boxes = clip()
    made, (alone,) = trackers('tsn', [boxes[0], OTHER]), trackers('tsn', [boxes[0]])
    look_together(made, images[1])
    seen, image = passes(made[0], monkeypatch), images[1 if moves else 2]
    for tracker in (made[0], alone):
        if moves:
            tracker.relocate(np.array(OTHER))
    np.testing.assert_array_equal(made[0].locate(image).box, alone.locate(image).box)
    assert len(seen) == 1


def test_one_target_and_trackers_that_cannot_share_are_left_alone():
    images, boxes = clip()
    assert look_together(trackers('edcf', [boxes[0]]), images[1]) == 0
    assert look_together(trackers('rman', [boxes[0], OTHER], feature_path='crop',
                                  crop_size=75), images[1]) == 0
    still = [StaticTracker(), StaticTracker()]
    for tracker in still:
        tracker.start(images[0], boxes[0])
    assert look_together(still, images[1]) == 0


def test_redetection_shares_the_passes_of_its_tracker():
    images, boxes = clip()
    inner = trackers('edcf', [boxes[0], OTHER])
    search = type('Search', (), {'reset': lambda self: None})()
    wrapped = [Redetecting(tracker, search) for tracker in inner]
    assert [each.looker for each in wrapped] == inner
