"""
Run contenders over sequences into a results folder, resuming what was interrupted.

A benchmark is a list of jobs: one trial of one contender on one sequence under one protocol. A
job's result is written when it ends, its record last, and what is there is not run again: it
may be interrupted at any moment, by `kill -9` too. A job that fails does not stop the others;
it is named at the end and tried again by the next run.
"""
from dataclasses import asdict, dataclass
import hashlib
import json
import logging
from pathlib import Path

from tracking_nodes.errors import BenchmarkError, SettingError
from tracking_nodes.evaluation import protocols as known_protocols, results
from tracking_nodes.evaluation.metrics import score
from tracking_nodes.evaluation.running.folder_lock import locked
from tracking_nodes.evaluation.running.here import Here
from tracking_nodes.evaluation.running.plan import in_order, make_cells
from tracking_nodes.evaluation.running.progress import Progress
from tracking_nodes.sequences.fingerprint import dataset_hash

FAILURES = 'failures.json'
_NAMED_AT_MOST = 10
_log = logging.getLogger(__name__)


def run_benchmark(contenders, sequences, folder, *, protocols=None, executor=None,
                  variant='visible', overwrite=False, repetitions=None):
    """
    Run every contender over every sequence under every protocol, write the results folder.

    What the folder already holds of the same contender, sequence and protocol is not run again.
    At the end, or when it is interrupted, all that the folder holds is scored.

    :param contenders: list of `Contender`.
    :param sequences: list of `Sequence`; those that a protocol cannot use are skipped by name.
    :param folder: the results folder, made when missing.
    :param protocols: list of `Protocol`; one-pass evaluation when None.
    :param executor: what performs the jobs: `Here` (when None), `Processes` or `Cluster`.
    :param variant: the metrics' variant, a key of `metrics.VARIANTS`.
    :param overwrite: delete what the folder holds of these contenders and protocols first.
    :param repetitions: at most so many repetitions of a trial; None for the protocol's own.
    :return: {protocol name: {label: `Scores`}} of all that the folder holds.
    :raises SettingError: the folder holds results that other settings, code or sequences made.
    :raises SequenceError: no protocol fits any sequence, or two sequences have one name.
    :raises BenchmarkError: jobs failed; the others are done. `failures.json` has the details.
    """
    protocols = protocols or [known_protocols.get('ope')]
    cells = make_cells(contenders, protocols, sequences, repetitions)
    identities = {contender.label: contender.identity() for contender in contenders}
    with locked(folder):
        results.remove_partial_files(folder)
        if overwrite:
            for protocol in protocols:
                for contender in contenders:
                    results.forget(Path(folder) / protocol.folder, contender.label)
        book = _Book(folder, identities, dataset_hash(sequences))
        book.take_up(cells)
        try:
            _run(cells, book, executor or Here())
        finally:
            scores = {protocol.name: write_scores(folder, protocol, variant)
                      for protocol in protocols}
    if book.failures:
        raise BenchmarkError(_summary(book.failures, Path(folder) / FAILURES), scores)
    return scores


def write_scores(folder, protocol, variant):
    """
    Score all that a results folder holds of a protocol and write it there.

    :return: {label: `Scores`}.
    """
    scores = protocol.score(results.StoredResults(Path(folder) / protocol.folder), variant)
    if protocol.folder:
        results.write_scores(folder, protocol, scores, variant)
    else:
        results.write_summary(folder, score_folder(folder, variant), variant)
    return scores


def score_folder(folder, variant):
    """Return {label: {sequence name: Score}} of all one-pass results of a folder."""
    return {label: {name: score_stored(folder, label, name, variant) for name in names}
            for label, names in results.stored(folder).items()}


def score_stored(folder, label, name, variant):
    """Return the `Score` of one stored result of one-pass evaluation."""
    result = results.read_result(folder, label, name)
    return score(result.run.boxes, result.truth, result.run.seconds, result.run.image_size,
                 variant)


@dataclass(frozen=True)
class Failure:
    """A job that failed: what it was, the error in one line, and the traceback."""

    tracker: str
    protocol: str
    sequence: str
    trial: str
    error: str
    details: str


