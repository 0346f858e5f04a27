"""
Latency-aware evaluation: the camera does not wait for the tracker.

Each ground-truth time is paired with the newest output that existed by then (Li, Wang, Ramanan:
Towards Streaming Perception, ECCV 2020; Li et al.: Predictive Visual Tracking, 2021). The same
tracker's one-pass score, for which the camera does wait, stands beside it. See `docs/latency.md`.
"""
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass, replace
import time

import numpy as np

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.latency_profile import Duration, find_profile, Profile
from tracking_nodes.evaluation.live_camera import LiveCamera
from tracking_nodes.evaluation.measures.latency import (
    age_curve, age_measures, AGE_METRICS, newest_outputs)
from tracking_nodes.evaluation.metrics import mean_values, Metric
from tracking_nodes.evaluation.ope import first_target, run_pass
from tracking_nodes.evaluation.protocols.base import Curve, Protocol, Scores, Trial
from tracking_nodes.evaluation.protocols.ope import OnePass
from tracking_nodes.evaluation.run import Recorder, SKIPPED, STARTED, TRACKED
from tracking_nodes.evaluation.virtual_clock import VirtualClock, VirtualThread
from tracking_nodes.online.camera_motion import CameraFlow
from tracking_nodes.online.extrapolation import COMPENSATIONS, Extrapolator
from tracking_nodes.trackers.base import Location

ONLINE, OFFLINE = 'online', 'offline'
WALL = 'wall'
OFFLINE_METRICS = tuple(
    Metric(f'offline_{metric.key}', f'offline {metric.name}', f'{metric.definition}; one-pass '
           'evaluation, where the camera waits', metric.low, metric.high,
           metric.higher_is_better)
    for metric in OnePass.metrics if metric.key in ('auc', 'dp20', 'os50'))
HEADLINE = ('auc', 'offline_auc', 'age_mean')
_COMPENSATIONS = tuple(name for name in COMPENSATIONS if name != 'none')


