"""Latency-aware evaluation against a simulation in steps of a millisecond, and its limits."""
from dataclasses import replace

import cv2
from hypothesis import given, settings, strategies
import numpy as np
import pytest

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.latency_profile import Duration, Profile, Row
from tracking_nodes.evaluation.measures.latency import (
    age_curve, age_measures, newest_outputs)
from tracking_nodes.evaluation.metrics import score
from tracking_nodes.evaluation.ope import run_ope
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.evaluation.protocols import latency as latency_module
from tracking_nodes.evaluation.protocols.latency import Latency, OFFLINE, ONLINE
from tracking_nodes.evaluation.results import Result
from tracking_nodes.evaluation.run import SKIPPED, STARTED, TRACKED
from tracking_nodes.sequences.sequence import camera_stamps, Sequence
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.base import Location, Runtime, Tracker

MS = 1_000_000


class NumberedClip(Sequence):
    """Images that hold their own number; the ground truth moves by a pixel a frame."""

    def __init__(self, stamps, first=0):
        boxes = [[np.nan] * 4] * first + [[index, 5, 10, 10] for index in
                                          range(first, len(stamps))]
        super().__init__('numbered', boxes, stamps)

    def images(self):
        for index in range(len(self)):
            yield np.full((40, 60, 3), index, np.uint8)


class Reader(Tracker):
    """Answers with the number it reads in the image; learns after every `every`th frame."""

    every = 3

    def _start(self, image, box):
        self._seen = 0

    def _locate(self, image):
        self._seen += 1
        return Location(np.array([float(image[0, 0, 0]), 5, 10, 10]), 0.5, True)

    def _learn(self):
        return self._seen % self.every == 0

    def _relocate(self, box):
        pass

    def _reset(self):
        self._seen = 0


def profile(start=0.0, locate=0.0, learn=0.0, gather=0.0, camera=0.0):
    """Return a profile of constant times in ms for every tracker."""
    stages = {'start': start, 'locate': locate, 'learn': learn, 'gather': gather}
    return Profile('test', 'test', Duration(camera), (
        Row('any', {}, {name: Duration(value) for name, value in stages.items()}),))


def run(clip, latencies, tracker=None, compensation=None):
    """Return the online run of a clip under a profile."""
    protocol = Latency('latency:test', latencies, compensation)
    [trial] = [trial for trial in protocol.trials(clip) if trial.name == ONLINE]
    return protocol.run(tracker or Reader(), clip, trial)


def simulate(stamps, first, times, every=Reader.every):
    """
    Return per frame the paired image's number and whether the tracker was given the frame.

    A loop over every millisecond: the camera delivers, the tracker works, somebody asks.

    :param stamps: whole milliseconds.
    :param times: {stage: whole milliseconds} and camera.
    """
    inbox, published, paired, taken = None, first, {}, {first}
    busy_until, publish_at, working_on, seen, waiting = None, None, None, 0, True
    for now in range(stamps[first], max(stamps) + times['camera'] + 1):
        for index in range(first, len(stamps)):
            if stamps[index] + times['camera'] == now:
                inbox = index
        while True:
            if publish_at is not None and publish_at <= now:
                published, publish_at = working_on, None
            if busy_until is not None and busy_until <= now:
                busy_until = None
            if busy_until is not None or inbox is None:
                break
            working_on, inbox = inbox, None
            taken.add(working_on)
            if waiting:
                waiting, busy_until = False, now + times['start']
                continue
            seen += 1
            publish_at = now + times['locate']
            busy_until = publish_at + times['learn' if seen % every == 0 else 'gather']
        for index in range(first, len(stamps)):
            if stamps[index] == now:
                paired[index] = published
    return [paired[index] for index in range(first, len(stamps))], [
        index in taken for index in range(first, len(stamps))]


milliseconds = strategies.integers(0, 70)


