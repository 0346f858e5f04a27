"""Jobs performed in processes: what reaches them, what their end does, and the time left."""
import os
from pathlib import Path
import signal
import subprocess
import sys

import numpy as np
import pytest
from running_jobs import alive, children_of, clips, jobs_of, perform, Telling, wait_until

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.evaluation.running.here import Here
from tracking_nodes.evaluation.running.processes import Processes
from tracking_nodes.evaluation.running.progress import Progress
from tracking_nodes.sequences.synthetic import SyntheticSequence


class Deadly(SyntheticSequence):
    """Kills the process that reads it, in its third frame."""

    def images(self):
        for index, image in enumerate(super().images()):
            if index == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            yield image


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


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='no /proc here')
def test_workers_end_when_their_parent_is_killed():
    code = ('import running_jobs as t\n'
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
