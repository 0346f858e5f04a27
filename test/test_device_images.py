"""
Images as tensors: trackers send a GPU the whole image once, and see what they saw of an array.

There is no GPU here: tensors on the CPU go the same way, and a stand-in takes the place of the
copy.
"""
import cv2
import numpy as np
import pytest
from small_trackers import clip, make, ROBUST, run
import torch

from tracking_nodes.errors import ImageError
from tracking_nodes.online.clip import Clip
from tracking_nodes.trackers import together
from tracking_nodes.trackers.base import check_image, Location, Tracker
from tracking_nodes.trackers.redetection import Redetecting
from tracking_nodes.trackers.static import StaticTracker

OTHER = (40.0, 60.0, 50.0, 36.0)
EXACT = {'precision': 'float32'}
CROP = {**EXACT, 'feature_path': 'crop', 'crop_size': 75, 'candidates': 16,
        'first_positives': 16, 'first_negatives': 16}
VARIANTS = {
    'edcf': ('edcf', EXACT), 'rman': ('rman', EXACT), 'tsn': ('tsn', EXACT),
    # Its projection of random features turns with every rounding; the clip has a test of its own.
    'cstnet': ('cstnet', {**EXACT, 'refinement_weight': 0.0}),
    'gstp': ('gstp', {'detector_precision': 'float32'}),
    'tsn robust': ('tsn', {**EXACT, **ROBUST}), 'edcf robust': ('edcf', {**EXACT, **ROBUST}),
    'tsn crop': ('tsn', CROP),
    'rman redetection': ('rman', {
        **EXACT, 'redetection': True, 'redetection_after': 1, 'redetection_every': 1,
        'redetection_likeness': 0.0, 'redetection_score': 0.0, 'present_threshold': 1.0,
        'detector_precision': 'float32'}),
}
each_variant = pytest.mark.parametrize('name, changes', VARIANTS.values(), ids=VARIANTS)


def refuse_opencv(monkeypatch):
    """Let OpenCV refuse to cut and resize."""
    def refused(*_, **__):
        raise AssertionError('OpenCV was asked to cut or resize')
    for name in ('resize', 'warpAffine', 'copyMakeBorder', 'GaussianBlur', 'getRotationMatrix2D'):
        monkeypatch.setattr(cv2, name, refused)


@pytest.fixture
def copies(monkeypatch):
    """Let trackers send their images as to a GPU, and return the list of what was sent."""
    sent = []

    def counted(image, device):
        if isinstance(image, torch.Tensor):
            return image
        sent.append(image)
        return torch.from_numpy(image.copy())
    monkeypatch.setattr(together, 'image_to_device', counted)
    return sent


@each_variant
def test_tensors_are_tracked_as_arrays_are_and_cut_where_they_are(name, changes, monkeypatch):
    images, boxes = clip()
    wanted = run(make(name, **changes), images[:4], boxes[0])
    refuse_opencv(monkeypatch)
    found = run(make(name, **changes), [torch.from_numpy(image.copy()) for image in images[:4]],
                boxes[0])
    # Three frames: what is learned of random features lets every difference grow.
    np.testing.assert_allclose(found[0], wanted[0], atol=1.0)
    np.testing.assert_allclose(found[1], wanted[1], atol=5e-3)


def test_the_clip_of_tensors_is_that_of_arrays(monkeypatch):
    images, boxes = clip()
    wanted = _windows(images[:4], boxes[0])
    refuse_opencv(monkeypatch)
    found = _windows([torch.from_numpy(image.copy()) for image in images[:4]], boxes[0])
    for one, other in zip(found, wanted):
        assert isinstance(one.pixels, torch.Tensor)
        assert (one.left, one.top, one.scale) == (other.left, other.top, other.scale)
        assert np.abs(one.pixels.numpy().astype(int) - other.pixels).max() <= 1


def _windows(images, box):
    """Return the windows of a clip of three frames that takes in one image after the other."""
    seen = Clip(images[0], box, 3, 4.0, 64)
    windows = [seen.window(box)]
    for number, image in enumerate(images[1:], 1):
        seen.add(image)
        windows.append(seen.window(box + np.array([30.0 * number, 8.0, 0, 0])))
    return windows


