"""Updates as CUDA graphs: what a step asks of a recording, and that replaying learns the same."""
from collections import defaultdict
import copy
import threading

from learning_gate import equal, NAMES, settle
import numpy as np
import pytest
from recorded_operations import FORBIDDEN, FROM_HOST, names, Recorder, stand_in, tensors
from small_trackers import clip, quick, run
import torch

from tracking_nodes.nn import graphs
from tracking_nodes.online import learner as learner_module
from tracking_nodes.online.classifier import ClassifierSettings, MINING, OnlineClassifier
from tracking_nodes.online.descent import Descent
from tracking_nodes.online.recorded_descent import RecordedDescent
from tracking_nodes.online.response_learning import SpatialLearner, SpatialSettings
from tracking_nodes.online.sample_memory import FrameSamples, SampleMemory
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.trackers.rman import Rman, RmanLearner, RmanSettings
from tracking_nodes.trackers.tsn import SimilarityLearner, TsnSettings

D, CONTEXTS, CELLS = 6, 3, 12
CPU = torch.device('cpu')
SMALL = {'hidden': 8, 'batch_frames': 4, 'first_iterations': 3}


def draw(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Windows:
    """Features of a frame of which only windows are asked for."""

    def __init__(self, seed):
        self.seed = seed

    def windows(self, boxes, scale, cells):
        """Return (N, 2, cells, cells)."""
        return draw(self.seed, len(boxes), 2, cells, cells)


class Pupil:
    """
    A learner, what later frames teach it, and how it is updated, each time in another way.

    Its own first frame is 0.
    """

    def __init__(self, make, sample, hows):
        self.learner, self.sample, self.hows = make, sample, hows

    def __call__(self, graphs):
        """Return a learner of the first frame."""
        return self.learner(np.random.default_rng(0), torch.Generator().manual_seed(0), graphs)

    def teach(self, learner, number):
        """Let a learner see a later frame."""
        self.sample(learner, number)


def samples(number, extra=0):
    """Return the samples of a frame; the last of them has no positives."""
    return FrameSamples(draw(number, 20 if number % 5 else 0 if number else 20, D + extra) + 0.5,
                        draw(100 + number, 30, D + extra), draw(200 + number, CONTEXTS, D))


def overlapping(number):
    """Return samples that end in an overlap."""
    taught = samples(number, 1)
    for each in (taught.positives, taught.negatives):
        each[:, -1].sigmoid_()
    return taught


def rman(row='baseline+lstm+mal+la+lb'):
    settings = RmanSettings(**SMALL, pairs=8, **Rman.ablation[row])
    return Pupil(lambda rng, generator, graphs: RmanLearner(samples(0), settings, rng, generator,
                                                            graphs),
                 lambda learner, number: learner.memory.add(samples(number)),
                 [{'iterations': 3, 'rate': 3e-4}, {'iterations': 2, 'rate': 1e-4}])


def similarity(**changes):
    settings = TsnSettings(**SMALL, pairs=8, rate=1e-2, **changes)
    return Pupil(lambda rng, generator, graphs: SimilarityLearner(overlapping(0), settings, rng,
                                                                  generator, graphs),
                 lambda learner, number: learner.memory.add(overlapping(number)),
                 [{'iterations': 3}, {'iterations': 1}])


def spatial():
    settings = SpatialSettings(spatial_cells=CELLS, spatial_first_channels=4,
                               spatial_second_channels=4, spatial_first_iterations=3,
                               spatial_iterations=2)
    box = np.array([40.0, 30, 20, 20])
    return Pupil(lambda rng, generator, graphs: SpatialLearner(Windows(0), box, settings, rng,
                                                               generator, graphs),
                 lambda learner, number: learner.collect(Windows(number), box), [{}])


def classifier(mining, momentum=0.9):
    settings = ClassifierSettings(**SMALL, mining=mining, momentum=momentum, batch_positives=8,
                                  batch_negatives=20, hard_negatives=6, update_iterations=3)
    return Pupil(lambda rng, generator, graphs: OnlineClassifier(
                     samples(0).positives, samples(0).negatives, settings, rng, generator, {},
                     '', graphs),
                 lambda learner, number: learner.collect(samples(number).positives,
                                                         samples(number).negatives),
                 [{'recent': False}, {'recent': True}])


PUPILS = {
    **{row: rman(row) for row in Rman.ablation},
    'tsn': similarity(), 'tsn-l2': similarity(loss='l2'), 'tsn all': similarity(dropout=0.0),
    'tsn spatial': spatial(), **{f'cstnet {each}': classifier(each) for each in MINING},
    'no momentum': classifier('contrastive', 0.0)}
each_pupil = pytest.mark.parametrize('pupil', PUPILS.values(), ids=PUPILS)
# One of each kind of batch.
some_pupils = pytest.mark.parametrize('pupil', [PUPILS[name] for name in (
    'baseline+lstm+mal+la+lb', 'tsn', 'tsn spatial', 'cstnet contrastive')])


@pytest.fixture
def recorded(monkeypatch):
    """Let steps be replayed where asked for, on this CPU; return the recordings."""
    monkeypatch.setattr(learner_module, 'replays', lambda device, wanted: wanted)
    return stand_in(monkeypatch)


@pytest.fixture
def padded(monkeypatch):
    """Let all learners have as many contexts as a recorded one, to compare bit by bit."""
    plain = SampleMemory.draw
    monkeypatch.setattr(SampleMemory, 'draw', lambda *args, **options: plain(
        *args, **{**options, 'padded': True}))


def state(learner):
    """Return copies of all parameters and of their momentum."""
    network, states = learner.network, learner._descent.optimiser.state
    return [each.detach().clone() for each in (
        *network.parameters(), *(states[each]['momentum_buffer'] for each in network.parameters()
                                 if 'momentum_buffer' in states[each]))]


# --- replaying learns the same ---

@each_pupil
def test_replayed_updates_give_the_parameters_of_the_plain_ones(pupil, recorded, padded):
    plain, replayed = pupil(False), pupil(True)
    assert (plain.replays, replayed.replays) == (False, True)
    assert equal(state(plain), state(replayed))
    for number in range(1, 9):
        before = state(plain)
        for each in (plain, replayed):
            pupil.teach(each, number)
            each.update(**pupil.hows[number % len(pupil.hows)])
        assert equal(state(plain), state(replayed)) and not equal(state(plain), before)
    # All steps of all updates are replays of a few recordings.
    assert 1 <= len(recorded) <= 3 and len(recorded) == len(replayed._descent._recorded)
    assert sum(graph.replayed for graph in recorded) > 10


@some_pupils
def test_without_padding_they_are_those_but_for_the_rounding(pupil, recorded):
    plain, replayed = pupil(False), pupil(True)
    for number in range(1, 6):
        for each in (plain, replayed):
            pupil.teach(each, number)
            each.update(**pupil.hows[0])
    for one, other in zip(state(plain), state(replayed)):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_more_rates_than_are_kept_are_recorded_anew_and_learn_the_same(recorded, padded):
    pupil = PUPILS['baseline+lstm+mal+la+lb']
    plain, replayed = pupil(False), pupil(True)
    for rate in [*np.linspace(1e-5, 1e-4, 12), 1e-5]:
        for each in (plain, replayed):
            each.update(1, float(rate))
    assert equal(state(plain), state(replayed))
    assert len(replayed._descent._recorded) == 8 and len(recorded) == 14


@some_pupils
def test_rehearsals_and_a_recording_change_nothing(pupil, recorded, monkeypatch):
    plain, replayed = pupil(False), pupil(True)
    pupil.teach(replayed, 1)
    before = state(replayed)
    replayed._descent._recorded.clear()
    monkeypatch.setattr('recorded_operations.Graph.replay', lambda graph: None)
    replayed.update(**pupil.hows[0])
    assert equal(state(replayed), before) and len(recorded) > 1
    # Before its first step, too, momentum is what the first step makes it from.
    untaught = pupil(True)
    assert not any(each.any() for each in state(untaught)[len(list(plain.network.parameters())):])


def test_a_rehearsal_that_fails_changes_nothing(recorded):
    replayed = PUPILS['tsn'](True)
    before, calls = state(replayed), []

    def failing(batch):
        calls.append(1)
        if len(calls) == 2:
            raise FloatingPointError('told to fail')
        return replayed.loss(batch)
    with pytest.raises(FloatingPointError):
        replayed._descend(1, 0.5, replayed._batch, failing)
    assert equal(state(replayed), before)


def test_two_threads_do_not_record_at_the_same_time(recorded):
    inside, most, gate = [], [], threading.Barrier(2)

    def function():
        inside.append(1)
        most.append(len(inside))
        settle(iter([True, True, True, False]).__next__)
        inside.pop()
    threads = [threading.Thread(target=lambda: (gate.wait(), graphs.record(function, CPU)))
               for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most == [1] * 8


# --- what a step asks of a recording ---

class OnDevice(Recorder):
    """Sees to it that every tensor is on the one device that holds no numbers."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = super().__torch_dispatch__(function, types, args, kwargs)
        found = {each.device.type for each in tensors((args, kwargs, results))}
        assert found <= {'meta'}, (function, found)
        assert not [each for each in torch.utils._pytree.tree_leaves((args, kwargs))
                    if isinstance(each, torch.Generator)]
        return results


def on_device(loss):
    """Return a loss's descent and itself, of a copy of its learner on a device without numbers."""
    learner = copy.copy(loss.__self__)
    network = copy.deepcopy(learner.network).to('meta')
    learner._descent = RecordedDescent(network, torch.optim.SGD(
        network.parameters(), momentum=0.9, weight_decay=1e-4, foreach=True), 10.0)
    return learner._descent, getattr(learner, loss.__name__)


@each_pupil
def test_a_step_is_the_same_operations_on_the_same_shapes_and_all_on_the_device(
        pupil, recorded, monkeypatch):
    steps = defaultdict(list)

    def step(descent, rate, loss, batch, *how):
        with Recorder() as recorder:
            Descent.step(descent, rate, loss, batch, *how)
        steps[how].append(recorder.seen)
        if len(steps[how]) > 1:
            return
        elsewhere, same = on_device(loss)
        batch = batch._make(each if each is None else each.to('meta') for each in batch)
        with OnDevice() as recorder:
            # Whatever reads a number back, or has a shape that depends on one, fails here.
            Descent.step(elsewhere, rate, same, batch, *how)
        assert len(recorder.seen) > 10
    monkeypatch.setattr(RecordedDescent, 'step', step)
    learner = pupil(True)
    for number in range(1, 7):
        pupil.teach(learner, number)
        learner.update(**pupil.hows[number % len(pupil.hows)])
    assert sum(map(len, steps.values())) > 8
    for seen in steps.values():
        assert all(each == seen[0] for each in seen)
        kinds = names(seen[0])
        assert not kinds & {*FORBIDDEN, *FROM_HOST}
        assert not [each for each in kinds if 'rand' in each or 'dropout' in each
                    or each.startswith(('bernoulli', 'uniform', 'normal_', 'exponential'))]
        assert '_foreach_norm' in kinds and '_foreach_add_' in kinds


@pytest.mark.parametrize('name', ['baseline+lstm+mal+la+lb', 'tsn', 'tsn all'])
def test_padding_changes_no_gradient_and_no_index_points_to_it(name):
    pupil = PUPILS[name]
    learner = pupil(False)
    for number in range(1, 7):
        pupil.teach(learner, number)
    learner.network.double()
    found = []
    for padded in (False, True):
        batch = learner.memory.draw(np.random.default_rng(3), 8, 8, 4, padded=padded)
        used = torch.cat([batch.positive_frame, batch.negative_frame])
        distinct = len(used.unique())
        assert int(used.max()) == distinct - 1
        assert len(batch.contexts) == (8 if padded else distinct) and distinct < 8
        assert all(torch.equal(each, batch.contexts[distinct - 1])
                   for each in batch.contexts[distinct:])
        batch = batch._replace(**{each: getattr(batch, each).double() for each in (
            'positives', 'negatives', 'contexts')})
        found.append(torch.autograd.grad(learner.loss(batch), list(learner.network.parameters())))
    for one, other in zip(*found):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


# --- beside the network in use ---

def learned(learner, seed, **how):
    """Return a snapshot that has learned."""
    taken = learner.snapshot(seed)
    taken.detach()
    taken.update(**how)
    return taken


@some_pupils
def test_two_networks_take_turns_and_the_one_in_use_is_never_written_to(pupil, recorded, padded):
    plain, replayed = pupil(False), pupil(True)
    memory = set()
    for number in range(1, 9):
        for each in (plain, replayed):
            pupil.teach(each, number)
        before, network = state(replayed), replayed.network
        taken = [learned(each, number, **pupil.hows[0]) for each in (plain, replayed)]
        assert taken[1].network is not network is replayed.network
        assert equal(state(replayed), before) and not equal(state(taken[1]), before)
        for each, trained in zip((plain, replayed), taken):
            each.adopt(trained)
        assert replayed.network is taken[1].network
        assert equal(state(plain), state(replayed))
        memory.update(each.data_ptr() for each in replayed.network.parameters())
        if number == 3:
            made = len(recorded)
    # Two sets of parameters for ever, and no recording after each has made its own.
    assert len(memory) == 2 * len(list(replayed.network.parameters()))
    assert len(recorded) == made


@some_pupils
def test_an_update_that_was_dropped_or_failed_leaves_nothing_behind(
        pupil, recorded, padded, monkeypatch):
    plain, replayed = pupil(False), pupil(True)
    for number in range(1, 4):
        for each in (plain, replayed):
            pupil.teach(each, number)
        learned(replayed, 70 + number, **pupil.hows[0])
        with monkeypatch.context() as patch:
            def failing(graph):
                original(graph)
                raise FloatingPointError('told to fail')
            original = type(recorded[0]).replay
            patch.setattr(type(recorded[0]), 'replay', failing)
            with pytest.raises(FloatingPointError):
                learned(replayed, 80 + number, **pupil.hows[0])
        assert equal(state(plain), state(replayed))
        for each in (plain, replayed):
            each.adopt(learned(each, number, **pupil.hows[0]))
        assert equal(state(plain), state(replayed))


# --- whole trackers ---

def tracker(name, **runtime):
    return registry.create(name, {**quick(name), **(
        {} if name == 'edcf' else {'update_every': 2, 'present_threshold': 0.0})},
        Runtime(device='cpu', **runtime))


@pytest.fixture
def recorded_filter(recorded, monkeypatch):
    """Let also be replayed what EDCF's update computes; return all recordings."""
    graphed = graphs.graphed
    monkeypatch.setattr(graphs, 'replays', lambda device, wanted: wanted)
    monkeypatch.setattr('tracking_nodes.trackers.edcf.graphed', graphed)
    return recorded


@pytest.mark.parametrize('name', NAMES)
def test_a_tracker_that_replays_its_updates_finds_the_same(name, recorded_filter, padded):
    images, boxes = clip()
    plain = run(tracker(name), images, boxes[0])
    assert not recorded_filter
    replayed = run(tracker(name, graphs=True), images, boxes[0])
    assert recorded_filter
    for one, other in zip(plain, replayed):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('name', NAMES)
def test_so_does_one_that_learns_in_the_background(name, recorded_filter, padded):
    images, boxes = clip()
    found = []
    for wanted in (False, True):
        each, rows = tracker(name, learning='background', graphs=wanted), []
        # The second target starts while an update of the first may be under way.
        for _ in range(2):
            each.start(images[0], boxes[0])
            for image in images[1:]:
                rows.append(each.locate(image).box)
                each.learn()
                settle(lambda: each.progress.running)
        assert each.progress.updates > 2 and not each.progress.failed
        found.append(rows)
    assert recorded_filter
    np.testing.assert_array_equal(*found)


def test_the_filter_of_an_update_is_replayed_and_that_of_a_start_is_not(recorded_filter):
    images, boxes = clip()
    each = tracker('edcf', graphs=True)
    each.start(images[0], boxes[0])
    assert not recorded_filter
    for image in images[1:6]:
        each.locate(image)
        each.learn()
    assert sorted(graph.replayed for graph in recorded_filter) == [5, 5]
    for graph in recorded_filter:
        assert not names(graph.seen) & {*FORBIDDEN, *FROM_HOST}


@pytest.mark.parametrize('name', NAMES)
def test_on_a_cpu_graphs_change_nothing_without_a_word(name, recwarn, caplog):
    images, boxes = clip()
    found = [run(tracker(name, graphs=wanted), images, boxes[0]) for wanted in (False, True)]
    for one, other in zip(*found):
        np.testing.assert_array_equal(one, other)
    assert not recwarn.list and not caplog.records
