"""RMAN's losses against eq. 3, 5 and 6 in float64 loops, gradients against finite differences."""
import math

import numpy as np
import pytest
import torch

from tracking_nodes.nn.memory_activation import Representation
from tracking_nodes.online.coherence_losses import (
    classification_loss, coherence_loss, compactness_loss)

N, HIDDEN = 6, 4


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def squared_distance(one, other):
    return sum((float(a) - float(b)) ** 2 for a, b in zip(one, other))


def coherence(near, near_reference, far, far_reference, margin):
    return coherence_loss(Representation(near, near_reference, near),
                          Representation(far, far_reference, far), margin)


def test_classification_is_eq_3():
    positive, negative = draw(N, 2), draw(N, 2, seed=1)
    total = 0.0
    for label, logits in ((1, positive), (0, negative)):
        for background, target in logits.tolist():
            p = math.exp(target) / (math.exp(target) + math.exp(background))
            total -= label * math.log(p) + (1 - label) * math.log(1 - p)
    assert float(classification_loss(positive, negative)) == pytest.approx(total / (2 * N))


def test_classification_prefers_the_right_side_and_stays_finite():
    sure = torch.tensor([[-300.0, 300.0]])
    assert classification_loss(sure, -sure) == 0
    assert classification_loss(-sure, sure) == 600


@pytest.mark.parametrize('margin', [0.0, 1.0, 2.0])
def test_coherence_is_eq_5(margin):
    states = [draw(N, HIDDEN, seed=seed) for seed in range(4)]
    near, near_reference, far, far_reference = states
    terms = [squared_distance(near[m], near_reference[m])
             - squared_distance(far[m], far_reference[m]) + margin for m in range(N)]
    expected = sum(max(term, 0.0) for term in terms) / N
    # Both sides of the hinge are met.
    assert min(terms) < 0 < max(terms)
    assert float(coherence(*states, margin)) == pytest.approx(expected, rel=1e-12)


def test_coherence_is_nothing_where_the_margin_is_kept():
    near, far = draw(N, HIDDEN), draw(N, HIDDEN, seed=1)
    assert coherence(near, near + 0.01, far, far + 2.0, 1.0) == 0
    assert float(coherence(near, near, far, far, 1.5)) == 1.5


def test_compactness_is_eq_6():
    positive, negative = draw(N, 2 * HIDDEN), draw(N, 2 * HIDDEN, seed=1)
    centre = [sum(float(row[i]) for row in positive) / N for i in range(2 * HIDDEN)]
    expected = sum(squared_distance(positive[m], centre) / squared_distance(negative[m], centre)
                   for m in range(N)) / N
    assert float(compactness_loss(positive, negative)) == pytest.approx(expected, rel=1e-12)


def test_compactness_survives_a_negative_at_the_centre():
    positive = draw(N, HIDDEN)
    negative = positive.mean(dim=0).expand(N, HIDDEN)
    assert torch.isfinite(compactness_loss(positive, negative))


def test_gradients_are_those_of_the_formulas():
    states = [draw(N, HIDDEN, seed=seed).requires_grad_() for seed in range(4)]
    assert torch.autograd.gradcheck(lambda *args: coherence(*args, 1.0), states)
    assert torch.autograd.gradcheck(compactness_loss, states[:2])
    logits = [draw(N, 2, seed=seed).requires_grad_() for seed in range(2)]
    assert torch.autograd.gradcheck(classification_loss, logits)


def test_the_centre_is_not_held_constant():
    """Eq. 6 defines the centre by the batch, so its gradient passes through it."""
    positive, negative = draw(N, HIDDEN).requires_grad_(), draw(N, HIDDEN, seed=1)
    compactness_loss(positive, negative).backward()
    held = positive.detach().clone().requires_grad_()
    centre = positive.detach().mean(dim=0)
    ((held - centre).square().sum(dim=1) / (negative - centre).square().sum(dim=1)).mean() \
        .backward()
    assert not np.allclose(positive.grad, held.grad)
