"""A full disk while evaluating, and a long run; docs/faults.md is the table of all faults."""
import json
import resource
import subprocess
import sys

from measure_soak import Soak
import pytest

from tracking_nodes.sequences.bags import write_bag
from tracking_nodes.sequences.synthetic import SyntheticSequence


def evaluate_bags(bags, out):
    """Return the command that evaluates bags in the offline node."""
    return ['tracking_nodes.nodes.bag_evaluator', '--ros-args',
            '-p', f'bags:={[str(bag) for bag in bags]}', '-p', "trackers:=['static']",
            '-p', f'output:={out}', '-p', 'device:=cpu']


def run_benchmark(bags, out):
    """Return the command that does the same without ROS."""
    return ['tracking_nodes.cli', 'run', '--tracker', 'static', '--device', 'cpu', '--out',
            str(out), *map(str, bags)]


def no_more_than(size):
    """Return what limits the files that a process writes to some bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize('make_command', [evaluate_bags, run_benchmark])
def test_full_disk_ends_an_evaluation_in_words_and_the_same_command_goes_on(
        tmp_path, make_command):
    bags, out = [tmp_path / 'one', tmp_path / 'two'], tmp_path / 'results'
    for bag in bags:
        write_bag(SyntheticSequence(frames=6), bag)
    command = [sys.executable, '-m', *make_command(bags, out)]
    full = subprocess.run(command, text=True, capture_output=True, timeout=60,
                          preexec_fn=no_more_than(3000))
    assert full.returncode == 1 and 'Traceback' not in full.stderr, full.stderr
    assert 'File too large' in full.stderr and 'what is done is kept' in full.stderr
    for path in out.rglob('*.json'):
        json.loads(path.read_text())
    again = subprocess.run(command, text=True, capture_output=True, timeout=60)
    assert again.returncode == 0, again.stderr
    assert set(json.loads((out / 'summary.json').read_text())['static']['sequences']) == {
        'one', 'two'}


@pytest.mark.parametrize('frames', [2000])
def test_soak_leaves_memory_threads_and_files_as_they_were(frames):
    with Soak('frame_code') as soak:
        samples = list(soak.run(frames, frames // 8))
        assert soak.last_answer().box is not None
    settled, last = samples[1], samples[-1]
    assert last.megabytes < settled.megabytes + 8
    assert last.threads <= settled.threads and last.files <= settled.files
