"""What every tracker of the registry promises, whatever its method."""
import numpy as np
import pytest
from small_trackers import clip, held_bytes, make, ROBUST, run
import torch

from tracking_nodes.errors import BoxError, ImageError, NotStartedError
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Location, Tracker
from tracking_nodes.trackers.gstp import Gstp
from tracking_nodes.trackers.robust import Robust
from tracking_nodes.trackers.static import StaticTracker

NAMES = registry.names()
# Every tracker as it is, and those that have it with the robust preset around them.
VARIANTS = {**{name: (name, {}) for name in NAMES},
            **{f'{name} robust': (name, ROBUST) for name in NAMES
               if hasattr(registry.tracker_class(name).settings_class, 'preset')}}


@pytest.fixture(scope='module', params=VARIANTS)
def tracker(request):
    """Return one loaded tracker for all tests of a variant; each test starts it anew."""
    name, changes = VARIANTS[request.param]
    return make(name, **changes)


def name_of(tracker):
    return next(name for name in NAMES if registry.tracker_class(name) is tracker.method)


def with_networks(tracker):
    """Return whether a tracker is known to learn with PyTorch; other packages' may not."""
    return (name_of(tracker) in registry.names(own=True)
            and not isinstance(tracker, StaticTracker))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def check(location, image, at_image=True):
    """Check that a location is one: finite, with area, at the image, in range, of the types."""
    assert isinstance(location, Location)
    assert location.box.shape == (4,) and location.box.dtype == np.float64
    assert np.isfinite(location.box).all() and (location.box[2:] > 0).all()
    height, width = image.shape[:2]
    x, y, across, down = location.box
    if at_image:
        assert x < width and y < height and x + across > 0 and y + down > 0
    assert isinstance(location.score, float) and 0 <= location.score <= 1
    assert isinstance(location.present, bool)


def same(one, other):
    """Say whether two runs gave bit-identical boxes and scores and learned alike."""
    return (np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])
            and one[2] == other[2])


def test_it_is_a_tracker_of_its_own_settings(tracker):
    assert isinstance(tracker, Tracker)
    assert type(tracker.settings) is tracker.settings_class
    for changes in (*tracker.method.ablation.values(), *tracker.method.robust_ablation.values()):
        tracker.settings_class.parse(changes)


def test_nothing_goes_before_start(tracker):
    tracker.reset()
    image = clip()[0][0]
    for call in (lambda: tracker.locate(image), tracker.learn,
                 lambda: tracker.relocate((1, 2, 3, 4))):
        with pytest.raises(NotStartedError, match=r'start\(image, box\) first'):
            call()


def test_forgetting_a_target_frees_what_was_learned_of_it(tracker):
    images, boxes = clip()
    tracker.reset()
    loaded = held_bytes()
    run(tracker, images, boxes[0])
    assert held_bytes() > loaded or not with_networks(tracker)
    tracker.reset()
    assert held_bytes() == loaded


def test_a_run_gives_a_location_in_every_frame(tracker):
    images, boxes = clip()
    tracker.start(images[0], boxes[0])
    assert tracker.started
    for image in images[1:]:
        location = tracker.locate(image)
        check(location, image)
        assert tracker.learn() in (True, False)


def make_like(tracker, seed=0):
    """Return a new tracker of the same kind and settings."""
    changes = ROBUST if isinstance(tracker, Robust) else {}
    return make(name_of(tracker), seed, **changes)


@pytest.mark.parametrize('box, said', [
    ((np.nan, 10, 20, 20), 'nan, 10, 20, 20'), ((10, 10, np.inf, 20), '10, 10, inf, 20'),
    ((10, 10, 0, 20), '10, 10, 0, 20'), ((10, 10, 20, -4), '10, 10, 20, -4'),
    ((400, 10, 20, 20), '400, 10, 20, 20.*320x240'), ((10, -30, 20, 20), '10, -30, 20, 20'),
    ((1, 2, 3), r'four numbers.*\[1.0, 2.0, 3.0\]')])
