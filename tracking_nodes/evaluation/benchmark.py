"""
Run contenders over sequences into a results folder, resuming what was interrupted.

A benchmark is a list of jobs: one trial of one contender on one sequence under one protocol. A
job's result is written when it ends, its record last, and what is there is not run again: it
may be interrupted at any moment, by `kill -9` too. A job that fails does not stop the others;
it is named at the end and tried again by the next run.
"""
import logging
from pathlib import Path

from tracking_nodes.errors import BenchmarkError
from tracking_nodes.evaluation import protocols as known_protocols, results
from tracking_nodes.evaluation.protocols.ope import score_result
from tracking_nodes.evaluation.running.book import Book, FAILURES
from tracking_nodes.evaluation.running.folder_lock import locked
from tracking_nodes.evaluation.running.here import Here
from tracking_nodes.evaluation.running.plan import in_order, make_cells
from tracking_nodes.evaluation.running.progress import Progress
from tracking_nodes.sequences.fingerprint import dataset_hash

_NAMED_AT_MOST = 10
_log = logging.getLogger(__name__)


def run_benchmark(contenders, sequences, folder, *, protocols=None, executor=None,
                  variant='visible', overwrite=False, repetitions=None, trials=None, excerpt=None):
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
    :param trials: at most so many trials of a sequence, the first of them; None for all.
    :param excerpt: {option: number} of what the sequences were cut by, 'frames' and 'every', for
        the records.
    :return: {protocol name: {label: `Scores`}} of all that the folder holds.
    :raises SettingError: the folder holds results that other settings, code or sequences made.
    :raises SequenceError: no protocol fits any sequence, or two sequences have one name.
    :raises BenchmarkError: jobs failed; the others are done. `failures.json` has the details.
    """
    protocols = protocols or [known_protocols.get('ope')]
    cells = make_cells(contenders, protocols, sequences, repetitions, trials)
    limits = {'repetitions': repetitions, 'trials': trials, **(excerpt or {})}
    book = Book(folder, cells, dataset_hash(sequences),
                {option: number for option, number in limits.items() if number is not None})
    with locked(folder):
        if overwrite:
            for protocol in protocols:
                for contender in contenders:
                    results.forget(Path(folder) / protocol.folder, contender.label)
        book.take_up()
        try:
            _run(cells, book, executor or Here())
        finally:
            scores = {protocol.name: write_scores(folder, protocol, variant)
                      for protocol in protocols}
    if book.failures:
        raise BenchmarkError(_summary(book.failures, Path(folder) / FAILURES), scores)
    return scores


def write_scores(folder, protocol, variant, only=None, out=None):
    """
    Score what a results folder holds of a protocol and write it there, or into a folder `out`.

    :param only: names of the sequences that count; None for all.
    :return: {label: `Scores`}.
    """
    scores = protocol.score(results.StoredResults(Path(folder) / protocol.folder, only), variant)
    if protocol.folder:
        results.write_scores(out or folder, protocol, scores, variant)
    else:
        results.write_summary(out or folder, score_folder(folder, variant, only), variant)
    return scores


def score_folder(folder, variant, only=None):
    """Return {label: {sequence name: Score}} of the one-pass results of a folder."""
    return {label: {name: score_stored(folder, label, name, variant) for name in names}
            for label, names in results.stored(folder, only).items()}


def score_stored(folder, label, name, variant):
    """Return the `Score` of one stored result of one-pass evaluation."""
    return score_result(results.read_result(folder, label, name), variant)


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
