"""A benchmark that is interrupted, at any moment and in any way, ends with the same numbers."""
import json
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from result_folders import numbers
from sequence_files import write_clips

from tracking_nodes.cli import main
from tracking_nodes.errors import BenchmarkError, SettingError
from tracking_nodes.evaluation import protocols, results
from tracking_nodes.evaluation.benchmark import run_benchmark
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.evaluation.running.folder_lock import locked
from tracking_nodes.sequences.synthetic import SyntheticSequence

STATIC = Contender('still', 'static')
# Small enough to be quick, and with a seed that decides what it answers.
RMAN = ('rman.weights=random', 'rman.first_iterations=2', 'rman.first_negatives=32',
        'rman.first_positives=16', 'rman.search_size=96', 'rman.regression_samples=10',
        'rman.update_iterations=1', 'rman.feature_channels=8')


def clips(count=2, frames=8):
    return [SyntheticSequence(frames, seed, f'clip{seed}') for seed in range(count)]


class Blank(SyntheticSequence):
    """Black images: nothing here depends on what they show."""

    def images(self):
        for _ in range(len(self)):
            yield np.zeros((240, 320, 3), dtype=np.uint8)


class Stop(BaseException):
    """What no code catches."""


def test_interrupted_at_any_write_the_same_results_come_out(tmp_path, monkeypatch):
    sre, sequences = protocols.get('sre'), [Blank(5, 0, 'blank')]
    run_benchmark([STATIC], sequences, tmp_path / 'whole', protocols=[sre])
    written, write = 0, results.write_text

    def counted(path, text):
        nonlocal written
        written += 1
        write(path, text)

    monkeypatch.setattr(results, 'write_text', counted)
    run_benchmark([STATIC], sequences, tmp_path / 'counted', protocols=[sre])

    def broken(path, text):
        nonlocal left
        left -= 1
        if left < 0:
            # As a process leaves it that is killed between writing and renaming.
            path = Path(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f'.{path.name}.1.partial').write_text(text[:len(text) // 2])
            raise Stop
        write(path, text)

    monkeypatch.setattr(results, 'write_text', broken)
    # A result has five files: each of them is hit once, at another trial, and the last of all.
    for moment in [*range(0, written, 11), written - 1]:
        folder, left = tmp_path / f'at{moment}', moment
        with pytest.raises(Stop):
            run_benchmark([STATIC], sequences, folder, protocols=[sre])
        left = 10 ** 6
        run_benchmark([STATIC], sequences, folder, protocols=[sre])
        assert numbers(folder) == numbers(tmp_path / 'whole')
        assert [path.name for path in folder.rglob('.*')] == ['.lock']


def test_a_run_killed_twice_ends_with_the_numbers_of_an_uninterrupted_one(tmp_path):
    write_clips(tmp_path / 'data', clips(2, 10))
    command = [sys.executable, '-m', 'tracking_nodes.cli', 'run', '--tracker', 'rman', '--peer',
               'csrt', '--protocol', 'ope', '--protocol', 'got10k', '--jobs', '2', '--threads',
               '1', '--device', 'cpu', str(tmp_path / 'data')]
    command += [word for setting in RMAN for word in ('--set', setting)]
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    subprocess.run([*command, '--out', str(whole)], check=True, capture_output=True)
    total = len(list(whole.rglob('*_run.json')))
    moments = random.Random(5)
    for earliest in (total // 5, 2 * total // 5):
        process = subprocess.Popen([*command, '--out', str(killed)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        end = time.monotonic() + 600
        while len(list(killed.rglob('*_run.json'))) < earliest and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert earliest <= len(list(killed.rglob('*_run.json'))) < total
    done = {path: path.stat().st_mtime_ns for path in killed.rglob('*_run.json')}
    subprocess.run([*command, '--out', str(killed)], check=True, capture_output=True)
    assert all(path.stat().st_mtime_ns == moment for path, moment in done.items())
    assert numbers(killed) == numbers(whole)
    assert len(list(killed.rglob('*_run.json'))) == total


class Broken(SyntheticSequence):
    """Cannot be read beyond its fourth frame."""

    def images(self):
        for index, image in enumerate(super().images()):
            if index == 4:
                raise ValueError('the disk is gone')
            yield image


def test_a_job_that_fails_stops_no_other_and_is_tried_again(tmp_path):
    whole = clips(3)
    with pytest.raises(BenchmarkError, match='1 jobs failed.*tries them again') as caught:
        run_benchmark([STATIC], [whole[0], Broken(8, 1, 'clip1'), whole[2]], tmp_path / 'one')
    assert 'still ope clip1: ValueError: the disk is gone' in str(caught.value)
    assert set(caught.value.scores['ope']['still'].sequences) == {'clip0', 'clip2'}
    [failure] = json.loads((tmp_path / 'one' / 'failures.json').read_text())['failures']
    assert failure['sequence'] == 'clip1' and 'in images' in failure['details']
    run_benchmark([STATIC], whole, tmp_path / 'one')
    assert not (tmp_path / 'one' / 'failures.json').exists()
    run_benchmark([STATIC], whole, tmp_path / 'two')
    assert numbers(tmp_path / 'one') == numbers(tmp_path / 'two')


@pytest.mark.parametrize('command', [
    ['import', '--from', '{0}', '--label', 'other', '--out', '{0}/out', '{0}'],
    ['recorded', '--detections', '/detections', '--out', '{0}/out', '{0}/bag']])
def test_other_commands_do_not_write_into_a_folder_beside_a_benchmark(tmp_path, capsys, command):
    with locked(tmp_path / 'out'):
        assert main([word.format(tmp_path) for word in command]) == 1
    assert 'another benchmark is writing into' in capsys.readouterr().err


def test_two_runs_never_write_into_one_folder(tmp_path):
    with locked(tmp_path / 'out'):
        with pytest.raises(SettingError, match='another benchmark is writing into'):
            run_benchmark([STATIC], clips(1), tmp_path / 'out')
    run_benchmark([STATIC], clips(1), tmp_path / 'out')
