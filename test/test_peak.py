"""Sub-pixel maxima of response maps against paraboloids whose maximum is known."""
import numpy as np
import pytest
import torch

from tracking_nodes.online.peak import peak_at


@pytest.mark.parametrize('row, column', [(3.3, 4.2), (5.0, 2.0), (2.6, 6.45)])
def test_a_paraboloids_maximum_is_found_exactly(row, column):
    rows, columns = np.mgrid[0:9, 0:10]
    surface = 5 - (rows - row) ** 2 - 2 * (columns - column) ** 2
    maps = torch.from_numpy(np.stack([surface - 1, surface, surface - 0.5]))
    index, cell = peak_at(maps)
    assert index == 1 and cell == pytest.approx([row, column])


@pytest.mark.parametrize('row, column', [(0, 0), (0, 3), (4, 6), (2, 0)])
def test_a_maximum_at_the_border_stays_there(row, column):
    maps = torch.zeros(1, 5, 7)
    maps[0, row, column] = 1
    index, cell = peak_at(maps)
    assert index == 0
    for found, edge, at in ((cell[0], 4, row), (cell[1], 6, column)):
        assert found == at if at in (0, edge) else abs(found - at) < 0.5


def test_a_flat_map_has_its_first_cell():
    assert peak_at(torch.ones(2, 4, 4))[1].tolist() == [0, 0]
