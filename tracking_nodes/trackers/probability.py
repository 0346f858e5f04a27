"""A tracker's score as a probability."""
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from tracking_nodes.parameters import setting, Settings

# Scores are written with six digits.
_SMALLEST = 1e-6


@dataclass(frozen=True)
class ProbabilitySettings(Settings):
    """The map of `mapped`; it changes what is published and nothing of the tracking."""

    calibration_slope: float = setting(
        1.0, "how fast the published score rises with the tracker's own; 1 with "
        'calibration_offset 0: it is that', minimum=0.0, maximum=100.0, live=True,
        source='no map; tracking_benchmark calibrate fits one')
    calibration_offset: float = setting(
        0.0, 'added to the log odds of the published score', minimum=-100.0, maximum=100.0,
        live=True, source='as calibration_slope')

    def probability(self, score):
        """Return the score that is published for the tracker's own; without a map it is that."""
        if (self.calibration_slope, self.calibration_offset) == (1.0, 0.0):
            return float(score)
        return float(mapped(score, self.calibration_slope, self.calibration_offset))


def mapped(scores, slope, offset):
    """
    Return the probabilities that a map gives: sigmoid(slope * logit(score) + offset).

    :param scores: (N,) in [0, 1].
    :return: (N,) in (0, 1).
    """
    return expit(slope * log_odds(scores) + offset)


def log_odds(scores):
    """Return the logits of scores, those of 0 and 1 at a millionth from there."""
    return logit(np.clip(np.asarray(scores, dtype=np.float64), _SMALLEST, 1 - _SMALLEST))
