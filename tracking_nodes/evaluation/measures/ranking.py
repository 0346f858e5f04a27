"""
AR ranking: trackers that do not differ significantly share a rank (VOT2013 to VOT2016).

Kristan et al.: A Novel Performance Evaluation Methodology for Single-Target Trackers, PAMI 2016,
as the MATLAB toolkit computes it. Accuracy is compared frame by frame by Wilcoxon's signed-rank
test, the failures of all runs by his rank-sum test. The challenges also called two trackers equal
in accuracy whose difference annotators would not see, by a threshold per frame.
"""
import numpy as np

from tracking_nodes.evaluation.measures.rank_tests import rank_sum_p, signed_rank_p

ALPHA = 0.05
# With fewer pairs the toolkit calls any two trackers different.
FEWEST_FRAMES = 25
# What a tracker gets out of the ranks of all that it may equal, itself included. 'best' is that of
# the toolkit up to VOT2017; a later change of it gives a rank to the trackers that do differ.
ADAPTATIONS = {'mean': np.mean, 'median': np.median, 'best': np.min, 'none': None}


def ranks(values, different, higher_is_better, adaptation='mean'):
    """
    Return ranks from 1, best first, adapted among trackers that may be equal.

    :param values: (T,) one number per tracker.
    :param different: (T, T) bool, which pairs differ significantly.
    :param higher_is_better: direction of the values.
    :param adaptation: key of `ADAPTATIONS`.
    :return: (T,) float64.
    """
    values = np.asarray(values, dtype=np.float64)
    order = np.argsort(-values if higher_is_better else values, kind='stable')
    place = np.empty(len(values))
    place[order] = np.arange(1, len(values) + 1)
    adapt = ADAPTATIONS[adaptation]
    if adapt is None:
        return place
    return np.array([adapt(place[~row]) for row in np.asarray(different, dtype=bool)])


def accuracy_differs(one, other, alpha=ALPHA):
    """
    Return whether the overlaps of two trackers differ, by the signed-rank test.

    :param one, other: (N,) overlaps in the same frames, NaN where a frame does not count.
    """
    difference = np.asarray(one) - np.asarray(other)
    difference = difference[~np.isnan(difference)]
    return len(difference) < FEWEST_FRAMES or signed_rank_p(difference) <= alpha


def practically_differs(one, other, practical):
    """
    Return whether annotators would see the difference of two trackers' overlaps.

    :param one, other: (N,) as in `accuracy_differs`.
    :param practical: (N,) the difference that they do not see in each frame; a frame with NaN or
        with none does not count. Where no frame counts every difference is seen.
    """
    difference = np.asarray(one) - np.asarray(other)
    counts = ~np.isnan(difference) & (np.asarray(practical) > 0)
    if not counts.any():
        return True
    return bool(abs(np.mean(difference[counts] / practical[counts])) >= 1)


def failures_differ(one, other, alpha=ALPHA):
    """
    Return whether the numbers of failures of two trackers differ, by the rank-sum test.

    :param one, other: (K,) failures of every run of every sequence.
    """
    return rank_sum_p(one, other) <= alpha


def difference_matrix(rows, differs):
    """Return (T, T) bool: which pairs of rows differ, by a function of two of them."""
    matrix = np.zeros((len(rows), len(rows)), dtype=bool)
    for first in range(len(rows)):
        for second in range(first + 1, len(rows)):
            matrix[first, second] = matrix[second, first] = differs(rows[first], rows[second])
    return matrix
