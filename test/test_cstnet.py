"""CSTNet as the paper has it: constants, configurations, schedule of both streams, its weights."""
from itertools import combinations

import numpy as np
import pytest
import safetensors.torch
from small_trackers import clip, held_while_running, make, run
import torch

from tracking_nodes.errors import WeightsError
from tracking_nodes.geometry import iou
from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.trackers.cstnet import Cstnet, CstnetSettings


def started(**changes):
    """Return a quick CSTNet on the first image of the clip."""
    images, boxes = clip()
    tracker = make('cstnet', **changes)
    tracker.start(images[0], boxes[0])
    return tracker


def test_the_defaults_are_the_constants_of_the_paper():
    settings = CstnetSettings()
    assert settings.backbone == 'vggm' and settings.temporal_backbone == 'c3d'
    assert settings.temporal and settings.mining == 'contrastive'
    assert (settings.positive_overlap, settings.temporal_overlap) == (0.7, 0.6)
    assert (settings.crop_size, settings.temporal_size, settings.pool_size) == (107, 224, 3)
    assert (settings.refinement, settings.refinement_weight) == ('ref2', 0.3)
    assert settings.contrastive_weight == 0.01
    assert settings.momentum == 0.9 and settings.box_regression


def test_the_ablation_has_the_rows_of_the_papers_tables():
    rows = list(Cstnet.ablation)
    assert rows[:5] == ['SNet', 'STNet', 'CSTNet', 'CSTNet focal', 'CSTNet ref1']
    assert rows[5:] == ['SNet AlexNet', 'SNet VGG-M', 'SNet VGG-16', 'SNet ResNet-18']
    plain = CstnetSettings()
    for row, changes in Cstnet.ablation.items():
        settings = CstnetSettings(**changes)
        assert settings.temporal == (not row.startswith('SNet'))
        assert (settings.mining == 'ohem') == row.startswith(('SNet', 'STNet'))
        assert settings.refinement == ('ref1' if 'ref1' in row else plain.refinement)


@pytest.fixture(scope='module')
def runs():
    """Return scores and boxes of a short run of every row, and of rows with two streams."""
    images, boxes = clip()
    found = {}
    for row, changes in Cstnet.ablation.items():
        # VGG-16 and AlexNet do not fit into the quick tests; SNet VGG-M is SNet.
        if not row.startswith('SNet ') or row.endswith('ResNet-18'):
            changes = {**changes, 'contrastive_weight': 1.0, 'update_iterations': 8}
            found[row] = run(make('cstnet', **changes), images, boxes[0])
    return found


def test_all_configurations_differ(runs):
    for one, other in combinations(runs, 2):
        assert not np.array_equal(runs[one][1], runs[other][1]), f'{one} is {other}'
    assert all(np.isfinite(scores).all() and any(changed) for _, scores, changed in runs.values())


def recorded_updates(tracker, monkeypatch):
    """Return a list that grows by (stream, recent) with every update."""
    updates = []
    for stream, classifier in (('spatial', tracker._classifier),
                               ('temporal', tracker._temporal.classifier)):
        monkeypatch.setattr(classifier, 'update', lambda recent, stream=stream:
                            updates.append((stream, recent)))
    return updates


