"""Learning beside the frames: nothing waits, updates are skipped, swapped in whole, or dropped."""
import gc
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from small_trackers import clip, make, quick, ROBUST
import torch

from tracking_nodes import cli
from tracking_nodes.errors import SettingError
from tracking_nodes.nn.device import side_stream
from tracking_nodes.online import background
from tracking_nodes.online.background import BackgroundLearner
from tracking_nodes.sequences.folder_writer import write_folder
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import LEARNING, Progress, Runtime
from tracking_nodes.trackers.redetection import Redetecting
from tracking_nodes.trackers.updates import Due

CPU = torch.device('cpu')
NAMES = ['rman', 'tsn', 'cstnet', 'edcf']
PATIENCE = 20.0


class Gate:
    """Holds up updates: they train while it is open and wait while it is closed."""

    def __init__(self):
        self.opened, self.began, self.error = threading.Event(), 0, None
        self.opened.set()

    def hold(self, train):
        """Return the function that trains, behind this gate."""
        def held(taken):
            self.began += 1
            assert self.opened.wait(PATIENCE)
            if self.error is not None:
                raise self.error
            return train(taken)
        return held


@pytest.fixture
def gate(monkeypatch):
    """Return the gate that all updates of this test go through."""
    gate, original = Gate(), background._train
    monkeypatch.setattr(background, '_train', lambda train, taken, stream, ready: original(
        gate.hold(train), taken, stream, ready))
    yield gate
    gate.opened.set()


def settle(running):
    """Wait until a function says that nothing runs."""
    deadline = time.monotonic() + PATIENCE
    while running():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def started(name, **changes):
    """Return a quick tracker that learns in the background, on the first image of the clip."""
    images, boxes = clip(24)
    tracker = make(name, learning='background', **{'present_threshold': 0.0, **changes})
    tracker.start(images[0], boxes[0])
    return tracker


def frame(tracker, image):
    """Locate and learn; return the `Location`."""
    found = tracker.locate(image)
    tracker.learn()
    return found


def until_due(tracker):
    """Go on frame by frame until an update begins; return the number of the next image."""
    for number, image in enumerate(clip(24)[0][1:], start=1):
        frame(tracker, image)
        if tracker.progress.running:
            return number + 1
    raise AssertionError('no update was due')


def learners(tracker):
    """Return the learners of a tracker by detection."""
    held = [getattr(tracker, name, None) for name in (
        '_learner', '_classifier', '_similarity', '_spatial')]
    temporal = getattr(tracker, '_temporal', None)
    return [each for each in (*held, temporal and temporal.classifier) if each is not None]


def model(tracker):
    """Return copies of all tensors that the tracker has learned."""
    if hasattr(tracker, '_filter'):
        return [tracker._filter.clone()]
    return [value.clone() for each in learners(tracker)
            for value in each.network.state_dict().values()]


def equal(one, other):
    return len(one) == len(other) and all(map(torch.equal, one, other))


def same(one, other):
    return np.array_equal(one.box, other.box) and one.score == other.score


# --- the thread ---

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


# --- the trackers ---

@pytest.mark.parametrize('name', NAMES)
def test_no_frame_waits_for_an_update_and_learning_falls_behind_by_skipping(gate, name):
    images, _ = clip(24)
    tracker = started(name)
    gate.opened.clear()
    before, begin = model(tracker), time.monotonic()
    for image in images[1:]:
        tracker.locate(image)
        assert tracker.learn() is False
        assert equal(model(tracker), before)
    progress = tracker.progress
    assert (progress.updates, progress.running, gate.began) == (0, True, 1)
    # Every frame is learned from by TSN and EDCF, every third one by the others.
    turns = 23 if name in ('tsn', 'edcf') else 23 // 3
    assert progress.skipped == turns - 1
    # The model is still that of the first frame.
    assert progress.age > time.monotonic() - begin


@pytest.mark.parametrize('name', NAMES)
def test_a_model_is_swapped_in_whole_between_two_frames(gate, name):
    images, boxes = clip(24)
    tracker = started(name, **({} if name == 'edcf' else {'update_every': 1}))
    gate.opened.clear()
    number = until_due(tracker)
    before, box = model(tracker), boxes[number]
    expected = tracker.verify(images[number], box)
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    # Trained, but not taken over: all that a frame asks is answered by the old model.
    assert equal(model(tracker), before)
    assert same(tracker.verify(images[number], box), expected)
    assert tracker.progress.updates == 0
    tracker.locate(images[number])
    assert not any(map(torch.equal, model(tracker), before))
    assert tracker.progress.updates == 1 and tracker.learn() is True