@settings(max_examples=300, deadline=None)
@given(gaps=strategies.lists(strategies.integers(1, 40), min_size=1, max_size=20),
       first=strategies.integers(0, 3), start=milliseconds, locate=milliseconds,
       learn=milliseconds, gather=milliseconds, camera=milliseconds)
def test_pairing_is_that_of_a_simulation_in_steps_of_a_millisecond(
        gaps, first, start, locate, learn, gather, camera):
    stamps = 7 + np.cumsum(gaps)
    first = min(first, len(stamps) - 1)
    times = {'start': start, 'locate': locate, 'learn': learn, 'gather': gather,
             'camera': camera}
    clip = NumberedClip(stamps * MS, first)
    found = run(clip, profile(**times))
    paired, taken = simulate(stamps.tolist(), first, times)
    np.testing.assert_array_equal(found.boxes[first:, 0], paired)
    assert np.isnan(found.boxes[:first]).all() and np.isnan(found.ages[:first]).all()
    np.testing.assert_allclose(found.ages[first:], (stamps[first:] - stamps[paired]) / 1e3)
    np.testing.assert_array_equal(found.events[first:] != SKIPPED, taken)
    assert found.events[first] == STARTED and set(found.events[first + 1:]) <= {SKIPPED, TRACKED}


def test_without_latency_it_is_one_pass_evaluation():
    clip = SyntheticSequence(30)
    expected = run_ope(PEERS['csrt'](), clip)
    found = run(clip, profile(), PEERS['csrt']())
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert (found.ages == 0).all() and (found.seconds == 0).all()


@pytest.mark.parametrize('periods', [1, 2, 5])
def test_a_camera_late_by_whole_periods_shifts_the_boxes_by_so_many_frames(periods):
    clip = NumberedClip(camera_stamps(20, rate=50))
    found = run(clip, profile(camera=20 * periods))
    np.testing.assert_array_equal(found.boxes[:, 0], np.maximum(np.arange(20) - periods, 0))
    assert (found.events != SKIPPED).all()


@pytest.mark.parametrize('periods', [1, 2, 5])
def test_a_tracker_of_whole_periods_answers_every_such_frame_that_much_later(periods):
    clip = NumberedClip(camera_stamps(31, rate=50))
    found = run(clip, profile(locate=20 * periods))
    # It starts at once on image 0, takes image 1 and then every image that is due.
    taken = np.arange(1, 31, periods)
    np.testing.assert_array_equal(np.flatnonzero(found.events == TRACKED), taken)
    for index in range(31):
        done = [image for image in taken if image + periods <= index]
        assert found.boxes[index, 0] == max(done, default=0)


def test_a_box_is_out_before_the_tracker_has_learned():
    clip = NumberedClip(camera_stamps(12, rate=100))
    found = run(clip, profile(locate=4, learn=1000, gather=1000))
    assert found.boxes[1:, 0].tolist() == [0] + [1] * 10
    np.testing.assert_allclose(found.seconds[1], 1.004)


def test_measured_times_move_the_clock_as_a_profile_of_them_does(monkeypatch):
    clip = NumberedClip(camera_stamps(60, rate=100))
    took = {'start': 35, 'locate': 12, 'learn': 21, 'gather': 2}
    clock = [0]

    class Slow(Reader):
        """Lets time pass, on a clock that nobody has to wait for."""

        def _start(self, image, box):
            super()._start(image, box)
            clock[0] += took['start'] * MS

        def _locate(self, image):
            clock[0] += took['locate'] * MS
            return super()._locate(image)

        def _learn(self):
            changed = super()._learn()
            clock[0] += took['learn' if changed else 'gather'] * MS
            return changed

    monkeypatch.setattr(latency_module.time, 'perf_counter_ns', lambda: clock[0])
    found = Latency().run(Slow(), clip, Latency().trials(clip)[0])
    expected = run(clip, profile(**took))
    for part in ('boxes', 'ages', 'seconds', 'events'):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))


