"""AR ranks: adaptations, exact tests of small samples, and ranks over all frames together."""
from itertools import combinations, product

import numpy as np
import plain_reset
import pytest
from scipy.stats import mannwhitneyu, wilcoxon

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.measures import rank_tests, ranking
from tracking_nodes.evaluation.measures.reset import Outcome
from tracking_nodes.evaluation.protocols.base import Scores
from tracking_nodes.evaluation.protocols.reset_measured import Measured
from tracking_nodes.evaluation.protocols.reset_ranks import Ranking, with_ranks
from tracking_nodes.evaluation.report.scored import protocols_in
from tracking_nodes.evaluation.run import FAILED, STARTED, TRACKED

# Five trackers in order; the first may equal the second and the fourth, which may equal the fifth.
VALUES = [0.9, 0.8, 0.7, 0.6, 0.5]
EQUAL = {(0, 1), (0, 3), (3, 4)}


def different(count, equal):
    return np.array([[one != other and (min(one, other), max(one, other)) not in equal
                      for other in range(count)] for one in range(count)])


@pytest.mark.parametrize('adaptation, expected', [
    ('mean', [(1 + 2 + 4) / 3, 1.5, 3, (1 + 4 + 5) / 3, 4.5]),
    ('median', [2, 1.5, 3, 4, 4.5]),
    ('best', [1, 1, 3, 1, 4]),
    ('none', [1, 2, 3, 4, 5]),
])
def test_tied_trackers_share_a_rank_by_the_adaptation(adaptation, expected):
    found = ranking.ranks(VALUES, different(5, EQUAL), True, adaptation)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('adaptation', ranking.ADAPTATIONS)
def test_adapted_ranks_equal_a_plain_loop(seed, adaptation):
    generator = np.random.default_rng(seed)
    values = generator.permutation(7)
    equal = {pair for pair in combinations(range(7), 2) if generator.random() < 0.4}
    expected = plain_reset.adapted(np.argsort(values).tolist(), equal, adaptation)
    np.testing.assert_allclose(ranking.ranks(values, different(7, equal), False, adaptation),
                               expected)


def counted_rank_sum_p(one, other):
    """Return the exact p value by counting all groups that could have been drawn."""
    ranks = plain_reset.midranks([*one, *other])
    seen = sum(ranks[:len(one)])
    sums = [sum(group) for group in combinations(ranks, len(one))]
    low, high = sum(value <= seen for value in sums), sum(value >= seen for value in sums)
    return min(1, 2 * min(low, high) / len(sums))


def test_the_exact_rank_sum_by_hand():
    # One of twenty ways to draw three of six is as low; the other side counts the same.
    assert rank_tests.rank_sum_p([0, 0, 1], [2, 3, 3]) == pytest.approx(2 / 20)
    assert rank_tests.rank_sum_p([2, 3, 3], [0, 0, 1]) == pytest.approx(2 / 20)
    assert rank_tests.rank_sum_p([1, 1], [1, 1, 1]) == 1


@pytest.mark.parametrize('sizes', [(3, 3), (2, 9), (9, 10), (1, 18)])
def test_few_runs_are_compared_exactly_with_ties(sizes):
    generator = np.random.default_rng(sum(sizes))
    one, other = (generator.integers(shift, 4 + shift, size).tolist()
                  for shift, size in zip((0, 1), sizes))
    expected = counted_rank_sum_p(one, other)
    assert rank_tests.rank_sum_p(one, other) == pytest.approx(expected)
    plain = generator.permutation(sum(sizes))
    one, other = plain[:sizes[0]], plain[sizes[0]:]
    assert rank_tests.rank_sum_p(one, other) == pytest.approx(
        mannwhitneyu(one, other, method='exact').pvalue)


@pytest.mark.parametrize('sizes', [(10, 10), (9, 11), (15, 15), (3, 60)])
def test_more_runs_are_compared_by_the_normal_approximation(sizes):
    generator = np.random.default_rng(sum(sizes))
    one, other = (generator.integers(shift, 5 + shift, size).tolist()
                  for shift, size in zip((0, 2), sizes))
    assert rank_tests.rank_sum_p(one, other) == pytest.approx(plain_reset.rank_sum_p(one, other))


def test_few_differences_are_compared_exactly_with_ties():
    generator = np.random.default_rng(0)
    difference = generator.integers(-2, 4, 12)
    left = [value for value in difference.tolist() if value]
    ranks = plain_reset.midranks([abs(value) for value in left])
    seen = sum(rank for rank, value in zip(ranks, left) if value > 0)
    sums = [sum(rank for rank, sign in zip(ranks, signs) if sign)
            for signs in product((0, 1), repeat=len(left))]
    expected = 2 * min(sum(value <= seen for value in sums),
                       sum(value >= seen for value in sums)) / len(sums)
    assert rank_tests.signed_rank_p(difference) == pytest.approx(expected)
    apart = generator.permutation(np.arange(1, 16)) - 4.5
    assert rank_tests.signed_rank_p(apart) == pytest.approx(
        wilcoxon(apart, method='exact').pvalue, abs=1e-3)
    assert rank_tests.signed_rank_p(np.zeros(30)) == 1


