"""The metrics against hand-made cases; see test_agreement.py for the official tools."""
from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation import metrics

TRUTH = np.array([[10.0, 20, 40, 30]] * 4)


def random_boxes(seed, count=300):
    """Return ground truth that wanders and predictions around it."""
    generator = np.random.default_rng(seed)
    truth = np.concatenate([100 + generator.normal(0, 3, (count, 2)).cumsum(axis=0),
                            generator.uniform(20, 60, (count, 2))], axis=1)
    return truth + generator.normal(0, 8, truth.shape).clip(-15, 15), truth


def test_perfect_boxes_score_20_of_21():
    result = metrics.score(TRUTH, TRUTH, [0.1] * 4, (640, 480))
    assert result.values['auc'] == pytest.approx(20 / 21)
    assert result.values['dp20'] == result.values['os50'] == result.values['mean_overlap'] == 1
    assert result.values['cle'] == 0
    assert result.frames == 4


def test_thresholds_are_strict_for_overlap_and_not_for_precision():
    half = TRUTH.copy()
    half[:, 2] /= 2
    moved = TRUTH + [20, 0, 0, 0]
    assert metrics.score(half, TRUTH, [1] * 4, (640, 480)).values['os50'] == 0
    assert metrics.score(moved, TRUTH, [1] * 4, (640, 480)).values['dp20'] == 1


def test_variants_differ_only_in_first_frame_and_absent_frames():
    truth = TRUTH.copy()
    truth[3] = np.nan
    boxes = TRUTH.copy()
    boxes[0] += 500
    found = {}
    for name in metrics.VARIANTS:
        overlaps, errors = metrics.frame_scores(boxes, truth, name)
        found[name] = (metrics.success_curve(overlaps)[10], metrics.precision_curve(errors)[20])
    assert found['visible'] == pytest.approx((2 / 3, 2 / 3))
    assert found['otb'] == pytest.approx((3 / 4, 4 / 4))
    assert found['pysot'] == pytest.approx((2 / 4, 3 / 4))
    assert found['pytracking'] == pytest.approx((3 / 4, 3 / 4))
    assert found['got10k'] == pytest.approx((3 / 4, 3 / 4))


def test_missing_predictions_repeat_the_box_before():
    boxes = TRUTH.copy()
    boxes[2] = np.nan
    assert metrics.score(boxes, TRUTH, [1] * 4, (640, 480)).values['os50'] == 1
    assert np.isnan(boxes[2]).all()


def test_speed_variants():
    assert metrics.frames_per_second([0, 0.1, 0.3]) == pytest.approx(2 / 0.4)
    assert metrics.mean_frame_rate([0, 0.1, 0.3]) == pytest.approx((10 + 10 / 3) / 2)


def test_normalised_precision_divides_each_axis_by_the_truth():
    errors = metrics.normalised_errors(TRUTH + [4, 6, 0, 0], TRUTH)
    assert errors == pytest.approx([np.hypot(4 / 40, 6 / 30)] * 4)


def lasot_toolkit(boxes, truth):
    """Return AUC, precision and normalised precision by a loop, as LaSOT's toolkit has it."""
    hits = np.zeros(3)
    for frame, (box, there) in enumerate(zip(boxes, truth)):
        if np.isnan(there).any():
            # Taken out of what is counted, and still among what is divided by.
            continue
        if frame == 0:
            box = there
        overlap = np.prod(np.maximum(0, np.minimum(box[:2] + box[2:], there[:2] + there[2:])
                                     - np.maximum(box[:2], there[:2])))
        # Rounding may lift the overlap of equal boxes above 1, in MATLAB elsewhere than here.
        overlap = min(1, overlap / (box[2:].prod() + there[2:].prod() - overlap))
        apart = box[:2] + (box[2:] - 1) / 2 - there[:2] - (there[2:] - 1) / 2
        hits += [np.mean([overlap > step / 20 for step in range(21)]),
                 np.hypot(*apart) <= 20, np.hypot(*(apart / there[2:])) <= 0.2]
    return hits / len(boxes)


@pytest.mark.parametrize('seed', range(4))
def test_the_lasot_toolkit_is_the_variant_pytracking(seed):
    boxes, truth = random_boxes(seed, 100)
    truth[20:35] = np.nan
    boxes[0] += 500
    values = metrics.score(boxes, truth, [1] * 100, (640, 480), 'pytracking').values
    np.testing.assert_allclose([values[key] for key in ('auc', 'dp20', 'norm_precision')],
                               lasot_toolkit(boxes, truth), rtol=0, atol=1e-12)
    seen = metrics.score(boxes, truth, [1] * 100, (640, 480)).values
    assert seen['norm_precision'] != values['norm_precision']


def test_lengths_must_agree_and_some_frame_must_have_truth():
    with pytest.raises(SequenceError, match='3 result boxes for 4 boxes of ground truth'):
        metrics.frame_scores(TRUTH[:3], TRUTH)
    with pytest.raises(SequenceError, match='none of 4 frames has ground truth'):
        metrics.frame_scores(TRUTH, TRUTH * np.nan)


@given(st.integers(0, 10 ** 6), st.sampled_from(sorted(metrics.VARIANTS)))
@settings(max_examples=40, deadline=None)
def test_scores_lie_in_their_declared_range_and_inputs_are_kept(seed, variant):
    boxes, truth = random_boxes(seed, 30)
    truth[1::7] = np.nan
    before = boxes.copy(), truth.copy()
    values = metrics.score(boxes, truth, np.full(30, 0.01), (320, 240), variant).values
    assert list(values) == [metric.key for metric in metrics.METRICS]
    for metric in metrics.METRICS:
        assert metric.low <= values[metric.key] <= metric.high
    np.testing.assert_array_equal(boxes, before[0])
    np.testing.assert_array_equal(truth, before[1])
