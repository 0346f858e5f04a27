"""
P values of Wilcoxon's two rank tests, as MATLAB's `signrank` and `ranksum` decide how to get them.

Small samples are compared with every way in which signs or groups could have fallen, ties among
the ranks included; SciPy's own exact methods know no ties, and overlaps and failures have many.
Larger ones use the normal approximation, that of the rank sum with a correction for continuity.
"""
from itertools import combinations

import numpy as np
from scipy.stats import mannwhitneyu, rankdata, wilcoxon

# The largest samples for which MATLAB counts: pairs; either sample, and both together.
_MOST_PAIRS = 15
_MOST_OF_ONE, _MOST_OF_BOTH = 9, 19


def signed_rank_p(difference):
    """
    Return the two-sided p value of the signed-rank test.

    :param difference: (N,) of pairs, without NaN; those that are 0 do not count.
    """
    difference = np.asarray(difference, dtype=np.float64)
    difference = difference[difference != 0]
    if len(difference) > _MOST_PAIRS:
        return float(wilcoxon(difference, correction=False, method='approx').pvalue)
    sums, ranks = np.zeros(1), rankdata(np.abs(difference))
    for rank in ranks:
        sums = np.concatenate([sums, sums + rank])
    return _two_sided(sums, ranks[difference > 0].sum())


def rank_sum_p(one, other):
    """
    Return the two-sided p value of the rank-sum test.

    :param one, other: (N,) and (M,) samples.
    """
    small, large = sorted((list(one), list(other)), key=len)
    if len(small) > _MOST_OF_ONE or len(small) + len(large) > _MOST_OF_BOTH:
        if len({*small, *large}) == 1:
            return 1.0
        return float(mannwhitneyu(small, large, method='asymptotic').pvalue)
    ranks = rankdata(small + large)
    sums = np.array([sum(group) for group in combinations(ranks, len(small))])
    return _two_sided(sums, ranks[:len(small)].sum())


def _two_sided(sums, seen):
    """Return how likely a sum of ranks as far out as the one seen is, among all that could be."""
    return float(min(1, 2 * min(np.mean(sums <= seen), np.mean(sums >= seen))))