class _Book:
    """Keeps a results folder: knows what it holds, and enters what comes in."""

    def __init__(self, folder, identities, dataset):
        self.failures = []
        self._folder, self._identities, self._dataset = Path(folder), identities, dataset
        self._weights, self._threads, self._fingerprints = {}, {}, {}
        (self._folder / FAILURES).unlink(missing_ok=True)

    def take_up(self, cells):
        """
        Settle the trials that the folder already holds.

        :raises SettingError: it holds results of the same name that something else made.
        """
        by_place = {(self._place(cell.protocol, cell.contender.label),
                     results.file_name(cell.sequence.name, trial)): (cell, name)
                    for cell in cells for name, trial in cell.trials.items()}
        made_by = {self._place(cell.protocol, cell.contender.label): self._made_by(cell)
                   for cell in cells}
        for place, now in made_by.items():
            for name in results.stored(place.parent).get(place.name, ()):
                result = results.read_result(place.parent, place.name, name)
                _refuse_mixture(result.record.get('made_by', {}), now, place, name)
                made_with = result.record.get('made_with', {})
                self._other_weights(place.name, made_with)
                self._threads.setdefault(place.name, made_with.get('threads'))
                cell, trial = by_place.get((place, name), (None, None))
                if cell is None:
                    continue
                if result.record.get('fingerprint') != self._fingerprint(cell.sequence):
                    raise SettingError(f'{place} holds results of another sequence named '
                                       f'{cell.sequence.name}; give a new folder, or overwrite')
                cell.settle(trial, result.run)
        for cell in cells:
            self._tidy(cell)

    def enter(self, cell, trial, outcome):
        """Write what came of a job, and settle its trial."""
        label = cell.contender.label
        error = outcome.error or self._other_weights(label, outcome.made_with)
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
                  'made_by': self._made_by(cell),
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
            stem = results.file_name(cell.sequence.name, cell.trials[name])
            (place / f'{stem}_run.json').unlink(missing_ok=True)

    def _place(self, protocol, label):
        return self._folder / protocol.folder / label

    def _made_by(self, cell):
        made_by = {**self._identities[cell.contender.label], 'protocol': cell.protocol.options()}
        # As it will be read: JSON knows no tuples.
        return json.loads(json.dumps(made_by))

    def _fingerprint(self, sequence):
        if sequence.name not in self._fingerprints:
            digest = hashlib.sha256(dataset_hash([sequence]).encode())
            digest.update(sequence.stamps.tobytes())
            self._fingerprints[sequence.name] = digest.hexdigest()[:16]
        return self._fingerprints[sequence.name]

    def _other_weights(self, label, made_with):
        """Return in words that a contender's weights are not those of its other results, or ''."""
        weights = made_with.get('weights', {})
        before = self._weights.setdefault(label, weights)
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


def _run(cells, book, executor):
    """Perform all jobs that are not settled."""
    everything = sum(len(cell.trials) for cell in cells)
    homes = {job.name: cell for cell in cells for job in cell.jobs()}
    jobs = in_order([job for cell in cells for job in cell.jobs()])
    if len(jobs) < everything:
        _log.info('%d of %d runs are already done', everything - len(jobs), everything)
    with Progress(jobs, executor.side_by_side) as progress:
        def still_needed():
            for job in jobs:
                if job.trial.name in homes[job.name].superfluous:
                    progress.end(job)
                else:
                    yield job

        for job, outcome in executor.perform(still_needed(), progress):
            progress.end(job)
            book.enter(homes[job.name], job.trial, outcome)
            _log.log(logging.ERROR if outcome.error else logging.INFO, '%s: %s; %s', job.name,
                     outcome.error or _speed(outcome.run), progress.words())


def _speed(run):
    frames, seconds = int((run.seconds > 0).sum()), run.seconds.sum()
    return f'{frames} frames, {frames / seconds:.1f} per second' if seconds else 'no frame'


def _summary(failures, path):
    lines = [' '.join(filter(None, (one.tracker, one.protocol, one.sequence, one.trial)))
             + f': {one.error}' for one in failures[:_NAMED_AT_MOST]]
    more = len(failures) - len(lines)
    return '\n  '.join([
        f'{len(failures)} jobs failed, all others are done; the same command tries them again:',
        *lines, *([f'and {more} more'] if more else []), f'in full: {path}'])


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