def test_jitter_comes_from_the_seed():
    clip = NumberedClip(camera_stamps(80, rate=100))
    jittered = replace(profile(), rows=(
        Row('any', {}, {**profile().rows[0].stages, 'locate': Duration(14, 9)}),))
    runs = [run(clip, jittered, Reader(runtime=Runtime(seed=seed))) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0].boxes, runs[1].boxes)
    np.testing.assert_array_equal(runs[0].seconds, runs[1].seconds)
    assert (runs[0].seconds != runs[2].seconds).any()


def test_jittered_images_never_overtake_each_other():
    clip = NumberedClip(camera_stamps(80, rate=100))
    found = run(clip, replace(profile(), camera=Duration(25, 40)))
    assert (np.diff(found.boxes[:, 0]) >= 0).all()


stamps_and_times = strategies.lists(
    strategies.tuples(strategies.integers(0, 20), strategies.integers(0, 20)), max_size=12)


@settings(max_examples=200, deadline=None)
@given(outputs=stamps_and_times, times=strategies.lists(strategies.integers(0, 25), max_size=8))
def test_newest_output_is_that_of_a_plain_loop(outputs, times):
    stamps, available = [pair[0] for pair in outputs], [pair[1] for pair in outputs]
    found = newest_outputs(times, stamps, available)
    for time, index in zip(times, found):
        usable = [pair for pair in outputs if pair[0] <= time and pair[1] <= time]
        if usable:
            assert outputs[index] == max(usable)
        else:
            assert index == -1


def test_a_predictor_in_between_makes_answers_young():
    # Outputs about 0 and 20, each 30 late, and a predictor that adds the frame they are needed in.
    times, stamps, available = [0, 20, 40, 60], [0, 20, 30, 50], [0, 50, 30, 50]
    assert newest_outputs(times, stamps[:2], available[:2]).tolist() == [0, 0, 0, 1]
    assert newest_outputs(times, stamps, available).tolist() == [0, 0, 2, 3]


def test_age_measures_are_those_of_a_plain_list():
    ages = np.array([0.0, 0.1, 0.02, 0.3, 0.04])
    values = age_measures(ages, np.array([True, False, True, False, True]))
    assert values['answered'] == pytest.approx(3 / 5)
    assert values['age_mean'] == pytest.approx(92)
    assert values['age_p50'] == pytest.approx(40)
    # Between the 4th and the 5th of five sorted values, at 0.95 * 4 = 3.8.
    assert values['age_p95'] == pytest.approx(100 + 0.8 * 200)
    assert values['age_max'] == pytest.approx(300)
    limits, shares = age_curve([ages, np.array([0.6])])
    assert limits[-1] == pytest.approx(600) and shares[-1] == 1
    for limit, share in zip(limits, shares):
        counted = (sum(1e3 * age <= limit for age in ages) / 5 + (600 <= limit)) / 2
        assert share == pytest.approx(counted)


def test_scores_are_of_the_paired_boxes_with_the_offline_ones_beside():
    clip = SyntheticSequence(40)
    protocol = Latency('latency:test', profile(start=50, locate=45, learn=0))
    tracker = PEERS['csrt']()
    trials = {trial.name: Result(protocol.run(tracker, clip, trial), clip.boxes, {})
              for trial in protocol.trials(clip)}
    scores = protocol.score({'csrt': {'clip': trials}})['csrt']
    online, offline = (trials[name].run for name in (ONLINE, OFFLINE))
    expected = score(online.boxes, clip.boxes, online.seconds, online.image_size).values
    for key, value in expected.items():
        assert scores.sequences['clip'][key] == pytest.approx(value)
    without = score(offline.boxes, clip.boxes, offline.seconds, offline.image_size).values
    for key in ('auc', 'dp20', 'os50'):
        assert scores.overall[f'offline_{key}'] == pytest.approx(without[key])
    assert scores.overall['auc'] < scores.overall['offline_auc']
    assert scores.overall['answered'] == pytest.approx((online.events != SKIPPED).mean())
    assert set(scores.overall) == {metric.key for metric in protocol.metrics}
    assert set(scores.curves) == {'success', 'precision', 'norm_precision', 'age'}
    half = {'csrt': {'clip': trials, 'begun': {ONLINE: trials[ONLINE]}},
            'kcf': {'begun': {ONLINE: trials[ONLINE]}}}
    np.testing.assert_equal(protocol.score(half)['csrt'].overall, scores.overall)
    assert list(protocol.score(half)) == ['csrt']


