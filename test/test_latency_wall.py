"""Latency-aware evaluation before a camera in real time, on a clock of its own and on ours."""
from dataclasses import replace
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from test_latency import Knowing, MovingClip, MS, NumberedClip, profile, Reader, run

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation import live_camera, protocols
from tracking_nodes.evaluation.protocols.latency import Latency
from tracking_nodes.evaluation.run import SKIPPED, STARTED, TRACKED
from tracking_nodes.sequences.excerpt import Excerpt
from tracking_nodes.sequences.sequence import camera_stamps, EncodedImage

WALL = protocols.get('latency:wall')


def watch(clip, tracker, protocol=WALL, on_frame=None):
    """Return the online run of a clip in real time."""
    return protocol.run(tracker, clip, protocol.trials(clip)[0], on_frame)


class Encoded(NumberedClip):
    """As a bag with compressed images."""

    def encoded_images(self):
        for image in self.images():
            yield EncodedImage('png', cv2.imencode('.png', image)[1].tobytes())


@pytest.fixture
def clock(monkeypatch):
    """Return a clock in ns that the camera goes by: who sleeps moves it."""
    held = SimpleNamespace(now=5 * MS)

    def sleep(seconds):
        held.now += round(seconds * 1e9)

    monkeypatch.setattr(live_camera, 'time',
                        SimpleNamespace(monotonic_ns=lambda: held.now, sleep=sleep))
    # The thread that reads has to be ahead of a clock that jumps.
    monkeypatch.setattr(live_camera, '_AHEAD_NS', 10 ** 15)
    return held


class Slow:
    """Lets time pass on a clock in every stage, as `took` says in ms."""

    def __init__(self, clock, took, tracker):
        self._clock, self._took, self._tracker = clock, took, tracker
        self.runtime = tracker.runtime

    def start(self, image, box):
        self._clock.now += self._took['start'] * MS
        self._tracker.start(image, box)

    def locate(self, image):
        self._clock.now += self._took['locate'] * MS
        return self._tracker.locate(image)

    def learn(self):
        changed = self._tracker.learn()
        self._clock.now += self._took['learn' if changed else 'gather'] * MS
        return changed


TIMES = [{'start': 35, 'locate': 12, 'learn': 21, 'gather': 2},
         {'start': 0, 'locate': 0, 'learn': 0, 'gather': 0},
         {'start': 3, 'locate': 9, 'learn': 1, 'gather': 1},
         {'start': 400, 'locate': 95, 'learn': 110, 'gather': 0}]


@pytest.mark.parametrize('first', [0, 7])
@pytest.mark.parametrize('took', TIMES)
def test_on_a_clock_that_is_exact_it_is_what_a_profile_of_the_times_gives(clock, took, first):
    clip = NumberedClip(camera_stamps(60, rate=100), first)
    found = watch(clip, Slow(clock, took, Reader()))
    expected = run(clip, profile(**took))
    for part in ('boxes', 'scores', 'present', 'ages', 'seconds', 'events'):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part), part)
    assert found.image_size == expected.image_size


@pytest.mark.parametrize('compensation', ['kalman', 'flow'])
def test_answers_are_extrapolated_as_on_the_virtual_clock(clock, compensation):
    clip = MovingClip(np.full(60, 5.0))
    took = {'start': 30, 'locate': 35, 'learn': 9, 'gather': 1}
    protocol = protocols.get(f'latency:wall+{compensation}')
    found = watch(clip, Slow(clock, took, Knowing(clip.boxes)), protocol)
    expected = run(clip, profile(**took), Knowing(clip.boxes), compensation)
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    assert (found.boxes != watch(clip, Slow(clock, took, Knowing(clip.boxes))).boxes).any()


