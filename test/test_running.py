"""Jobs performed in processes and through Ray: what reaches them, and what their end does."""
import importlib.util
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.evaluation.running.cluster import Cluster
from tracking_nodes.evaluation.running.here import Here
from tracking_nodes.evaluation.running.jobs import Job
from tracking_nodes.evaluation.running.processes import Processes
from tracking_nodes.evaluation.running.progress import Progress
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.base import Runtime

STATIC = Contender('still', 'static')


class Deadly(SyntheticSequence):
    """Kills the process that reads it, in its third frame."""

    def images(self):
        for index, image in enumerate(super().images()):
            if index == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            yield image


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


def test_processes_answer_as_this_process_does():
    jobs = jobs_of(*clips(3), contender=Contender('kcf', 'kcf'))
    here, apart = perform(Here(), jobs), perform(Processes(2, 1), jobs)
    assert set(here) == set(apart) == {'clip0', 'clip1', 'clip2'}
    for name, outcome in here.items():
        np.testing.assert_array_equal(outcome.run.boxes, apart[name].run.boxes)
        assert apart[name].made_with['threads'] == 1 and not apart[name].error


def test_a_killed_process_fails_its_job_alone():
    jobs = jobs_of(*clips(2), Deadly(8, 7, 'deadly'), *clips(4)[2:])
    found = perform(Processes(2, 1), jobs)
    assert set(found) == {'clip0', 'clip1', 'clip2', 'clip3', 'deadly'}
    assert found['deadly'].run is None and 'killed by signal 9' in found['deadly'].error
    assert all(found[f'clip{seed}'].run is not None for seed in range(4))


def test_every_process_has_its_own_gpu_and_its_threads():
    found = perform(Processes(gpus=['3', '5'], per_gpu=2, threads=7),
                    jobs_of(*[Telling(8, seed, f'clip{seed}') for seed in range(4)]))
    assert sorted(outcome.error for outcome in found.values()) == [
        'RuntimeError: GPU 3, 7 threads'] * 2 + ['RuntimeError: GPU 5, 7 threads'] * 2
    assert all('in images' in outcome.details for outcome in found.values())
    assert os.environ.get('CUDA_VISIBLE_DEVICES') not in ('3', '5')


@pytest.mark.parametrize('wrong, words', [
    ({'count': 0, 'threads': -1}, 'threads = -1'), ({'count': 3, 'gpus': ['0']}, 'at most 1 jobs'),
    ({'count': 5, 'gpus': ['0', '1'], 'per_gpu': 2}, 'at most 4 jobs'),
])
def test_impossible_divisions_are_refused(wrong, words):
    with pytest.raises(SettingError, match=words):
        Processes(**wrong)


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


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='no /proc here')
def test_workers_end_when_their_parent_is_killed():
    code = ('import test_running as t\n'
            'from tracking_nodes.evaluation.running.processes import Processes\n'
            'if __name__ == "__main__":\n'
            '    jobs = t.jobs_of(*t.clips(2, 100000), contender=t.Contender("mil", "mil"))\n'
            '    t.perform(Processes(2, 1), jobs)\n')
    script = Path(__file__).parent
    process = subprocess.Popen([sys.executable, '-c', code], cwd=script,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # Two workers, and the standard library's tracker of shared resources.
        wait_until(lambda: len(children_of(process.pid)) == 3)
        workers = children_of(process.pid)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not any(map(alive, workers)))