def test_a_bad_box_is_refused_by_its_numbers_and_the_target_kept(tracker, box, said):
    images, boxes = clip()
    tracker.start(images[0], boxes[0])
    with pytest.raises(BoxError, match=said):
        tracker.start(images[1], box)
    check(tracker.locate(images[1]), images[1])


@pytest.mark.parametrize('image, said', [
    (np.zeros((240, 320), np.uint8), r'\(240, 320\), type uint8'),
    (np.zeros((240, 320, 1), np.uint8), r'\(240, 320, 1\)'),
    (np.zeros((240, 320, 4), np.uint8), r'\(240, 320, 4\)'),
    (np.zeros((240, 320, 3), np.float32), 'type float32'),
    (np.zeros((0, 320, 3), np.uint8), r'\(0, 320, 3\)'),
    (None, 'shape None')])
def test_a_bad_image_is_refused_by_its_shape_and_type_and_the_target_kept(tracker, image, said):
    images, boxes = clip()
    tracker.start(images[0], boxes[0])
    with pytest.raises(ImageError, match=said):
        tracker.start(image, boxes[0])
    with pytest.raises(ImageError, match=said):
        tracker.locate(image)
    check(tracker.locate(images[1]), images[1])


@pytest.mark.parametrize('variant', VARIANTS)
def test_the_same_seed_gives_bit_identical_runs(variant):
    images, boxes = clip()
    name, changes = VARIANTS[variant]
    first = run(make(name, seed=7, **changes), images, boxes[0])
    np.random.seed(5)
    torch.manual_seed(5)
    assert same(run(make(name, seed=7, **changes), images, boxes[0]), first)


def test_a_reset_tracker_is_as_new(tracker):
    images, boxes = clip()
    first = run(tracker, images, boxes[0])
    tracker.reset()
    assert not tracker.started
    run(tracker, images[5:8], boxes[5])
    # start() forgets the earlier target by itself.
    assert same(run(tracker, images, boxes[0]), first)
    assert same(run(make_like(tracker), images, boxes[0]), first)


def test_two_trackers_side_by_side_are_as_alone(tracker):
    images, boxes = clip()
    # The second one follows another place, backwards in time.
    other_images, other_box = images[::-1], (20.0, 150.0, 50.0, 60.0)
    alone = [run(make_like(tracker), images, boxes[0]),
             run(make_like(tracker, seed=1), other_images, other_box)]
    pair = [make_like(tracker), make_like(tracker, seed=1)]
    pair[0].start(images[0], boxes[0])
    pair[1].start(other_images[0], other_box)
    rows = [[], []]
    for now in zip(images[1:], other_images[1:]):
        locations = [each.locate(image) for each, image in zip(pair, now)]
        changed = [each.learn() for each in pair]
        for row, location, change in zip(rows, locations, changed):
            row.append((location.box, location.score, change))
    together = [tuple(map(list, zip(*row))) for row in rows]
    assert all(same(one, other) for one, other in zip(together, alone))


def test_answers_and_inputs_are_not_shared_with_the_tracker(tracker):
    images, boxes = clip()
    expected = run(tracker, images, boxes[0])
    box, image = boxes[0].copy(), images[0].copy()
    tracker.start(image, box)
    box[:], image[:] = 0, 0
    found = []
    for source in images[1:]:
        image = source.copy()
        location = tracker.locate(image)
        found.append(location.box.copy())
        location.box[:] = -1
        tracker.learn()
        image[:] = 0
    np.testing.assert_array_equal(found, expected[0])


def test_warm_up_leaves_no_target_and_no_trace(tracker):
    images, boxes = clip()
    fresh = run(tracker, images, boxes[0])
    tracker.warm_up(width=200, height=160)
    assert not tracker.started
    with pytest.raises(NotStartedError):
        tracker.locate(images[0])
    assert same(run(tracker, images, boxes[0]), fresh)


