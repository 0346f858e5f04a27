"""The map from a score to a probability, and `tracking_benchmark calibrate`."""
from hypothesis import given, settings, strategies as st
import numpy as np
import pytest
from result_folders import displaced, Plain, record, score
from scipy.optimize import minimize

from tracking_nodes.cli import main
from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.confidence import Confidence
from tracking_nodes.evaluation.measures.calibration import calibration_error
from tracking_nodes.evaluation.measures.score_map import fit_map
from tracking_nodes.evaluation.run import Run
from tracking_nodes.evaluation.score_calibration import calibrate
from tracking_nodes.trackers.probability import mapped


def observed(slope, offset, seed=0, count=20000):
    """Return scores, and overlaps of frames that are held as a map of the scores promises."""
    random = np.random.default_rng(seed)
    scores = random.uniform(0.02, 0.98, count)
    held = random.random(count) < 1 / (1 + np.exp(-slope * np.log(scores / (1 - scores)) - offset))
    return scores, np.where(held, 0.7, 0.3)


def confidence(scores, overlaps, scored=True):
    return Confidence(np.asarray(scores), np.asarray(overlaps), np.zeros(len(scores), bool), [],
                      scored)


@pytest.mark.parametrize('slope, offset', [(1.0, 0.0), (2.5, -3.0), (0.3, 1.0)])
def test_the_map_that_was_drawn_from_is_found(slope, offset):
    assert fit_map(*observed(slope, offset)) == pytest.approx((slope, offset), abs=0.1)


@given(st.integers(0, 10 ** 6), st.integers(3, 60))
@settings(max_examples=25, deadline=None)
def test_the_fit_is_that_of_another_optimiser(seed, count):
    scores, overlaps = observed(1.5, -0.5, seed, count)
    held = overlaps >= 0.5
    targets = np.where(held, (held.sum() + 1) / (held.sum() + 2), 1 / ((~held).sum() + 2))
    heights = np.log(scores / (1 - scores))

    def cost(numbers):
        values = numbers[0] * heights + numbers[1]
        return (np.logaddexp(0, values) - targets * values).sum()

    best = minimize(cost, [0, 0], method='Nelder-Mead',
                    options={'xatol': 1e-8, 'fatol': 1e-12, 'maxiter': 4000})
    slope, offset = fit_map(scores, overlaps)
    if best.x[0] > 1e-6:
        assert cost([slope, offset]) <= best.fun + 1e-6
    else:
        assert slope == pytest.approx(0, abs=1e-4)


def test_the_map_rises_and_keeps_the_order_of_scores_at_both_ends_too():
    scores = np.array([0, 1e-5, 0.3, 0.31, 0.999, 1])
    assert (np.diff(mapped(scores, 2.0, -1.0)) > 0).all()
    np.testing.assert_allclose(mapped(scores[2:4], 1, 0), scores[2:4])
    assert (mapped(scores, 2.0, -1.0) > 0).all() and (mapped(scores, 2.0, -1.0) < 1).all()


def test_a_score_that_knows_nothing_becomes_the_share_of_held_frames():
    overlaps = np.array([0.9] * 30 + [0.0] * 10)
    assert mapped([0.9], *fit_map(np.full(40, 0.9), overlaps)) == pytest.approx(0.75, abs=0.03)
    # Nor does one that is high where the target is lost.
    slope, offset = fit_map(1 - overlaps / 2, overlaps)
    assert slope == 0 and mapped([0.2], slope, offset) == pytest.approx(0.75, abs=0.03)


def test_a_score_that_tells_all_frames_apart_gives_a_finite_map():
    slope, offset = fit_map([0.2] * 20 + [0.8] * 20, [0.1] * 20 + [0.9] * 20)
    assert np.isfinite([slope, offset]).all() and slope > 0
    assert mapped([0.2, 0.8], slope, offset) == pytest.approx([1 / 22, 21 / 22], abs=1e-3)


def test_each_sequence_is_judged_by_the_map_of_the_others():
    parts = [confidence(*observed(3.0, -2.0, seed, 400)) for seed in range(3)]
    # The fourth is held wherever the others say that it is lost.
    parts.append(confidence(*[part.copy() for part in observed(-3.0, 2.0, 3, 400)]))
    found = calibrate(parts)
    expected = [mapped(part.scores, *fit_map(*(
        np.concatenate([getattr(other, name) for other in parts if other is not part])
        for name in ('scores', 'overlaps')))) for part in parts]
    overlaps = np.concatenate([part.overlaps for part in parts])
    assert found.values['after'] == pytest.approx(
        calibration_error(np.concatenate(expected), overlaps))
    assert (found.frames, found.sequences) == (1600, 4)


def test_calibration_helps_where_sequences_are_alike():
    found = calibrate([confidence(*observed(3.0, -2.0, seed, 2000)) for seed in range(4)])
    assert found.values['after'] < 0.03 < found.values['before'] / 3
    assert found.values['slope'] == pytest.approx(3, abs=0.3)


def test_one_sequence_or_no_score_is_not_enough():
    part = confidence(*observed(1.0, 0.0, 0, 50))
    empty = confidence([], [])
    with pytest.raises(SequenceError, match='1 sequences: .* two or more'):
        calibrate([part, empty])
    with pytest.raises(SequenceError, match='no score'):
        calibrate([part, confidence(*observed(1.0, 0.0, 0, 50), scored=False)])


@pytest.fixture
def folder(tmp_path):
    """Return a results folder of a tracker with a score, on two clips, and one without."""
    for name, lost in (('one', 40), ('two', 60)):
        clip = Plain(name, 80)
        scores = np.where(np.arange(80) < lost, 0.97, 0.85)
        for label, own in (('ours', scores), ('kcf', np.full(80, np.nan))):
            run = Run(displaced(clip.boxes, lost, 79, 60), own, np.ones(80, dtype=bool),
                      np.full(80, 0.1), (160, 120))
            results.write_result(tmp_path, label, name, results.Result.of(
                run, clip, record(label, clip)))
    score(tmp_path)
    return tmp_path


def test_the_command_prints_a_row_per_tracker_with_a_score(folder, capsys):
    assert main(['calibrate', str(folder)]) == 0
    captured = capsys.readouterr()
    assert 'kcf not calibrated: it has no score' in captured.err
    head, row = captured.out.splitlines()[2], captured.out.splitlines()[-1]
    cells = dict(zip(*([cell.strip() for cell in line.split('|')[1:-1]] for line in (head, row))))
    assert cells['tracker'] == 'ours' and float(cells['failure AUC']) == 1
    # Frames 1 to 79 of two clips, 59 + 39 of them held.
    assert float(cells['error before']) == pytest.approx(
        (98 * 0.03 + 60 * 0.85) / 158, abs=5e-4)
    assert float(cells['error after']) < 0.1 and (cells['frames'], cells['sequences']) == (
        '158', '2')
    slope, offset = float(cells['slope']), float(cells['offset'])
    assert mapped([0.97], slope, offset)[0] > 0.9 > 0.1 > mapped([0.85], slope, offset)[0]


@pytest.mark.parametrize('arguments, words', [
    (['--tracker', 'nobody'], "no one-pass results of 'nobody'; it has kcf, ours"),
    (['--tracker', 'kcf'], 'has no tracker to calibrate'),
])
def test_mistakes_are_named(folder, capsys, arguments, words):
    assert main(['calibrate', str(folder), *arguments]) == 1
    assert words in capsys.readouterr().err
