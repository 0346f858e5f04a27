"""Jobs for the tests of what performs them, and a look at the processes of this machine."""
from contextlib import suppress
import os
from pathlib import Path
import signal
import time

from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.evaluation.running.jobs import Job
from tracking_nodes.evaluation.running.progress import Progress
from tracking_nodes.sequences.synthetic import SyntheticSequence

STATIC = Contender('still', 'static')


class Telling(SyntheticSequence):
    """Says in an error what the process that reads it sees."""

    def images(self):
        raise RuntimeError(f'GPU {os.environ.get("CUDA_VISIBLE_DEVICES")}, '
                           f'{os.environ["OMP_NUM_THREADS"]} threads')


def jobs_of(*sequences, contender=STATIC):
    """Return one job per sequence, one pass each."""
    one_pass = protocols.get('ope')
    return [Job(contender, one_pass, sequence, trial) for sequence in sequences
            for trial in one_pass.trials(sequence)]


def clips(count, frames=8):
    return [SyntheticSequence(frames, seed, f'clip{seed}') for seed in range(count)]


def perform(executor, jobs):
    """Return {sequence name: Outcome}."""
    with Progress(jobs, executor.side_by_side) as progress:
        found = {}
        for job, outcome in executor.perform(iter(jobs), progress):
            progress.end(job)
            found[job.sequence.name] = outcome
    return found


def children_of(pid):
    """Return the process ids whose parent is a process."""
    found = []
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            state, parent = path.read_text().rpartition(')')[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != 'Z':
            found.append(int(path.parent.name))
    return found


def family_of(pid):
    """Return the ids of a process and of all that it started, those that they started too."""
    return [pid, *(one for child in children_of(pid) for one in family_of(child))]


def kill_all_of(pid):
    """Kill a process and all that it started, before those that it would start again."""
    for one in family_of(pid):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def alive(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not happen in time'
        time.sleep(0.05)