def test_decoding_counts_where_the_source_is_encoded(clock, monkeypatch):
    decode = live_camera.decode_bytes

    def slow(data):
        clock.now += 15 * MS
        return decode(data)

    monkeypatch.setattr(live_camera, 'decode_bytes', slow)
    stamps = camera_stamps(40, rate=100)
    took = {'start': 5, 'locate': 8, 'learn': 1, 'gather': 1}
    for clip in (Encoded(stamps), Excerpt(Encoded(camera_stamps(80, rate=100)), 40)):
        found = watch(clip, Slow(clock, took, Reader()))
        # The clock begins once the first image is decoded.
        expected = run(clip, profile(start=5, locate=23, learn=1, gather=1))
        np.testing.assert_array_equal(found.boxes, expected.boxes)
        np.testing.assert_array_equal(found.ages, expected.ages)
        np.testing.assert_array_equal(found.seconds, expected.seconds)
    plain = watch(NumberedClip(stamps), Slow(clock, took, Reader()))
    assert (plain.events != SKIPPED).sum() > (found.events != SKIPPED).sum()


def test_in_real_time_a_tracker_of_two_and_a_half_periods_answers_every_third_frame():
    clip = Encoded(camera_stamps(31, rate=20))
    told = []

    class Late(Reader):

        def _locate(self, image):
            time.sleep(0.125)
            return super()._locate(image)

    began = time.monotonic()
    found = watch(clip, Late(), on_frame=lambda index, *_: told.append(index))
    assert time.monotonic() - began >= 1.5 - 0.125
    taken = np.flatnonzero(found.events == TRACKED)
    assert found.events[0] == STARTED and told == [0, *taken]
    # On a busy machine it may be later than that, never earlier.
    assert np.diff(taken).min() >= 2 and 4 <= len(taken) <= 15
    assert (found.seconds[taken] >= 0.125).all()
    # An answer exists from 125 ms after its image on, and so is three periods old or more.
    assert found.ages[taken[0] + 2] == pytest.approx(0.05 * (taken[0] + 2))
    boxes = found.boxes[:, 0].astype(int)
    assert set(boxes) <= {0, *taken} and (np.arange(31) - boxes)[boxes > 0].min() >= 3
    np.testing.assert_allclose(found.ages, 0.05 * (np.arange(31) - boxes), atol=1e-6)


def test_memory_holds_no_image_that_a_newer_one_has_overtaken():
    clip = NumberedClip(camera_stamps(250, rate=200))
    with live_camera.LiveCamera(clip, 0) as camera:
        images = camera.images()
        next(images)
        time.sleep(0.4)
        index, _, _ = next(images)
        assert index >= 80 and min(camera._read) >= index


def test_the_camera_says_whether_the_next_image_is_there(clock):
    with live_camera.LiveCamera(NumberedClip(camera_stamps(4, rate=2)), 0) as camera:
        images = camera.images()
        for expected in (0, 1):
            index, *_ = next(images)
            camera.take(index)
            assert index == expected and not camera.late
        clock.now += 499 * MS
        assert not camera.late
        clock.now += 2 * MS
        assert camera.late
        index, *_ = next(images)
        camera.take(index)
        assert not camera.late


def test_images_that_are_missing_are_named_and_the_thread_ends():
    clip = NumberedClip(camera_stamps(12, rate=200))
    clip.images = lambda: iter([np.zeros((40, 60, 3), np.uint8)] * 5)
    with pytest.raises(SequenceError, match='numbered: 5 images for 12 boxes'):
        watch(clip, Reader())
    broken = NumberedClip(camera_stamps(12, rate=200))
    broken.images = lambda: (1 / 0 for _ in range(12))
    with pytest.raises(ZeroDivisionError):
        watch(broken, Reader())


def test_the_offline_trial_waits_for_nothing():
    clip = NumberedClip(camera_stamps(200, rate=1))
    found = WALL.run(Reader(), clip, WALL.trials(clip)[1])
    np.testing.assert_array_equal(found.boxes[:, 0], np.arange(200))


def test_the_wall_clock_is_an_option_of_the_protocol():
    assert WALL.folder == 'latency_wall' and WALL.options()['clock'] == 'wall'
    assert WALL.profile is None and WALL.compensation is None
    both = protocols.get('latency:wall+flow')
    assert both == replace(WALL, name='latency:wall+flow', compensation='flow')
    assert both.folder == 'latency_wall+flow' and Latency().clock is None
