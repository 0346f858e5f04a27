"""
VOT's reset-based protocol, VOT2013 to VOT2019: after a failure the tracker is started again.

A frame fails when box and ground truth share no pixel; the tracker is started anew five frames
later. How the official toolkits turn such runs into numbers is told in `measures.reset`.
"""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.evaluation.latency_profile import find_profile, Profile
from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.evaluation.metrics import has_truth
from tracking_nodes.evaluation.ope import first_target
from tracking_nodes.evaluation.protocols.base import Protocol, Trial
from tracking_nodes.evaluation.protocols.reset_measured import measure
from tracking_nodes.evaluation.protocols.reset_ranks import Ranking, with_ranks
from tracking_nodes.evaluation.protocols.reset_scores import METRICS, score_tracker
from tracking_nodes.evaluation.run import FAILED, Recorder, SKIPPED, STARTED, TRACKED


@dataclass(frozen=True)
class ResetBased(Protocol):
    """
    Runs with restarts.

    repetitions: of a tracker that is not deterministic; after three equal runs no other follows.
    skip: frames from a failure to the next start.
    """

    name: str = 'vot'
    repetitions: int = 15
    skip: int = 5

    summary = ('started again five frames after each failure: accuracy, robustness, expected '
               'average overlap of each year, AR ranks (VOT2013 to VOT2019); vot:best, '
               'vot:median or vot:none for how tied trackers share ranks, vot:older or '
               'vot:older+best for ranks by the overlap of up to VOT2015')
    metrics = METRICS

    @classmethod
    def with_option(cls, option):
        """
        Return the protocol with another way of ranking.

        :param option: as `Ranking.of` takes it.
        :raises SettingError: there is no such way.
        """
        protocol = cls(f'{cls().name}:{option}')
        Ranking.of(option, protocol.repetitions)
        return protocol

    @property
    def ranking(self):
        """The `Ranking` that its name asks for."""
        return Ranking.of(self.name.partition(':')[2], self.repetitions)

    def trials(self, sequence):
        first, last = first_target(sequence), len(sequence) - 1
        return [Trial(f'{number:03d}', first, last, None, number - 1)
                for number in range(1, self.repetitions + 1)]

    def enough(self, runs):
        runs = list(runs.values())
        return len(runs) >= 3 and all(_equal(runs[0], run) for run in runs[1:])

    def score(self, stored, variant='visible'):
        measured = {tracker: {name: measure(trials.values()) for name, trials in rows.items()}
                    for tracker, rows in stored.items()}
        return with_ranks(super().score(measured, variant), measured, self.ranking)

    def _run(self, tracker, sequence, trial, on_frame):
        regions = sequence.boxes if sequence.polygons is None else sequence.polygons
        recorder = Recorder(sequence, on_frame)
        worker = self._worker(tracker, recorder)
        events, known = np.full(len(sequence), SKIPPED, np.int8), has_truth(sequence.boxes)
        running, start = False, trial.first
        for index, image in recorder.frames(trial.last):
            if running:
                worker.follow(index, image)
                overlap = region_overlaps(recorder.boxes[index], regions[index:index + 1],
                                          image.shape[1::-1])[0]
                # Without ground truth there is no overlap, and nothing to fail by.
                running = not overlap <= 0
                events[index], start = (TRACKED if running else FAILED), index + self.skip
            elif index >= start and known[index]:
                worker.start(index, image, sequence.boxes[index])
                events[index], running = STARTED, True
        return recorder.run(events)

    def _score_tracker(self, sequences, variant):
        return score_tracker(sequences, self.skip)

    def _worker(self, tracker, recorder):
        return _Worker(tracker, recorder)


@dataclass(frozen=True)
class RealTime(ResetBased):
    """
    Frames come at a fixed rate whatever the tracker does.

    rate: frames per second. grace: how many slow frames after each start are forgiven. profile:
    how long each stage takes, for a score that does not depend on this machine; None to take the
    times that are measured while it runs.
    """

    name: str = 'vot_realtime'
    repetitions: int = 1
    rate: float = 20.0
    grace: int = 3
    profile: Profile | None = None

    summary = ('as vot, with a frame every 1/20 s: a late tracker repeats its box (VOT2017 on); '
               "'vot_realtime:PROFILE' for the latencies of another device")

    @classmethod
    def with_option(cls, option):
        """
        Return the protocol with simulated latencies.

        :param option: name of a profile that the package brings, or path of a YAML file.
        :raises SettingError: there is no such profile, or it cannot be read.
        """
        profile = find_profile(option)
        return cls(f'vot_realtime:{profile.name}', profile=profile)

    @property
    def ranking(self):
        return Ranking(repetitions=self.repetitions)

    def _worker(self, tracker, recorder):
        return _RealTimeWorker(tracker, recorder, self)


class _Worker:
    """A tracker that is waited for."""

    def __init__(self, tracker, recorder):
        self.tracker, self.recorder = tracker, recorder

    def start(self, index, image, box):
        self.recorder.start(self.tracker, index, image, box)

    def follow(self, index, image):
        return self.recorder.follow(self.tracker, index, image)


class _RealTimeWorker(_Worker):
    """
    A tracker that is not waited for, as the Python toolkit's `RealtimeTrackerRuntime` has it.

    The time a frame took beyond the interval is carried on, and while it is more than another
    interval, frames repeat the box before; what is left of it is then forgotten.
    """

    def __init__(self, tracker, recorder, protocol):
        super().__init__(tracker, recorder)
        self.interval, self.grace = 1 / protocol.rate, protocol.grace
        self.forgiven, self.behind = 0, 0.0
        self.latencies = protocol.profile and protocol.profile.stages(tracker)
        self.random = np.random.default_rng([tracker.runtime.seed,
                                             *recorder.sequence.name.encode()])

    def start(self, index, image, box):
        super().start(index, image, box)
        self.forgiven, self.behind = self.grace, 0.0
        self._fall_behind(index, ('start',))

    def follow(self, index, image):
        if self.behind > self.interval:
            self.behind -= self.interval
            self.recorder.keep(index, self.recorder.boxes[index - 1],
                               self.recorder.scores[index - 1], self.recorder.present[index - 1])
            return False
        self.behind = 0.0
        changed = super().follow(index, image)
        self._fall_behind(index, ('locate', 'learn' if changed else 'gather'))
        return changed

    def _fall_behind(self, index, stages):
        if self.latencies:
            self.recorder.seconds[index] = sum(
                self.latencies[stage].draw(self.random) for stage in stages) / 1e9
        seconds = self.recorder.seconds[index]
        if seconds > self.interval and self.forgiven > 0:
            self.forgiven -= 1
        elif seconds > self.interval:
            self.behind = seconds - self.interval


def _equal(one, other):
    return (np.array_equal(one.boxes, other.boxes, equal_nan=True)
            and np.array_equal(one.events, other.events))
