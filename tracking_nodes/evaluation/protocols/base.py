"""
What a protocol is: which trials a sequence is run in, how one runs, how stored ones are scored.

Scoring needs no tracker and no images, only `Result`s as a results folder holds them. A
protocol's module holds nothing but its rules; the numbers come from `metrics` and `measures`.
"""
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.metrics import has_truth


@dataclass(frozen=True)
class Trial:
    """
    One run over one sequence.

    name: unique within the sequence, '' when there is one trial only. first, last: the frames it
    covers, both included. box: (x, y, w, h) it starts on, or None for the ground truth of its
    first frame. repetition: 0, 1, ...; added to the tracker's seed.
    """

    name: str = ''
    first: int = 0
    last: int = 0
    box: tuple | None = None
    repetition: int = 0


@dataclass(frozen=True)
class Curve:
    """A curve of a report: axis labels, and points as two lists of equal length."""

    title: str
    x_label: str
    y_label: str
    x: list
    y: list


@dataclass(frozen=True)
class Scores:
    """
    What a protocol says of one tracker.

    overall: {key: value} by the keys of the protocol's `metrics`. sequences: {name: {key: value}},
    with the keys that mean something for a single sequence. curves: {key: `Curve`}. tags: {tag:
    {key: value}} over the frames that have it, where sequences have tags per frame.
    """

    overall: dict
    sequences: dict
    curves: dict
    tags: dict = field(default_factory=dict)

    def as_dict(self):
        """Return plain dictionaries and lists, for `metrics.json`."""
        return asdict(self)


@dataclass(frozen=True)
class Protocol(ABC):
    """
    Base of all protocols; its fields are the protocol's options and belong into the record.

    name: as on the command line. A subclass sets `summary`, one line, and `metrics`, a tuple of
    `Metric` in the order of a table's columns. `tracker_settings` are {name: value} that trackers
    run with unless told otherwise; those of a name that a tracker lacks do not concern it.
    """

    name: str

    summary = ''
    metrics: ClassVar[tuple] = ()
    tracker_settings: ClassVar[dict] = {}

    @classmethod
    def with_option(cls, option):
        """
        Return the protocol named with an option on the command line, as in NAME:OPTION.

        :raises SettingError: it takes none, or not this one.
        """
        raise SettingError(f'protocol {cls().name} takes no option, so no {option!r}')

    @property
    def folder(self):
        """Name of its folder below a results folder; one-pass evaluation has none of its own."""
        return self.name.replace(':', '_')

    def options(self):
        """Return {name: value} of its options, for the record of a result."""
        return asdict(self)

    def misfit(self, sequence):
        """Return why a sequence cannot be run, in words, or ''."""
        return '' if has_truth(sequence.boxes).any() else 'no frame has ground truth'

    @abstractmethod
    def trials(self, sequence):
        """
        Return the trials of a sequence, in the order in which to run them.

        :raises SequenceError: the sequence has no ground truth to start on.
        """

    def enough(self, runs):
        """
        Return whether the trials done make the others superfluous.

        :param runs: {trial name: `Run`} of one sequence.
        """
        return False

    def run(self, tracker, sequence, trial, on_frame=None):
        """
        Run one trial; the trial's repetition is added to the tracker's seed while it runs.

        :param tracker: a `Tracker`.
        :param sequence: a `Sequence`.
        :param trial: one of `trials(sequence)`.
        :param on_frame: called after each frame with (index, image, box, score, present).
        :return: a `Run` over all frames of the sequence.
        :raises SequenceError: fewer or more images than boxes of ground truth.
        """
        with _seed_moved(tracker, trial.repetition):
            return self._run(tracker, sequence, trial, on_frame)

    def score(self, stored, variant='visible'):
        """
        Score what a results folder holds of this protocol.

        :param stored: {tracker: {sequence: {trial name: `Result`}}}; it may read when asked.
        :param variant: key of `metrics.VARIANTS`, for success and precision.
        :return: {tracker: `Scores`}.
        """
        return {tracker: self._score_tracker(sequences, variant)
                for tracker, sequences in stored.items()}

    @abstractmethod
    def _run(self, tracker, sequence, trial, on_frame):
        """Run one trial."""

    @abstractmethod
    def _score_tracker(self, sequences, variant):
        """Return the `Scores` of one tracker, from {sequence: {trial name: `Result`}}."""


@contextmanager
def _seed_moved(tracker, by):
    # Every start() seeds a tracker's generators anew from its runtime.
    before = tracker.runtime
    tracker.runtime = replace(before, seed=before.seed + by)
    try:
        yield
    finally:
        tracker.runtime = before
