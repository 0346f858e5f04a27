"""The classifier of CSTNet's streams: its loss by eq. 4, 9 and 14, its updates, its start."""
import math

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from tracking_nodes.errors import SettingError, WeightsError
from tracking_nodes.nn.two_way_head import TwoWayHead
from tracking_nodes.online import classifier as module
from tracking_nodes.online.classifier import ClassifierSettings, MINING, OnlineClassifier
from tracking_nodes.online.sample_memory import Batch

INPUTS = 12
SMALL = {'hidden': 8, 'batch_positives': 8, 'batch_negatives': 20, 'hard_negatives': 6,
         'first_iterations': 5, 'update_iterations': 3, 'batch_frames': 4}


def draw(rows, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, INPUTS, generator=generator) + shift


def make(trained=None, **changes):
    """Return a small classifier that has learned a first frame."""
    return OnlineClassifier(
        draw(30, 0, 0.5), draw(60, 1), ClassifierSettings(**{**SMALL, **changes}),
        np.random.default_rng(3), torch.Generator().manual_seed(4), trained or {}, 'a file')


def batch():
    return Batch(draw(8, 5, 0.5), draw(20, 6), [None], torch.zeros(8), torch.zeros(20))


def layers(head, features):
    """Return embedding and logits of one sample by plain arithmetic in float64."""
    values = features.double().tolist()
    for name in ('fc4', 'fc5', 'fc6'):
        layer = getattr(head, name)
        embedding = values
        values = [sum(w * x for w, x in zip(row, values)) + b for row, b in
                  zip(layer.weight.double().tolist(), layer.bias.double().tolist())]
        if name != 'fc6':
            values = [max(value, 0.0) for value in values]
    return embedding, values


def probability(logits):
    return math.exp(logits[1]) / (math.exp(logits[0]) + math.exp(logits[1]))


