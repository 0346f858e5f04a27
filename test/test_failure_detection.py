"""How well a score tells lost frames from held ones, and how soon the loss is noticed."""
import json

from hypothesis import given, settings, strategies as st
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tracking_nodes.evaluation.confidence import Confidence, overall_values, pooled_confidence
from tracking_nodes.evaluation.measures.failure import failure_auc, find_losses, loss_delays
from tracking_nodes.evaluation.metrics import Score
from tracking_nodes.evaluation.protocols.base import Trial
from tracking_nodes.evaluation.protocols.ope import score_result
from tracking_nodes.evaluation.results import Result, write_summary
from tracking_nodes.evaluation.run import Run
from tracking_nodes.evaluation.table import text_table

WIDTH = 20.0


def a_result(overlaps, scores, present=None, first=0, ages=None):
    """Return a result whose boxes overlap a ground truth by these shares; NaN without truth."""
    overlaps = np.array(overlaps, dtype=np.float64)
    count = len(overlaps)
    truth = np.tile([50, 40, WIDTH, 10], (count, 1))
    boxes = truth.copy()
    # Of two equal boxes that lie s apart, w - s is common to w + s.
    boxes[:, 0] += WIDTH * (1 - np.nan_to_num(overlaps)) / (1 + np.nan_to_num(overlaps))
    truth[np.isnan(overlaps)] = np.nan
    run = Run(boxes, np.array(scores, dtype=np.float64),
              np.ones(count, bool) if present is None else np.array(present, dtype=bool),
              np.full(count, 0.01), (160, 120), ages=ages)
    stamps = np.arange(count, dtype=np.int64) * 100_000_000 + 7
    return Result(run, truth, {}, Trial('', first, count - 1), stamps=stamps)


@given(st.integers(0, 10 ** 6), st.integers(2, 12))
@settings(max_examples=60, deadline=None)
def test_the_area_is_that_of_a_double_loop_and_of_scikit_learn(seed, levels):
    random = np.random.default_rng(seed)
    # Few levels, so that many scores are equal.
    scores = random.integers(0, levels, 60) / levels
    overlaps = random.choice([0.0, 0.1999, 0.2, 0.3, 0.4999, 0.5, 0.9, np.nan], 60)
    held, lost = overlaps >= 0.5, overlaps < 0.2
    pairs = [1.0 if one > other else 0.5 if one == other else 0.0
             for one in scores[held] for other in scores[lost]]
    if not pairs:
        assert np.isnan(failure_auc(scores, overlaps))
        return
    assert failure_auc(scores, overlaps) == pytest.approx(np.mean(pairs), abs=1e-14)
    told = held | lost
    assert failure_auc(scores, overlaps) == pytest.approx(
        roc_auc_score(held[told], scores[told]), abs=1e-12)


def test_a_loss_lasts_from_the_first_low_frame_to_the_next_held_one():
    overlaps = [0.9, 0.4, 0.1, 0.1, 0.1, 0.3, 0.1, 0.4, 0.5, 0.1, 0.1, 0.6]
    assert find_losses(overlaps, 3) == [(2, 8)]
    assert find_losses(overlaps, 2) == [(2, 8), (9, 11)]
    assert find_losses(overlaps, 4) == []
    assert find_losses([0.9, 0.1, 0.1], 2) == [(1, 3)]


def test_frames_without_ground_truth_end_a_row_but_no_loss():
    gone = np.nan
    assert find_losses([0.9, 0.1, gone, 0.1, 0.1, 0.9], 2) == [(3, 5)]
    assert find_losses([0.9, 0.1, 0.1, gone, gone, 0.3, 0.9], 2) == [(1, 6)]


def test_a_delay_counts_from_the_first_frame_and_missed_losses_have_none():
    noticed = np.array([0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1], dtype=bool)
    assert loss_delays([(2, 6), (6, 9), (10, 11)], noticed) == [2, None, 0]


def test_the_delay_is_that_of_the_nodes_rule():
    overlaps = [0.9] * 5 + [0.0] * 30
    scores = [0.9] * 8 + [0.39] * 27
    told = Confidence.of(a_result(overlaps, scores))
    # Lost from frame 5 on, doubted from frame 8 on, and the tenth doubt is in frame 17.
    assert told.delays == [17 - 5]
    assert told.lost.tolist() == [False] * 16 + [True] * 18
    # A single answer without doubt starts the count anew.
    assert Confidence.of(a_result(overlaps, [*scores[:12], 0.5, *scores[13:]])).delays == [22 - 5]
    absent = a_result(overlaps, [0.9] * 35, [True] * 6 + [False] * 29)
    assert Confidence.of(absent).delays == [15 - 5]


