"""The temporal stream of CSTNet: what its network sees, its labels, and other trackers with it."""
import numpy as np
import pytest
from small_trackers import clip, make, run
import torch
from torch import nn

from tracking_nodes.errors import SettingError
from tracking_nodes.online import temporal_stream as module
from tracking_nodes.online.classifier import ClassifierSettings, OnlineClassifier
from tracking_nodes.online.features import FeatureSettings
from tracking_nodes.online.temporal_stream import (
    cuboid_overlap, TemporalSettings, TemporalStream)
from tracking_nodes.trackers.base import Runtime

SIZE = 64
SETTINGS = TemporalSettings(temporal=True, temporal_weights='random', temporal_size=SIZE)
LEARNING = ClassifierSettings(hidden=8, batch_positives=8, batch_negatives=20, hard_negatives=6,
                              first_iterations=4, update_iterations=2)
BOX = np.array([100.0, 90.0, 40.0, 30.0])


class Ramp(nn.Module):
    """Stands for a network: its map has each cell's column and row; it keeps what it is shown."""

    channels, stride, offset = 2, 16, 8.0

    def __init__(self):
        super().__init__()
        self.extra = {'projection.weight': torch.eye(2), 'projection.bias': torch.zeros(2)}
        self.seen = []

    def forward(self, clips):
        self.seen.append(clips)
        cells = torch.arange(SIZE // 16).float()
        return torch.stack(torch.meshgrid(cells, cells, indexing='xy'))[None]


@pytest.fixture
def ramp(monkeypatch):
    """Return the network that streams get in this test."""
    network = Ramp()
    monkeypatch.setattr(module, 'load_temporal_backbone', lambda *args: network)
    return network


def stream():
    return TemporalStream(SETTINGS, FeatureSettings(), LEARNING, Runtime('cpu'))


def boxes_around(box, number=20, spread=6.0, seed=0):
    rng = np.random.default_rng(seed)
    return box + np.concatenate([rng.normal(0, spread, (number, 2)), np.zeros((number, 2))], 1)


def started(image):
    each = stream()
    each.start(image, BOX, boxes_around(BOX, spread=1), boxes_around(BOX + [60, 0, 0, 0]))
    return each


def overlap(one, other):
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(across, 0) * max(down, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def test_the_overlap_of_a_cuboid_is_eq_5():
    boxes, path = boxes_around(BOX, spread=15), boxes_around(BOX, 4, spread=10, seed=1)
    found = cuboid_overlap(boxes, path)
    assert found.shape == (20,) and found.min() < 0.3 < found.max()
    for value, box in zip(found, boxes):
        total = 0.0
        for held in path:
            total += overlap(box, held)
        assert value == pytest.approx(total / 4, rel=1e-12)


def test_the_network_sees_the_last_four_frames_first_the_first_repeated(ramp):
    images = [np.full((240, 320, 3), (10 * n, 10 * n + 1, 10 * n + 2), np.uint8)
              for n in range(1, 7)]
    each = started(images[0])
    for image in images[1:]:
        each.see(image, BOX)
    shown = [seen[0, :, :, 5, 5].T.tolist() for seen in ramp.seen]
    numbers = [[1, 1, 1, 1], [1, 1, 1, 2], [1, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]]
    assert shown == [[[10 * n, 10 * n + 1, 10 * n + 2] for n in row] for row in numbers]
    assert all(seen.shape == (1, 3, 4, SIZE, SIZE) for seen in ramp.seen)


def test_features_are_taken_where_the_box_is(ramp):
    each = started(clip()[0][0])
    assert isinstance(each.classifier, OnlineClassifier)
    box = BOX + [4, -6, -10, 6]
    across, down = each._of(box[None]).reshape(2, 3, 3).double().numpy()
    side = 4.0 * np.sqrt(BOX[2] * BOX[3])
    corner = BOX[:2] + BOX[2:] / 2 - side / 2
    for i in range(3):
        middle = box[:2] + box[2:] * (i + 0.5) / 3
        column, row = ((middle - corner) * SIZE / side - Ramp.offset) / Ramp.stride
        # The window lies on whole pixels, a sixteenth of a cell.
        np.testing.assert_allclose(across[:, i], column, atol=1 / 16)
        np.testing.assert_allclose(down[i], row, atol=1 / 16)


def labels(each, box, near, far):
    """Return what the stream takes as positives and negatives, as boxes."""
    each._of = torch.from_numpy
    positives, negatives = each._samples(box, near, far)
    return positives.tolist(), negatives.tolist()


def test_labels_are_eq_6_over_the_path_of_the_target(ramp):
    images = clip()[0]
    each = started(images[0])
    path = [BOX + [3.0 * n, 2.0 * n, 0, 0] for n in range(6)]
    for image, box in zip(images[1:], path):
        each.see(image, box)
    # The target was at the last three of what was given, and now is one step on.
    tube = [*path[-3:], path[-1] + [3, 2, 0, 0]]
    near, far = boxes_around(tube[-1], 40), boxes_around(tube[-1], 40, spread=20, seed=1)

    def positive(box):
        return sum(overlap(box, held) for held in tube) / 4 > 0.6
    found = labels(each, tube[-1], near, far)
    assert found[0] == [box.tolist() for box in near if positive(box)]
    assert found[1] == [box.tolist() for box in far if not positive(box)]
    assert 0 < len(found[0]) < 40 and 0 < len(found[1]) < 40


def test_where_the_target_moves_fast_there_are_no_positives_and_it_is_no_negative(ramp):
    images = clip()[0]
    each = started(images[0])
    for number, image in enumerate(images[1:4]):
        each.see(image, BOX + [40.0 * number, 0, 0, 0])
    now = BOX + [120, 0, 0, 0]
    near, far = boxes_around(now, spread=1), boxes_around(now + [60, 0, 0, 0], spread=1)
    positives, negatives = labels(each, now, near, far)
    assert positives == [] and negatives == far.tolist()


def test_a_target_beyond_the_border_is_still_started_on(ramp):
    box = np.array([300.0, 225, 60, 60])
    each = stream()
    each.start(clip()[0][0], box, np.array([[290.0, 210, 60, 60]]), boxes_around(BOX))
    assert len(each.classifier.memory) == 1


def test_what_was_collected_is_learned_and_scores_follow():
    images = clip()[0]
    each = stream()
    near, far = boxes_around(BOX, spread=1), boxes_around(BOX + [60, 0, 0, 0])
    each.start(images[0], BOX, near, far)
    each.see(images[1], BOX)
    before = each.logits(near)
    assert torch.equal(before, each.logits(near)) and before.shape == (20,)
    each.collect(BOX, near, far)
    each.classifier.update(recent=False)
    assert len(each.classifier.memory) == 2
    assert not torch.equal(before, each.logits(near))
    again = stream()
    again.start(images[0], BOX, near, far)
    again.see(images[1], BOX)
    assert torch.equal(again.logits(near), before)


@pytest.mark.parametrize('extra, expected', [
    ({}, None),
    ({'fc4.weight': 0, 'fc5.weight': 0}, torch.eye(2)),
    ({'projection.weight': torch.ones(1, 2), 'projection.bias': torch.zeros(1)},
     torch.ones(1, 2))])
def test_a_trained_head_keeps_the_channels_it_was_trained_on(ramp, extra, expected):
    ramp.extra = extra
    found = stream()._projection
    if expected is None:
        assert found is None
    else:
        assert torch.equal(found.weights[0][:, :, 0, 0], expected)


@pytest.mark.parametrize('name', ['rman', 'cstnet'])
def test_it_joins_any_tracker_with_candidates(name):
    images, boxes = clip()
    plain = run(make(name, temporal=False), images[:5], boxes[0])
    tracker = make(name, temporal=True)
    joined = run(tracker, images[:5], boxes[0])
    assert any(joined[2]) and not np.array_equal(joined[0], plain[0])
    again = run(make(name, temporal=True), images[:5], boxes[0])
    np.testing.assert_array_equal(again[0], joined[0])
    tracker.reset()
    assert tracker._temporal.classifier is None


def test_it_learns_when_its_tracker_learns(monkeypatch):
    images, boxes = clip()
    tracker = make('rman', temporal=True, update_every=4, present_threshold=0.0)
    updates = []
    monkeypatch.setattr(OnlineClassifier, 'update', lambda _, recent: updates.append(recent))
    _, _, changed = run(tracker, images, boxes[0])
    assert updates == [False] * sum(changed) and len(updates) == 2
    assert len(tracker._temporal.classifier.memory) == 1 + len(changed)


def test_the_best_of_the_refined_scores_is_chosen(monkeypatch):
    images, boxes = clip()
    tracker = make('rman', temporal=True, best_candidates=1, box_regression=False,
                   refinement_weight=10.0, refinement_overlap=0.0)
    tracker.start(images[0], boxes[0])
    drawn = []

    def logits(candidates):
        drawn.append(candidates)
        # One cuboid stands out.
        return torch.where(torch.arange(len(candidates)) == 7, 9.0, -9.0)
    monkeypatch.setattr(tracker._temporal, 'logits', logits)
    location = tracker.locate(images[1])
    np.testing.assert_allclose(location.box, drawn[0][7])


def test_candidates_over_the_whole_image_go_without():
    with pytest.raises(SettingError, match='candidate_sampling = whole goes without temporal'):
        make('rman', temporal=True, candidate_sampling='whole', feature_path='crop')