@dataclass(frozen=True)
class Latency(Protocol):
    """
    The sequence's own clock goes on while the tracker computes.

    profile: how long each stage takes; None to take the times that are measured while it runs.
    compensation: 'kalman' or 'flow' where each answer is extrapolated to the time that it is
    scored at, as the node does; None where it stays as it was.
    clock: 'wall' where a camera in real time is really waited for; None where nobody sleeps.
    """

    name: str = 'latency'
    profile: Profile | None = None
    compensation: str | None = None
    clock: str | None = None

    summary = ('the camera does not wait for the tracker (Li et al. 2021); latency:PROFILE as on '
               'another device; latency:wall in real time, with decoding; latency:kalman, '
               'latency:flow or +kalman, +flow after these with the answers extrapolated')
    metrics = tuple(sorted(OnePass.metrics + OFFLINE_METRICS + AGE_METRICS,
                           key=lambda metric: metric.key not in HEADLINE))

    @classmethod
    def with_option(cls, option):
        """
        Return the protocol with simulated latencies or in real time, compensation, or both.

        :param option: a profile or 'wall', 'kalman' or 'flow', or two of these joined by '+'; a
            profile is the name of one that the package brings, or the path of a YAML file.
        :raises SettingError: there is no such profile or compensation, or it cannot be read.
        """
        if option in _COMPENSATIONS:
            return cls(f'latency:{option}', None, option)
        name, plus, compensation = option.rpartition('+')
        if not plus or compensation.endswith('.yaml'):
            name, compensation = option, None
        elif compensation not in _COMPENSATIONS:
            raise SettingError(f'no latency compensation {compensation!r}; known: '
                               f'{", ".join(_COMPENSATIONS)}')
        suffix = f'+{compensation}' if compensation else ''
        if name == WALL:
            return cls(f'latency:{WALL}{suffix}', None, compensation, WALL)
        profile = find_profile(name)
        return cls(f'latency:{profile.name}{suffix}', profile, compensation)

    def trials(self, sequence):
        first, last = first_target(sequence), len(sequence) - 1
        return [Trial(ONLINE, first, last), Trial(OFFLINE, first, last)]

    def score(self, stored, variant='visible'):
        # A run that was interrupted may have left one of a sequence's two trials only.
        return {tracker: self._score_tracker(whole, variant)
                for tracker, sequences in stored.items()
                if (whole := {name: trials for name, trials in sequences.items()
                              if {ONLINE, OFFLINE} <= trials.keys()})}

    def _run(self, tracker, sequence, trial, on_frame):
        box = sequence.boxes[trial.first]
        if trial.name == OFFLINE:
            # With a profile nothing depends on this machine: an update is done by the next frame.
            still = VirtualClock(sequence.stamps, trial.first)
            with self._updates(tracker, still, lambda stage, measured: 0, lambda: False):
                return run_pass(tracker, sequence, trial.first, trial.last, box, on_frame)
        flow = CameraFlow() if self.compensation == 'flow' else None
        answers = _Answers(sequence, trial, Extrapolator() if self.compensation else None)
        if self.clock == WALL:
            with (LiveCamera(sequence, trial.first) as camera,
                  self._updates(tracker, camera, None, lambda: camera.late)):
                worker = _Worker(tracker, camera, self._latencies(tracker, None, None), flow)
                return _look(worker, answers, box, on_frame)
        random = np.random.default_rng([tracker.runtime.seed, *sequence.name.encode()])
        arrivals = sequence.stamps
        if self.profile is not None:
            delays = [self.profile.camera.draw(random) for _ in range(len(sequence))]
            # An image never overtakes another.
            arrivals = np.maximum.accumulate(sequence.stamps + delays)
        clock = VirtualClock(arrivals, trial.first)
        latencies = self._latencies(tracker, clock, random)
        worker = _Worker(tracker, clock, latencies, flow)
        with self._updates(tracker, clock, latencies, lambda: clock.late):
            return _follow(worker, answers, box, on_frame)

    @contextmanager
    def _updates(self, tracker, clock, latencies, late):
        """Let updates in the background take the profile's time, and give way to late frames."""
        if tracker.runtime.learning == 'inline':
            yield
            return
        # Not above: what does not learn may not have loaded PyTorch.
        from tracking_nodes.online.background import updates_in, updates_in_time

        with ExitStack() as around:
            if self.profile is not None:
                around.enter_context(updates_in(around.enter_context(
                    VirtualThread(clock, lambda: latencies('learn', None)))))
            around.enter_context(updates_in_time(late))
            yield

    def _latencies(self, tracker, clock, random):
        """Return what turns a stage and its measured ns into the ns that the clock moves."""
        if self.profile is None:
            return lambda stage, measured: measured
        # A profile is of trackers: what looks at the camera's motion counts only where measured.
        beside = {**self.profile.stages(tracker), 'flow': Duration(0.0)}
        alone = {**beside, **{stage: self.profile.stages_alone(tracker)[stage]
                              for stage in ('locate', 'gather')}}
        return lambda stage, measured: (beside if clock.busy else alone)[stage].draw(random)

    def _score_tracker(self, sequences, variant):
        online, offline = (
            OnePass().score({'': {name: {'': trials[key]} for name, trials in sequences.items()}},
                            variant)[''] for key in (ONLINE, OFFLINE))
        runs = {name: trials[ONLINE].run for name, trials in sequences.items()}
        ages = {name: run.ages[~np.isnan(run.ages)] for name, run in runs.items()}
        rows = {name: {**online.sequences[name],
                       **{metric.key: offline.sequences[name][metric.key[len('offline_'):]]
                          for metric in OFFLINE_METRICS},
                       **age_measures(ages[name], _answered(run))} for name, run in runs.items()}
        limits, shares = age_curve(list(ages.values()))
        curves = {**online.curves, 'age': Curve(
            'age of the answer', 'age, ms', 'share of frames', limits, shares)}
        return Scores({**mean_values(list(rows.values())), **online.overall}, rows, curves)


