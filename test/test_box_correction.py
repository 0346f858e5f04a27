"""The first frame's difference between a given box and a detector's, and what it does later."""
import numpy as np
import pytest

from tracking_nodes.online.box_correction import BoxCorrection

GIVEN = np.array([100.0, 50, 40, 60])
FOUND = np.array([[300.0, 50, 40, 60], [95, 48, 50, 80]])


def test_the_same_mistake_is_made_up_for_at_any_place_and_size():
    correction = BoxCorrection(FOUND, GIVEN, 1.0)
    np.testing.assert_allclose(correction.applied(FOUND[1:]), [GIVEN])
    # Twice as large and somewhere else: the same box, twice as large.
    moved = np.concatenate([2 * FOUND[1, :2] + 7, 2 * FOUND[1, 2:]])
    np.testing.assert_allclose(correction.applied(moved[None])[0],
                               np.concatenate([2 * GIVEN[:2] + 7, 2 * GIVEN[2:]]))


def test_a_share_moves_so_far_only():
    half = BoxCorrection(FOUND, GIVEN, 0.5).applied(FOUND[1:])[0]
    centres = [box[:2] + box[2:] / 2 for box in (FOUND[1], half, GIVEN)]
    np.testing.assert_allclose(centres[1], (centres[0] + centres[2]) / 2)
    np.testing.assert_allclose(half[2:], np.sqrt(FOUND[1, 2:] * GIVEN[2:]))
    np.testing.assert_allclose(BoxCorrection(FOUND, GIVEN, 0.0).applied(FOUND), FOUND)


@pytest.mark.parametrize('boxes', [FOUND[:1], np.zeros((0, 4))])
def test_nothing_is_taken_from_boxes_of_something_else(boxes):
    correction = BoxCorrection(boxes, GIVEN, 1.0)
    np.testing.assert_allclose(correction.applied(FOUND), FOUND)
    assert correction.applied(np.zeros((0, 4))).shape == (0, 4)
