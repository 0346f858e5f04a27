"""
Hard example mining of CSTNet (TIP 2021), section IV.B, and the alternatives of its Table V.

Logits are (N, 2), background first. The cross entropy itself, eq. 4 and 9 divided by the number
of samples, is `coherence_losses.classification_loss`.
"""
import torch
import torch.nn.functional as functional


def hardest_negatives(logits, count):
    """
    Split negatives by their loss, as OHEM does (Shrivastava et al., CVPR 2016).

    :param logits: (M, 2) of negatives.
    :param count: N_hn, how many are hard.
    :return: indices of the hard ones, hardest first, and of the others, the easy ones.
    """
    losses = functional.cross_entropy(logits.detach(), logits.new_zeros(len(logits)).long(),
                                      reduction='none')
    order = losses.argsort(descending=True, stable=True)
    return order[:count], order[count:]


def focal_loss(positive_logits, negative_logits, gamma):
    """
    Return the focal loss (Lin et al., ICCV 2017, eq. 4), per positive as there.

    :param positive_logits: (N, 2).
    :param negative_logits: (M, 2).
    :param gamma: how much less a sample counts the surer it is classified.
    :return: scalar.
    """
    log_right = torch.cat([functional.log_softmax(positive_logits, dim=1)[:, 1],
                           functional.log_softmax(negative_logits, dim=1)[:, 0]])
    return -((1 - log_right.exp()) ** gamma * log_right).sum() / len(positive_logits)


def contrastive_loss(hard, easy, positives, delta):
    """
    Return L_C of eq. 13: hard negatives lie near to the easy ones and far from positives.

    :param hard: (N_hn, H) embedded hard negatives f_i.
    :param easy: (N_en, H) embedded easy negatives, whose mean is c_en.
    :param positives: (N, H) embedded positives, whose mean is c_p.
    :param delta: keeps the denominator above 0.
    :return: scalar.
    """
    near = (hard - easy.mean(dim=0)).square().sum(dim=1)
    far = (hard - positives.mean(dim=0)).square().sum(dim=1)
    return (near / (far + delta)).mean()
