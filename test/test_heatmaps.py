"""Heatmaps of positions against a loop over all cells."""
import math

import pytest
import torch

from tracking_nodes.nn.heatmaps import heatmaps, trajectory


def gaussian(x, y, height, width, sigma):
    """Return section 2.2's heatmap cell by cell; the centre of cell (0, 0) is at a half."""
    return [[math.exp(-((column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2) / (2 * sigma ** 2))
             for column in range(width)] for row in range(height)]


@pytest.mark.parametrize('sigma', [3.0, 1.3])
def test_a_heatmap_is_a_gaussian_around_its_position(sigma):
    positions = torch.tensor([[4.5, 2.5], [11.2, 6.7], [-3.0, 9.0]], dtype=torch.float64)
    found = heatmaps(positions, 9, 14, sigma)
    wanted = [gaussian(x, y, 9, 14, sigma) for x, y in positions.tolist()]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))
    assert found[0, 2, 4] == 1 and found[0].max() == 1


@pytest.mark.parametrize('missing', [(math.nan, math.nan), (math.nan, 3.0), (3.0, math.nan)])
def test_a_position_that_is_missing_has_a_heatmap_of_zeros(missing):
    found = heatmaps(torch.tensor([missing, (3.0, 3.0)]), 6, 8, 3.0)
    assert not found[0].any() and found[1].any()


def test_the_trajectory_is_in_the_order_of_time_and_begins_with_what_is_missing():
    positions = torch.tensor([[[2.0, 3.0], [math.nan, math.nan], [6.0, 1.0]],
                              [[7.0, 1.0], [1.0, 1.0], [5.0, 5.0]]], dtype=torch.float64)
    found = trajectory(positions, 5, 7, 9, 2.0)
    assert found.shape == (2, 5, 7, 9)
    for rows, path in zip(found, positions.tolist()):
        assert not rows[:2].any()
        for channel, (x, y) in zip(rows[2:], path):
            wanted = gaussian(x, y, 7, 9, 2.0) if x == x else torch.zeros(7, 9)
            torch.testing.assert_close(channel, torch.as_tensor(wanted, dtype=torch.float64))


def test_a_full_history_leaves_no_empty_channel_and_none_leaves_only_empty_ones():
    path = torch.tensor([[2.0, 3.0], [4.0, 3.0]])
    assert torch.equal(trajectory(path, 2, 6, 6, 3.0), heatmaps(path, 6, 6, 3.0))
    assert not trajectory(path[:0], 2, 6, 6, 3.0).any()
