"""The measures of protocols against plain loops over small cases."""
from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from tracking_nodes.evaluation.measures import longterm, ranking, reset
from tracking_nodes.evaluation.measures.duration import time_to_failure
from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.evaluation.metrics import normalised_errors, score
from tracking_nodes.evaluation.run import FAILED, SKIPPED, STARTED, TRACKED

SIZE = (64, 48)


def outcome(code, overlaps=None):
    """Return an `Outcome` from a word: s started, t tracked, f failed, . skipped."""
    events = np.array(['.sft'.index(letter) for letter in code], dtype=np.int8)
    overlaps = np.linspace(0.9, 0.3, len(code)) if overlaps is None else np.array(overlaps)
    return reset.Outcome(np.where(events == TRACKED, overlaps, np.nan), events)


def random_outcomes(seed, lengths=(37, 60, 52), repetitions=2):
    """Return [[`Outcome`]] that failed now and then."""
    generator, found = np.random.default_rng(seed), []
    for count in lengths:
        found.append([])
        for _ in range(repetitions):
            code, left = '', 0
            while len(code) < count:
                code += 's' + 't' * generator.integers(0, 30) + 'f....'
            left = code[:count] if generator.random() < 0.5 else code[:count - 6].ljust(count, 't')
            found[-1].append(outcome(left, generator.uniform(0.05, 1, count)))
    return found


def test_the_codes_are_those_of_vot_files():
    assert (SKIPPED, STARTED, FAILED) == (0, 1, 2)


def test_accuracy_leaves_out_ten_frames_from_each_start():
    one = outcome('s' + 't' * 14 + 'f....' + 's' + 't' * 11)
    counted = [*range(10, 15), *range(30, 32)]
    found = reset.counted_overlaps(one)
    assert np.flatnonzero(~np.isnan(found)).tolist() == counted
    assert reset.accuracy([one]) == pytest.approx(one.overlaps[counted].mean())
    short = outcome('sttt')
    assert reset.accuracy([one, short]) == pytest.approx(one.overlaps[counted].mean() / 2)
    assert reset.failures([one, short]).tolist() == [1, 0]
    assert reset.reliability(2, 300) == pytest.approx(np.exp(-0.2))


def test_accuracy_by_frame_averages_the_repetitions_that_count():
    first, second = outcome('s' + 't' * 11), outcome('s' + 't' * 10 + 'f')
    found = reset.accuracy_by_frame([first, second])
    assert np.isnan(found[:10]).all()
    assert found[10] == pytest.approx((first.overlaps[10] + second.overlaps[10]) / 2)
    assert found[11] == first.overlaps[11]


def plain_matlab_curve(sequences, skip=5):
    """Compute the MATLAB toolkit's curve literally: a matrix of padded fragments."""
    longest = max(len(one.events) for runs in sequences for one in runs)
    rows, weights = [], []
    for runs in sequences:
        for one in runs:
            overlaps = [0.0 if np.isnan(value) else value for value in one.overlaps]
            fails = [index for index, event in enumerate(one.events) if event == FAILED]
            points = [0] + [fail + skip for fail in fails if fail + skip < len(overlaps)]
            for place, point in enumerate(points):
                last = place == len(points) - 1
                part = overlaps[point:] if last else overlaps[point:points[place + 1] + 1]
                rows.append(part + [None if last else 0.0] * (longest - len(part)))
                weights.append(1 / len(runs))
    curve = [1.0]
    for frames in range(2, longest + 1):
        usable = [(row, weight) for row, weight in zip(rows, weights)
                  if row[frames - 1] is not None]
        total = sum(weight for _, weight in usable)
        curve.append(sum(weight * sum(row[1:frames]) / (frames - 1)
                         for row, weight in usable) / total)
    return np.array(curve)


@pytest.mark.parametrize('seed', range(5))
def test_expected_overlap_equals_the_matrix_of_fragments(seed):
    sequences = random_outcomes(seed)
    expected = plain_matlab_curve(sequences)
    found = reset.matlab_curve(sequences)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert reset.matlab_eao(found, (5, 20)) == pytest.approx(np.mean(expected[4:20]))


def test_the_matlab_curve_is_as_long_as_the_longest_sequence_though_all_its_runs_failed():
    one = outcome('s' + 't' * 6 + 'f....' + 's' + 't' * 4 + 'f....', np.full(22, 0.5))
    curve = reset.matlab_curve([[one], [outcome('s' + 't' * 5)]])
    # Only the fragment that failed and could start again says anything of 22 frames.
    assert len(curve) == 22 and curve[21] == pytest.approx(6 * 0.5 / 21)