class _Worker:
    """
    A tracker at work on a clock, and what it has put out so far.

    A box exists as soon as the tracker has located it, and the camera's motion is known where that
    is asked for, as a node publishes it, and the tracker is free only after it has learned.
    """

    def __init__(self, tracker, clock, latencies, flow=None):
        self.clock = clock
        self.stamps, self.available, self.answers, self.motions = [], [], [], []
        self._tracker, self._latencies, self._flow = tracker, latencies, flow

    def start(self, index, image, stamp, box):
        """Start on a box; it was known when the image was taken. Return the ns that it took."""
        self.clock.take(index)
        begin = self.clock.now
        self._put_out(stamp, stamp, Location(box, 1.0, True), self._motion(image, box))
        self._timed('start', lambda: self._tracker.start(image, box))
        return self.clock.now - begin

    def work(self, index, image, stamp):
        """Locate and learn; return the ns that it took."""
        self.clock.take(index)
        begin = self.clock.now
        found = self._timed('locate', lambda: self._tracker.locate(image))
        motion = self._motion(image, found.box)
        self._put_out(stamp, self.clock.now, found, motion)
        watch = time.perf_counter_ns()
        changed = self._tracker.learn()
        inline = self._tracker.runtime.learning == 'inline'
        self.clock.spend(self._latencies('learn' if changed and inline else 'gather',
                                         time.perf_counter_ns() - watch))
        return self.clock.now - begin

    def tell(self, extrapolator, outputs):
        """Give an extrapolator some of the outputs, by their numbers."""
        for number in outputs:
            answer = self.answers[number]
            extrapolator.add(self.stamps[number], answer.box, answer.present,
                             self.motions[number])

    def _timed(self, stage, call):
        watch = time.perf_counter_ns()
        result = call()
        self.clock.spend(self._latencies(stage, time.perf_counter_ns() - watch))
        return result

    def _motion(self, image, box):
        if self._flow is None:
            return None
        return self._timed('flow', lambda: self._flow.step(image, box))

    def _put_out(self, stamp, available, answer, motion):
        self.stamps.append(stamp)
        self.available.append(available)
        self.answers.append(answer)
        self.motions.append(motion)


class _Answers:
    """Pairs each frame's stamp with the newest answer that was there, and writes the `Run`."""

    def __init__(self, sequence, trial, extrapolator):
        self.sequence, self.trial = sequence, trial
        self.events = np.full(len(sequence), SKIPPED, np.int8)
        self.spent = np.zeros(len(sequence), dtype=np.int64)
        self.ages = np.full(len(sequence), np.nan)
        self._extrapolator, self._newest, self._known = extrapolator, 0, 0

    def begin(self, index):
        """Note that the tracker was given a frame; return whether it is the first."""
        first = index == self.trial.first
        self.events[index] = STARTED if first else TRACKED
        return first

    def pair(self, index, worker, recorder):
        """Write down the answer that a frame is scored by; frames come in order."""
        stamp, newest = int(self.sequence.stamps[index]), self._newest
        newest += newest_outputs([stamp], worker.stamps[newest:], worker.available[newest:])[0]
        answer, self._newest = worker.answers[newest], newest
        self.ages[index] = (stamp - worker.stamps[newest]) / 1e9
        box = answer.box
        if self._extrapolator is not None:
            worker.tell(self._extrapolator, range(self._known, newest + 1))
            self._known, (box, _) = newest + 1, self._extrapolator.at(stamp)
        recorder.keep(index, box, answer.score, answer.present, self.spent[index] / 1e9)


def _follow(worker, answers, box, on_frame):
    """Return the `Run` of a tracker on a virtual clock."""
    recorder = Recorder(answers.sequence, on_frame)
    for index, image in recorder.frames(answers.trial.last):
        if index < answers.trial.first:
            continue
        stamp = int(answers.sequence.stamps[index])
        if index == answers.trial.first or worker.clock.due(index):
            answers.spent[index] = (worker.start(index, image, stamp, box)
                                    if answers.begin(index) else worker.work(index, image, stamp))
        # What is computed on later images exists later, so this frame's answer is known now.
        answers.pair(index, worker, recorder)
    return replace(recorder.run(answers.events), ages=answers.ages)


def _look(worker, answers, box, on_frame):
    """
    Return the `Run` of a tracker before a `LiveCamera`.

    `on_frame` is called with the frames that the tracker is given, and with its answers to them.
    """
    recorder = Recorder(answers.sequence)
    for index, image, taken in worker.clock.images():
        stamp = int(answers.sequence.stamps[index])
        if answers.begin(index):
            worker.start(index, image, stamp, box)
        else:
            worker.work(index, image, stamp)
        answers.spent[index] = worker.clock.now - taken
        if on_frame is not None:
            found = worker.answers[-1]
            on_frame(index, image, found.box, found.score, found.present)
    for index in range(answers.trial.first, answers.trial.last + 1):
        answers.pair(index, worker, recorder)
    return replace(recorder.run(answers.events), ages=answers.ages,
                   image_size=image.shape[1::-1])


def _answered(run):
    return run.events[np.flatnonzero(run.events == STARTED)[0]:] != SKIPPED
