"""The published score is the tracker's own behind a map, which changes nothing else."""
import math

import numpy as np
import pytest
from small_trackers import clip, make

from tracking_nodes.trackers.probability import mapped, ProbabilitySettings


@pytest.mark.parametrize('score, expected', [
    (0.5, 1 / (1 + math.exp(0.7))), (0.9, 1 / (1 + math.exp(0.7 - 1.5 * math.log(9)))),
    (0.0, pytest.approx(0, abs=1e-6)), (1.0, pytest.approx(1, abs=1e-6))])
def test_it_is_the_logistic_function_of_the_log_odds(score, expected):
    assert float(mapped(score, 1.5, -0.7)) == pytest.approx(expected)


@pytest.mark.parametrize('score', [0.0, 1e-9, 0.3, 1.0])
def test_without_a_map_it_is_the_trackers_own_to_the_last_bit(score):
    assert ProbabilitySettings().probability(score) == score


@pytest.mark.parametrize('name', ['rman', 'tsn', 'cstnet', 'gstp'])
def test_a_tracker_publishes_it_and_tracks_by_its_own(name):
    images, boxes = clip()
    own, published = make(name), make(name, calibration_slope=0.5, calibration_offset=1.25)
    for tracker in (own, published):
        tracker.start(images[0], boxes[0])
    for image in images[1:6]:
        plain, probable = own.locate(image), published.locate(image)
        np.testing.assert_array_equal(plain.box, probable.box)
        assert plain.present == probable.present
        assert probable.score == pytest.approx(float(mapped(plain.score, 0.5, 1.25)), abs=1e-6)
        assert own.learn() == published.learn()
