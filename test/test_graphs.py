"""CUDA graphs: off without a word on a CPU, replayed by shape, and what they ask of trackers."""
import numpy as np
import pytest
from recorded_operations import FORBIDDEN, names, Recorder, stand_in
from small_trackers import clip, make
import torch

from tracking_nodes.nn.graphs import graphed
from tracking_nodes.nodes.parameters import NodeSettings
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime

CUDA = torch.device('cuda:0')


def doubled(given):
    return [2 * given, given.sum(dim=0)]


@pytest.fixture
def fake_cuda(monkeypatch):
    """Let recordings go through the stand-in, and return those that were made."""
    return stand_in(monkeypatch)


@pytest.mark.parametrize('device, wanted', [
    (torch.device('cpu'), True), (torch.device('cpu'), False), (CUDA, False)])
def test_elsewhere_the_function_itself_is_called(device, wanted):
    assert graphed(doubled, device, wanted) is doubled


def test_a_recording_is_made_for_each_shape_and_replayed_on_new_values(fake_cuda):
    calls = []
    replayed = graphed(lambda given: calls.append(1) or doubled(given), CUDA, True)
    for index, shape in enumerate([(2, 3), (4, 3), (2, 3), (4, 3), (2, 3)]):
        given = torch.full(shape, float(index))
        for found, expected in zip(replayed(given), doubled(given)):
            assert torch.equal(found, expected)
    assert [graph.replayed for graph in fake_cuda] == [3, 2]


def test_what_a_replay_returned_outlives_the_next(fake_cuda):
    replayed = graphed(doubled, CUDA, True)
    first, kept = replayed(torch.ones(2, 3)), doubled(torch.ones(2, 3))
    replayed(torch.zeros(2, 3))
    assert all(map(torch.equal, first, kept))


def test_a_tracker_that_asks_for_graphs_on_a_cpu_is_the_same_without_a_word(recwarn, caplog):
    assert not NodeSettings().graphs
    images, boxes = clip()
    found = []
    for wanted in (False, True):
        tracker = registry.create('edcf', {'weights': 'random', 'precision': 'float32'},
                                  Runtime(device='cpu', graphs=wanted))
        tracker.start(images[0], boxes[0])
        found.append(tracker.locate(images[1]).box)
    np.testing.assert_array_equal(*found)
    assert not recwarn.list and not caplog.records


@pytest.mark.parametrize('name', ['edcf', 'tsn', 'gstp'])
def test_the_passes_of_a_tracker_go_through_the_recording(name, fake_cuda, monkeypatch):
    module = {'edcf': 'trackers.edcf', 'tsn': 'online.features', 'gstp': 'online.global_search'}
    images, boxes = clip()
    plain = make(name)
    monkeypatch.setattr(f'tracking_nodes.{module[name]}.graphed',
                        lambda function, device, wanted: graphed(function, CUDA, True))
    replaying = make(name)
    for tracker in (plain, replaying):
        tracker.start(images[0], boxes[0])
    for image in images[1:4]:
        np.testing.assert_array_equal(replaying.locate(image).box, plain.locate(image).box)
    assert max(graph.replayed for graph in fake_cuda) >= 3


@pytest.mark.parametrize('name', ['edcf', 'rman', 'tsn', 'cstnet', 'gstp'])
def test_a_pass_is_the_same_operations_on_the_same_shapes_in_every_frame(name):
    images, boxes = clip()
    tracker = make(name)
    tracker.start(images[0], boxes[0])
    passes = []
    for image in images[1:5]:
        views = tracker.looker.views(image)
        with Recorder() as recorder:
            tracker.see(views)
        passes.append(recorder.seen)
        tracker.locate(image)
        tracker.learn()
    assert passes[0] and all(each == passes[0] for each in passes)
    assert not names(passes[0]) & set(FORBIDDEN)


@pytest.mark.parametrize('name', ['edcf', 'rman', 'tsn'])
def test_only_frozen_networks_compute_in_half_precision(name):
    images, boxes = clip()
    tracker = make(name, precision='bfloat16', **(
        {} if name == 'edcf' else {'update_every': 1, 'present_threshold': 0.0}))
    tracker.start(images[0], boxes[0])
    with Recorder() as recorder:
        for image in images[1:4]:
            tracker.locate(image)
            tracker.learn()
    halves = {operation.split('.')[0] for operation, tensors in recorder.seen
              if any(dtype in (torch.bfloat16, torch.float16) for _, dtype in tensors)}
    assert halves & {'convolution', 'conv2d'}
    # Transforms, losses, what is learned and its gradients.
    assert not {each for each in halves if 'fft' in each or 'backward' in each or 'addmm' in each
                or 'loss' in each or each.startswith(('mm', 'bmm', '_foreach', 'sigmoid'))}
    assert names(recorder.seen) & (
        {'fft_rfft2', '_fft_r2c'} if name == 'edcf' else {'mm', 'addmm'})