def test_on_a_cpu_opencv_cuts_arrays(monkeypatch):
    images, boxes = clip()
    tracker = make('edcf', **EXACT)
    refuse_opencv(monkeypatch)
    with pytest.raises(AssertionError, match='OpenCV'):
        tracker.start(images[0], boxes[0])


@each_variant
def test_a_frame_is_sent_once_and_nothing_is_cut_on_the_cpu(name, changes, copies, monkeypatch):
    images, boxes = clip()
    refuse_opencv(monkeypatch)
    run(make(name, **changes), images[:3], boxes[0])
    assert list(map(id, copies)) == list(map(id, images[:3]))


def test_what_is_verified_is_sent_too(copies):
    images, boxes = clip()
    tracker = make('edcf', **EXACT)
    tracker.start(images[0], boxes[0])
    assert isinstance(tracker.verify(images[1], OTHER), Location)
    assert len(copies) == 2


@pytest.mark.parametrize('name, changes', [
    VARIANTS['edcf'], VARIANTS['gstp'], VARIANTS['tsn robust'], ('rman', CROP)])
def test_several_targets_get_one_copy_and_the_answers_they_get_alone(name, changes, copies):
    images, boxes = clip()
    alone, several = ([make(name, **changes) for _ in range(2)] for _ in range(2))
    for tracker, box in zip((*alone, *several), (boxes[0], OTHER) * 2):
        tracker.start(images[0], box)
    # A caller's memory, used again for every frame.
    memory = images[0].copy()
    for image in images[1:3]:
        memory[:] = image
        copies.clear()
        together.look_together(several, memory)
        found = [tracker.locate(memory) for tracker in several]
        assert len(copies) == 1
        for location, tracker in zip(found, alone):
            np.testing.assert_allclose(location.box, tracker.locate(image).box, atol=0.02)
        for tracker in (*several, *alone):
            tracker.learn()


@pytest.mark.parametrize('between', ['nothing', 'another image', 'a start'])
def test_what_was_sent_counts_for_the_next_image_only(between, copies):
    """Memory that was sent may hold another image at any later time."""
    images, boxes = clip()
    trackers = [make('edcf', **EXACT) for _ in range(2)]
    for tracker in trackers:
        tracker.start(images[0], boxes[0])
    together.look_together(trackers, images[1])
    if between == 'another image':
        trackers[0].locate(images[2])
    elif between == 'a start':
        trackers[0].start(images[0], boxes[0])
    copies.clear()
    trackers[0].locate(images[1])
    assert len(copies) == (between != 'nothing')
    trackers[0].locate(images[1])
    assert len(copies) == 1 + (between != 'nothing')


def test_a_tracker_that_says_nothing_is_given_what_the_caller_has(copies):
    """Those of other packages know arrays only, whatever is around them."""
    class Elsewhere(StaticTracker):
        seen = ()

        def _locate(self, image):
            self.seen = (*self.seen, image)
            return super()._locate(image)

    images, boxes = clip()
    search = type('Search', (), {name: lambda self, *_: None for name in ('start', 'reset')})()
    inner = Elsewhere()
    inner.settings = make('edcf').settings
    for tracker in (inner, Redetecting(inner, search)):
        assert isinstance(tracker, Tracker)
        tracker.start(images[0], boxes[0])
        tracker.locate(images[1])
    assert [each is images[1] for each in inner.seen] == [True, True] and not copies


@pytest.mark.parametrize('image', [
    torch.zeros(4, 5, 3), torch.zeros(3, 4, 5, dtype=torch.uint8),
    torch.zeros(4, 5, dtype=torch.uint8), torch.zeros(0, 5, 3, dtype=torch.uint8)])
def test_a_tensor_is_checked_as_an_array_is(image):
    with pytest.raises(ImageError, match='uint8'):
        check_image(image)
    assert check_image(torch.zeros(4, 5, 3, dtype=torch.uint8)) == (4, 5)
