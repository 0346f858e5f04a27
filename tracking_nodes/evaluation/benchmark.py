"""Run contenders over sequences into a results folder, resuming what was interrupted."""
from collections import Counter
from concurrent.futures import as_completed, ProcessPoolExecutor
from dataclasses import dataclass
import hashlib
import logging
import multiprocessing
import os
from pathlib import Path
import signal

import cv2
from tqdm import tqdm

from tracking_nodes.errors import SequenceError, SettingError
from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.contender import Contender, surroundings
from tracking_nodes.evaluation.metrics import score
from tracking_nodes.evaluation.ope import first_target, run_ope
from tracking_nodes.sequences.sequence import Sequence

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One contender on one sequence; must be picklable to run in another process."""

    contender: Contender
    sequence: Sequence
    record: dict


def run_benchmark(contenders, sequences, folder, *, jobs=1, variant='visible', overwrite=False,
                  on_frame=None):
    """
    Run every contender over every sequence and write the results folder.

    What the folder already holds of the same contender and sequence is not run again. The
    summary is brought up to date after every sequence and covers the whole folder.

    :param contenders: list of `Contender`.
    :param sequences: list of `Sequence`.
    :param folder: the results folder, made when missing.
    :param jobs: number of processes that run sequences side by side.
    :param variant: the metrics' variant, a key of `metrics.VARIANTS`.
    :param overwrite: delete what the folder holds of these contenders first.
    :param on_frame: called with (sequence, index, image, box, score, present) after each frame;
        needs jobs = 1.
    :return: {label: {sequence name: Score}} of all that the folder holds.
    :raises SettingError: the folder holds results that other settings, code or sequences made.
    :raises SequenceError: a sequence cannot be read, or two have one name.
    """
    repeated = [name for name, count in Counter(s.name for s in sequences).items() if count > 1]
    if repeated:
        raise SequenceError(f'several sequences are named {", ".join(repeated)}; run them into '
                            'different folders')
    for sequence in sequences:
        first_target(sequence)
    if overwrite:
        for contender in contenders:
            results.forget(folder, contender.label)
    waiting = [Job(contender, sequence, make_record(contender, sequence))
               for contender in contenders for sequence in sequences]
    waiting, done = _split(waiting, folder)
    scores = score_folder(folder, variant)
    if done:
        _log.info('%d of %d runs are already in %s', len(done), len(done) + len(waiting), folder)
    frames = sum(len(job.sequence) for job in waiting)
    with tqdm(total=frames, unit='frame', disable=None) as bar:
        runs = _run_here(waiting, bar, on_frame) if jobs == 1 else _run_apart(waiting, bar, jobs)
        for job, run in runs:
            label, name = job.contender.label, job.sequence.name
            results.write_result(folder, label, name,
                                 results.Result(run, job.sequence.boxes, job.record))
            scores.setdefault(label, {})[name] = score_stored(folder, label, name, variant)
            _log.info('%s on %s: %s', label, name, ', '.join(
                f'{key} {scores[label][name].values[key]:.3f}' for key in results.SUMMARY_KEYS))
            results.write_summary(folder, scores, variant)
    results.write_summary(folder, scores, variant)
    return scores


def score_folder(folder, variant):
    """Return {label: {sequence name: Score}} of every complete result of a folder."""
    return {label: {name: score_stored(folder, label, name, variant) for name in names}
            for label, names in results.stored(folder).items()}


def score_stored(folder, label, name, variant):
    """Return the `Score` of one stored result."""
    result = results.read_result(folder, label, name)
    return score(result.run.boxes, result.truth, result.run.seconds, result.run.image_size,
                 variant)


def make_record(contender, sequence):
    """Return the record that says what made a result."""
    digest = hashlib.sha256(sequence.boxes.tobytes())
    digest.update(sequence.stamps.tobytes())
    digest.update(sequence.image(0).tobytes())
    return {'label': contender.label, 'sequence': sequence.name,
            'attributes': list(sequence.attributes), 'fingerprint': digest.hexdigest()[:16],
            'made_by': contender.identity(), 'made_with': surroundings()}


def _split(jobs, folder):
    """Return the jobs to run and those already done; refuse to mix different results."""
    stored = results.stored(folder)
    waiting, done = [], []
    for job in jobs:
        label, name = job.contender.label, job.sequence.name
        for other in stored.get(label, ()):
            record = results.read_result(folder, label, other).record
            _refuse_mixture(record['made_by'], job.record['made_by'], folder, label, other)
            if other == name and record.get('fingerprint') != job.record['fingerprint']:
                raise SettingError(f'{Path(folder) / label} holds results of another sequence '
                                   f'named {name}; give a new folder, or overwrite')
        (done if name in stored.get(label, ()) else waiting).append(job)
    return waiting, done


def _refuse_mixture(old, new, folder, label, name):
    changed = []
    for key in new:
        before, now = old.get(key), new[key]
        if isinstance(now, dict) and isinstance(before, dict):
            changed += [f'{part} = {before.get(part)!r}, now {now.get(part)!r}'
                        for part in {**before, **now} if before.get(part) != now.get(part)]
        elif before != now:
            changed.append(f'{key} = {before!r}, now {now!r}')
    if changed:
        raise SettingError(f'{Path(folder) / label} holds results ({name}) made with other '
                           f'settings: {"; ".join(changed)}. Give a new folder, or overwrite')


def _run_here(jobs, bar, on_frame):
    tracker, owner = None, None
    for job in jobs:
        if owner is not job.contender:
            tracker, owner = _ready(job.contender), job.contender
        bar.set_description(f'{job.contender.label} {job.sequence.name}')

        def follow(index, *answer, sequence=job.sequence):
            bar.update()
            if on_frame is not None:
                on_frame(sequence, index, *answer)

        yield job, run_ope(tracker, job.sequence, follow)


def _run_apart(jobs, bar, count):
    """Yield (job, run) in the order they end; an interruption ends the processes."""
    threads = max(1, (os.cpu_count() or 1) // count)
    pool = ProcessPoolExecutor(count, multiprocessing.get_context('spawn'), _enter, (threads,))
    try:
        futures = {pool.submit(_run_one, job.contender, job.sequence): job for job in jobs}
        for future in as_completed(futures):
            job = futures[future]
            bar.set_description(f'{job.contender.label} {job.sequence.name}')
            yield job, future.result()
            bar.update(len(job.sequence))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    pool.shutdown()


def _enter(threads):
    """Prepare a process: the parent answers Ctrl-C, and libraries share the cores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ['OMP_NUM_THREADS'] = str(threads)
    cv2.setNumThreads(threads)


_own = {}


def _run_one(contender, sequence):
    if _own.get('contender') != contender:
        _own.update(contender=contender, tracker=_ready(contender))
    return run_ope(_own['tracker'], sequence)


def _ready(contender):
    """Return a tracker whose first frame is not slower than its others."""
    tracker = contender.create()
    tracker.warm_up()
    return tracker
