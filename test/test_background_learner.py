"""The thread that learns beside the frames, and its stream on a GPU."""
import gc
import os
import subprocess
import sys
import threading
import time

from learning_gate import equal, model, NAMES, settle, until_due
import pytest
from small_trackers import clip, quick
import torch

from tracking_nodes.nn.device import side_stream
from tracking_nodes.online import background
from tracking_nodes.online.background import BackgroundLearner, learning_thread, updates_in_time
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime

CPU = torch.device('cpu')


def test_an_update_is_taken_over_once_and_only_when_it_has_ended(gate):
    learner, adopted = BackgroundLearner(CPU), []
    gate.opened.clear()
    before = time.monotonic()
    assert learner.take_over() is None and not learner.running
    assert learner.submit(lambda: 3, lambda taken: 2 * taken, adopted.append)
    assert learner.running and learner.take_over() is None
    learner.check()
    gate.opened.set()
    settle(lambda: learner.running)
    assert adopted == []
    assert before <= learner.take_over() <= time.monotonic() and adopted == [6]
    assert learner.take_over() is None and adopted == [6]


def test_what_is_due_while_one_runs_is_skipped_and_never_queued(gate):
    learner, adopted, taken = BackgroundLearner(CPU), [], []
    gate.opened.clear()
    answers = [learner.submit(lambda number=number: taken.append(number) or number,
                              lambda taken: taken, adopted.append) for number in range(4)]
    assert answers == [True, False, False, False] and learner.skipped == 3
    gate.opened.set()
    settle(lambda: learner.running)
    learner.take_over()
    # Not even a snapshot was taken for the others.
    assert taken == adopted == [0] and gate.began == 1


def test_what_ended_and_is_not_yet_taken_over_is_not_lost_to_the_next_one():
    learner, adopted = BackgroundLearner(CPU), []
    assert learner.submit(lambda: 1, lambda taken: taken, adopted.append)
    settle(lambda: learner.running)
    assert not learner.submit(lambda: 2, lambda taken: taken, adopted.append)
    assert learner.take_over() is not None and adopted == [1] and learner.skipped == 1
    assert learner.submit(lambda: 3, lambda taken: taken, adopted.append)


def test_an_error_is_raised_once_by_the_check_and_the_thread_goes_on(gate):
    learner, adopted = BackgroundLearner(CPU), []
    gate.error = ArithmeticError('told to fail')
    learner.submit(lambda: 1, lambda taken: taken, adopted.append)
    settle(lambda: learner.running)
    assert learner.take_over() is None
    with pytest.raises(ArithmeticError, match='told to fail'):
        learner.check()
    learner.check()
    assert learner.failed == 1
    gate.error = None
    assert learner.submit(lambda: 2, lambda taken: taken, adopted.append)
    settle(lambda: learner.running)
    assert learner.take_over() is not None and adopted == [2]


@pytest.mark.parametrize('error', [None, ArithmeticError('of a target that is gone')])
def test_what_was_dropped_is_never_adopted_and_still_keeps_the_thread(gate, error):
    learner, adopted = BackgroundLearner(CPU), []
    gate.opened.clear()
    gate.error = error
    learner.submit(lambda: 1, lambda taken: taken, adopted.append)
    learner.drop()
    assert not learner.submit(lambda: 2, lambda taken: taken, adopted.append)
    gate.opened.set()
    settle(lambda: learner.running)
    learner.check()
    assert learner.take_over() is None and adopted == []
    gate.error = None
    assert learner.submit(lambda: 3, lambda taken: taken, adopted.append)
    settle(lambda: learner.running)
    assert learner.take_over() is not None and adopted == [3]


def test_while_frames_are_late_every_second_update_is_put_off():
    learner, late, begun = BackgroundLearner(CPU), iter([True, True, True, True, False, False]), []
    with updates_in_time(lambda: next(late)):
        for _ in range(8):
            begun.append(learner.submit(lambda: 1, lambda taken: taken, lambda learned: None))
            assert learner.put_off is not begun[-1]
            settle(lambda: learner.running)
            learner.take_over()
    # Only where nothing was put off just before is it asked whether frames are late.
    assert begun == [False, True, False, True, False, True, False, True]
    assert learner.skipped == 4


