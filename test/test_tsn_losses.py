"""TSN's losses against eq. 2 and 5 in float64 loops, gradients against finite differences."""
import pytest
import torch

from tracking_nodes.online.tsn_losses import overlap_loss, response_loss


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize('kind, power', [('l1', 1), ('l2', 2)])
def test_overlap_loss_is_eq_2(kind, power):
    similarities, overlaps = draw(7), draw(7, seed=1)
    expected = sum(abs(s - r) ** power for s, r in zip(similarities.tolist(), overlaps.tolist()))
    assert float(overlap_loss(similarities, overlaps, kind)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('decay', [0.0, 1e-4, 0.5])
def test_response_loss_is_eq_5(decay):
    responses, labels = draw(3, 4, 5), draw(3, 4, 5, seed=1)
    parameters = [draw(2, 3, seed=2) - 0.5, draw(4, seed=3)]
    error = sum((y - f) ** 2 for y, f in zip(labels.flatten().tolist(),
                                             responses.flatten().tolist()))
    norm = sum(value ** 2 for each in parameters for value in each.flatten().tolist())
    assert float(response_loss(responses, labels, parameters, decay)) == pytest.approx(
        error / 3 + decay * norm, rel=1e-12)


@pytest.mark.parametrize('kind', ['l1', 'l2'])
def test_gradient_of_the_overlap_loss(kind):
    logits, overlaps = (4 * draw(9) - 2).requires_grad_(), draw(9, seed=1)
    assert torch.autograd.gradcheck(
        lambda each: overlap_loss(each.sigmoid(), overlaps, kind), logits)


def test_gradient_of_the_response_loss():
    responses, labels = draw(2, 3, 3).requires_grad_(), draw(2, 3, 3, seed=1)
    weight = draw(3, 2, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda answer, theta: response_loss(answer, labels, [theta], 0.1), (responses, weight))