def test_named_profiles_of_the_package_are_found():
    clip = NumberedClip(camera_stamps(10))
    ideal = protocols.get('latency:ideal')
    assert ideal.folder == 'latency_ideal' and ideal.profile.name == 'ideal'
    found = ideal.run(Reader(), clip, ideal.trials(clip)[0])
    np.testing.assert_array_equal(found.boxes[:, 0], np.arange(10))
    late = protocols.get('latency:camera_30ms')
    found = late.run(Reader(), clip, late.trials(clip)[0])
    np.testing.assert_array_equal(found.boxes[:, 0], np.maximum(np.arange(10) - 1, 0))


class MovingClip(NumberedClip):
    """Its ground truth moves by `speed` pixels a frame, one number for every frame."""

    def __init__(self, speed, rate=50):
        super().__init__(camera_stamps(len(speed), rate=rate))
        self.boxes[:, 2:] = 40
        self.boxes[:, 0] = 10 + np.cumsum(speed)


class Knowing(Reader):
    """Answers with the ground truth of the image whose number it reads; absent in some."""

    def __init__(self, boxes, absent=(), **options):
        super().__init__(**options)
        self._boxes, self._absent = boxes, absent

    def _locate(self, image):
        number = int(image[0, 0, 0])
        self._seen += 1
        return Location(self._boxes[number].copy(), 0.5, number not in self._absent)


@pytest.mark.parametrize('late', [
    {'camera': 60}, {'locate': 45}, {'start': 100, 'locate': 25, 'learn': 70, 'camera': 10}])
def test_extrapolated_answers_meet_a_target_of_constant_velocity(late):
    clip = MovingClip(np.full(80, 5.0))
    runs = {name: run(clip, profile(**late), Knowing(clip.boxes), name)
            for name in (None, 'kalman')}
    overlap = {name: score(found.boxes, clip.boxes, found.seconds, found.image_size).values['auc']
               for name, found in runs.items()}
    assert overlap[None] < 0.8 and overlap['kalman'] > overlap[None] + 0.15
    # Once the velocity is known; which answer is the newest, and how old, stays the same.
    errors = {name: abs(found.boxes - clip.boxes)[30:, 0].mean() for name, found in runs.items()}
    assert errors[None] > 10 and errors['kalman'] < 0.25 * errors[None]
    np.testing.assert_array_equal(runs['kalman'].ages, runs[None].ages)
    np.testing.assert_array_equal(runs['kalman'].scores, runs[None].scores)


def test_without_latency_there_is_nothing_to_extrapolate():
    clip = MovingClip(np.random.default_rng(0).normal(0, 4, 40))
    found = run(clip, profile(), Knowing(clip.boxes), 'kalman')
    np.testing.assert_allclose(found.boxes, clip.boxes, rtol=1e-12)


def test_extrapolation_knows_nothing_of_images_that_are_not_answered_yet():
    speed = np.full(60, 5.0)
    late = profile(locate=30, camera=25)
    straight, turned = (MovingClip(np.where(np.arange(60) < 30, speed, then)) for then in (5, -9))
    runs = [run(clip, late, Knowing(clip.boxes), 'kalman').boxes for clip in (straight, turned)]
    first = int(np.flatnonzero((runs[0] != runs[1]).any(axis=1))[0])
    # Image 30 arrives after 25 ms, is answered 30 ms later, and the next stamp is 60 ms on.
    assert first >= 33 and np.isfinite(runs[1]).all()
    np.testing.assert_array_equal(runs[0][:first], runs[1][:first])


