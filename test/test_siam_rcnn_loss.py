"""The loss of SiamRCNN: labels, draws and all four terms against loops in float64."""
import math

import numpy as np
import pytest
from test_siam_rcnn import random_maps, small_network
import torch

from tracking_nodes.nn import siam_rcnn_loss as loss

ABSENT = [math.nan] * 4
SIZE = (96, 96)


def overlap(one, other):
    """Return the overlap of two boxes by their corners."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(width, 0) * max(height, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both)


@pytest.mark.parametrize('best_too', [True, False])
def test_labels_by_overlap(best_too):
    random = np.random.default_rng(1)
    corners = random.uniform(0, 60, (300, 2))
    boxes = np.concatenate([corners, corners + random.uniform(10, 40, (300, 2))], axis=1)
    truth = np.array([20., 25, 45, 60])
    overlaps = [overlap(box, truth) for box in boxes]
    expected = [1 if each >= 0.7 or (best_too and each == max(overlaps)) else
                0 if each < 0.3 else -1 for each in overlaps]
    found = loss.labels_of(torch.from_numpy(boxes), torch.from_numpy(truth), (0.7, 0.3), best_too)
    assert found.tolist() == expected and {0, -1} <= set(expected)


def test_everything_is_background_where_the_target_is_absent():
    labels = loss.labels_of(torch.rand(5, 4), torch.tensor(ABSENT), (0.7, 0.3), True)
    assert labels.tolist() == [0] * 5


def test_draws_hold_to_the_shares_and_to_the_generator():
    labels = torch.tensor([1] * 10 + [0] * 50 + [-1] * 20)
    first, again = (loss.drawn(labels, 16, 0.25, torch.Generator().manual_seed(4))
                    for _ in range(2))
    assert first.tolist() == again.tolist() and len(set(first.tolist())) == 16
    assert labels[first].tolist() == [1] * 4 + [0] * 12
    few = loss.drawn(torch.tensor([1, 0, 0, 0, 0]), 4, 0.5, torch.Generator().manual_seed(0))
    assert few.tolist()[0] == 0 and len(few) == 4


def cross_entropy(logits, label):
    return math.log(sum(math.exp(each) for each in logits)) - logits[label]


def smooth_l1(steps, box, truth, weights):
    """Return the sum over the four numbers that lead from a box to the truth."""
    sides, goal = (np.array([rect[2] - rect[0], rect[3] - rect[1]]) for rect in (box, truth))
    middles = [np.array([rect[0] + rect[2], rect[1] + rect[3]]) / 2 for rect in (box, truth)]
    wanted = np.concatenate([(middles[1] - middles[0]) / sides, np.log(goal / sides)]) * weights
    total = 0.0
    for difference in np.abs(np.asarray(steps) - wanted):
        total += (0.5 * difference ** 2 * 9 if difference < 1 / 9 else difference - 0.5 / 9)
    return total


def test_the_four_terms_are_those_of_section_2_1(monkeypatch):
    # So many samples that all boxes are learned from, whatever is drawn.
    for name in ('RPN_SAMPLES', 'ROI_SAMPLES'):
        monkeypatch.setattr(loss, name, 10 ** 6)
    monkeypatch.setattr(loss, 'ROI_POSITIVE', 1.0)
    monkeypatch.setattr(loss, 'RPN_POSITIVE', 1.0)
    network = small_network().double()
    features, templates = (random_maps(2, 256, 6, 6).double(),
                           random_maps(2, 256, 3, 3, seed=1).double())
    truths = torch.tensor([[20., 20, 70, 60], ABSENT], dtype=torch.float64)
    found = loss.siam_rcnn_loss(network, features, templates, truths, SIZE, torch.Generator())

    fused = network.fuse(features, templates)
    logits, steps, anchors = network.propose(fused)
    proposals = network.proposals(logits, steps, anchors, SIZE, before=400, after=100, overlap=0.7)
    proposals[0] = torch.cat([proposals[0], truths[:1]])
    judged = network.judge(fused, proposals)
    parts = len(proposals[0])
    stages = {
        'rpn': [(logits[image], steps[image], anchors) for image in (0, 1)],
        'roi': [(judged[0][rows], judged[1][rows], boxes) for rows, boxes in zip(
            (slice(0, parts), slice(parts, None)), proposals)]}
    for stage, rows in stages.items():
        classes, moves, count = 0.0, 0.0, 0
        for (says, goes, boxes), truth in zip(rows, truths.tolist()):
            overlaps = [0.0 if math.isnan(truth[0]) else overlap(box, truth)
                        for box in boxes.tolist()]
            for index, each in enumerate(overlaps):
                high, low = (0.7, 0.3) if stage == 'rpn' else (0.5, 0.5)
                best = stage == 'rpn' and each == max(overlaps) > 0
                label = 1 if each >= high or best else 0 if each < low else -1
                if label < 0:
                    continue
                count += 1
                classes += cross_entropy(says[index].tolist(), label)
                if label:
                    weights = 1.0 if stage == 'rpn' else np.array([10, 10, 5, 5])
                    moves += smooth_l1(goes[index].tolist(), boxes[index].tolist(), truth, weights)
        assert moves > 0
        assert found[f'{stage}_class'].item() == pytest.approx(classes / count, rel=1e-5)
        assert found[f'{stage}_box'].item() == pytest.approx(moves / count, rel=1e-5)


def test_the_loss_can_be_learned_from_where_all_targets_are_absent():
    network = small_network().requires_grad_(True)
    terms = loss.siam_rcnn_loss(network, random_maps(1, 256, 6, 6), random_maps(1, 256, 3, 3),
                                torch.tensor([ABSENT]), SIZE, torch.Generator().manual_seed(0))
    sum(terms.values()).backward()
    assert terms['rpn_box'] == 0 and terms['roi_box'] == 0
    assert network.rpn_class.weight.grad.abs().sum() > 0
    assert torch.isfinite(network.rpn_box.weight.grad).all()


def test_gradients_are_those_of_differences():
    network = small_network().double()
    features = random_maps(1, 256, 4, 4).double()
    templates = random_maps(1, 256, 3, 3, seed=1).double()
    fused = network.fuse(features, templates)
    boxes = [torch.tensor([[5., 5, 50, 45], [10, 10, 40, 60]], dtype=torch.float64)]
    truths = torch.tensor([[8., 8, 48, 44]], dtype=torch.float64)
    logits, steps = network.judge(fused, boxes)
    chosen = [(boxes[0], torch.tensor([1, 0]))]

    def terms(says, goes):
        return sum(loss._terms(says, goes, chosen, truths, network.roi_coder))

    assert torch.autograd.gradcheck(terms, (logits.double().requires_grad_(True),
                                            steps.double().requires_grad_(True)))
