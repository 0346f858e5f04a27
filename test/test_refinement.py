"""Proposal refinement of CSTNet, eq. 10 to 12, against plain loops."""
import numpy as np
import pytest
import torch

from tracking_nodes.online.refinement import refined_scores

BOXES = np.array([[0.0, 0, 10, 10], [2, 0, 10, 10], [5, 0, 10, 10], [9, 0, 10, 10],
                  [30, 30, 10, 10]])
SPATIAL = np.array([0.9, 0.8, 0.7, 0.95, 0.2])
TEMPORAL = np.array([0.1, 0.9, 0.3, 0.2, 0.4])


def refined(order, weight, threshold, boxes=BOXES):
    """Return `refined_scores` of arrays as an array."""
    scores = refined_scores(*map(torch.from_numpy, (SPATIAL, TEMPORAL, boxes)), order, weight,
                            threshold)
    assert scores.dtype == torch.float64
    return scores.numpy()


def overlap(one, other):
    """Return the intersection over union of two boxes."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(across, 0) * max(down, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def expected(fine, coarse, weight, threshold):
    best = max(range(len(BOXES)), key=lambda i: coarse[i])
    scores = []
    for i, box in enumerate(BOXES):
        shared = overlap(box, BOXES[best])
        scores.append(fine[i] + (weight * coarse[best] * shared if shared > threshold else 0))
    return scores


@pytest.mark.parametrize('weight', [0.0, 0.3, 1.0])
@pytest.mark.parametrize('threshold', [0.0, 0.5, 0.8])
def test_the_orders_are_eq_10_to_12_with_the_streams_exchanged(weight, threshold):
    np.testing.assert_allclose(
        refined('ref2', weight, threshold),
        expected(SPATIAL, TEMPORAL, weight, threshold), rtol=1e-14)
    np.testing.assert_allclose(
        refined('ref1', weight, threshold),
        expected(TEMPORAL, SPATIAL, weight, threshold), rtol=1e-14)


def test_the_cuboid_decides_between_proposals_that_are_as_good():
    assert SPATIAL.argmax() == 3
    assert refined('ref2', 0.3, 0.5).argmax() == 0
    # Out of reach of the best cuboid a much better proposal still wins.
    assert refined('ref2', 0.1, 0.9).argmax() == 3


def test_in_the_other_order_the_temporal_scores_decide():
    assert refined('ref1', 0.3, 0.5).argmax() == 1


def test_boxes_without_area_are_not_supported():
    flat = BOXES.copy()
    flat[:, 2:] = 0
    np.testing.assert_array_equal(refined('ref2', 0.3, 0.5, flat), SPATIAL)
    np.testing.assert_array_equal(refined('ref2', 0.3, 0.0, flat), SPATIAL)


def test_inputs_are_left_as_they_are():
    before = [each.copy() for each in (SPATIAL, TEMPORAL, BOXES)]
    refined('ref2', 0.3, 0.5)
    for array, copy in zip((SPATIAL, TEMPORAL, BOXES), before):
        np.testing.assert_array_equal(array, copy)