def test_a_fragment_weighs_as_much_as_its_share_of_a_tag():
    one = [[outcome('s' + 't' * 9, np.full(10, 0.8))], [outcome('s' + 't' * 9, np.full(10, 0.4))]]
    tags = [np.arange(10) < 6, np.arange(10) < 2]
    curve = reset.matlab_curve(one, tags)
    np.testing.assert_allclose(curve[1:], 0.75 * 0.8 + 0.25 * 0.4)


def test_a_failure_too_late_to_start_again_is_read_differently_by_the_tools():
    late = [[outcome('s' + 't' * 6 + 'f..', np.full(10, 0.5))]]
    toolkit, matlab = reset.toolkit_curve(late), reset.matlab_curve(late)
    assert len(toolkit) == 7 and toolkit[6] == pytest.approx(0.5)
    assert matlab[9] == pytest.approx(6 * 0.5 / 9)


def test_frames_without_ground_truth_are_no_part_of_a_fragment():
    gap = outcome('s' + 't' * 9, [0.5] * 4 + [np.nan] * 3 + [0.5] * 3)
    np.testing.assert_allclose(reset.toolkit_curve([[gap]])[1:], 0.5)
    np.testing.assert_allclose(reset.matlab_curve([[gap]])[1:], 0.5)


def test_an_interval_beyond_the_curve_has_no_score():
    curve = reset.matlab_curve([[outcome('s' + 't' * 20)]])
    assert np.isnan(reset.matlab_eao(curve, (100, 356)))
    assert np.isnan(reset.toolkit_eao(curve, (100, 356)))


def test_equal_trackers_share_the_mean_of_their_ranks():
    different = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 0]], dtype=bool)
    assert ranking.ranks([0.9, 0.8, 0.7, 0.1], different, True).tolist() == [1.5, 2, 2.5, 4]
    assert ranking.ranks([0.9, 0.8, 0.7, 0.1], different, False).tolist() == [3.5, 3, 2.5, 1]


def signed_rank_p(difference):
    """Return the p value of the signed-rank test by its normal approximation, worked out here."""
    from math import erfc, sqrt
    difference = [value for value in difference if value != 0]
    sizes = sorted(abs(value) for value in difference)
    rank = {value: np.mean([place for place, size in enumerate(sizes, 1) if size == value])
            for value in set(sizes)}
    plus = sum(rank[abs(value)] for value in difference if value > 0)
    count = len(difference)
    ties = sum(sizes.count(value) ** 3 - sizes.count(value) for value in set(sizes))
    spread = sqrt(count * (count + 1) * (2 * count + 1) / 24 - ties / 48)
    return erfc(abs(plus - count * (count + 1) / 4) / spread / sqrt(2))


@pytest.mark.parametrize('seed', range(6))
def test_accuracy_differs_by_the_signed_rank_test(seed):
    generator = np.random.default_rng(seed)
    one = generator.uniform(0, 1, 60)
    other = one + np.round(generator.normal(0.03, 0.1, 60), 2)
    one[::7] = np.nan
    expected = signed_rank_p((one - other)[~np.isnan(one)].tolist()) < 0.05
    assert ranking.accuracy_differs(one, other) == expected


@pytest.mark.parametrize('seed', range(6))
def test_a_difference_is_seen_by_its_mean_in_thresholds(seed):
    generator = np.random.default_rng(seed)
    one, practical = generator.uniform(0, 1, 40), generator.uniform(0.05, 0.2, 40)
    other = one - generator.normal(0.1, 0.1, 40)
    one[::7], practical[3], practical[5] = np.nan, np.nan, 0
    parts = [(a - b) / limit for a, b, limit in zip(one, other, practical)
             if a == a and limit > 0]
    assert ranking.practically_differs(one, other, practical) == (abs(sum(parts) / len(parts))
                                                                  >= 1)
    assert ranking.practically_differs(one, other, np.full(40, np.nan))


def test_significance_at_the_edges():
    one = np.linspace(0, 1, 60)
    assert not ranking.accuracy_differs(one, one)
    assert ranking.accuracy_differs(one[:20], one[:20])
    assert not ranking.failures_differ(np.zeros(15), np.zeros(15))
    assert ranking.failures_differ(np.zeros(15), np.full(15, 3))
    assert not ranking.failures_differ(np.array([1, 2, 3] * 5), np.array([3, 2, 1] * 5))


@given(st.integers(0, 10 ** 6))
@settings(max_examples=30, deadline=None)
def test_precision_and_recall_equal_a_plain_loop(seed):
    generator = np.random.default_rng(seed)
    overlaps = generator.uniform(0, 1, 40)
    confidence = generator.integers(0, 8, 40) / 8
    limits = longterm.thresholds(confidence, 20)
    precision, recall = longterm.precision_recall(overlaps, confidence, 33, limits)
    for place, limit in enumerate(limits):
        kept = [overlap for overlap, sure in zip(overlaps, confidence) if sure >= limit]
        assert precision[place] == pytest.approx(np.mean(kept) if kept else 1)
        assert recall[place] == pytest.approx(sum(kept) / 33)
    best = max(2 * p * r / (p + r) for p, r in zip(precision, recall))
    assert longterm.best_f_score(precision, recall)[0] == pytest.approx(best)