def test_both_streams_learn_every_tenth_frame_while_the_target_is_believed(monkeypatch):
    images, _ = clip(24)
    tracker = started(update_every=10, present_threshold=0.0)
    updates = recorded_updates(tracker, monkeypatch)
    for number, image in enumerate(images[1:], start=1):
        tracker.locate(image)
        assert tracker.learn() == (number % 10 == 0)
        assert updates == [('spatial', False), ('temporal', False)] * (number // 10)
    assert len(tracker._classifier.memory) == len(tracker._temporal.classifier.memory) == 24


def test_both_streams_learn_in_every_frame_of_a_failure_from_the_latest_frames(monkeypatch):
    images, _ = clip()
    tracker = started(update_every=10, present_threshold=1.0)
    updates = recorded_updates(tracker, monkeypatch)
    for number, image in enumerate(images[1:], start=1):
        assert not tracker.locate(image).present
        assert tracker.learn() is True
        assert updates == [('spatial', True), ('temporal', True)] * number
    # Nothing is collected of a frame that is not believed.
    assert len(tracker._classifier.memory) == len(tracker._temporal.classifier.memory) == 1


def test_nothing_is_learned_while_locating():
    images, _ = clip()
    tracker = started()
    heads = [tracker._classifier.head, tracker._temporal.classifier.head]
    before = [[value.clone() for value in head.state_dict().values()] for head in heads]
    tracker.locate(images[1])
    for head, values in zip(heads, before):
        assert all(map(torch.equal, head.state_dict().values(), values))


def test_memory_does_not_grow():
    images, _ = clip(24)
    tracker = started(long_memory=3, short_memory=2, present_threshold=0.0)
    early, late = held_while_running(tracker, images[1:], (8, 23))
    assert late <= 1.01 * early
    assert len(tracker._temporal._clip._frames) == 4


def test_it_follows_a_target_with_the_shipped_weights_of_the_backbone():
    images, boxes = clip(24)
    tracker = make('cstnet', temporal=False, weights='', search_size=288, candidates=256,
                   first_positives=200, first_negatives=600, first_iterations=30,
                   batch_negatives=64, hard_negatives=24, regression_samples=400)
    found, scores, _ = run(tracker, images, boxes[0])
    overlap = iou(found, boxes[1:])
    assert overlap.mean() > 0.6 and overlap[-5:].min() > 0.5
    assert scores.mean() > 0.55
    # A box that stays put would not do.
    assert iou(boxes[0], boxes[1:]).min() < 0.3


# Channels of a projection in the quick tests, and length of their features.
CHANNELS, INPUTS = 16, 2 * 16 * 9


def trained(tmp_path, without=(), **changes):
    """Write a file as offline training does and return its path and tensors."""
    generator = torch.Generator().manual_seed(1)
    backbone = load_backbone('vggm', 'random', seed=5)
    tensors = dict(backbone.file_tensors())
    for tap in ('conv2', 'conv3'):
        shape = (CHANNELS, backbone.channels[tap])
        tensors[f'projection.{tap}.weight'] = torch.randn(*shape, generator=generator) / 100
        tensors[f'projection.{tap}.bias'] = torch.zeros(CHANNELS)
    for layer, inputs in (('fc4', INPUTS), ('fc5', 32)):
        tensors[f'{layer}.weight'] = torch.randn(32, inputs, generator=generator) / inputs ** 0.5
        tensors[f'{layer}.bias'] = torch.zeros(32)
    tensors = {name: tensor.contiguous() for name, tensor in {**tensors, **changes}.items()
               if not name.startswith(tuple(without))}
    safetensors.torch.save_file(tensors, tmp_path / 'spatial.safetensors')
    return str(tmp_path / 'spatial.safetensors'), tensors


def test_a_trained_spatial_stream_is_used(tmp_path):
    path, tensors = trained(tmp_path)
    tracker = started(temporal=False, spatial_weights=path, first_rate=0.0)
    assert torch.equal(tracker._extractor.backbone.stages['conv3'].conv.weight,
                       tensors['conv3.weight'])
    for tap, weight in zip(('conv2', 'conv3'), tracker._projection.weights):
        assert torch.equal(weight[:, :, 0, 0], tensors[f'projection.{tap}.weight'])
    assert torch.equal(tracker._classifier.head.fc4.weight, tensors['fc4.weight'])
    images, _ = clip()
    tracker.locate(images[1])
    assert tracker._frame.projection is tracker._projection


def test_parts_that_a_file_lacks_are_found_online(tmp_path):
    path, tensors = trained(tmp_path, without=['projection', 'conv'])
    tracker = started(temporal=False, spatial_weights=path, first_rate=0.0)
    plain = started(temporal=False)
    assert torch.equal(tracker._classifier.head.fc5.weight, tensors['fc5.weight'])
    for one, other in zip(tracker._projection.weights, plain._projection.weights):
        assert torch.equal(one, other)


@pytest.mark.parametrize('without, changes, said', [
    (['projection.conv2'], {}, 'projection.conv3.bias, projection.conv3.weight; with these taps'),
    (['fc5'], {}, 'has no fc5.weight'),
    ([], {'fc4.weight': torch.zeros(32, 7)}, r'fc4.weight is \(32, 7\).*\(32, 288\)'),
    (['conv1'], {}, 'not of this network')])
def test_files_of_another_network_are_refused(tmp_path, without, changes, said):
    path, _ = trained(tmp_path, without, **changes)
    with pytest.raises(WeightsError, match=f'spatial.safetensors.*{said}'):
        started(temporal=False, spatial_weights=path)


def test_a_missing_file_is_refused():
    with pytest.raises(WeightsError, match='absent.safetensors is neither'):
        make('cstnet', spatial_weights='absent.safetensors')
