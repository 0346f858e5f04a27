"""Sub-pixel maxima of response maps against paraboloids whose maximum is known."""
import numpy as np
import pytest
import torch

from tracking_nodes.online.peak import best_peaks, peak_at, peaks_of


def found_by_hand(response):
    """Return down and across of the maximum of an array (H, W), by a loop over its two axes."""
    cell = np.unravel_index(response.argmax(), response.shape)
    found = []
    for axis, at in enumerate(cell):
        line = response[:, cell[1]] if axis == 0 else response[cell[0]]
        if 0 < at < len(line) - 1:
            below, middle, above = (float(value) for value in line[at - 1:at + 2])
            bend = below - 2 * middle + above
            at += min(max((below - above) / 2 / bend, -0.5), 0.5) if bend < 0 else 0.0
        found.append(float(at))
    return found


@pytest.mark.parametrize('size', [(9, 12), (1, 6), (6, 1), (2, 3), (1, 1)])
def test_all_maps_have_the_peaks_that_each_has_alone(size):
    """Smooth and rough ones, at borders too, and one that is flat."""
    random = np.random.default_rng(0)
    maps = random.normal(size=(40, *size)).astype(np.float32)
    maps[20:] = maps[20:].cumsum(axis=2)
    maps[0] = 0.25
    found = peaks_of(torch.from_numpy(maps))
    assert found.dtype == torch.float64
    np.testing.assert_array_equal(found, [found_by_hand(each) for each in maps])
    index, cell = peak_at(torch.from_numpy(maps))
    assert index == maps.max(axis=(1, 2)).argmax()
    np.testing.assert_array_equal(cell, found[index.item()])


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


def naive_peaks(response, count, distance):
    """Return the cells of the highest values, each farther than a distance from those before."""
    cells = sorted(np.ndindex(response.shape), key=lambda cell: -response[cell])
    found = []
    for cell in cells:
        if all(max(abs(cell[0] - row), abs(cell[1] - column)) > distance for row, column in found):
            found.append(cell)
    return found[:count]


@pytest.mark.parametrize('count, distance', [(1, 2), (3, 1), (5, 2), (4, 0), (100, 3)])
@pytest.mark.parametrize('seed', [0, 1])
def test_the_best_peaks_are_the_highest_cells_apart_from_each_other(count, distance, seed):
    response = np.random.default_rng(seed).normal(size=(12, 15)).astype(np.float32)
    places, heights = (each.numpy() for each in best_peaks(
        torch.from_numpy(response), count, distance))
    expected = naive_peaks(response, count, distance)
    assert places.shape == (count, 2) and places.dtype == heights.dtype == np.float64
    found = len(expected)
    np.testing.assert_array_equal(heights[:found], [response[cell] for cell in expected])
    assert np.abs(places[:found] - expected).max() <= 0.5
    # As many were asked for as there are, or more.
    assert (heights[found:] == -np.inf).all()


def test_the_best_peaks_of_gaussians_lie_on_them_to_a_fraction_of_a_cell():
    middles = np.array([[4.3, 5.8], [13.7, 14.2], [4.9, 15.5]])
    rows, columns = np.mgrid[0:19, 0:21]
    response = sum(gain * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 2 / 1.5 ** 2)
                   for gain, (row, column) in zip((1.0, 0.8, 0.6), middles))
    before = response.copy()
    places, heights = best_peaks(torch.from_numpy(response), 3, 4)
    np.testing.assert_allclose(places, middles, atol=0.05)
    np.testing.assert_allclose(heights, [1.0, 0.8, 0.6], atol=0.1)
    # What was found is taken out of a copy.
    np.testing.assert_array_equal(response, before)


@pytest.mark.parametrize('size', [(1, 1), (1, 7), (2, 2), (5, 5)])
def test_a_small_or_flat_map_has_peaks_inside_of_it(size):
    places, heights = (each.numpy() for each in best_peaks(torch.full(size, -3.0), 4, 2))
    assert heights[0] == -3 and set(heights[1:]) <= {-3, -np.inf}
    assert (places >= 0).all() and (places <= np.array(size) - 1).all()
