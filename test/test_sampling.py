"""Candidates: their distributions against the stated spreads, limits and overlaps."""
import numpy as np
import pytest
import torch

from tracking_nodes.geometry import iou, xywh_to_cxcywh
from tracking_nodes.online import sampling

BOX = np.array([100.0, 60.0, 40.0, 20.0])
MEAN_SIDE = 30.0
# Half of all normal draws lie within so many standard deviations.
QUARTILE = 0.67449
COUNT = 20000


def rng(seed=0):
    return np.random.default_rng(seed)


def spread(boxes):
    """Return shifts in mean sides (N, 2), and size and aspect changes in powers of 1.05 (N,)."""
    rows, centre = xywh_to_cxcywh(boxes), xywh_to_cxcywh(BOX)
    powers = np.log(rows[:, 2:] / BOX[2:]) / np.log(1.05)
    return ((rows[:, :2] - centre[:2]) / MEAN_SIDE, powers.mean(axis=1),
            (powers[:, 0] - powers[:, 1]) / 2)


def test_gaussian_candidates_have_the_stated_spread():
    shift, size, aspect = spread(sampling.gaussian(rng(), BOX, COUNT, 0.6, 1.5, 0.5))
    for values, deviation in ((shift[:, 0], 0.6), (shift[:, 1], 0.6), (size, 1.5),
                              (aspect, 0.5)):
        assert np.median(values) == pytest.approx(0, abs=0.05 * deviation)
        assert np.median(np.abs(values)) == pytest.approx(QUARTILE * deviation, rel=0.04)
    independent = np.corrcoef([shift[:, 0], shift[:, 1], size, aspect])
    np.testing.assert_allclose(independent, np.eye(4), atol=0.03)
    # The tails are cut, so that no candidate is absurd.
    assert np.abs(shift).max() <= 1.2 + 1e-9 and np.abs(size).max() <= 4.5 + 1e-9


def test_uniform_candidates_fill_their_range_evenly():
    shift, size, aspect = spread(sampling.uniform(rng(), BOX, COUNT, 2.0, 5.0, 1.0))
    for values, largest in ((shift[:, 0], 2.0), (shift[:, 1], 2.0), (size, 5.0), (aspect, 1.0)):
        assert np.abs(values).max() <= largest + 1e-9
        share, _ = np.histogram(values, bins=8, range=(-largest, largest))
        np.testing.assert_allclose(share / COUNT, 1 / 8, atol=0.01)


@pytest.mark.parametrize('draw', [sampling.gaussian, sampling.uniform])
def test_without_aspect_and_scale_only_the_place_varies(draw):
    boxes = draw(rng(), BOX, 50, 0.5, 0.0)
    np.testing.assert_allclose(boxes[:, 2:], np.tile(BOX[2:], (50, 1)))
    assert len(np.unique(boxes[:, 0])) == 50
    scaled = draw(rng(), BOX, 50, 0.5, 3.0)
    np.testing.assert_allclose(scaled[:, 2] / scaled[:, 3], 2.0)


def test_candidates_of_the_whole_image_reach_every_part_of_it():
    boxes = sampling.whole(rng(), BOX, 4000, 320, 240, 5.0)
    centres = xywh_to_cxcywh(boxes)[:, :2]
    share, _, _ = np.histogram2d(*centres.T, bins=4, range=[(0, 320), (0, 240)])
    assert share.sum() == 4000
    np.testing.assert_allclose(share / 4000, 1 / 16, atol=0.02)
    factor = boxes[:, 2] / BOX[2]
    assert factor.min() >= 1.05 ** -5 and factor.max() <= 1.05 ** 5
    np.testing.assert_allclose(boxes[:, 2] / boxes[:, 3], 2.0)


@pytest.mark.parametrize('draw', [
    lambda rng: sampling.gaussian(rng, BOX, 9, 0.6, 1.0, 0.5),
    lambda rng: sampling.uniform(rng, BOX, 9, 0.6, 1.0, 0.5),
    lambda rng: sampling.whole(rng, BOX, 9, 320, 240, 1.0)])
def test_all_draws_come_from_the_generator_given(draw):
    np.random.seed(0)
    first = draw(rng(5))
    np.random.seed(1)
    np.testing.assert_array_equal(draw(rng(5)), first)
    assert first.shape == (9, 4) and first.dtype == np.float64
    assert not np.array_equal(draw(rng(6)), first)


def test_inside_moves_centres_and_holds_sizes():
    boxes = np.array([[10, 10, 20, 20], [-50, 10, 20, 20], [90, 200, 20, 20],
                      [-100, -100, 1000, 10], [40, 40, 1, 1]], float)
    rows = xywh_to_cxcywh(sampling.inside(boxes, 100, 80))
    np.testing.assert_allclose(rows, [[20, 20, 20, 20], [0, 20, 20, 20], [100, 80, 20, 20],
                                      [100, 0, 100, 10], [40.5, 40.5, 4, 4]])


def test_inside_does_the_same_with_a_tensor():
    boxes = rng().normal(50, 80, (40, 4))
    found = sampling.inside(torch.from_numpy(boxes), 100, 80)
    np.testing.assert_array_equal(found, sampling.inside(boxes, 100, 80))


def test_inside_an_image_smaller_than_the_least_size():
    rows = xywh_to_cxcywh(sampling.inside(BOX[None], 3, 2))
    np.testing.assert_allclose(rows, [[3, 2, 3, 2]])


def test_with_overlap_keeps_the_range_and_the_number():
    random = rng()
    for low, high in ((0.7, 1.0), (0.0, 0.3), (0.4, 0.5)):
        boxes = sampling.with_overlap(
            lambda n: sampling.uniform(random, BOX, n, 0.4, 2.0), BOX, 100, low, high)
        overlap = iou(boxes, BOX)
        assert boxes.shape == (100, 4)
        assert overlap.min() >= low and overlap.max() <= high


def test_with_overlap_gives_up_on_what_is_never_met():
    asked = []

    def draw(number):
        asked.append(number)
        return np.tile(BOX + (1000, 0, 0, 0), (number, 1))
    boxes = sampling.with_overlap(draw, BOX, 10, 0.5, 1.0, attempts=4)
    assert boxes.shape == (0, 4) and len(asked) == 4


def test_with_overlap_returns_fewer_where_the_range_is_rare():
    near = np.stack([BOX] + [BOX + (500, 0, 0, 0)] * 9)
    boxes = sampling.with_overlap(lambda n: near, BOX, 10, 0.5, 1.0, attempts=3)
    np.testing.assert_array_equal(boxes, np.tile(BOX, (3, 1)))
