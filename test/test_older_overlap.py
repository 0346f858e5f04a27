"""The overlap of VOT2013 to VOT2015, worked out by hand; loops: test_agreement.py."""
import numpy as np
import pytest

from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.geometry import iou

SIZE = (64, 48)


def test_boxes_of_whole_pixels_have_their_exact_overlap():
    generator = np.random.default_rng(0)
    boxes = generator.integers(1, 30, (50, 4)).astype(float)
    others = boxes + generator.integers(-6, 7, (50, 4)) * [1, 1, 0, 0]
    np.testing.assert_allclose(region_overlaps(boxes, others, SIZE, 'older'), iou(boxes, others))


def test_the_image_does_not_cut_the_older_overlap():
    # Half of the box lies left of the image.
    box, other = np.array([[-10.0, 0, 20, 10]]), np.array([[0.0, 0, 10, 10]])
    assert region_overlaps(box, other, SIZE, 'older') == 0.5
    assert region_overlaps(box, other, SIZE, 'pysot')[0] == 1


def test_the_older_rule_is_a_pixel_smaller_each_way_than_the_one_of_2016():
    box = np.array([[10.0, 10, 10, 10]])
    # The same ten pixels as corners: the newer rule counts eleven rows and columns of both.
    shorter = np.array([[10.0, 10, 20, 10, 20, 19, 10, 19]])
    assert region_overlaps(box, shorter, SIZE, 'older')[0] == pytest.approx(90 / 100)
    assert region_overlaps(box, shorter, SIZE, 'pysot')[0] == pytest.approx(110 / 121)


def test_a_triangle_covers_the_pixels_between_its_edges():
    # Row n = 1 .. 4 of the triangle reaches from column 0 to 4 - n, which it does not cover.
    triangle, box = np.array([[0.0, 0, 4, 0, 0, 4]]), np.array([[0.0, 0, 4, 4]])
    assert region_overlaps(box, triangle, SIZE, 'older')[0] == pytest.approx((3 + 2 + 1) / 16)


def test_what_covers_no_pixel_overlaps_nothing():
    assert region_overlaps(np.array([[5.0, 5, 0, 0]]), np.array([[5.0, 5, 0, 0]]), SIZE,
                           'older') == 0
    assert np.isnan(region_overlaps(np.full((1, 4), np.nan), np.ones((1, 4)), SIZE, 'older')[0])
