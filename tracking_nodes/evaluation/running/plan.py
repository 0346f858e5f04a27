"""Which jobs a benchmark consists of, in which order, and which of them are superfluous."""
from collections import Counter
import logging

from tracking_nodes.errors import SequenceError, SettingError
from tracking_nodes.evaluation.running.jobs import Job

_log = logging.getLogger(__name__)


class Cell:
    """
    One contender on one sequence under one protocol: the trials that are judged together.

    superfluous: names of the trials that the protocol turned out to do without, run or not.
    """

    def __init__(self, contender, protocol, sequence, trials):
        """
        Take up the trials; none is done.

        :param contender: a `Contender`.
        :param protocol: a `Protocol`.
        :param sequence: a `Sequence`.
        :param trials: the protocol's `Trial`s of this sequence, in its order.
        """
        self.contender, self.protocol, self.sequence = contender, protocol, sequence
        self.trials = {trial.name: trial for trial in trials}
        self.superfluous = set()
        self._open, self._runs = set(self.trials), {}

    def jobs(self):
        """Return a `Job` for every trial that still has to run."""
        return [Job(self.contender, self.protocol, self.sequence, trial)
                for name, trial in self.trials.items() if name in self._open]

    def settle(self, name, run=None):
        """
        Take a trial off the list.

        :param name: name of the trial.
        :param run: its `Run`, or None where it failed.
        """
        self._open.discard(name)
        if run is not None and len(self.trials) > 1 and not self.superfluous:
            self._runs[name] = run
            self._judge()
        if not self._open:
            # Kept no longer than needed, so that memory stays bounded.
            self._runs.clear()

    def _judge(self):
        # Superfluous is what follows the first trials in the protocol's order that are enough:
        # which ones count must not depend on the order in which trials happened to end.
        before = {}
        for position, name in enumerate(self.trials):
            if before and self.protocol.enough(before):
                self.superfluous = set(list(self.trials)[position:])
                self._open -= self.superfluous
                return
            if name not in self._runs:
                return
            before[name] = self._runs[name]


def make_cells(contenders, protocols, sequences, repetitions=None, trials=None):
    """
    Return the cells of a benchmark; what does not fit is left out, and logged with the reason.

    :param contenders: list of `Contender`.
    :param protocols: list of `Protocol`.
    :param sequences: list of `Sequence`.
    :param repetitions: at most so many repetitions of each trial; None for the protocol's own.
    :param trials: at most so many trials of each sequence, the first of them; None for all.
    :raises SequenceError: two sequences have one name, or no protocol fits any sequence.
    :raises SettingError: a contender has the name of a protocol's folder, or a label twice.
    """
    _refuse_twice([sequence.name for sequence in sequences], SequenceError,
                  'several sequences are named {}; run them into different folders')
    _refuse_twice([contender.label for contender in contenders], SettingError,
                  'several trackers are labelled {}; give them different labels')
    folders = {protocol.folder for protocol in protocols}
    for contender in contenders:
        if contender.label in folders:
            raise SettingError(f'label {contender.label!r} is the folder of a protocol; give the '
                               'tracker another label')
    fitting, reasons = [], {}
    for protocol in protocols:
        for sequence in sequences:
            reason = protocol.misfit(sequence)
            if reason:
                reasons.setdefault((protocol.name, reason), []).append(sequence.name)
            else:
                wanted = [trial for trial in protocol.trials(sequence)
                          if repetitions is None or trial.repetition < repetitions]
                fitting.append((protocol, sequence, wanted[:trials]))
    words = [f'{name} skips {", ".join(left_out)}: {reason}'
             for (name, reason), left_out in reasons.items()]
    if not fitting:
        raise SequenceError('nothing to run; ' + '; '.join(words))
    for line in words:
        _log.warning('%s', line)
    return [Cell(contender.under(protocol), protocol, *rest) for contender in contenders
            for protocol, *rest in fitting]


def in_order(jobs):
    """
    Return jobs in the order in which to run them.

    A contender's jobs with the same values follow each other, so that its weights are loaded once
    per process, and the longest of them come first, so that the end is not one straggler.
    """
    place = {}
    for job in jobs:
        place.setdefault(_loaded(job.contender), len(place))
    return sorted(jobs, key=lambda job: (place[_loaded(job.contender)], -job.frames))


def _loaded(contender):
    """Return what two jobs share that can follow each other without loading anything."""
    return contender.label, str(contender.values)


def _refuse_twice(names, error, words):
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise error(words.format(', '.join(twice)))
