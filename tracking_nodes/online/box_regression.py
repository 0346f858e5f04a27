"""Bounding-box regression as in R-CNN (Girshick et al., CVPR 2014, appendix C)."""
import numpy as np
import torch

from tracking_nodes.geometry import cxcywh_to_xywh, xywh_to_cxcywh

LARGEST_STEP = 0.5


def encode(boxes, target):
    """
    Return the R-CNN regression targets that lead from boxes to a target.

    :param boxes: (N, 4).
    :param target: (4,) or (N, 4).
    :return: (N, 4): shift of the centre in units of the box's sides, log ratio of the sides.
    """
    rows, goal = xywh_to_cxcywh(boxes), xywh_to_cxcywh(target)
    return np.concatenate([(goal[..., :2] - rows[:, :2]) / rows[:, 2:],
                           np.log(goal[..., 2:] / rows[:, 2:])], axis=1)


def decode(boxes, steps):
    """
    Return the boxes after regression steps; the inverse of `encode`, on a device.

    :param boxes: (N, 4) float64 tensor.
    :param steps: (N, 4), likewise.
    :return: (N, 4).
    """
    rows = xywh_to_cxcywh(boxes)
    rows[:, :2] += steps[:, :2] * rows[:, 2:]
    rows[:, 2:] *= steps[:, 2:].exp()
    return cxcywh_to_xywh(rows)


class BoxRegressor:
    """Ridge regression from the features of a box to the step towards the target's box."""

    def __init__(self, features, boxes, target, ridge):
        """
        Solve once, in closed form, on samples of the first frame.

        :param features: (N, D).
        :param boxes: (N, 4) the boxes the features were taken from.
        :param target: (4,) the true box.
        :param ridge: weight of the squared norm of the solution.
        """
        steps = torch.from_numpy(encode(boxes, target)).to(features)
        self._mean, self._offset = features.mean(dim=0), steps.mean(dim=0)
        centred = features - self._mean
        # N < D or nearly so: the dual form has the smaller system.
        gram = centred @ centred.T
        gram.diagonal().add_(ridge)
        self._weight = centred.T @ torch.linalg.solve(gram, steps - self._offset)

    def refine(self, features, boxes):
        """
        Return the regressed boxes; a step is limited to half a side.

        :param features: (N, D).
        :param boxes: (N, 4) float64, on their device.
        :return: (N, 4), there.
        """
        steps = (features - self._mean) @ self._weight + self._offset
        steps = steps.clamp(-LARGEST_STEP, LARGEST_STEP)
        return decode(boxes, steps.double())