def test_the_scores_are_those_of_the_layers():
    classifier, samples = make(), draw(5, 7)
    for logit, features in zip(classifier.logits(samples), samples):
        background, target = layers(classifier.head, features)[1]
        assert float(logit) == pytest.approx(target - background, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize('contrast', [False, True])
def test_the_loss_is_eq_4_on_the_hard_negatives_and_eq_14(contrast):
    classifier, samples = make(contrastive_weight=0.3), batch()
    near = [layers(classifier.head, each) for each in samples.positives]
    far = sorted((layers(classifier.head, each) for each in samples.negatives),
                 key=lambda each: -probability(each[1]))
    total = -sum(math.log(probability(logits)) for _, logits in near)
    total -= sum(math.log(1 - probability(logits)) for _, logits in far[:6])
    expected = total / (8 + 6)
    if contrast:
        easy = np.mean([embedding for embedding, _ in far[6:]], axis=0)
        middle = np.mean([embedding for embedding, _ in near], axis=0)
        expected += 0.3 * np.mean([
            np.sum((np.array(f) - easy) ** 2) / (np.sum((np.array(f) - middle) ** 2) + 1)
            for f, _ in far[:6]])
    with torch.no_grad():
        assert float(classifier.loss(samples, contrast)) == pytest.approx(expected, rel=1e-4)


def test_the_focal_loss_takes_all_negatives():
    classifier, samples = make(mining='focal'), batch()
    right = [probability(layers(classifier.head, each)[1]) for each in samples.positives]
    right += [1 - probability(layers(classifier.head, each)[1]) for each in samples.negatives]
    expected = sum(-(1 - p) ** 2 * math.log(p) for p in right) / 8
    with torch.no_grad():
        assert float(classifier.loss(samples, False)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize('mining, calls', [('contrastive', 3), ('ohem', 0), ('focal', 0)])
def test_the_contrastive_loss_joins_in_updates_only(monkeypatch, mining, calls):
    asked = []

    def counted(*args):
        asked.append(len(args[0]))
        return contrastive(*args)
    contrastive = module.contrastive_loss
    monkeypatch.setattr(module, 'contrastive_loss', counted)
    classifier = make(mining=mining)
    assert not asked
    classifier.collect(draw(10, 8, 0.5), draw(20, 9))
    classifier.update(recent=False)
    assert asked == [6] * calls


def test_iterations_and_rates_are_those_of_the_settings():
    rates = []
    handle = register_optimizer_step_post_hook(
        lambda optimiser, *_: rates.append(optimiser.param_groups[0]['lr']))
    try:
        classifier = make(first_rate=0.01, update_rate=0.02)
        assert rates == [0.01] * 5
        classifier.update(recent=False)
        assert rates == [0.01] * 5 + [0.02] * 3
    finally:
        handle.remove()


def test_a_short_term_update_forgets_old_positives():
    old, new = draw(10, 8, 50.0), draw(10, 9, 0.5)
    found = {}
    for recent in (True, False):
        classifier = make(short_memory=1)
        for positives in (old, new):
            classifier.collect(positives, draw(20, 10))
        drawn = []
        original = classifier.loss

        def seen(samples, contrast):
            drawn.append(samples.positives)
            return original(samples, contrast)
        classifier.loss = seen
        classifier.update(recent)
        found[recent] = float(torch.cat(drawn).max())
    assert found[True] < 25 < found[False]


@pytest.mark.parametrize('mining', MINING)
def test_learning_tells_positives_from_negatives(mining):
    classifier = make(mining=mining, first_iterations=60)
    positive, negative = classifier.logits(draw(50, 11, 0.5)), classifier.logits(draw(50, 12))
    assert float((positive[:, None] > negative[None]).float().mean()) > 0.75
    before = {name: value.clone() for name, value in classifier.head.state_dict().items()}
    classifier.update(recent=False)
    assert all(not torch.equal(value, before[name])
               for name, value in classifier.head.state_dict().items())


def test_frames_without_positives_are_taken():
    classifier = make()
    classifier.collect(draw(0, 1), draw(20, 2))
    classifier.update(recent=True)
    assert torch.isfinite(classifier.logits(draw(5, 3))).all()


def test_the_same_generators_learn_the_same():
    one, other = make(), make()
    for classifier in (one, other):
        classifier.collect(draw(10, 8, 0.5), draw(20, 9))
        classifier.update(recent=False)
    assert torch.equal(one.logits(draw(5, 7)), other.logits(draw(5, 7)))


def test_a_snapshot_learns_apart_from_what_it_was_taken_of_and_is_adopted_whole():
    one, other = make(), make()
    for classifier in (one, other):
        classifier.collect(draw(10, 8, 0.5), draw(20, 9))
    before = {name: value.clone() for name, value in one.head.state_dict().items()}
    taken = one.snapshot((3, 1))
    taken.detach()
    # What comes later, and what is learned in between, is not the snapshot's.
    one.collect(draw(10, 20, 50.0), draw(20, 21))
    taken.update(recent=False)
    assert all(torch.equal(value, before[name]) for name, value in one.head.state_dict().items())
    other._rng = np.random.default_rng((3, 1))
    other.update(recent=False)
    one.adopt(taken)
    assert one.head is taken.head and len(one.memory) == len(taken.memory) + 1
    assert torch.equal(one.logits(draw(5, 7)), other.logits(draw(5, 7)))
    # The optimiser came along: both take the same next step.
    one._rng, other._rng = (np.random.default_rng(4) for _ in range(2))
    one.memory = other.memory
    for classifier in (one, other):
        classifier.update(recent=False)
    assert torch.equal(one.logits(draw(5, 7)), other.logits(draw(5, 7)))


def trained(hidden=8):
    head = TwoWayHead(INPUTS, hidden, torch.Generator().manual_seed(9))
    return {name: value for name, value in head.state_dict().items() if 'fc6' not in name}


def test_a_trained_head_is_begun_with_but_for_its_last_layer():
    tensors = trained()
    classifier = make(tensors, first_rate=0.0)
    plain = make(first_rate=0.0)
    for name, value in classifier.head.state_dict().items():
        expected = tensors.get(name, plain.head.state_dict()[name])
        assert torch.equal(value, expected)
    # Learning does not write into the file's tensors.
    before = {name: value.clone() for name, value in tensors.items()}
    make(tensors)
    assert all(torch.equal(value, before[name]) for name, value in tensors.items())


@pytest.mark.parametrize('tensors, said', [
    (trained(hidden=9), r'a file: fc4.weight is \(9, 12\).*\(8, 12\); leave hidden'),
    ({'fc4.weight': trained()['fc4.weight']}, 'a file has no fc4.bias')])
def test_a_head_of_another_shape_is_refused(tensors, said):
    with pytest.raises(WeightsError, match=said):
        make(tensors)


def test_some_negatives_have_to_be_easy():
    with pytest.raises(SettingError, match='hard_negatives = 96.*batch_negatives = 96'):
        ClassifierSettings(batch_negatives=96)
