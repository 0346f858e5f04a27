"""Bounding-box regression against R-CNN's formulas and a plain ridge solution in float64."""
import math

import numpy as np
import pytest
import torch

from tracking_nodes.geometry import iou
from tracking_nodes.online.box_regression import BoxRegressor, decode, encode, LARGEST_STEP

TARGET = np.array([40.0, 30.0, 24.0, 18.0])


def near_boxes(count, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([TARGET[:2] + rng.normal(0, 3, (count, 2)),
                           TARGET[2:] * np.exp(rng.normal(0, 0.15, (count, 2)))], axis=1)


def decoded(boxes, steps):
    """Return `decode` of arrays as an array."""
    return decode(torch.from_numpy(boxes), torch.from_numpy(steps)).numpy()


def test_steps_are_those_of_the_r_cnn_paper():
    boxes = near_boxes(7)
    gx, gy = TARGET[0] + TARGET[2] / 2, TARGET[1] + TARGET[3] / 2
    for (x, y, width, height), step in zip(boxes, encode(boxes, TARGET)):
        px, py = x + width / 2, y + height / 2
        assert step == pytest.approx([(gx - px) / width, (gy - py) / height,
                                      math.log(TARGET[2] / width),
                                      math.log(TARGET[3] / height)])


def test_decode_inverts_encode():
    boxes, targets = near_boxes(50), near_boxes(50, seed=1)
    np.testing.assert_allclose(decoded(boxes, encode(boxes, TARGET)),
                               np.tile(TARGET, (50, 1)), rtol=1e-12)
    np.testing.assert_allclose(decoded(boxes, encode(boxes, targets)), targets, rtol=1e-12)
    np.testing.assert_array_equal(encode(boxes, boxes), np.zeros((50, 4)))


def test_decoding_leaves_the_boxes_alone():
    boxes = near_boxes(3)
    before = boxes.copy()
    assert not np.allclose(decoded(boxes, np.ones((3, 4))), before)
    np.testing.assert_array_equal(boxes, before)


@pytest.mark.parametrize('count, length', [(60, 20), (20, 60)])
@pytest.mark.parametrize('ridge', [0.5, 1000.0])
def test_regression_is_the_ridge_solution_with_a_free_offset(count, length, ridge):
    """The primal form in float64: minimise |Xw + b - t|^2 + ridge |w|^2, b unpenalised."""
    rng = np.random.default_rng(2)
    features, boxes = rng.normal(1, 2, (count, length)), near_boxes(count)
    extended = np.concatenate([features, np.ones((count, 1))], axis=1)
    penalty = ridge * np.diag([1.0] * length + [0.0])
    solution = np.linalg.solve(extended.T @ extended + penalty,
                               extended.T @ encode(boxes, TARGET))
    fresh = rng.normal(1, 2, (9, length))
    expected = np.concatenate([fresh, np.ones((9, 1))], axis=1) @ solution
    regressor = BoxRegressor(torch.from_numpy(features).float(), boxes, TARGET, ridge)
    candidates = near_boxes(9, seed=5)
    refined = regressor.refine(torch.from_numpy(fresh).float(), torch.from_numpy(candidates))
    refined = refined.numpy()
    assert refined.shape == (9, 4) and refined.dtype == np.float64
    clamped = np.clip(expected, -LARGEST_STEP, LARGEST_STEP)
    np.testing.assert_allclose(encode(candidates, refined), clamped, atol=2e-4)
    assert np.abs(clamped).max() > 0.01


def test_refined_boxes_lie_closer_to_the_target():
    """Features that know the step up to noise, as those of a good backbone do."""
    rng = np.random.default_rng(3)
    mixing = rng.normal(0, 1, (4, 30))

    def features(boxes):
        clean = encode(boxes, TARGET) @ mixing
        return torch.from_numpy(clean + rng.normal(0, 0.02, clean.shape)).float()
    train, test = near_boxes(200), near_boxes(50, seed=8)
    regressor = BoxRegressor(features(train), train, TARGET, 0.1)
    refined = regressor.refine(features(test), torch.from_numpy(test)).numpy()
    assert iou(test, TARGET).mean() < 0.8
    assert iou(refined, TARGET).mean() > 0.95


def test_a_step_is_limited():
    features = torch.eye(10)
    regressor = BoxRegressor(features, near_boxes(10), TARGET, 1e-3)
    box = near_boxes(1)
    refined = regressor.refine(1e6 * features[:1], torch.from_numpy(box)).numpy()
    steps = encode(box, refined)
    assert np.abs(steps).max() == pytest.approx(LARGEST_STEP)
    assert np.isfinite(refined).all()