def measured(rows):
    """Return {sequence: `Measured`} of three runs from {sequence: (overlap, failures, length)}."""
    found = {}
    for name, (overlap, failures, length) in rows.items():
        events = np.full(length, TRACKED, np.int8)
        events[0] = STARTED
        events[length - failures:] = FAILED
        overlaps = np.where(events == TRACKED, overlap + 1e-4 * np.arange(length), np.nan)
        runs = [Outcome(overlaps, events)] * 3
        found[name] = Measured(runs, runs, [Outcome(1 - overlaps, events)] * 3, {},
                               np.ones(length), np.full(length, np.nan))
    return found


# The long sequence outweighs the two short ones when frames count together.
TRACKERS = {'one': measured({'long': (0.5, 4, 400), 'a': (0.6, 0, 60), 'b': (0.6, 0, 60)}),
            'other': measured({'long': (0.7, 0, 400), 'a': (0.4, 1, 60), 'b': (0.4, 1, 60)})}


def overall(how=Ranking()):
    scores = with_ranks({name: Scores({}, {}, {}) for name in TRACKERS}, TRACKERS, how)
    return {name: one.overall for name, one in scores.items()}


def test_ranks_over_all_frames_are_not_the_mean_over_sequences():
    found = overall()
    # Over sequences `one` is second, first and first; over all frames it is second.
    assert [found[name]['accuracy_rank'] for name in TRACKERS] == pytest.approx([4 / 3, 5 / 3])
    assert [found[name]['accuracy_rank_pooled'] for name in TRACKERS] == [2, 1]
    assert [found[name]['failure_rank'] for name in TRACKERS] == pytest.approx([4 / 3, 5 / 3])
    # 4, 0, 0 and 0, 1, 1 failures, fifteen times each: more runs fail, but less often.
    assert plain_reset.rank_sum_p([4, 0, 0] * 15, [0, 1, 1] * 15) > 0.05
    assert [found[name]['failure_rank_pooled'] for name in TRACKERS] == [1.5, 1.5]
    best = overall(Ranking('best'))
    assert [best[name]['failure_rank_pooled'] for name in TRACKERS] == [1, 1]
    none = overall(Ranking('none'))
    assert [none[name]['failure_rank_pooled'] for name in TRACKERS] == [2, 1]


def test_ranks_may_be_those_of_the_older_overlap():
    found = overall(Ranking('mean', 'older'))
    assert [found[name]['accuracy_rank_pooled'] for name in TRACKERS] == [1, 2]


def test_runs_that_a_deterministic_tracker_was_spared_count_as_its_mean():
    # Three runs of each cannot be told apart, p = 0.1; fifteen can, as in the MATLAB toolkit.
    assert rank_tests.rank_sum_p([4] * 3, [0] * 3) == pytest.approx(0.1)
    only = {name: {'long': rows['long']} for name, rows in TRACKERS.items()}
    for repetitions, expected in ((3, [1.5, 1.5]), (15, [2, 1])):
        scores = with_ranks({name: Scores({}, {}, {}) for name in only}, only,
                            Ranking(repetitions=repetitions))
        assert [scores[name].overall['failure_rank'] for name in only] == expected


def test_options_of_the_protocol_choose_the_ranking():
    assert protocols.get('vot').ranking == Ranking('mean', 'matlab', 15)
    assert protocols.get('vot:best').ranking == Ranking('best', 'matlab', 15)
    assert protocols.get('vot:older').ranking == Ranking('mean', 'older', 15)
    assert protocols.get('vot:older+none').ranking == Ranking('none', 'older', 15)
    assert protocols.get('vot_realtime').ranking == Ranking('mean', 'matlab', 1)
    assert protocols.get('vot:older+best').folder == 'vot_older+best'
    for option in ('worst', 'older+worst', 'best+older', '+best'):
        with pytest.raises(SettingError, match='no ranking .*; known: mean, median, best, none'):
            protocols.get(f'vot:{option}')


def test_a_report_knows_the_ranking_by_the_name_of_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr('tracking_nodes.evaluation.results.stored',
                        lambda folder: {'one': ['clip']} if folder.name.startswith('vot') else {})
    (tmp_path / 'vot_older+best').mkdir()
    found, = protocols_in(tmp_path)
    assert found.ranking == Ranking('best', 'older', 15)
