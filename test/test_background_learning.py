"""Learning beside the frames: nothing waits, updates are skipped, swapped in whole, or dropped."""
import time

from learning_gate import (
    equal, frame, model, NAMES, PATIENCE, same, settle, started, until_due)
import pytest
from small_trackers import clip, make
import torch

from tracking_nodes import cli
from tracking_nodes.errors import SettingError
from tracking_nodes.online.background import updates_in_time
from tracking_nodes.sequences.folder_writer import write_folder
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import LEARNING, Progress, Runtime
from tracking_nodes.trackers.updates import Due


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
def test_where_frames_are_late_an_update_begins_a_frame_later(gate, name):
    images, _ = clip(24)
    begun = {}
    for late in (False, True):
        tracker, begun[late], gate.began = started(name), [], 0
        with updates_in_time(lambda late=late: late):
            for number, image in enumerate(images[1:10], start=1):
                before = gate.began
                frame(tracker, image)
                settle(lambda: tracker.progress.running)
                if gate.began > before:
                    begun[late].append(number)
    # TSN and EDCF learn from every frame.
    often = name in ('tsn', 'edcf')
    assert begun[False] == (list(range(1, 10)) if often else [3, 6, 9])
    assert begun[True] == ([2, 4, 6, 8] if often else [4, 7])


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
