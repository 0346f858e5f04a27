"""Calibration of trackers' scores on the runs of a results folder, held out by sequence."""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.confidence import Confidence
from tracking_nodes.evaluation.measures.calibration import calibration_error
from tracking_nodes.evaluation.measures.score_map import fit_map
from tracking_nodes.evaluation.metrics import Metric
from tracking_nodes.trackers.probability import mapped

METRICS = (
    Metric('slope', 'slope', 'of the map sigmoid(slope * logit(score) + offset), fitted to all '
           'sequences; 0 where a higher score is no better sign', 0, np.inf, None),
    Metric('offset', 'offset', 'of the same map', -np.inf, np.inf, None),
    Metric('failure_auc', 'failure AUC', 'as in one-pass evaluation; the map does not change it',
           0, 1, True),
    Metric('before', 'error before', 'expected calibration error of the score as it is', 0, 1,
           False),
    Metric('after', 'error after', 'the same behind a map that was fitted to the other sequences',
           0, 1, False),
)


@dataclass(frozen=True)
class Calibration:
    """
    What calibration does to one tracker.

    values: {key: value} of `METRICS`. frames, sequences: how many it was fitted to.
    """

    values: dict
    frames: int
    sequences: int


def calibrate(parts):
    """
    Fit a map to all sequences, and measure it on each with a map that was fitted to the others.

    :param parts: list of `Confidence`, one per sequence.
    :return: a `Calibration`.
    :raises SequenceError: less than two sequences with frames, or the tracker has no score.
    """
    parts = [part for part in parts if len(part.scores)]
    if len(parts) < 2:
        raise SequenceError(f'{len(parts)} sequences: calibration is held out by sequence and '
                            'needs two or more')
    everything = Confidence.pooled(parts)
    if not everything.scored:
        raise SequenceError('it has no score')
    slope, offset = fit_map(everything.scores, everything.overlaps)
    held_out = np.concatenate([_held_out(parts, index) for index in range(len(parts))])
    return Calibration({
        'slope': slope, 'offset': offset, 'failure_auc': everything.values()['failure_auc'],
        'before': calibration_error(everything.scores, everything.overlaps),
        'after': calibration_error(held_out, everything.overlaps)}, len(held_out), len(parts))


def _held_out(parts, index):
    """Return the scores of one sequence behind the map of the others."""
    others = Confidence.pooled(parts[:index] + parts[index + 1:])
    return mapped(parts[index].scores, *fit_map(others.scores, others.overlaps))
