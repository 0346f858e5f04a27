"""
The losses of RMAN (TIP 2020), eq. 3 and 5 to 7.

All take representations of N positive and N negative samples, paired by row.
"""
import torch.nn.functional as functional


def classification_loss(positive_logits, negative_logits):
    """
    Return eq. 3, the mean cross entropy of 2N samples.

    :param positive_logits: (N, 2), background first.
    :param negative_logits: (N, 2).
    :return: scalar.
    """
    positive = -functional.log_softmax(positive_logits, dim=1)[:, 1]
    negative = -functional.log_softmax(negative_logits, dim=1)[:, 0]
    return (positive.sum() + negative.sum()) / (len(positive) + len(negative))


def coherence_loss(positive, negative, margin):
    """
    Return L_a of eq. 5: positives lie nearer to their reference a_T than negatives, by a margin.

    :param positive: `Representation` of N samples.
    :param negative: `Representation` of N samples.
    :param margin: tau.
    :return: scalar.
    """
    near = (positive.current - positive.reference).square().sum(dim=1)
    far = (negative.current - negative.reference).square().sum(dim=1)
    return functional.relu(near - far + margin).mean()


def compactness_loss(positive, negative):
    """
    Return L_b of eq. 6: positives lie close to their centre, negatives far from it.

    :param positive: (N, H') full representations h_T^*.
    :param negative: (N, H').
    :return: scalar.
    """
    centre = positive.mean(dim=0)
    inner = (positive - centre).square().sum(dim=1)
    outer = (negative - centre).square().sum(dim=1)
    return (inner / outer.clamp_min(1e-12)).mean()