@pytest.mark.parametrize('name', NAMES)
def test_what_is_swapped_in_is_what_the_same_snapshot_and_draws_give_inline(gate, name):
    images, _ = clip(24)
    tracker = started(name, seed=5)
    gate.opened.clear()
    number = until_due(tracker)
    if name == 'edcf':
        # Only the image is gone by now; it is the one before.
        tracker._image = images[number - 1]
        expected = [tracker._train(tracker._snapshot())]
        tracker._image = None
    else:
        due = tracker._due()
        if tracker._temporal is not None:
            due.append(Due('temporal', tracker._temporal.classifier, {'recent': False}))
        expected = []
        for place, each in enumerate(due):
            twin = each.learner.snapshot((5, tracker._index, place))
            twin.detach()
            twin.update(**each.how)
            expected.append((each.learner, twin))
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    tracker.locate(images[number])
    if name == 'edcf':
        assert equal(model(tracker), expected)
        return
    assert expected
    for learner, twin in expected:
        assert equal(list(learner.network.parameters()), list(twin.network.parameters()))


@pytest.mark.parametrize('name', NAMES)
def test_where_every_update_ends_before_the_next_frame_runs_are_bit_identical(name):
    images, boxes = clip(24)
    found = []
    for _ in range(2):
        tracker = started(name, seed=2)
        run = []
        for image in images[1:]:
            shown = image.copy()
            run.append(tracker.locate(shown))
            tracker.learn()
            # A camera driver may use the memory again while the update runs.
            shown[:] = 0
            settle(lambda: tracker.progress.running)
        assert tracker.progress.updates > 2 and tracker.progress.skipped == 0
        found.append(run)
    assert all(map(same, *found))


@pytest.mark.parametrize('name', NAMES[:3])
def test_training_takes_none_of_the_draws_of_locating(gate, name):
    tracker = started(name)
    gate.opened.clear()
    until_due(tracker)
    before = tracker._rng.bit_generator.state, tracker._generator.get_state()
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    assert before[0] == tracker._rng.bit_generator.state
    assert torch.equal(before[1], tracker._generator.get_state())


@pytest.mark.parametrize('name', NAMES)
def test_a_new_target_is_not_taught_what_was_learned_of_the_old_one(gate, name):
    images, boxes = clip(24)
    tracker = started(name)
    first = model(tracker)
    gate.opened.clear()
    until_due(tracker)
    tracker.start(images[0], boxes[0])
    assert tracker.progress.updates == tracker.progress.skipped == 0
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    tracker.locate(images[1])
    assert equal(model(tracker), first) and tracker.progress.updates == 0
    # Learning goes on with the new target.
    gate.began = 0
    for image in images[2:10]:
        frame(tracker, image)
        settle(lambda: tracker.progress.running)
    tracker.locate(images[10])
    assert tracker.progress.updates == gate.began > 0


@pytest.mark.parametrize('name', NAMES)
def test_an_error_of_an_update_is_raised_by_the_next_learn_and_learning_goes_on(gate, name):
    images, _ = clip(24)
    tracker = started(name)
    before = model(tracker)
    gate.error = FloatingPointError('told to fail')
    gate.opened.clear()
    number = until_due(tracker)
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    tracker.locate(images[number])
    with pytest.raises(FloatingPointError, match='told to fail'):
        tracker.learn()
    assert equal(model(tracker), before)
    assert (tracker.progress.failed, tracker.progress.updates) == (1, 0)
    gate.error = None
    for image in images[number + 1:number + 6]:
        frame(tracker, image)
        settle(lambda: tracker.progress.running)
    tracker.locate(images[-1])
    assert tracker.progress.updates > 0 and tracker.progress.failed == 1


def test_the_temporal_nets_turn_is_made_up_for_where_the_spatial_net_was_in_the_way(gate):
    images, _ = clip(24)
    tracker = started('tsn', update_every=3)
    gate.opened.clear()
    frame(tracker, images[1])
    assert tracker.progress.running
    for image in images[2:5]:
        frame(tracker, image)
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    # Frame 5 is nobody's turn but the Spatial Net's, and the Temporal Net's that was skipped.
    before = tracker._similarity.network
    frame(tracker, images[5])
    assert tracker._similarity.network is before
    settle(lambda: tracker.progress.running)
    frame(tracker, images[6])
    assert tracker._similarity.network is not before


@pytest.mark.parametrize('name', NAMES)
def test_it_warms_up_and_forgets_in_the_background_too(name):
    images, boxes = clip(24)
    tracker = make(name, learning='background')
    tracker.warm_up(width=200, height=160)
    assert not tracker.started
    assert tracker.progress == Progress(0, 0, 0, tracker.progress.running, None)
    assert tracker.progress.age is None
    tracker.start(images[0], boxes[0])
    assert 0 <= tracker.progress.age < PATIENCE


@pytest.mark.parametrize('name', NAMES)
def test_an_update_that_ends_while_a_frame_is_learned_is_the_base_of_the_next(gate, name):
    images, _ = clip(24)
    tracker = started(name, **({} if name == 'edcf' else {'update_every': 1}))
    gate.opened.clear()
    number = until_due(tracker)
    before = model(tracker)
    tracker.locate(images[number])
    learn = tracker._learn

    def late():
        # After the first look of this call for what has ended.
        gate.opened.set()
        settle(lambda: tracker.progress.running)
        return learn()
    tracker._learn = late
    assert tracker.learn() is True
    assert not equal(model(tracker), before)
    settle(lambda: tracker.progress.running)
    assert (tracker.progress.updates, tracker.progress.skipped, gate.began) == (1, 0, 2)


