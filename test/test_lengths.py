"""The interval of sequence lengths of VOT's expected average overlap."""
import json

import numpy as np
import plain_reset
import pytest

from tracking_nodes.evaluation.measures.lengths import kernel_width, likely_lengths
from tracking_nodes.evaluation.measures.reset import EAO_INTERVALS


@pytest.mark.parametrize('seed', range(8))
def test_the_interval_equals_that_of_an_integrated_density(seed):
    generator = np.random.default_rng(seed)
    lengths = np.round(np.exp(generator.normal(5, 0.6, 12 + seed))).astype(int).tolist()
    assert likely_lengths(lengths) == plain_reset.interval(lengths)


def test_the_interval_holds_half_of_the_lengths_about_their_peak():
    lengths = [98, 99, 100, 101, 102] * 4 + [400]
    low, high = likely_lengths(lengths)
    assert low < 100 < high and high - low < 60
    frames = np.arange(1, 401)
    density = sum(np.exp(-((frames - one) / kernel_width(lengths)) ** 2 / 2) for one in lengths)
    inside = density[low - 1:high].sum() / density.sum()
    assert 0.5 <= inside < 0.5 + max(density[low - 1], density[high - 1]) / density.sum() * 2


def test_equal_lengths_have_no_interval():
    assert likely_lengths([70, 70, 70]) is None and likely_lengths([70]) is None


def test_an_interval_that_can_grow_no_further_is_all_lengths():
    assert likely_lengths([1, 2]) == (1, 2)


def test_the_interval_of_vot2018_is_that_of_its_sequences(tracking_data):
    truth = json.loads((tracking_data / 'reference' / 'vot2018' / 'VOT2018.json').read_text())
    lengths = [len(sequence['gt_rect']) for sequence in truth.values()]
    assert len(lengths) == 60
    assert likely_lengths(lengths) == EAO_INTERVALS['vot2018'] == (100, 356)
    assert plain_reset.interval(lengths) == (100, 356)
