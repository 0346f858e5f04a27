"""A rising map that turns a tracker's score into the probability that the target is held."""
import numpy as np
from scipy.special import expit, logit

from tracking_nodes.evaluation.measures.failure import HELD
from tracking_nodes.trackers.probability import log_odds

_ITERATIONS, _PRECISION = 100, 1e-10


def fit_map(scores, overlaps):
    """
    Return the slope and offset under which the scores are likeliest, by Newton's method.

    This is Platt's scaling on the logit of the score, with his targets, which keep the map finite
    where scores tell all frames apart (Platt: Probabilistic Outputs for Support Vector Machines,
    1999). Frames count as they come: the map gives the probability on sequences like these.

    :param scores: (N,) in [0, 1].
    :param overlaps: (N,) IoU with the ground truth, without NaN.
    :return: slope, not negative, and offset; slope 0 where a higher score is no better sign.
    """
    held = np.asarray(overlaps) >= HELD
    yes, no = held.sum(), (~held).sum()
    targets = np.where(held, (yes + 1) / (yes + 2), 1 / (no + 2))
    inputs = np.stack([log_odds(scores), np.ones(len(held))])
    start = np.array([0.0, logit(targets.mean())])
    slope, offset = _newton(inputs, targets, start)
    return (slope, offset) if slope > 0 else (0.0, float(start[1]))


def _newton(inputs, targets, weights):
    cost = _cost(inputs, targets, weights)
    for _ in range(_ITERATIONS):
        values = expit(weights @ inputs)
        gradient = inputs @ (values - targets)
        # A constant score leaves the slope free; the little on the diagonal keeps it where it is.
        curvature = (inputs * (values * (1 - values))) @ inputs.T + 1e-9 * np.eye(2)
        step, size = np.linalg.solve(curvature, gradient), 1.0
        while size > _PRECISION and _cost(inputs, targets, weights - size * step) > cost:
            size /= 2
        weights = weights - size * step
        before, cost = cost, _cost(inputs, targets, weights)
        if before - cost <= _PRECISION * before:
            break
    return tuple(weights.tolist())


def _cost(inputs, targets, weights):
    values = weights @ inputs
    return (np.logaddexp(0, values) - targets * values).sum()
