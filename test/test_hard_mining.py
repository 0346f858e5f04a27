"""Hard example mining of CSTNet against float64 loops, and gradients against differences."""
import math

import numpy as np
import pytest
import torch

from tracking_nodes.online.hard_mining import contrastive_loss, focal_loss, hardest_negatives

HIDDEN = 5


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def probability(logits):
    """Return the probability of being the target of one row of logits."""
    background, target = logits
    return math.exp(target) / (math.exp(target) + math.exp(background))


def squared_distance(one, other):
    return sum((float(a) - float(b)) ** 2 for a, b in zip(one, other))


def centre(rows):
    return [sum(float(row[i]) for row in rows) / len(rows) for i in range(rows.shape[1])]


def test_the_hardest_negatives_have_the_largest_losses_hardest_first():
    logits = draw(20, 2)
    losses = [-math.log(1 - probability(row)) for row in logits.tolist()]
    order = sorted(range(20), key=losses.__getitem__, reverse=True)
    hard, easy = hardest_negatives(logits, 6)
    assert hard.tolist() == order[:6] and easy.tolist() == order[6:]


def test_of_equal_negatives_the_first_are_the_hardest():
    hard, easy = hardest_negatives(torch.zeros(5, 2), 2)
    assert hard.tolist() == [0, 1] and easy.tolist() == [2, 3, 4]


@pytest.mark.parametrize('gamma', [0.0, 1.0, 2.0])
def test_focal_loss_is_eq_4_of_its_paper_per_positive(gamma):
    positive, negative = draw(4, 2), draw(9, 2, seed=1)
    right = [probability(row) for row in positive.tolist()]
    right += [1 - probability(row) for row in negative.tolist()]
    expected = sum(-(1 - p) ** gamma * math.log(p) for p in right) / 4
    assert float(focal_loss(positive, negative, gamma)) == pytest.approx(expected, rel=1e-12)


def test_focal_loss_forgets_what_is_sure_and_stays_finite():
    sure = torch.tensor([[-300.0, 300.0]])
    assert focal_loss(sure, -sure, 2.0) == 0
    assert focal_loss(-sure, sure, 2.0) == 1200


@pytest.mark.parametrize('delta', [1e-3, 1.0, 10.0])
def test_contrastive_loss_is_eq_13(delta):
    hard, easy, positives = draw(6, HIDDEN), draw(7, HIDDEN, seed=1), draw(4, HIDDEN, seed=2)
    easy_centre, positive_centre = centre(easy), centre(positives)
    expected = sum(squared_distance(f, easy_centre)
                   / (squared_distance(f, positive_centre) + delta) for f in hard) / 6
    loss = contrastive_loss(hard, easy, positives, delta)
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_contrastive_loss_draws_hard_negatives_to_the_easy_ones():
    easy, positives = draw(8, HIDDEN), draw(8, HIDDEN, seed=1) + 5
    steps = [contrastive_loss((1 - share) * positives + share * easy, easy, positives, 1.0)
             for share in np.linspace(0, 1, 6)]
    assert all(one > other for one, other in zip(steps, steps[1:]))


def test_a_hard_negative_on_the_positives_does_not_divide_by_nothing():
    positives = draw(4, HIDDEN)
    hard = positives.mean(dim=0, keepdim=True)
    loss = contrastive_loss(hard, hard + 1, positives, 0.5)
    assert float(loss) == pytest.approx(HIDDEN / 0.5)


def test_gradients_are_those_of_the_formulas():
    samples = [draw(5, HIDDEN, seed=seed).requires_grad_() for seed in range(3)]
    assert torch.autograd.gradcheck(lambda *args: contrastive_loss(*args, 1.0), samples)
    logits = [draw(5, 2, seed=seed).requires_grad_() for seed in range(2)]
    assert torch.autograd.gradcheck(lambda *args: focal_loss(*args, 2.0), logits)


def test_the_centres_are_not_held_constant():
    samples = [draw(5, HIDDEN, seed=seed).requires_grad_() for seed in range(3)]
    contrastive_loss(*samples, 1.0).backward()
    assert all(bool(each.grad.abs().sum() > 0) for each in samples)