def test_time_left_follows_each_contenders_own_pace():
    fast, slow = Contender('fast', 'static'), Contender('slow', 'static')
    jobs = [*jobs_of(*clips(3, 10), contender=fast), *jobs_of(*clips(2, 20), contender=slow)]
    with Progress(jobs, 2) as progress:
        assert progress.seconds_left() is None
        progress.begin(jobs[0])
        progress.advance(jobs[0], 5, 0.5)
        # Of the slow one nothing is known yet: 25 + 40 frames at 0.1 s, two at a time.
        assert progress.seconds_left() == pytest.approx(65 * 0.1 / 2)
        progress.advance(jobs[0], 5, 0.5)
        progress.end(jobs[0])
        progress.begin(jobs[3])
        progress.advance(jobs[3], 4, 8.0)
        assert progress.seconds_left() == pytest.approx((20 * 0.1 + 36 * 2.0) / 2)
        for job in jobs[1:4]:
            progress.end(job)
        # One job is left, and only one process has something to do.
        assert progress.seconds_left() == pytest.approx(20 * 2.0)
        assert progress.words() == '4 of 5 done, 00:40 left'


@pytest.fixture
def patient_ray(monkeypatch):
    """Skip where there is no Ray, and let it start on a busy machine."""
    if importlib.util.find_spec('ray') is None:
        pytest.skip('Ray is not installed: pip install "tracking_nodes[ray]"')
    # A token of the home folder would be asked for by the one and not be shown by the other.
    monkeypatch.setenv('RAY_AUTH_MODE', 'disabled')
    # It gives way to everything else, and would not start in its own time.
    monkeypatch.setenv('RAY_worker_niceness', '0')
    monkeypatch.setenv('RAY_worker_register_timeout_seconds', '600')


@pytest.fixture
def ray_head(patient_ray):
    """Return the address of a cluster of another process, with two CPUs and a GPU in name."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    # What Ray sends back by name has to be found where it works, the sequences of this file too.
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    # The names of Ray's sockets have to be short.
    with tempfile.TemporaryDirectory(prefix='ray', dir='/tmp') as folder:
        head = subprocess.Popen(
            [sys.executable, '-m', 'ray.scripts.scripts', 'start', '--head', '--block',
             '--node-ip-address', '127.0.0.1', '--port', str(port), '--num-cpus', '2',
             '--num-gpus', '1', '--include-dashboard', 'false', '--temp-dir', folder],
            env={**os.environ, 'PYTHONPATH': paths}, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield f'127.0.0.1:{port}'
        finally:
            os.killpg(head.pid, signal.SIGTERM)
            head.wait(60)
            wait_until(lambda: not children_of(head.pid))


def joined(address, **options):
    """Return the cluster at an address, once it answers."""
    end = time.monotonic() + 300
    while True:
        try:
            return Cluster(address, **options)
        except SettingError:
            assert time.monotonic() < end, 'the cluster did not start'
            time.sleep(1)


def test_a_cluster_at_an_address_shares_its_gpus(ray_head):
    telling = jobs_of(*[Telling(8, seed, f'clip{seed}') for seed in range(3)])
    cluster = joined(ray_head, per_gpu=2)
    assert cluster.side_by_side == 2
    assert [outcome.error for outcome in perform(cluster, telling).values()] == [
        'RuntimeError: GPU 0, 1 threads'] * 3
    cluster = joined(ray_head, threads=2)
    assert cluster.side_by_side == 1
    found = perform(cluster, telling[:1] + jobs_of(*clips(2)[1:]))
    assert found['clip0'].error == 'RuntimeError: GPU , 2 threads'
    expected = perform(Here(), jobs_of(*clips(2)[1:]))['clip1']
    np.testing.assert_array_equal(found['clip1'].run.boxes, expected.run.boxes)


def test_ray_answers_as_this_process_does(patient_ray):
    without_models = Contender('nano', 'nano', {}, Runtime(models='nowhere'))
    jobs = jobs_of(*clips(1)) + jobs_of(*clips(2)[1:], contender=without_models)
    found = perform(Cluster('local', count=1), jobs)
    expected = perform(Here(), jobs_of(*clips(1)))['clip0']
    np.testing.assert_array_equal(found['clip0'].run.boxes, expected.run.boxes)
    assert found['clip0'].made_with['threads'] == 1
    assert 'not in nowhere/peers' in found['clip1'].error and found['clip1'].run is None


def test_without_ray_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(SettingError, match=r'pip install "tracking_nodes\[ray\]"'):
        Cluster('local')
