"""Boxes: overlap against counted pixels, conversions there and back, what can be started on."""
from hypothesis import given, strategies as st
import numpy as np
import pytest
import torch

from tracking_nodes import geometry
from tracking_nodes.errors import BoxError

coordinate = st.floats(-1e3, 1e3)
side = st.floats(0.1, 1e3)
boxes = st.tuples(coordinate, coordinate, side, side).map(np.array)


def painted(box):
    """Return a 40x40 mask of the pixels an integer box covers."""
    mask = np.zeros((40, 40), bool)
    x, y, width, height = box
    mask[y:y + height, x:x + width] = True
    return mask


def test_overlap_is_that_of_counted_pixels():
    random = np.random.default_rng(0)
    corners, sizes = random.integers(0, 20, (200, 2)), random.integers(1, 20, (200, 2))
    first = np.concatenate([corners, sizes], axis=1)
    second = np.roll(first, 1, axis=0)
    counted = [(painted(a) & painted(b)).sum() / (painted(a) | painted(b)).sum()
               for a, b in zip(first, second)]
    np.testing.assert_allclose(geometry.iou(first, second), counted, rtol=1e-12)
    assert np.count_nonzero(counted) > 50


def test_overlap_broadcasts_and_keeps_absence_and_emptiness_apart():
    rows = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [np.nan] * 4, [3, 3, 0, 0]])
    found = geometry.iou(rows[:, None], rows[None])
    assert found.shape == (4, 4)
    assert found[0, 1] == pytest.approx(50 / 150)
    assert np.isnan(found[2]).all() and np.isnan(found[:, 2]).all()
    assert found[3, 3] == 0 and found[3, 0] == 0


@given(boxes, boxes)
def test_overlap_is_symmetric_and_within_one(first, second):
    overlap = geometry.iou(first, second)
    assert 0 <= overlap <= 1 + 1e-12
    assert overlap == geometry.iou(second, first)
    assert geometry.iou(first, first) == pytest.approx(1, abs=1e-6)


@given(boxes)
def test_centres_and_corners(box):
    x, y, width, height = box
    np.testing.assert_allclose(geometry.xywh_to_cxcywh(box),
                               [x + width / 2, y + height / 2, width, height])
    np.testing.assert_allclose(geometry.xywh_to_xyxy(box), [x, y, x + width, y + height])
    np.testing.assert_allclose(geometry.cxcywh_to_xywh(geometry.xywh_to_cxcywh(box)), box,
                               atol=1e-9)
    assert geometry.area_side(box) ** 2 == pytest.approx(width * height)


def test_conversions_keep_leading_axes_and_the_input():
    rows = np.arange(24.0).reshape(2, 3, 4)
    before = rows.copy()
    for convert in (geometry.xywh_to_cxcywh, geometry.xywh_to_xyxy, geometry.cxcywh_to_xywh):
        assert convert(rows).shape == rows.shape
        np.testing.assert_array_equal(convert(rows)[1, 2], convert(rows[1, 2]))
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize('convert', [geometry.xywh_to_cxcywh, geometry.xywh_to_xyxy,
                                     geometry.cxcywh_to_xywh, geometry.xyxy_to_xywh])
def test_a_tensor_is_converted_as_an_array_and_stays_a_tensor(convert):
    rows = np.random.default_rng(0).normal(100, 50, (2, 7, 4))
    tensor = torch.from_numpy(rows.copy())
    converted = convert(tensor)
    assert isinstance(converted, torch.Tensor) and converted.dtype == torch.float64
    np.testing.assert_array_equal(converted, convert(rows))
    np.testing.assert_array_equal(tensor, rows)


def test_polygons_become_the_box_around_them():
    triangle = [5, 1, 2, 7, 9, 4]
    np.testing.assert_array_equal(geometry.polygon_to_box(triangle), [2, 1, 7, 6])
    two = np.array([[0, 0, 4, 0, 4, 3, 0, 3], [1, 2, -3, 2, -3, 5, 1, 5]])
    np.testing.assert_array_equal(geometry.polygon_to_box(two), [[0, 0, 4, 3], [-3, 2, 4, 3]])


@pytest.mark.parametrize('values, said', [
    ((1, 2, 3), r'\[1.0, 2.0, 3.0\]'), ((1, 2, 3, 4, 5), '5.0'), ((), r'\[\]')])
def test_a_box_has_four_numbers(values, said):
    with pytest.raises(BoxError, match=f'four numbers x, y, w, h; got .*{said}'):
        geometry.as_box(values)


def test_a_box_is_a_copy_of_what_was_given():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    box = geometry.check_target(values, 100, 80)
    values[:] = 0
    np.testing.assert_array_equal(box, [1, 2, 3, 4])


@pytest.mark.parametrize('box, said', [
    ((np.nan, 0, 10, 10), r'\(nan, 0, 10, 10\) is not finite'),
    ((0, 0, np.inf, 10), r'\(0, 0, inf, 10\) is not finite'),
    ((5, 5, 0, 10), r'\(5, 5, 0, 10\) has no area'),
    ((5, 5, 10, -3), r'\(5, 5, 10, -3\) has no area'),
    ((5, 5, 0.9, 10), r'\(5, 5, 0\.9, 10\) has no area'),
    ((100, 5, 10, 10), r'\(100, 5, 10, 10\) lies outside of the 100x80 image'),
    ((5, 80, 10, 10), 'lies outside of the 100x80 image'),
    ((-10, 5, 10, 10), 'lies outside of the 100x80 image'),
    ((5, -30, 10, 10), 'lies outside of the 100x80 image'),
    ((5, 5, 1e300, 10), r'is more than 10 times as large as the 100x80 image; give x, y, w, h'),
    ((5, 5, 10, 801), 'is more than 10 times as large as the 100x80 image')])
def test_targets_that_cannot_be_started_on_are_refused_in_words(box, said):
    with pytest.raises(BoxError, match=said):
        geometry.check_target(box, 100, 80)


@pytest.mark.parametrize('box', [
    (0, 0, 100, 80), (99, 79, 1, 1), (-9.5, -9.5, 10, 10), (-100, -80, 300, 240),
    (-900, -720, 1000, 800)])
def test_targets_that_touch_the_image_are_taken_unchanged(box):
    np.testing.assert_array_equal(geometry.check_target(box, 100, 80), box)


@given(boxes)
def test_a_clipped_box_stays_at_the_image(box):
    width, height = 100, 80
    x, y, across, down = geometry.clip_box(box, width, height)
    assert across >= 2 and down >= 2
    assert min(x + across, width) - max(x, 0) >= 2 - 1e-9
    assert min(y + down, height) - max(y, 0) >= 2 - 1e-9
    again = geometry.clip_box((x, y, across, down), width, height)
    np.testing.assert_allclose(again, (x, y, across, down))


@pytest.mark.parametrize('box', [(10, 10, 20, 30), (0, 0, 100, 80), (-15, 70, 20, 30)])
def test_clipping_leaves_a_good_box_alone(box):
    np.testing.assert_array_equal(geometry.clip_box(box, 100, 80), box)


def test_clipping_moves_a_lost_box_to_the_nearest_border():
    np.testing.assert_array_equal(geometry.clip_box((500, -500, 20, 30), 100, 80),
                                  [98, -28, 20, 30])
