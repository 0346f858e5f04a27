"""The loss of SiamRCNN (GSTP section 2.1): cross entropy and smooth L1 of both stages."""
import torch
import torch.nn.functional as functional
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

# As in Faster R-CNN, where the paper is silent.
RPN_OVERLAPS, ROI_OVERLAPS = (0.7, 0.3), (0.5, 0.5)
RPN_SAMPLES, RPN_POSITIVE = 128, 0.5
ROI_SAMPLES, ROI_POSITIVE = 24, 0.25
SMOOTH_BETA = 1 / 9
_PROPOSALS = {'before': 400, 'after': 100, 'overlap': 0.7}


def labels_of(boxes, truth, overlaps, best_too):
    """
    Return the label of every box: 1 target, 0 background, -1 neither.

    :param boxes: (B, 4) left, top, right, bottom.
    :param truth: (4,), NaN where the target is absent: all is background then.
    :param overlaps: (from which a box is the target, below which it is background).
    :param best_too: whether the boxes of highest overlap are the target however low that is.
    """
    if not torch.isfinite(truth).all():
        return torch.zeros(len(boxes), dtype=torch.int64, device=boxes.device)
    matched = Matcher(*overlaps, allow_low_quality_matches=best_too)(box_iou(truth[None], boxes))
    return torch.where(matched == Matcher.BETWEEN_THRESHOLDS, -1, (matched >= 0).long())


def drawn(labels, samples, positive, generator):
    """
    Return the numbers of the boxes that are learned from.

    :param labels: (B,) of `labels_of`.
    :param samples: how many at most.
    :param positive: share of targets among them at most.
    :param generator: torch Generator, on the CPU.
    """
    targets, others = ((labels == value).nonzero()[:, 0] for value in (1, 0))
    targets = _some(targets, int(samples * positive), generator)
    return torch.cat([targets, _some(others, samples - len(targets), generator)])


def siam_rcnn_loss(network, features, templates, truths, size, generator):
    """
    Return the four terms of the loss by name.

    :param network: a `SiamRcnn`.
    :param features: (N, C, H', W') of the search images.
    :param templates: (N, C, T, T).
    :param truths: (N, 4) left, top, right, bottom; NaN where the target is absent.
    :param size: (H, W) of the search images in pixels.
    :param generator: torch Generator, on the CPU, of the draws of anchors and proposals.
    """
    fused = network.fuse(features, templates)
    logits, steps, anchors = network.propose(fused)
    rows = [_sampled(anchors, truth, RPN_OVERLAPS, True, RPN_SAMPLES, RPN_POSITIVE, generator)
            for truth in truths]
    rpn = _terms(
        torch.cat([one[kept] for one, (kept, _) in zip(logits, rows)]),
        torch.cat([one[kept] for one, (kept, _) in zip(steps, rows)]),
        [(anchors[kept], found) for kept, found in rows], truths, network.rpn_coder)
    with torch.no_grad():
        proposals = network.proposals(logits, steps, anchors, size, **_PROPOSALS)
    # The truth is among them, or the second stage would wait for the first to find it.
    proposals = [torch.cat([boxes, truth[None]]) if torch.isfinite(truth).all() else boxes
                 for boxes, truth in zip(proposals, truths)]
    rows = [_sampled(boxes, truth, ROI_OVERLAPS, False, ROI_SAMPLES, ROI_POSITIVE, generator)
            for boxes, truth in zip(proposals, truths)]
    chosen = [(boxes[kept], found) for boxes, (kept, found) in zip(proposals, rows)]
    roi = _terms(*network.judge(fused, [boxes for boxes, _ in chosen]), chosen, truths,
                 network.roi_coder)
    return {'rpn_class': rpn[0], 'rpn_box': rpn[1], 'roi_class': roi[0], 'roi_box': roi[1]}


def _sampled(boxes, truth, overlaps, best_too, samples, positive, generator):
    """Return (numbers, labels) of the boxes that are learned from."""
    labels = labels_of(boxes, truth, overlaps, best_too)
    kept = drawn(labels, samples, positive, generator)
    return kept, labels[kept]


def _terms(logits, steps, chosen, truths, coder):
    """Return cross entropy and smooth L1; both are divided by the number of samples."""
    labels = torch.cat([found for _, found in chosen])
    # Steps from the targets' boxes alone: elsewhere there may be no truth to step to.
    goals = [coder.encode_single(truth.expand(int(found.sum()), 4), boxes[found == 1])
             for (boxes, found), truth in zip(chosen, truths)]
    box = functional.smooth_l1_loss(steps[labels == 1], torch.cat(goals).to(steps),
                                    beta=SMOOTH_BETA, reduction='sum')
    return functional.cross_entropy(logits, labels), box / max(1, len(labels))


def _some(numbers, most, generator):
    order = torch.randperm(len(numbers), generator=generator)[:most]
    return numbers[order.to(numbers.device)]