def test_what_is_skipped_since_one_runs_is_not_put_off(gate):
    learner = BackgroundLearner(CPU)
    gate.opened.clear()
    assert learner.submit(lambda: 1, lambda taken: taken, [].append)
    with updates_in_time(lambda: pytest.fail('asked for nothing')):
        assert not learner.submit(lambda: 2, lambda taken: taken, [].append)
    assert learner.skipped == 1 and not learner.put_off
    gate.opened.set()


def of_learning():
    return [thread for thread in threading.enumerate() if thread.name.startswith('learning')]


def test_the_thread_ends_with_its_learner(gate):
    gc.collect()
    settle(of_learning)
    learner = BackgroundLearner(CPU)
    assert not of_learning()
    gate.opened.clear()
    learner.submit(lambda: 1, lambda taken: taken, [].append)
    assert len(of_learning()) == 1
    del learner
    gc.collect()
    # It is in the middle of an update, which nobody waits for any more.
    assert len(of_learning()) == 1
    gate.opened.set()
    settle(of_learning)


def test_a_process_ends_while_an_update_runs():
    code = ('import time, torch\n'
            'from tracking_nodes.online.background import BackgroundLearner\n'
            "learner = BackgroundLearner(torch.device('cpu'))\n"
            'learner.submit(lambda: 1, lambda taken: time.sleep(0.5), print)\n'
            "print('done')\n")
    result = subprocess.run([sys.executable, '-c', code], timeout=60, text=True,
                            capture_output=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, 'done\n', '')


# --- the stream of a GPU ---

class Stream:
    """Stands for a stream; keeps what happens to it, in order."""

    device = 'the GPU'

    def __init__(self, calls):
        self.calls = calls

    def wait_event(self, event):
        self.calls.append(f'wait for {event}')

    def synchronize(self):
        self.calls.append('synchronise')

    def record_event(self):
        self.calls.append('record')
        return 'the frames'

    def __enter__(self):
        self.calls.append('enter')

    def __exit__(self, *error):
        self.calls.append('leave')


@pytest.mark.parametrize('error', [None, ArithmeticError()])
def test_an_update_computes_on_its_stream_between_the_frames_work_and_its_own_end(
        monkeypatch, error):
    calls = []
    stream = Stream(calls)
    monkeypatch.setattr(background, 'side_stream', lambda device: stream)
    monkeypatch.setattr(torch.cuda, 'current_stream', lambda device: stream)
    monkeypatch.setattr(torch.cuda, 'stream', lambda each: each)

    def train(taken):
        calls.append('train')
        if error is not None:
            raise error

    learner = BackgroundLearner(CPU)
    learner.submit(lambda: calls.append('snapshot'), train, calls.append)
    settle(lambda: learner.running)
    # The event comes after the snapshot: it may have begun work of its own.
    assert calls == ['snapshot', 'record', 'wait for the frames', 'enter', 'train', 'leave',
                     'synchronise']


def test_a_cpu_has_no_stream():
    assert side_stream(CPU) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU here')
@pytest.mark.parametrize('name', NAMES)
def test_on_a_gpu_updates_compute_on_a_stream_of_their_own(monkeypatch, name):
    images, boxes = clip(24)
    used, original = [], background._train
    monkeypatch.setattr(background, '_train', lambda train, *rest: original(
        lambda taken: (used.append(torch.cuda.current_stream()), train(taken))[1], *rest))
    tracker = registry.create(name, {**quick(name), 'present_threshold': 0.0},
                              Runtime('cuda', learning='background'))
    tracker.start(images[0], boxes[0])
    before, number = model(tracker), until_due(tracker)
    settle(lambda: tracker.progress.running)
    tracker.locate(images[number])
    assert tracker.progress.updates == 1 and not equal(model(tracker), before)
    assert used == [tracker._background._stream] != [torch.cuda.current_stream()]
    assert all(torch.isfinite(each).all() for each in model(tracker))


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux has priorities of threads')
def test_the_learning_thread_gives_way_to_the_frames():
    def priority():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    here = priority()
    with learning_thread() as thread:
        assert thread.submit(priority).result() == min(here + 5, 19)
        begun = []
        other = threading.Thread(target=lambda: begun.append(priority()))
        # As those that PyTorch computes with, which the learner starts.
        thread.submit(other.start).result()
        other.join()
    assert begun == [min(here + 5, 19)] and priority() == here
