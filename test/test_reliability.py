"""Whether a score is the probability that the target is held."""
import numpy as np
import pytest

from tracking_nodes.evaluation.measures.calibration import calibration_error, reliability


def test_bins_hold_mean_scores_and_shares_of_held_frames():
    scores = [0.04, 0.06, 0.32, 0.38, 0.38, 1.0]
    overlaps = [0.1, 0.6, 0.5, 0.49, 0.9, 0.9]
    means, shares, counts = reliability(scores, overlaps)
    np.testing.assert_allclose(means, [0.05, 0.36, 1.0])
    np.testing.assert_allclose(shares, [0.5, 2 / 3, 1.0])
    np.testing.assert_array_equal(counts, [2, 3, 1])
    assert calibration_error(scores, overlaps) == pytest.approx(
        (2 * 0.45 + 3 * (2 / 3 - 0.36) + 0) / 6)


def test_a_score_drawn_from_its_own_promise_is_calibrated_and_its_square_is_not():
    random = np.random.default_rng(0)
    scores = random.random(60000)
    overlaps = np.where(random.random(60000) < scores, 0.8, 0.1)
    assert calibration_error(scores, overlaps) < 0.01
    # The mean of s - s ** 2 over 0 to 1.
    assert calibration_error(scores ** 2, overlaps) == pytest.approx(1 / 6, abs=0.01)


def test_without_frames_there_is_no_error():
    assert np.isnan(calibration_error([], []))
