"""Jobs performed through Ray: on this machine, and on two nodes of a cluster."""
import importlib.util
import os
from pathlib import Path
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
from result_folders import numbers
from running_jobs import clips, jobs_of, kill_all_of, perform, Telling, wait_until
from sequence_files import write_clips

from tracking_nodes.cli import main
from tracking_nodes.errors import BenchmarkError, SettingError
from tracking_nodes.evaluation.benchmark import run_benchmark
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.evaluation.results import stored
from tracking_nodes.evaluation.running.cluster import Cluster
from tracking_nodes.evaluation.running.here import Here
from tracking_nodes.evaluation.running.progress import Progress
from tracking_nodes.nn import loaded
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.base import Runtime

WEIGHTS = 'TEST_WEIGHTS'


class Loading(Contender):
    """Reads the weights file that its node has."""

    def create(self):
        loaded.note(os.environ[WEIGHTS])
        return super().create()


class Meeting(SyntheticSequence):
    """Waits in its first frame until jobs on two nodes have come to a folder, then goes on."""

    def __init__(self, folder, seed):
        super().__init__(8, seed, f'clip{seed}')
        self.folder = folder

    def images(self):
        import ray

        node = ray.get_runtime_context().get_node_id()
        (self.folder / f'{node}.{self.name}').touch()
        wait_until(lambda: len(nodes_in(self.folder)) == 2, 300)
        yield from super().images()


def nodes_in(folder):
    """Return {node id: names of the sequences that came there} of a folder of `Meeting`."""
    found = {}
    for path in folder.iterdir():
        node, _, name = path.name.partition('.')
        found.setdefault(node, set()).add(name)
    return found


@pytest.fixture(scope='module')
def patient_ray():
    """Skip where there is no Ray, and let it start on a busy machine."""
    if importlib.util.find_spec('ray') is None:
        pytest.skip('Ray is not installed: pip install "tracking_nodes[ray]"')
    with pytest.MonkeyPatch.context() as patch:
        # A token of the home folder would be asked for by the one and not be shown by the other.
        patch.setenv('RAY_AUTH_MODE', 'disabled')
        # It gives way to everything else, and would not start in its own time.
        patch.setenv('RAY_worker_niceness', '0')
        patch.setenv('RAY_worker_register_timeout_seconds', '600')
        # What Ray sends back by name has to be found where it works, what is in this file too.
        patch.setenv('PYTHONPATH', os.pathsep.join(
            [str(Path(__file__).parent), *filter(None, sys.path)]))
        yield


@pytest.fixture(scope='module')
def two_nodes(patient_ray, tmp_path_factory):
    """
    Return the address of a cluster of two nodes on this machine, in processes of their own.

    Each has two CPUs and a GPU in name, and another weights file of the same name.
    """
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        address = f'127.0.0.1:{free.getsockname()[1]}'
    nodes = []
    # The names of Ray's sockets have to be short.
    with tempfile.TemporaryDirectory(prefix='ray', dir='/tmp') as folder:
        try:
            nodes.append(start_node(
                tmp_path_factory.mktemp('one'), '--head', '--port', address.rpartition(':')[2],
                '--include-dashboard', 'false', '--temp-dir', folder))
            wait_until(lambda: room_at(address) == 2, 300)
            nodes.append(start_node(tmp_path_factory.mktemp('two'), '--address', address))
            wait_until(lambda: room_at(address) == 4, 300)
            yield address
        finally:
            # Ray takes half a minute to end by itself.
            for node in nodes:
                kill_all_of(node.pid)
                node.wait(60)