class Blind:
    """A detector that finds nothing."""

    def start(self, image, box):
        pass

    def reset(self):
        pass


@pytest.mark.parametrize('name', NAMES)
def test_redetection_passes_it_through(gate, name):
    images, boxes = clip(24)
    inner = make(name, learning='background', present_threshold=0.0)
    tracker = Redetecting(inner, Blind())
    tracker.start(images[0], boxes[0])
    gate.opened.clear()
    number = until_due(tracker)
    assert tracker.progress == inner.progress and tracker.progress.running
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    tracker.locate(images[number])
    assert tracker.learn() is True and tracker.progress.updates == 1
    tracker.reset()
    assert tracker.progress.updates == 0 and tracker.progress.age is None


def test_a_tracker_and_the_filter_around_it_learn_beside_the_frames_and_are_counted_together(gate):
    images, _ = clip(24)
    # What refines knows nothing of random features and would lead away.
    tracker = started('edcf', filter_early=10, robust_refinement=False, **ROBUST)
    held = [tracker._filter.weights, tracker._tracker._filter]
    gate.opened.clear()
    for number in range(1, 5):
        frame(tracker, images[number])
    # Three frames more were answered while both were under way.
    settle(lambda: gate.began < 2)
    assert tracker.progress.running and gate.began == 2
    assert (tracker.progress.updates, tracker.progress.skipped) == (0, 6)
    assert tracker._filter.weights is held[0] and tracker._tracker._filter is held[1]
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    # Trained, but not taken over.
    assert tracker._filter.weights is held[0] and tracker._tracker._filter is held[1]
    tracker.locate(images[5])
    assert tracker._filter.weights is not held[0] and tracker._tracker._filter is not held[1]
    assert tracker.progress.updates == 2 and tracker.learn() is True
    tracker.reset()
    assert tracker.progress.updates == tracker.progress.skipped == 0


def test_verifying_with_the_preset_around_a_tracker_takes_nothing_over(gate):
    images, boxes = clip(24)
    tracker = started('edcf', **ROBUST)
    gate.opened.clear()
    number = until_due(tracker)
    held = tracker._filter.weights, tracker._tracker._filter
    expected = tracker.verify(images[number], boxes[number])
    gate.opened.set()
    settle(lambda: tracker.progress.running)
    assert same(tracker.verify(images[number], boxes[number]), expected)
    assert tracker._filter.weights is held[0] and tracker._tracker._filter is held[1]
    assert tracker.progress.updates == 0


def test_an_error_of_the_filters_update_is_raised_once_and_learning_goes_on(gate):
    images, _ = clip(24)
    tracker = started('gstp', robust_refinement=False, **ROBUST)
    before, gate.error = tracker._filter.weights, FloatingPointError('told to fail')
    frame(tracker, images[1])
    settle(lambda: tracker.progress.running)
    tracker.locate(images[2])
    with pytest.raises(FloatingPointError, match='told to fail'):
        tracker.learn()
    assert tracker._filter.weights is before
    assert (tracker.progress.failed, tracker.progress.updates) == (1, 0)
    gate.error = None
    for image in images[3:5]:
        frame(tracker, image)
        settle(lambda: tracker.progress.running)
    tracker.locate(images[-1])
    assert tracker.progress.updates > 0 and tracker._filter.weights is not before


def test_inline_progress_counts_updates_and_knows_the_models_age():
    images, boxes = clip(24)
    tracker = make('rman', present_threshold=0.0)
    tracker.start(images[0], boxes[0])
    changed = 0
    for image in images[1:8]:
        tracker.locate(image)
        changed += tracker.learn()
        assert tracker.progress.updates == changed
        # Every third frame is learned from; the next ones age.
        assert 0 < tracker.progress.age < PATIENCE
    taught = tracker.progress.taught
    tracker.locate(images[8])
    assert tracker.learn() is False and tracker.progress.taught == taught


# --- how it is asked for ---

@pytest.mark.parametrize('name', NAMES)
def test_inline_is_the_default_and_has_no_thread(name):
    assert Runtime().learning == 'inline'
    assert make(name)._background is None
    assert make(name, learning='background')._background is not None


def test_an_unknown_way_to_learn_is_refused_by_name():
    with pytest.raises(SettingError, match="learning = 'later' is not one of inline, background"):
        Runtime(learning='later')


@pytest.mark.parametrize('learning', LEARNING)
def test_the_benchmark_passes_it_on_and_records_it(tmp_path, learning, monkeypatch):
    write_folder(SyntheticSequence(4), tmp_path / 'clip')
    asked, create = [], registry.create
    monkeypatch.setattr(registry, 'create', lambda name, values, runtime: (
        asked.append(runtime.learning), create(name, values, runtime))[1])
    assert cli.main(['run', '--tracker', 'static', '--out', str(tmp_path / 'out'), '--frames',
                     '3', '--learning', learning, str(tmp_path / 'clip')]) == 0
    assert asked == [learning]
    record = next((tmp_path / 'out').rglob('static/*.json')).read_text()
    assert f'"learning": "{learning}"' in record
