"""Offline training of CSTNet's temporal stream: episodes, last layers, the finished file."""
import json

import numpy as np
import pytest
import safetensors.torch
import torch

from tracking_nodes.errors import SequenceError
from tracking_nodes.nn.c3d import load_c3d
from tracking_nodes.online.regions import Region
from tracking_nodes.sequences.stills import read_stills
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.training import cstnet_temporal, last_layers
from tracking_nodes.training.distillation import imitation_loss
from tracking_nodes.training.episodes import (
    ClipShots, EpisodeRules, Episodes, SequenceShots, Shot)

from training_files import write_sequences, write_stills

RULES = EpisodeRules(4.0, 64, positives=6, negatives=12)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def overlap(one, other):
    """Return intersection over union of two boxes, by hand."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def test_the_ridge_layer_is_weighted_ridge_regression():
    support, query = draw(2, 9, 5), draw(2, 4, 5, seed=1)
    labels = torch.zeros(2, 9, dtype=torch.float64)
    labels[0, :3] = labels[1, :2] = 1
    layer = last_layers.RidgeLayer(5).double()
    logits = layer(support, labels, query)
    for rows, truth, asked, found in zip(support.numpy(), labels.numpy(), query.numpy(),
                                         logits.detach().numpy()):
        normal, right, scale = np.zeros((5, 5)), np.zeros(5), 0.0
        for row, label in zip(rows, truth):
            weight = 0.5 * len(truth) / (truth == label).sum()
            normal += weight * np.outer(row, row)
            right += weight * row * (1 if label else -1)
            scale += weight * row @ row
        normal += np.exp(-3.0) * scale * np.eye(5)
        assert found == pytest.approx(2 * asked @ np.linalg.solve(normal, right), rel=1e-6)


def test_the_last_layers_pass_gradcheck():
    labels = torch.tensor([[1.0, 0, 0, 1]], dtype=torch.float64)
    for kind in last_layers.LAST_LAYERS.values():
        layer = kind(3).double()
        assert torch.autograd.gradcheck(lambda a, b: last_layers.cross_entropy(
            layer(a, labels, b), labels), (draw(1, 4, 3).requires_grad_(),
                                           draw(1, 4, 3, seed=1).requires_grad_()))


def test_the_cross_entropy_weighs_target_and_background_the_same():
    logits, labels = draw(2, 5), torch.tensor([[1.0, 1, 0, 0, 0]] * 2, dtype=torch.float64)
    total = 0.0
    for row in logits.numpy():
        target = np.mean([np.log1p(np.exp(-value)) for value in row[:2]])
        background = np.mean([np.log1p(np.exp(value)) for value in row[2:]])
        total += (target + background) / 2 / 2
    assert last_layers.cross_entropy(logits, labels).item() == pytest.approx(total)


def test_ranking_counts_pairs_in_the_right_order():
    logits = torch.tensor([[3.0, 1.0, 2.0, 1.0]])
    labels = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    # 3 > 2, 3 > 1, 1 < 2, 1 = 1.
    assert last_layers.ranking(logits, labels) == pytest.approx((1 + 1 + 0 + 0.5) / 4)


def test_windows_of_a_shot_show_the_frames_where_they_say():
    down, across = np.mgrid[:200, :240].astype(np.float64)
    ramp = np.stack([across, down, across + down], axis=2) / 2
    regions = [Region(ramp.astype(np.uint8), 0, 0, 1.0),
               Region(ramp[20:180, 40:200].astype(np.uint8), 40, 20, 1.0)]
    boxes = np.array([[100.0, 90, 20, 30], [110, 90, 20, 30]])
    pixels, inside = Shot(regions, boxes).window((120, 100), 80, 40)
    assert pixels.shape == (2, 40, 40, 3)
    for row in (3, 20, 36):
        for column in (5, 20, 30):
            # Cell (20, 20) has its corner at the window's centre, and a cell is two pixels.
            expected = (120 + 2 * (column - 20) + 0.5) / 2, (100 + 2 * (row - 20) + 0.5) / 2
            assert np.abs(pixels[:, row, column, :2] - expected).max() < 1.2
    assert inside[0] == pytest.approx([(100 - 80) / 2, (90 - 60) / 2, 10, 15])


def test_labels_follow_the_mean_overlap_over_the_clip(monkeypatch):
    shots = SequenceShots([SyntheticSequence(20, seed=seed) for seed in range(2)], 4)
    episodes = Episodes([shots], [1.0], RULES, 3)

    paths, original = [], Shot.window

    def window(shot, *arguments):
        pixels, path = original(shot, *arguments)
        paths.append(path)
        return pixels, path

    monkeypatch.setattr(Shot, 'window', window)
    clips, corners, labels = episodes[5]
    assert clips.shape == (2, 3, 4, 64, 64) and clips.dtype == torch.uint8
    for path, rows, truth in zip(paths[-2:], corners.numpy(), labels.numpy()):
        for (left, top, right, bottom), label in zip(rows.tolist(), truth):
            box = left, top, right - left, bottom - top
            mean = np.mean([overlap(box, target) for target in path])
            assert mean > 0.6 - 1e-6 if label else mean <= 0.4 + 1e-6


def test_episodes_are_the_same_for_the_same_number(tmp_path):
    write_stills(tmp_path)
    for source in (SequenceShots([SyntheticSequence(20)], 4),
                   ClipShots(read_stills(tmp_path), 4)):
        one, other = (Episodes([source], [1.0], RULES, 1) for _ in range(2))
        for part, again, different in zip(one[7], other[7], one[8]):
            assert torch.equal(part, again)
            assert part.shape == different.shape
        assert not torch.equal(one[7][0], one[8][0])


def test_a_still_shot_repeats_its_last_frame():
    shot = SequenceShots([SyntheticSequence(20)], 4).draw(np.random.default_rng(0))[0]
    still = shot.still()
    assert all(region is shot.regions[-1] for region in still.regions)
    assert (still.boxes == shot.boxes[-1]).all() and len(still.boxes) == 4


def test_sequences_without_enough_frames_are_refused():
    with pytest.raises(SequenceError, match='in 5 frames in a row'):
        SequenceShots([SyntheticSequence(4)], 4)


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """Return a small function that trains on next to nothing."""
    monkeypatch.setattr(cstnet_temporal, 'SIZE', 64)
    write_sequences(tmp_path / 'sequences', 9)
    write_stills(tmp_path)

    def train(out, *more):
        cstnet_temporal.main([
            '--out', str(tmp_path / out), '--sequences', str(tmp_path / 'sequences'), '--stills',
            str(tmp_path), '--width', '0.05', '--episodes', '4', '--batch', '2', '--optimiser',
            'adamw', '--rate', '0.001', *more])
        return tmp_path / out
    return train


def test_training_resumes_to_the_same_weights(arguments):
    whole = arguments('whole.safetensors', '--epochs', '2')
    arguments('parts.safetensors', '--epochs', '2', '--minutes', '0')
    parts = arguments('parts.safetensors', '--epochs', '2', '--resume')
    one, other = (safetensors.torch.load_file(path) for path in (whole, parts))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    lines = [json.loads(line) for line in whole.with_suffix('.jsonl').read_text().splitlines()]
    assert [line['epoch'] for line in lines] == [1, 2]
    assert all(0 <= line['held_auc'] <= 1 for line in lines)


def test_the_finished_file_has_features_of_a_known_scale_and_the_same_embedding(arguments):
    path = arguments('one.safetensors', '--epochs', '1', '--last', 'shared')
    c3d = load_c3d(str(path))
    tensors = c3d.extra
    assert {'projection.weight', 'projection.bias', 'fc4.weight', 'fc5.bias'} <= tensors.keys()
    gain = tensors['projection.weight'].diagonal()
    assert torch.equal(tensors['projection.weight'], gain.diag()) and (gain == gain[0]).all()
    kept = torch.load(path.with_suffix('.checkpoint.pt'), weights_only=True)['network']
    assert kept['head.fc4.weight'].half().float() == pytest.approx(
        tensors['fc4.weight'] * gain[0], rel=5e-3, abs=1e-4)


def test_imitation_looks_at_the_last_frame_only(teacher_file):
    teacher = cstnet_temporal.Teacher('')
    clips = 255 * torch.rand(1, 3, 4, 96, 96, generator=torch.Generator().manual_seed(0))
    before = teacher(clips)
    assert before.shape == (1, 384, 6, 6)
    clips[:, :, :3] = 0
    assert torch.equal(teacher(clips), before)
    clips[:, :, 3] = 0
    assert not torch.equal(teacher(clips), before)


def test_imitation_teaches_c3d(teacher_file):
    teacher = cstnet_temporal.Teacher('')
    clips = 255 * torch.rand(2, 3, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    wanted = teacher(clips)
    network = cstnet_temporal.TemporalNetwork(load_c3d('random', width=0.05), 'ridge', 384, 0)
    optimiser = torch.optim.AdamW(network.c3d.parameters(), lr=1e-3)
    losses = []
    for _ in range(6):
        loss = imitation_loss(network.imitate(network.maps(clips)), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