def test_losses_never_noticed_and_false_alarms_are_counted_apart():
    overlaps = [0.9] * 5 + [0.0] * 12 + [0.9] * 18
    scores = [0.9] * 17 + [0.1] * 18
    values = score_result(a_result(overlaps, scores), 'visible').values
    assert (values['losses'], values['losses_missed']) == (1, 1)
    assert np.isnan(values['lost_delay'])
    # The tenth doubt is in frame 26; 9 of the 22 held frames that count are called lost.
    assert values['lost_while_held'] == pytest.approx(9 / 22)


def test_the_given_box_and_frames_without_truth_do_not_count():
    told = Confidence.of(a_result([0.9, 0.9, np.nan, 0.1, 0.7], [1, 0.8, 0.2, 0.3, 0.6], first=1))
    np.testing.assert_allclose(told.scores, [0.3, 0.6])
    np.testing.assert_allclose(told.overlaps, [0.1, 0.7], atol=1e-12)


def test_an_answer_that_is_held_over_frames_counts_once():
    # One answer for every other frame, 0.1 s apart: ages of 0 and 0.1 s in turn.
    ages = np.arange(45) % 2 * 0.1
    result = a_result([0.9] + [0.0] * 44, [1.0] + [0.1] * 44, ages=ages)
    # The first doubts come in frames 1 and 2: the answer in frame 1 is still the box given.
    assert Confidence.of(result).delays == [20 - 1]


def test_without_one_kind_of_frame_there_is_no_area_and_a_reason():
    for overlaps, words in (([0.9] * 6, 'no frame of 5 has IoU < 0.2'),
                            ([0.1] * 6, 'no frame of 5 has IoU >= 0.5')):
        told = Confidence.of(a_result(overlaps, np.linspace(1, 0, 6)))
        assert told.why_no_auc == words
        assert np.isnan(told.values()['failure_auc'])


def test_presence_stands_in_where_a_tracker_has_no_score_but_not_if_it_never_changes():
    overlaps, nothing = [0.9, 0.9, 0.9, 0.1, 0.1], [np.nan] * 5
    told = Confidence.of(a_result(overlaps, nothing, [True, True, True, True, False]))
    # Of the four pairs two are told apart and two are equal.
    assert told.values()['failure_auc'] == pytest.approx((2 + 2 * 0.5) / 4)
    assert np.isnan(told.values()['calibration_error']) and told.curve() is None
    told = Confidence.of(a_result(overlaps, nothing))
    assert told.why_no_auc == 'it has no score and never says that the target is absent'


def test_over_sequences_frames_are_pooled_and_areas_averaged_where_there_are_any():
    rows = [score_result(a_result(overlaps, scores), 'visible') for overlaps, scores in (
        ([1, 0.9, 0.9, 0.1], [1, 0.9, 0.8, 0.85]), ([1, 0.9, 0.1], [1, 0.3, 0.2]),
        ([1, 0.9, 0.9], [1, 0.7, 0.7]))]
    assert [row.values['failure_auc'] for row in rows][:2] == [0.5, 1]
    assert np.isnan(rows[2].values['failure_auc'])
    values = overall_values(rows)
    assert values['failure_auc_sequences'] == pytest.approx(0.75)
    # .9 over both lost, .8 over one, .3 over one, .7 over one, twice; of five by two pairs.
    assert values['failure_auc'] == pytest.approx((2 + 1 + 1 + 1 + 1) / 10)
    assert values['losses'] == 0 and values['auc'] == pytest.approx(
        np.mean([row.values['auc'] for row in rows]))


def test_the_table_says_why_a_tracker_has_no_area():
    rows = {label: {'clip': score_result(a_result(overlaps, [1, 0.9, 0.5]), 'visible')}
            for label, overlaps in (('told', [1, 0.9, 0.1]), ('never', [1, 0.7, 0.9]))}
    head, never, told, reason = text_table(rows).splitlines()
    assert head.endswith('failure AUC')
    assert never.split()[0] == 'never' and never.split()[-1] == '-'
    assert told.split()[0] == 'told' and told.split()[-1] == '1.000'
    assert reason == 'never has no failure AUC: no frame of 2 has IoU < 0.2'


def test_the_reason_stands_in_the_numbers_of_a_folder(tmp_path):
    rows = {'never': {'clip': score_result(a_result([1, 0.7, 0.9], [1, 0.9, 0.5]), 'visible')}}
    write_summary(tmp_path, rows, 'visible')
    found = json.loads((tmp_path / 'metrics.json').read_text())['trackers']['never']
    for part in (found['overall'], found['sequences']['clip']):
        assert part['failure_auc'] is None
        assert part['failure_auc_missing'] == 'no frame of 2 has IoU < 0.2'
    assert found['curves']['reliability']['x'] == [0.5, 0.9]


def test_scores_without_confidence_are_only_averaged():
    rows = [Score({'auc': value}, np.zeros(21), np.zeros(51), 3) for value in (0.25, 0.75)]
    assert overall_values(rows) == {'auc': 0.5}
    assert pooled_confidence(rows) is None
