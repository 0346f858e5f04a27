"""Training of CSTNet's spatial stream: its labels, resuming, and what the tracker reads of it."""
import json

import numpy as np
import pytest
import safetensors.torch
from small_trackers import clip
import torch

from tracking_nodes.geometry import area_side, iou, xywh_to_cxcywh
from tracking_nodes.nn.two_way_head import TwoWayHead
from tracking_nodes.online.features import FeatureExtractor, FeatureSettings, tap_names
from tracking_nodes.online.regions import cut
from tracking_nodes.online.spatial_weights import load_spatial_weights
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.training import cstnet_spatial
from tracking_nodes.training.episodes import Shot

from training_files import write_sequences, write_stills

TAPS = tap_names(FeatureSettings(backbone='alexnet'))


@pytest.fixture(autouse=True)
def few_episodes_to_measure(monkeypatch):
    monkeypatch.setattr(cstnet_spatial, '_MEASURED_EPISODES', 2)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('training')
    write_sequences(root / 'sequences', 9, frames=4)
    write_stills(root)
    return root


@pytest.fixture
def train(folder):
    """Return a function that trains a small network on few episodes."""
    def run(out, *further):
        cstnet_spatial.main([
            '--sequences', str(folder / 'sequences'), '--stills', str(folder), '--backbone',
            'alexnet', '--start', 'random', '--episodes', '4', '--batch', '2', '--epochs', '2',
            '--out', str(out), *further])
        return out
    return run


@pytest.fixture
def made(monkeypatch):
    """Return a list that fills with the `SpatialTraining`s that are made."""
    found, begin = [], cstnet_spatial.SpatialTraining.__init__

    def noted(self, options):
        begin(self, options)
        found.append(self)

    monkeypatch.setattr(cstnet_spatial.SpatialTraining, '__init__', noted)
    return found


def test_training_resumes_to_the_same_weights_and_logs_its_progress(train, tmp_path, capsys):
    straight, parted = tmp_path / 'straight.safetensors', tmp_path / 'parted.safetensors'
    train(straight)
    train(parted, '--minutes', '0')
    assert '1 of 2 epochs left' in capsys.readouterr().out
    train(parted, '--resume')
    first, second = (safetensors.torch.load_file(file) for file in (straight, parted))
    assert all(torch.equal(first[name], second[name]) for name in first)
    log = [json.loads(line) for line in straight.with_suffix('.jsonl').read_text().splitlines()]
    assert [line['epoch'] for line in log] == [1, 2]
    assert all(0 <= line['held_auc'] <= 1 and line['held_loss'] > 0 for line in log)


@pytest.mark.parametrize('gap', [False, True])
def test_boxes_are_labelled_by_equation_1(train, tmp_path, made, monkeypatch, gap):
    targets, window = [], Shot.window

    def noted(self, *place):
        pixels, boxes = window(self, *place)
        targets.append(boxes)
        return pixels, boxes

    monkeypatch.setattr(Shot, 'window', noted)
    train(tmp_path / 'labels.safetensors', '--epochs', '1',
          *(['--negative-overlap', '0.3'] if gap else []))
    targets.clear()
    clips, corners, labels = made[0].episodes[7]
    assert clips.shape == (2, 3, 1, 288, 288) and corners.shape == (2, 128, 4)
    between = 0
    # A draw without enough boxes is thrown away, so the last two windows are those returned.
    for (target,), boxes, classes in zip(targets[-2:], corners.numpy(), labels):
        x, y, width, height = target
        for (left, top, right, bottom), label in zip(boxes, classes):
            common = (max(0, min(right, x + width) - max(left, x))
                      * max(0, min(bottom, y + height) - max(top, y)))
            overlap = common / (width * height + (right - left) * (bottom - top) - common)
            assert overlap > 0.699 if label else overlap < (0.301 if gap else 0.701)
            between += 0.3 < overlap < 0.6
        assert classes.sum() == 32
    assert between == 0 if gap else between > 20


def test_the_tracker_embeds_boxes_as_the_training_did(train, tmp_path, made):
    file = train(tmp_path / 'spatial.safetensors', '--rate', '1e-2')
    network = made[0].network
    (image, *_), (box, *_) = clip()
    region = cut(image, xywh_to_cxcywh(box)[:2], 5 * area_side(box), 288)
    boxes = box + np.array([[0, 0, 0, 0], [9, -4, 3, 2], [-30, 20, 0, 0]])
    corners = region.from_image(np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]],
                                               axis=1))
    pixels = torch.from_numpy(region.pixels).permute(2, 0, 1)[None, :, None].float()
    with torch.inference_mode():
        expected, _ = network.embed(pixels, torch.from_numpy(corners)[None].float())
    trained = load_spatial_weights(str(file), 'alexnet', TAPS)
    settings = FeatureSettings(backbone='alexnet', weights=trained.origin)
    features = FeatureExtractor(settings, Runtime('cpu'), trained.projection).frame(image, box)
    head = TwoWayHead(features.of(boxes).shape[1], 512, torch.Generator())
    head.load(trained.head, trained.origin)
    with torch.inference_mode():
        found = head.embed(features.of(boxes))
    # Half precision of the file, bfloat16 of the training.
    error = (found - expected[0]).norm() / expected.norm()
    assert error < 0.03
    assert (found[2] - found[0]).norm() > 10 * error * found[0].norm()


def test_features_have_the_scale_that_online_learning_expects(train, tmp_path, made):
    tensors = safetensors.torch.load_file(train(tmp_path / 'scale.safetensors'))
    network, (clips, _, _) = made[0].network, made[0].episodes[0]
    with torch.inference_mode():
        layers = network.backbone(clips[:, :, 0].float(), TAPS)
    for tap, layer in zip(TAPS, layers):
        weight = tensors[f'projection.{tap}.weight'].float()
        projected = torch.einsum('nchw,kc->nkhw', layer, weight)
        projected += tensors[f'projection.{tap}.bias'].float()[:, None, None]
        assert projected.square().mean().sqrt().item() == pytest.approx(3, rel=0.25)


def test_a_frozen_backbone_is_not_in_the_file_and_the_tracker_runs_on_it(train, tmp_path):
    file = train(tmp_path / 'frozen.safetensors', '--frozen', '--optimiser', 'adamw')
    names = set(safetensors.torch.load_file(file))
    assert names == {f'projection.{tap}.{kind}' for tap in TAPS for kind in ('weight', 'bias')} | {
        f'{layer}.{kind}' for layer in ('fc4', 'fc5') for kind in ('weight', 'bias')}
    assert not load_spatial_weights(str(file), 'alexnet', TAPS).has_backbone
    tracker = registry.create('cstnet', {
        'backbone': 'alexnet', 'weights': 'random', 'spatial_weights': str(file),
        'temporal': 'false', 'first_negatives': '200'}, Runtime('cpu'))
    images, boxes = clip()
    tracker.start(images[0], boxes[0])
    assert iou(tracker.locate(images[1]).box[None], boxes[1])[0] > 0.3


def test_nothing_to_train_on_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit):
        cstnet_spatial.main(['--out', str(tmp_path / 'none.safetensors')])
    assert '--sequences, --stills' in capsys.readouterr().err