def test_presence_is_scored_by_what_the_tracker_says():
    overlaps = np.array([0.9, 0.6, 0.5, 0.0, 0.8])
    said = np.array([True, True, True, True, False])
    there = np.array([True, True, True, False, True])
    precision, recall, f_score = longterm.detection_scores(overlaps, said, there)
    assert (precision, recall) == (2 / 4, 2 / 4) and f_score == pytest.approx(0.5)
    assert np.isnan(longterm.detection_scores(overlaps, said & False, there)[0])


@pytest.mark.parametrize('overlaps, threshold, patience, expected', [
    ([1, 0.5, 0, 0.5], 0, 1, 2 / 4),
    ([1, 0.5, 0, 0.5], 0, 2, 1),
    ([1, 0.1, 0.05, 0, 0.9, 0, 0], 0.1, 3, 1 / 7),
    ([1, 0, 0, np.nan, 0, 0, 0], 0.1, 3, 4 / 7),
    ([1, 1, 1], 0.1, 10, 1),
])
def test_time_to_failure(overlaps, threshold, patience, expected):
    assert time_to_failure(overlaps, threshold, patience) == pytest.approx(expected)


def test_time_to_failure_counts_from_the_start():
    truth = np.tile([10.0, 10, 20, 20], (30, 1))
    truth[:5] = np.nan
    boxes = np.tile([10.0, 10, 20, 20], (30, 1))
    boxes[20:] = [40, 40, 5, 5]
    values = score(boxes, truth, np.full(30, 0.1), SIZE).values
    assert values['nt2f'] == values['nt2f_zero'] == pytest.approx(15 / 25)


def test_normalised_precision_auc_is_the_mean_over_51_thresholds():
    generator = np.random.default_rng(0)
    truth = np.tile([10.0, 10, 20, 20], (40, 1))
    boxes = truth + generator.normal(0, 5, (40, 4)) * [1, 1, 0, 0]
    errors = normalised_errors(boxes, truth)
    expected = np.mean([np.mean(errors <= step / 100) for step in range(51)])
    assert score(boxes, truth, np.ones(40), SIZE).values['norm_auc'] == pytest.approx(expected)


def test_four_corners_of_a_box_overlap_as_the_box_where_the_rule_says_so():
    random = np.random.default_rng(4)
    boxes = np.concatenate([random.uniform(-5, 60, (40, 2)), random.uniform(2, 30, (40, 2))], 1)
    others = boxes + random.normal(0, 4, boxes.shape) * [1, 1, 0, 0]
    x, y, w, h = boxes.T
    corners = np.stack([x, y, x + w, y, x + w, y + h, x, y + h], axis=1)
    expected = region_overlaps(boxes, others, SIZE, 'pysot')
    np.testing.assert_array_equal(region_overlaps(corners, others, SIZE, 'pysot'), expected)
    mixed = [box if index % 2 else shape for index, (box, shape) in enumerate(zip(boxes, corners))]
    np.testing.assert_array_equal(region_overlaps(mixed, others, SIZE, 'pysot'), expected)
    for rule in ('pysot', 'toolkit'):
        np.testing.assert_array_equal(region_overlaps(corners, corners[::-1], SIZE, rule),
                                      region_overlaps(corners[::-1], corners, SIZE, rule))


def test_region_overlaps_count_pixels_inside_of_the_image():
    boxes = np.array([[-10.0, 0, 20, 10], [0, 0, 10, 10], [100, 0, 10, 10], [np.nan] * 4])
    others = np.array([[0.0, 0, 10, 10], [5, 0, 10, 10], [100, 0, 10, 10], [0, 0, 4, 4]])
    assert region_overlaps(boxes, others, SIZE)[:3].tolist() == [1, 50 / 150, 0]
    assert np.isnan(region_overlaps(boxes, others, SIZE)[3])
    assert region_overlaps(boxes, others, None)[:3].tolist() == [0.5, 50 / 150, 1]


def test_the_two_rules_differ_by_the_last_row_and_column():
    box = np.array([[10.0, 10, 10, 10]])
    square = np.array([[10.0, 10, 19, 10, 19, 19, 10, 19]])
    assert region_overlaps(box, square, SIZE, 'toolkit')[0] == 1
    assert region_overlaps(box, square, SIZE, 'pysot')[0] == pytest.approx(100 / 121)
