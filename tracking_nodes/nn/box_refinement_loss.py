"""The loss of box refinement: steps and boxes where the target is, its overlap everywhere."""
import torch
import torch.nn.functional as functional
from torchvision.ops import generalized_box_iou_loss

STEPPED_OVERLAP = 0.3       # from which a rough box has to find the target's
SMOOTH_BETA = 1.0           # in units of the coder: a tenth of a side


def box_refinement_loss(network, maps, pooled, rough, truths, same):
    """
    Return the terms of the loss by name, means over the boxes they concern.

    :param network: a `BoxRefinement`.
    :param maps: list of (N, C, H, W), one per tap.
    :param pooled: (N, sum of C, T, T) of the templates.
    :param rough: (N, P, 4) boxes to start from.
    :param truths: (N, 4) boxes of the objects that the rough ones were drawn around.
    :param same: (N,), 1 where that is the template's object, 0 where it is another.
    :return: step: smooth L1 of the steps. box: generalised IoU loss. overlap: cross entropy
        between the answered overlap and that of the refined box, 0 with another object.
    """
    refined, steps, logits = network(maps, network.describe(pooled), rough)
    rows, goals = rough.flatten(0, 1), truths[:, None].expand_as(rough).flatten(0, 1)
    known = same[:, None].expand(rough.shape[:2]).flatten()
    reached = overlaps(refined.detach(), goals) * known
    stepped = (overlaps(rows, goals) >= STEPPED_OVERLAP) & (known > 0)
    wanted = network.coder.encode_single(goals[stepped], rows[stepped])
    count = max(1, int(stepped.sum()))
    return {
        'step': functional.smooth_l1_loss(steps[stepped], wanted.to(steps), beta=SMOOTH_BETA,
                                          reduction='sum') / (4 * count),
        'box': generalized_box_iou_loss(refined[stepped], goals[stepped].to(refined),
                                        reduction='sum') / count,
        'overlap': functional.binary_cross_entropy_with_logits(logits, reached.to(logits))}


def overlaps(boxes, others):
    """Return the intersection over union of boxes (N, 4), row by row, (N,)."""
    low, high = (torch.maximum(boxes[:, :2], others[:, :2]),
                 torch.minimum(boxes[:, 2:], others[:, 2:]))
    shared = (high - low).clamp(min=0).prod(dim=1)
    both = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) + (others[:, 2:] - others[:, :2]).prod(dim=1)
    return shared / (both - shared)