def start_node(folder, *arguments):
    """Start a node that stays in the foreground of its process; return the process."""
    (folder / 'weights.bin').write_text(folder.name)
    return subprocess.Popen(
        [sys.executable, '-m', 'ray.scripts.scripts', 'start', '--block', '--num-cpus', '2',
         '--num-gpus', '1', '--node-ip-address', '127.0.0.1', *arguments],
        env={**os.environ, WEIGHTS: str(folder / 'weights.bin')}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def room_at(address):
    """Return how many jobs the cluster at an address has room for, 0 before it answers."""
    import ray

    try:
        return Cluster(address).side_by_side
    except SettingError:
        return 0
    finally:
        ray.shutdown()


def test_both_nodes_of_a_cluster_work_and_share_their_gpus(two_nodes, tmp_path):
    meeting = jobs_of(*[Meeting(tmp_path, seed) for seed in range(4)])
    cluster = Cluster(two_nodes, per_gpu=2)
    assert cluster.side_by_side == 4
    found = perform(cluster, meeting)
    assert [outcome.error for outcome in found.values()] == [''] * 4
    # Two halves of a GPU each.
    assert sorted(map(len, nodes_in(tmp_path).values())) == [2, 2]
    expected = perform(Here(), jobs_of(*clips(4)))
    for name, outcome in found.items():
        np.testing.assert_array_equal(outcome.run.boxes, expected[name].run.boxes)
    telling = jobs_of(*[Telling(8, seed, f'clip{seed}') for seed in range(4)])
    # With one GPU on each node, it has the number 0 on both.
    assert {outcome.error for outcome in perform(Cluster(two_nodes, per_gpu=2), telling).values()
            } == {'RuntimeError: GPU 0, 1 threads'}


def test_jobs_that_ask_for_no_gpu_see_none_and_fit_by_their_threads(two_nodes):
    cluster = Cluster(two_nodes, threads=2)
    assert cluster.side_by_side == 2
    [outcome] = perform(cluster, jobs_of(Telling(8))).values()
    assert outcome.error == 'RuntimeError: GPU , 2 threads'


def test_weights_that_differ_between_nodes_are_refused(two_nodes, tmp_path):
    (tmp_path / 'meeting').mkdir()
    with pytest.raises(BenchmarkError, match='weights are .*give all machines the same files'):
        run_benchmark([Loading('still', 'static')],
                      [Meeting(tmp_path / 'meeting', seed) for seed in range(4)],
                      tmp_path / 'out', executor=Cluster(two_nodes, per_gpu=2))
    # What one of the nodes answered stands, whichever was first.
    assert set(stored(tmp_path / 'out')['still']) in nodes_in(tmp_path / 'meeting').values()


def test_a_killed_command_resumes_through_the_cluster(two_nodes, tmp_path):
    write_clips(tmp_path / 'data', clips(4, 12))
    command = ['run', '--peer', 'csrt', '--threads', '1', str(tmp_path / 'data')]
    through_ray = [sys.executable, '-m', 'tracking_nodes.cli', *command, '--ray', two_nodes,
                   '--jobs', '1', '--out', str(tmp_path / 'killed')]
    process = subprocess.Popen(through_ray, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(list((tmp_path / 'killed').rglob('*_run.json'))) > 0, 300)
    finally:
        process.kill()
        process.wait()
    done = {path: path.stat().st_mtime_ns
            for path in (tmp_path / 'killed').rglob('*_run.json')}
    assert 1 <= len(done) < 4
    subprocess.run(through_ray, check=True, capture_output=True, timeout=300)
    assert all(path.stat().st_mtime_ns == moment for path, moment in done.items())
    assert main([*command, '--out', str(tmp_path / 'whole')]) == 0
    assert numbers(tmp_path / 'killed') == numbers(tmp_path / 'whole')


def test_ray_answers_as_this_process_does_and_tells_the_time_left(patient_ray):
    without_models = Contender('nano', 'nano', {}, Runtime(models='nowhere'))
    jobs = jobs_of(*clips(2)) + jobs_of(*clips(3)[2:], contender=without_models)
    cluster, found, left = Cluster('local', count=1), {}, []
    began = time.monotonic()
    with Progress(jobs, cluster.side_by_side) as progress:
        for job, outcome in cluster.perform(iter(jobs), progress):
            progress.end(job)
            found[job.sequence.name] = outcome
            left.append(progress.seconds_left())
    assert 0 < left[0] < time.monotonic() - began and left[2] == 0
    expected = perform(Here(), jobs_of(*clips(1)))['clip0']
    np.testing.assert_array_equal(found['clip0'].run.boxes, expected.run.boxes)
    assert found['clip0'].made_with['threads'] == 1
    assert 'not in nowhere/peers' in found['clip2'].error and found['clip2'].run is None


def test_without_ray_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(SettingError, match=r'pip install "tracking_nodes\[ray\]"'):
        Cluster('local')