def test_of_an_absent_target_the_last_velocity_counts_for_a_short_time():
    clip = MovingClip(np.full(60, 4.0))
    gone = range(30, 60)
    frozen = clip.boxes.copy()
    frozen[30:] = clip.boxes[29]
    found = run(clip, profile(camera=20), Knowing(frozen, gone), 'kalman')
    # Each answer is 20 ms old; the last with the target is that to image 29.
    ahead = (found.boxes - frozen)[31:42, 0]
    np.testing.assert_allclose(ahead, 200 * 0.2 * (1 - np.exp(-0.1)), rtol=0.02)
    np.testing.assert_array_equal(found.boxes[44:], frozen[43:59])
    assert not found.present[31:].any()


class PanningClip(Sequence):
    """A target at rest on textured ground, seen by a camera that stands and turns by turns."""

    def __init__(self, count=80):
        turning = np.arange(count) // 20 % 2
        self._offset = np.cumsum(6 * turning)
        boxes = np.tile([200.0, 60, 100, 120], (count, 1))
        boxes[:, 0] -= self._offset
        super().__init__('panning', boxes, camera_stamps(count, rate=50))

    def images(self):
        noise = np.random.default_rng(0).integers(0, 256, (60, 150, 3), np.uint8)
        ground = cv2.resize(noise, (600, 240), interpolation=cv2.INTER_CUBIC)
        for index, offset in enumerate(self._offset):
            image = ground[:, offset:offset + 320].copy()
            image[0, 0] = index
            yield image


def test_by_the_flow_a_camera_that_turns_and_stops_is_foreseen_better():
    clip = PanningClip()
    errors = {}
    for name in (None, 'kalman', 'flow'):
        found = run(clip, profile(camera=40), Knowing(clip.boxes), name)
        errors[name] = abs(found.boxes - clip.boxes)[:, 0].mean()
    assert errors['flow'] < 0.9 * errors['kalman'] and errors['flow'] < 0.6 * errors[None]


def test_where_times_are_measured_the_flow_costs_its_time(monkeypatch):
    clip = PanningClip(12)
    clock = [0]

    class Timed(latency_module.CameraFlow):
        """Takes 30 ms."""

        def step(self, image, box):
            clock[0] += 30 * MS
            return super().step(image, box)

    monkeypatch.setattr(latency_module, 'CameraFlow', Timed)
    monkeypatch.setattr(latency_module.time, 'perf_counter_ns', lambda: clock[0])
    found = {name: Latency('latency:test', None, name).run(
        Knowing(clip.boxes), clip, Latency().trials(clip)[0]) for name in ('kalman', 'flow')}
    assert (found['kalman'].events == TRACKED).sum() == 11
    assert (found['flow'].events == TRACKED).sum() < 8
    assert found['flow'].seconds.max() == pytest.approx(0.03)


@pytest.mark.parametrize('option, profile_name, compensation', [
    ('kalman', None, 'kalman'), ('flow', None, 'flow'), ('ideal+flow', 'ideal', 'flow'),
    ('camera_30ms', 'camera_30ms', None)])
def test_compensation_is_an_option_of_the_protocol(option, profile_name, compensation):
    found = protocols.get(f'latency:{option}')
    assert (found.profile and found.profile.name) == profile_name
    assert found.compensation == compensation
    assert found.name == f'latency:{option}' and found.folder == f'latency_{option}'
    assert found.options()['compensation'] == compensation


def test_an_unknown_compensation_is_refused_with_the_known():
    with pytest.raises(SettingError, match="'kalmann'; known: kalman, flow"):
        protocols.get('latency:ideal+kalmann')
    with pytest.raises(SettingError, match='no latency profile'):
        protocols.get('latency:kalmann')


def test_a_profiles_path_may_hold_a_plus(tmp_path):
    path = tmp_path / 'my+board.yaml'
    path.write_text('device: x\ntrackers: []\n')
    assert protocols.get(f'latency:{path}').name == 'latency:my+board'
    assert protocols.get(f'latency:{path}+flow').name == 'latency:my+board+flow'
