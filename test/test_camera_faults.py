"""
What a camera does wrong, and what else hits a node that runs.

Node, camera and listener are processes of their own; the node is one and the same throughout.
docs/faults.md is the table.
"""
import time

from node_harness import SECOND
from node_system import Camera, node_system, seconds
import numpy as np
import pytest

OUT_OF_ORDER = 'dropped: out_of_order'


@pytest.fixture(scope='module')
def running():
    """Return the one node and its camera."""
    with node_system() as system:
        system.begin()
        yield system


@pytest.fixture
def system(running):
    """Return it after a good image; another one afterwards finds the same node and target."""
    before = running.ask()
    yield running
    after = running.ask()
    assert after.identity == before.identity == '1'
    np.testing.assert_allclose(after.box[[0, 2, 3]], before.box[[0, 2, 3]])
    running.accounted()
    assert running.process.poll() is None


def test_a_camera_that_stops_and_comes_back_finds_its_target_again(system):
    for _ in range(2):
        system.camera.stop()
        _, words, _ = system.diagnosed(lambda level, words, _: 'nobody publishes' in words)
        assert 'nobody publishes /image: remap image' in words
        system.camera = Camera()
        system.ask()
        system.diagnosed(lambda level, words, _: 'nobody publishes' not in words)


def test_a_camera_that_is_killed_and_started_again_finds_its_target_again(system):
    for _ in range(2):
        system.camera.kill()
        system.camera = Camera()
        assert system.ask().identity == '1'


def test_a_camera_that_changes_its_resolution_scales_the_target(system):
    for width, height in ((640, 480), (1280, 720), (640, 240), (320, 240)):
        for _ in range(2):
            answer = system.ask(width=width, height=height)
            np.testing.assert_allclose(answer.box[[0, 2, 3]], np.multiply(
                (100, 40, 30), (width / 320, width / 320, height / 240)), rtol=1e-6)
            assert answer.identity == '1'


def test_a_camera_may_change_its_encoding_from_image_to_image(system):
    for encoding in ('rgb8', 'mono8', 'bgra8', 'mono16', 'bgr8'):
        assert system.ask(encoding=encoding).identity == '1'


def test_a_camera_whose_time_jumps_an_hour_back_and_ten_ahead_loses_no_image(system):
    before = system.count('fault: stamp_jumped_back')
    stamp = system.stamp
    for jump in (-3600, 36000):
        stamp += seconds(jump)
        for _ in range(3):
            system.ask(stamp)
            stamp += SECOND // 30
    system.ask()
    system.counted(before + 2, 'fault: stamp_jumped_back')


def test_a_thousand_disordered_stamps_lose_only_what_was_overtaken(system):
    rng, lost, before = np.random.default_rng(0), 0, system.count(OUT_OF_ORDER)
    repeated = system.count('fault: stamp_repeated')
    newest, repeats = system.stamp, 0
    for _ in range(1000):
        step = int(rng.choice([SECOND // 30, 0, -SECOND // 20, -100 * SECOND],
                              p=[0.7, 0.1, 0.15, 0.05]))
        repeats += not step
        if -SECOND <= step < 0:
            lost += 1
            system.send(newest + step)
        else:
            newest += step
            assert system.ask(newest).identity == '1'
    assert 100 < lost < 200 and 50 < repeats < 150
    system.counted(before + lost, OUT_OF_ORDER)
    assert system.count('fault: stamp_repeated') == repeated + repeats


def test_an_image_stamped_in_another_time_costs_at_most_the_two_images_after_it(system):
    assert system.set_parameters(max_age=5.0).successful
    for ahead, lost in ((0.2, 2), (0.9, 2), (1.1, 0), (30, 0), (59, 0), (1e6, 0), (-0.9, 0),
                        (-1.1, 0), (-1e6, 0)):
        before = system.count(OUT_OF_ORDER)
        # Back by less than a second, it is an overtaken one itself.
        overtaken = -1 < ahead < 0
        system.send(system.stamp + seconds(ahead))
        for _ in range(lost):
            system.send()
        system.counted(before + lost + overtaken, OUT_OF_ORDER)
        for _ in range(5):
            assert system.ask().identity == '1'
        assert system.count(OUT_OF_ORDER) == before + lost + overtaken
    assert system.set_parameters(max_age=0.0).successful


def test_a_flood_at_ten_times_the_rate_is_answered_with_the_newest_and_all_is_counted(system):
    # The tracker manages 30 images a second; 300 a second come.
    assert system.set_parameters(frame_code__delay=1 / 30).successful
    stamps = [time.time_ns() + number * SECOND // 300 for number in range(600)]
    system.client.answers.clear()
    system.camera.show(stamps, system.number + 1, period=1 / 300)
    system.number += len(stamps)
    assert system.answer_to(stamps[-1]).box[1] == system.number
    assert 30 < len(system.client.answers) < 300
    system.accounted()
    assert system.set_parameters(frame_code__delay=0.0).successful


def test_images_that_come_late_are_dropped_and_counted_and_those_in_time_are_not(system):
    assert system.set_parameters(max_age=2.0).successful
    before = system.count('dropped: stale')
    for number in range(1, 4):
        system.send(time.time_ns() - 10 * SECOND)
        system.counted(before + number, 'dropped: stale')
    _, words, _ = system.client.status()
    assert 'are dropped, as max_age is 2 s' in words
    system.ask()
    system.diagnosed(lambda level, words, _: 'max_age' not in words)
    assert system.set_parameters(max_age=0.0).successful


def test_a_tracker_that_fails_on_an_image_loses_only_that_image(system):
    assert system.set_parameters(frame_code__fail_on=system.number + 2).successful
    system.ask()
    before = system.count('dropped: tracker_error')
    system.send()
    system.counted(before + 1, 'dropped: tracker_error')
    assert f'told to fail on frame {system.number}' in system.client.status()[1]
    assert system.ask().identity == '1'


def test_a_storm_of_parameters_is_survived_and_wrong_values_never_count(system):
    rng = np.random.default_rng(0)
    for _ in range(120):
        low, high = (float(value) for value in rng.random(2))
        assert system.set_parameters(score_low=low, score_high=high).successful == (low <= high)
        assert not system.set_parameters(candidates_region='1, 2', max_age=float('nan')).successful
        assert not system.set_parameters(tracker='static').successful
        assert system.ask().identity == '1'
    assert system.set_parameters(score_low=0.4, score_high=0.6).successful
