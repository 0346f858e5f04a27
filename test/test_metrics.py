"""The metrics against hand-made cases, the got10k toolkit and published results."""
import json

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


@pytest.mark.parametrize('seed', range(5))
def test_curves_equal_those_of_the_got10k_toolkit(seed):
    pytest.importorskip('got10k')
    from got10k import experiments as toolkit
    boxes, truth = random_boxes(seed)
    experiment = toolkit.ExperimentOTB.__new__(toolkit.ExperimentOTB)
    experiment.nbins_iou, experiment.nbins_ce = 21, 51
    replaced = np.concatenate([truth[:1], boxes[1:]])
    success, precision = experiment._calc_curves(*experiment._calc_metrics(replaced, truth))
    overlaps, errors = metrics.frame_scores(boxes, truth, 'got10k')
    np.testing.assert_allclose(metrics.success_curve(overlaps), success, rtol=0, atol=1e-9)
    np.testing.assert_allclose(metrics.precision_curve(errors), precision, rtol=0, atol=1e-9)


@pytest.mark.parametrize('seed', range(5))
def test_ao_and_sr_equal_those_of_the_got10k_toolkit(seed):
    pytest.importorskip('got10k')
    from got10k import experiments as toolkit
    from got10k.utils import metrics as reference
    boxes, truth = random_boxes(seed)
    experiment = toolkit.ExperimentGOT10k.__new__(toolkit.ExperimentGOT10k)
    experiment.nbins_iou = 101
    # rect_iou cuts the boxes in the arrays it is given
    overlaps = reference.rect_iou(boxes[1:].copy(), truth[1:].copy(), bound=(180, 150))
    ao, sr50, _, curve = experiment._evaluate(overlaps, np.ones(1))
    values = metrics.got10k_scores(boxes, truth, (180, 150))
    assert values['ao'] == pytest.approx(ao, abs=1e-9)
    assert values['sr50'] == pytest.approx(sr50, abs=1e-9)
    assert values['sr75'] == pytest.approx(curve[75], abs=1e-9)


def published(folder, tracker):
    """Return a tracker's published scores and [(boxes, truth, mean overlap)] by sequence."""
    truths = json.loads((folder / 'OTB2015.json').read_text())
    truths = {**{entry['name'].lower(): entry['gt_rect'] for key, entry in truths.items()
                 if '_' not in key},
              **{key.replace('_', '-'): entry['gt_rect'] for key, entry in truths.items()
                 if '_' in key}}
    scores = json.loads((folder / tracker / 'scores_tb100' / 'ALL.json').read_text())
    rows = {}
    for name, overlap in zip(scores['seqs'], scores['overlapScores'], strict=True):
        path = folder / tracker / f'{name}.json'
        if path.exists():
            boxes = np.array(json.loads(path.read_text())[0]['res'], dtype=np.float64)
            truth = np.array(truths[name.lower()], dtype=np.float64)
            count = min(len(boxes), len(truth))
            rows[name] = boxes[:count], truth[:count], overlap
    return scores, rows


@pytest.mark.parametrize('tracker, complete, agreeing',
                         [('STRUCK', 100, 94), ('MEEM', 73, 70)])
def test_mean_overlaps_equal_the_published_ones(tracking_data, tracker, complete, agreeing):
    # The rest was scored against ground truth of other frames (ClifBar, Tiger1) or other boxes.
    _, rows = published(tracking_data / 'reference' / 'otb', tracker)
    assert len(rows) == complete
    errors = [abs(metrics.frame_scores(boxes, truth, 'otb')[0].mean() - overlap)
              for boxes, truth, overlap in rows.values()]
    assert sum(error < 1e-9 for error in errors) >= agreeing


def test_struck_has_its_published_auc_and_precision(tracking_data):
    scores, rows = published(tracking_data / 'reference' / 'otb', 'STRUCK')
    frames = [metrics.frame_scores(boxes, truth, 'otb') for boxes, truth, _ in rows.values()]
    success = np.mean([metrics.success_curve(overlaps) for overlaps, _ in frames], axis=0)
    precision = np.mean([metrics.precision_curve(errors) for _, errors in frames], axis=0)
    assert success.mean() == pytest.approx(0.4617, abs=1e-3)
    assert precision[20] == pytest.approx(0.6391, abs=1e-3)
    np.testing.assert_allclose(success, scores['successRateList'], rtol=0, atol=1.5e-3)
    np.testing.assert_allclose(precision, scores['precisionList'], rtol=0, atol=1.5e-3)
