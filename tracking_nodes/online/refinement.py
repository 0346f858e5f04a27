"""
Proposal refinement of CSTNet (TIP 2021), section IV.A: two streams agree on a box.

One stream points out a coarse place, and proposals near it gain in the scores of the other.
"""
import torch
from torchvision.ops import box_iou

from tracking_nodes.geometry import xywh_to_xyxy

# ref2 is eq. 10 to 12; ref1 is the other order of section V.E.5.
ORDERS = ('ref2', 'ref1')


def refined_scores(spatial, temporal, boxes, order, weight, overlap):
    """
    Return the scores whose maximum is the target.

    :param spatial: (N,) probabilities P(X_i) of the proposals.
    :param temporal: (N,) probabilities P(T_i) of their cuboids.
    :param boxes: (N, 4) the proposals, in the last frame of their cuboids; float64.
    :param order: 'ref2', the best cuboid supports proposals, or 'ref1', the best proposal
        supports cuboids.
    :param weight: gamma of eq. 11.
    :param overlap: overlap with the coarse box above which a proposal is supported.
    :return: (N,) float64, in [0, 1 + gamma], on the device of all these tensors.
    """
    if order == 'ref2':
        return supported_scores(spatial, temporal, boxes, weight, overlap)
    return supported_scores(temporal, spatial, boxes, weight, overlap)


def supported_scores(fine, coarse, boxes, weight, overlap):
    """
    Return eq. 11, the fine scores raised around the best of the coarse ones (eq. 10).

    :param fine: (N,) probabilities to adjust.
    :param coarse: (N,) probabilities of the same boxes by the stream that comes first.
    :return: (N,) float64.
    """
    fine, coarse, corners = fine.double(), coarse.double(), xywh_to_xyxy(boxes)
    best = coarse.argmax(dim=0, keepdim=True)
    shared = box_iou(corners, corners[best])[:, 0]
    # NaN, the overlap of boxes without area, is not above anything.
    return fine + torch.where(shared > overlap, weight * coarse[best] * shared, 0.0)
