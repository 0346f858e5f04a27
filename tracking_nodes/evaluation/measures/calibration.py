"""How far a score is the probability that the target is held."""
import numpy as np

from tracking_nodes.evaluation.measures.failure import HELD

BINS = 10


def reliability(scores, overlaps):
    """
    Return what the scores promised and what came of it, bin by bin (Guo et al., ICML 2017).

    :param scores: (N,) in [0, 1].
    :param overlaps: (N,) IoU with the ground truth, without NaN.
    :return: for each of the `BINS` bins of equal width that has frames, rising: mean scores (K,),
        shares of frames with an overlap of `HELD` or more (K,), numbers of frames (K,).
    """
    scores = np.asarray(scores, dtype=np.float64)
    held = np.asarray(overlaps) >= HELD
    index = np.minimum((scores * BINS).astype(int), BINS - 1)
    counts = np.bincount(index, minlength=BINS)
    used = counts > 0
    means, shares = (np.bincount(index, part, BINS)[used] / counts[used]
                     for part in (scores, held))
    return means, shares, counts[used]


def calibration_error(scores, overlaps):
    """
    Return the expected calibration error: how far the bins of `reliability` are off, by frames.

    :param scores: (N,) in [0, 1].
    :param overlaps: (N,) IoU with the ground truth, without NaN.
    :return: in [0, 1], 0 for a score that is the probability; NaN without frames.
    """
    if not len(scores):
        return float('nan')
    means, shares, counts = reliability(scores, overlaps)
    return float((np.abs(means - shares) * counts).sum() / counts.sum())