def test_learning_twice_without_locating_is_harmless(tracker):
    images, boxes = clip()
    expected = run(tracker, images, boxes[0])
    tracker.start(images[0], boxes[0])
    # Nothing was located yet: there is nothing to learn but what start() learned.
    assert tracker.learn() is False and tracker.learn() is False
    found = []
    for image in images[1:]:
        found.append(tracker.locate(image))
        tracker.learn()
        assert tracker.learn() is False
    np.testing.assert_array_equal([location.box for location in found], expected[0])


def test_learning_may_be_left_out(tracker):
    images, boxes = clip()
    tracker.start(images[0], boxes[0])
    for number, image in enumerate(images[1:]):
        check(tracker.locate(image), image)
        if number % 4 == 3:
            tracker.learn()


def test_relocating_moves_the_search(tracker):
    images, _ = clip()
    tracker.start(images[0], (20, 20, 40, 30))
    tracker.locate(images[1])
    tracker.learn()
    goal = np.array([250.0, 180.0, 40.0, 30.0])
    before = goal.copy()
    tracker.relocate(goal)
    location = tracker.locate(images[2])
    check(location, images[2])
    # The first place is out of reach now, except for who sees the whole image.
    if not issubclass(tracker.method, Gstp):
        assert np.linalg.norm(location.box[:2] - goal[:2]) < 120
    np.testing.assert_array_equal(goal, before)


def test_images_may_change_their_size(tracker):
    images, boxes = clip()
    tracker.start(images[0], boxes[0])
    for image in (noise(480, 640), noise(60, 80), noise(240, 320), noise(7, 5), images[1]):
        # The static tracker stays where it is, wherever the image ends.
        check(tracker.locate(image), image, at_image=type(tracker) is not StaticTracker)
        tracker.learn()


@pytest.mark.parametrize('box', [
    (0, 0, 40, 30), (280, 210, 40, 30), (-20, 100, 40, 30), (300, 225, 60, 60),
    (-39, -29, 40, 30), (319, 239, 40, 30), (100, -25, 60, 30)])
def test_targets_at_the_border(tracker, box):
    images, _ = clip()
    tracker.start(images[0], box)
    for image in images[1:4]:
        check(tracker.locate(image), image)
        tracker.learn()


@pytest.mark.parametrize('box', [
    (100, 100, 1, 1), (319, 239, 1, 1), (50, 50, 1, 150), (10, 120, 300, 1.5),
    (0, 0, 320, 240), (-320, -240, 960, 720), (-1600, -1200, 3200, 2400), (100, 0, 60, 2400)])
def test_tiny_and_huge_targets(tracker, box):
    images, _ = clip()
    tracker.start(images[0], box)
    for image in images[1:5]:
        check(tracker.locate(image), image)
        tracker.learn()


@pytest.mark.parametrize('value', [0, 128, 255])
def test_images_without_texture(tracker, value):
    images, boxes = clip()
    flat = np.full_like(images[0], value)
    for first in (flat, images[0]):
        tracker.start(first, boxes[0])
        for image in (flat, flat, flat, images[1]):
            check(tracker.locate(image), image)
            tracker.learn()


def test_grey_cameras(tracker):
    images, boxes = clip()
    grey = [np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
            for image in images[:5]]
    tracker.start(grey[0], boxes[0])
    for image in grey[1:]:
        check(tracker.locate(image), image)
        tracker.learn()


def test_memory_layouts_of_images_do_not_matter(tracker):
    """Views with steps of their own, as flipped channels and cropped images are."""
    images, boxes = clip()
    expected = run(tracker, images[:4], boxes[0])
    views = [np.ascontiguousarray(image[:, :, ::-1])[:, :, ::-1] for image in images[:4]]
    wide = [np.pad(image, ((3, 5), (7, 9), (0, 0)))[3:-5, 7:-9] for image in images[:4]]
    assert same(run(tracker, views, boxes[0]), expected)
    assert same(run(tracker, wide, boxes[0]), expected)
