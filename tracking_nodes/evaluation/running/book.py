"""What a results folder holds of a benchmark, and what is entered into it."""
from dataclasses import asdict, dataclass
import json
import logging
from pathlib import Path

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation import results
from tracking_nodes.sequences.fingerprint import sequence_fingerprint

FAILURES = 'failures.json'
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A job that failed: what it was, the error in one line, and the traceback."""

    tracker: str
    protocol: str
    sequence: str
    trial: str
    error: str
    details: str


class Book:
    """
    Keeps a results folder: knows what it holds, and enters what comes in.

    failures: list of `Failure`.
    """

    def __init__(self, folder, cells, dataset, limits=None):
        """
        Open the book; nothing is written yet.

        :param folder: the results folder.
        :param cells: list of `Cell` that results are expected of.
        :param dataset: hash of all sequences, for the records.
        :param limits: {option: number} of what the command left out, for the records. Fewer
            trials leave each of them as it is, and fewer frames make another fingerprint, so
            limits do not decide what may be mixed.
        :raises SettingError: a contender has an unknown setting.
        """
        self.failures = []
        self._folder, self._dataset, self._limits = Path(folder), dataset, limits or {}
        self._cells, self._weights, self._threads, self._fingerprints = cells, {}, {}, {}
        by_place = {self._place(cell.protocol, cell.contender.label): cell for cell in cells}
        self._records = {place: _made_by(cell) for place, cell in by_place.items()}

    def take_up(self):
        """
        Settle the trials that the folder already holds, and tidy up what was interrupted.

        :raises SettingError: the folder holds results of the same name that something else made.
        """
        results.remove_partial_files(self._folder)
        (self._folder / FAILURES).unlink(missing_ok=True)
        by_place = {(self._place(cell.protocol, cell.contender.label),
                     results.file_name(cell.sequence.name, trial)): (cell, name)
                    for cell in self._cells for name, trial in cell.trials.items()}
        for place, now in self._records.items():
            for name in results.stored(place.parent).get(place.name, ()):
                result = results.read_result(place.parent, place.name, name)
                _refuse_mixture(result.record.get('made_by', {}), now, place, name)
                made_with = result.record.get('made_with', {})
                self._other_weights(place.name, now, made_with)
                self._threads.setdefault(place.name, made_with.get('threads'))
                cell, trial = by_place.get((place, name), (None, None))
                if cell is None:
                    continue
                if result.record.get('fingerprint') != self._fingerprint(cell.sequence):
                    raise SettingError(f'{place} holds results of another sequence named '
                                       f'{cell.sequence.name}; give a new folder, or overwrite')
                cell.settle(trial, result.run)
        for cell in self._cells:
            self._tidy(cell)

    def enter(self, cell, trial, outcome):
        """
        Write what came of a job, and settle its trial.

        :param cell: the job's `Cell`.
        :param trial: the job's `Trial`.
        :param outcome: the job's `Outcome`.
        """
        label = cell.contender.label
        error = outcome.error or self._other_weights(label, self._made_by(cell),
                                                     outcome.made_with)
        if error:
            self.failures.append(Failure(label, cell.protocol.name, cell.sequence.name,
                                         trial.name, error, outcome.details))
            results.write_json(self._folder / FAILURES,
                               {'failures': [asdict(one) for one in self.failures]})
            cell.settle(trial.name)
            return
        place, name = self._place(cell.protocol, label), results.file_name(
            cell.sequence.name, trial)
        record = {'label': label, 'sequence': cell.sequence.name,
                  'attributes': list(cell.sequence.attributes),
                  'fingerprint': self._fingerprint(cell.sequence),
                  'made_by': self._made_by(cell), 'limits': self._limits,
                  'made_with': {**outcome.made_with, 'dataset': self._dataset}}
        results.write_result(place.parent, label, name, results.Result.of(
            outcome.run, cell.sequence, record, trial))
        self._warn_of_threads(label, outcome.made_with['threads'])
        # As it will be read after an interruption: files round, and trials are compared.
        cell.settle(trial.name, results.read_result(place.parent, label, name).run)
        self._tidy(cell)

    def _tidy(self, cell):
        """Take back the results of trials that turned out to be superfluous."""
        place = self._place(cell.protocol, cell.contender.label)
        for name in cell.superfluous:
            results.forget_one(place.parent, place.name,
                               results.file_name(cell.sequence.name, cell.trials[name]))

    def _place(self, protocol, label):
        return self._folder / protocol.folder / label

    def _made_by(self, cell):
        return self._records[self._place(cell.protocol, cell.contender.label)]

    def _fingerprint(self, sequence):
        if sequence.name not in self._fingerprints:
            self._fingerprints[sequence.name] = sequence_fingerprint(sequence)
        return self._fingerprints[sequence.name]

    def _other_weights(self, label, made_by, made_with):
        """Return in words that a contender's weights are not those of its other results, or ''."""
        weights = made_with.get('weights', {})
        # Under another protocol it may have other settings, and so more networks to load.
        before = self._weights.setdefault((label, json.dumps(made_by['settings'])), weights)
        if before == weights:
            return ''
        return (f'the weights are {weights}, but other results of {label} were made with '
                f'{before}; overwrite them, or give all machines the same files')

    def _warn_of_threads(self, label, threads):
        before = self._threads.setdefault(label, threads)
        if before != threads:
            _log.warning('%s: results made with %s threads stand beside others made with %s; '
                         'sums of many threads round differently, and a tracker that learns '
                         'may follow another path', label, threads, before)
            self._threads[label] = threads


def _made_by(cell):
    made_by = {**cell.contender.identity(), 'protocol': cell.protocol.options()}
    # As it will be read: JSON knows no tuples.
    return json.loads(json.dumps(made_by))


def _refuse_mixture(old, new, place, name):
    changed = []
    for key in new:
        before, now = old.get(key), new[key]
        if isinstance(now, dict) and isinstance(before, dict):
            changed += [f'{part} = {before.get(part)!r}, now {now.get(part)!r}'
                        for part in {**before, **now} if before.get(part) != now.get(part)]
        elif before != now:
            changed.append(f'{key} = {before!r}, now {now!r}')
    if changed:
        raise SettingError(f'{place} holds results ({name}) made with other '
                           f'settings: {"; ".join(changed)}. Give a new folder, or overwrite')
