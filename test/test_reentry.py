"""Measures of re-entry, on runs made by hand with known numbers."""
import numpy as np
import pytest
from result_folders import Plain

from tracking_nodes.evaluation.reentry import (
    merged, reentries, reentry_scores, reentry_table, stored_scores, tally)
from tracking_nodes.evaluation.results import Result, write_result
from tracking_nodes.evaluation.run import Run

HERE, THERE, YONDER = [10.0, 10, 20, 20], [60.0, 10, 20, 20], [200.0, 200, 20, 20]
NOWHERE = [120.0, 120, 20, 20]
COUNT = 60


def truth(*absent):
    """Return boxes at HERE, NaN from each first frame of `absent` up to the second."""
    boxes = np.tile(HERE, (COUNT, 1))
    for first, stop in absent:
        boxes[first:stop] = np.nan
    return boxes


def run(boxes, present):
    return Run(np.array(boxes), np.full(COUNT, 0.5), np.array(present), np.full(COUNT, 0.01),
               (320, 240))


def others():
    """Return two distractors, at YONDER and at THERE."""
    return np.array([np.tile(YONDER, (COUNT, 1)), np.tile(THERE, (COUNT, 1))])


def test_reentries_are_the_first_frames_after_an_absence():
    assert reentries(truth()).tolist() == []
    assert reentries(truth((0, 4))).tolist() == [], 'a late start is no re-entry'
    assert reentries(truth((0, 4), (10, 11), (30, 45))).tolist() == [11, 45]
    assert reentries(truth((30, 49))).tolist() == [49]
    assert reentries(truth((30, 50))).tolist() == [], 'nine frames are left after it'
    assert reentries(truth((30, 60))).tolist() == []


def scene():
    """Return truth with three re-entries, and a run: found at once, after 11 frames, never."""
    boxes = truth((5, 10), (15, 20), (35, 40))
    answers, present = np.tile(HERE, (COUNT, 1)), np.ones(COUNT, bool)
    present[5:8] = False                        # three of five frames of the first absence
    answers[20:31] = NOWHERE                    # lost for eleven frames
    answers[40:] = THERE                        # the last twenty are on a distractor
    present[55:] = False                        # of which five do not claim the target
    return run(answers, present), boxes


def test_a_run_made_by_hand():
    found = tally(*scene(), others())
    assert found.delays.tolist() == [0, 11, np.inf]
    values = found.values()
    assert values['found'] == pytest.approx(1 / 3)
    assert values['delay'] == 11
    assert values['absent'] == pytest.approx(3 / 15)
    # Of 45 frames with the target the first is given, and 11 + 20 are wrong.
    assert values['present'] == pytest.approx((44 - 31) / 44)
    assert values['distracted'] == pytest.approx(15 / 59)


def test_found_needs_presence_and_more_than_half_overlap():
    boxes, answers, present = truth((5, 10)), np.tile(HERE, (COUNT, 1)), np.ones(COUNT, bool)
    present[10:20] = False
    assert tally(run(answers, present), boxes, others()).delays.tolist() == [10]
    present[20] = False
    assert tally(run(answers, present), boxes, others()).delays.tolist() == [11]
    # Squares of 20 pixels: a shift of 20 / 3 pixels shares exactly half of the union.
    for shift, delay in ((6.6, 0), (6.7, np.inf)):
        moved = answers + [shift, 0, 0, 0]
        assert tally(run(moved, present | True), boxes, others()).delays.tolist() == [delay]


def test_an_answer_in_the_next_visit_does_not_count_for_the_one_before():
    boxes, present = truth((5, 10), (16, 20)), np.zeros(COUNT, bool)
    present[16:] = True
    found = tally(run(np.tile(HERE, (COUNT, 1)), present), boxes, others())
    assert found.delays.tolist() == [np.inf, 0]


def test_a_box_on_both_is_on_the_target():
    on_target = np.array([np.tile(HERE, (COUNT, 1))])
    answers, present = np.tile(HERE, (COUNT, 1)), np.ones(COUNT, bool)
    boxes = truth((5, 15))
    assert tally(run(answers, present), boxes, on_target).distracted.sum() == 10
    gone = np.full((1, COUNT, 4), np.nan)
    assert tally(run(answers, present), boxes, gone).distracted.sum() == 0


def test_frames_up_to_the_start_are_not_counted():
    answers = run(np.tile(HERE, (COUNT, 1)), np.ones(COUNT, bool))
    found = tally(answers, truth((0, 4)), others())
    assert len(found.absent) == 0 and len(found.present) == 55 == len(found.distracted)
    values = found.values()
    assert values['present'] == 1
    assert all(np.isnan(values[key]) for key in ('found', 'delay', 'absent'))


def test_the_median_is_the_lower_of_two_and_infinite_below_half():
    one = tally(*scene(), others())
    two = merged([one, one])
    assert two.values()['delay'] == 11 and len(two.delays) == 6
    boxes, nothing = truth((5, 10)), np.zeros(COUNT, bool)
    never = tally(run(np.tile(HERE, (COUNT, 1)), nothing), boxes, others())
    assert never.values()['delay'] == np.inf
    assert merged([one, never]).values()['delay'] == 11
    assert merged([one, never, never]).values()['delay'] == np.inf


def test_scores_and_table_of_two_clips():
    always = tally(run(np.tile(HERE, (COUNT, 1)), np.ones(COUNT, bool)), truth((5, 10)), others())
    scores = reentry_scores({'a': tally(*scene(), others()), 'b': always})
    assert scores['reentries'] == 4
    assert scores['overall']['found'] == pytest.approx(2 / 4)
    assert scores['spread']['found'] == pytest.approx((1 - 1 / 3) / 2)
    assert scores['overall']['absent'] == pytest.approx(3 / 20)
    assert scores['overall']['present'] == pytest.approx((13 + 54) / (44 + 54))
    assert scores['overall']['delay'] == 0 and scores['spread']['delay'] == 5.5
    assert scores['clips']['b']['found'] == 1
    never = reentry_scores({'a': tally(run(np.tile(NOWHERE, (COUNT, 1)), np.ones(COUNT, bool)),
                                       truth((5, 10)), others())})
    head, _, *rows = reentry_table({'one': scores, 'none': never}).splitlines()
    assert head == ('| tracker | clips | re-entries | found within 10 | '
                    'median frames until found | absence reported | presence right | '
                    'on a distractor |')
    assert rows[0].startswith('| one | 2 | 4 | 0.500 ± 0.333 | 0 ± 6 | 0.150 ± 0.100 |')
    assert rows[1] == ('| none | 1 | 1 | 0.000 ± 0.000 | never | 0.000 ± 0.000 | '
                       '0.000 ± 0.000 | 0.000 ± 0.000 |')


def test_stored_runs_of_other_clips_are_left_out(tmp_path):
    class Clip(Plain):
        distractors = others()

    clip, other = Clip('clip', COUNT, absent=range(5, 10)), Clip('other', COUNT)
    for label, one in (('good', clip), ('good', other), ('foreign', other)):
        answers = np.where(np.isnan(one.boxes), 0.0, one.boxes)
        write_result(tmp_path, label, one.name, Result.of(
            run(answers, np.isfinite(one.boxes[:, 0])), one, {}))
    scores = stored_scores(tmp_path, [clip])
    assert list(scores) == ['good'] and list(scores['good']['clips']) == ['clip']
    assert scores['good']['overall'] == {
        'found': 1, 'delay': 0, 'absent': 1, 'present': 1, 'distracted': 0}
