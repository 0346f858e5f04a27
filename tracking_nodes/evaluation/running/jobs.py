"""One job of a benchmark, how it is performed, and what came of it."""
from dataclasses import dataclass, field
import time
import traceback

from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.evaluation.protocols.base import Protocol, Trial
from tracking_nodes.evaluation.run import Run
from tracking_nodes.evaluation.surroundings import surroundings
from tracking_nodes.nn.loaded import collected
from tracking_nodes.sequences.sequence import Sequence


@dataclass(frozen=True)
class Job:
    """
    One trial of one contender on one sequence, by the rules of one protocol.

    It is pickled to be performed elsewhere. Its sequence then holds paths, not images, so the
    files have to be at the same place there.
    """

    contender: Contender
    protocol: Protocol
    sequence: Sequence
    trial: Trial

    @property
    def name(self):
        """Name for people: who, on what, by which rules."""
        trial = f'.{self.trial.name}' if self.trial.name else ''
        return f'{self.contender.label} {self.protocol.name} {self.sequence.name}{trial}'

    @property
    def frames(self):
        """Number of frames that the trial covers."""
        return self.trial.last - self.trial.first + 1


@dataclass(frozen=True)
class Outcome:
    """
    What came of a job.

    run: the `Run`, or None where the job failed. error: why it failed, in one line, or ''.
    details: the traceback of an error. made_with: versions, device and the weights' hashes.
    """

    run: Run | None = None
    error: str = ''
    details: str = ''
    made_with: dict = field(default_factory=dict)


class Performer:
    """Performs jobs one after the other; the tracker of the last one stays loaded."""

    def __init__(self):
        """Hold no tracker yet."""
        self._contender = self._tracker = self._made_with = None

    def perform(self, job, on_progress=None, on_frame=None):
        """
        Run a job's trial.

        :param job: a `Job`.
        :param on_progress: called with (frames, seconds) of the trial that passed since the
            last call.
        :param on_frame: called after each frame with (sequence, index, image, box, score,
            present).
        :return: an `Outcome`; an exception becomes its error, so that other jobs go on.
        """
        try:
            self._prepare(job.contender)
            clock = time.perf_counter()

            def follow(index, *answer):
                nonlocal clock
                if on_progress is not None and index >= job.trial.first:
                    before, clock = clock, time.perf_counter()
                    on_progress(1, clock - before)
                if on_frame is not None:
                    on_frame(job.sequence, index, *answer)

            run = job.protocol.run(self._tracker, job.sequence, job.trial, follow)
        except Exception as error:
            # What a tracker left behind when it failed must not reach the next job.
            self._contender = self._tracker = None
            return Outcome(error=f'{type(error).__name__}: {error}',
                           details=traceback.format_exc())
        return Outcome(run, made_with=self._made_with)

    def _prepare(self, contender):
        if self._contender == contender:
            return
        # Before the next is loaded, so that memory never holds two.
        self._contender = self._tracker = None
        with collected() as weights:
            tracker = contender.create()
        # So that the first frame is not slower than the others.
        tracker.warm_up()
        self._contender, self._tracker = contender, tracker
        self._made_with = {**surroundings(), **contender.place(), 'weights': weights}
