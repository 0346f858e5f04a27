"""The calibration of a response's height against a logistic function whose numbers are known."""
import numpy as np
import pytest

from tracking_nodes.errors import SequenceError
from tracking_nodes.training.score_calibration import fit


def observed(middle, slope, count=40000):
    """Return heights and overlaps drawn from a logistic function, as many good as lost frames."""
    random = np.random.default_rng(0)
    heights = random.uniform(middle - 0.4, middle + 0.4, count)
    good = random.random(count) < 1 / (1 + np.exp(-slope * (heights - middle)))
    return heights, np.where(good, 0.8, 0.0)


@pytest.mark.parametrize('middle, slope', [(0.5, 10.0), (0.62, 25.0)])
def test_the_logistic_function_that_was_drawn_from_is_found(middle, slope):
    found = fit(*observed(middle, slope))
    assert found == pytest.approx((middle, slope), rel=0.05)


def test_frames_in_between_do_not_count():
    heights, overlaps = observed(0.5, 10.0)
    doubtful = np.linspace(0, 1, 1000)
    more = fit(np.concatenate([heights, doubtful]),
               np.concatenate([overlaps, np.full(1000, 0.3)]))
    assert more == pytest.approx(fit(heights, overlaps))


def test_without_lost_frames_there_is_nothing_to_fit():
    with pytest.raises(SequenceError, match='3 good and 0 lost frames'):
        fit(np.array([0.5, 0.6, 0.7]), np.array([0.8, 0.9, 0.7]))
