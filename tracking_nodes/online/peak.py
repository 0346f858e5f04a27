"""The maximum of response maps, to fractions of a cell."""
import numpy as np


def peak_at(responses):
    """
    Return where the largest of several response maps has its maximum.

    A parabola through the maximum and its neighbours, down and across, gives the fraction.

    :param responses: (N, H, W) tensor.
    :return: index of the map, and (down, across) in cells, float64.
    """
    height, width = responses.shape[1:]
    index, place = divmod(int(responses.argmax()), height * width)
    row, column = divmod(place, width)
    around = responses[index, max(row - 1, 0):row + 2, max(column - 1, 0):column + 2]
    around = around.double().cpu().numpy()
    cell = np.array([row, column], dtype=np.float64)
    if 0 < row < height - 1:
        cell[0] += _vertex(around[:, min(column, 1)])
    if 0 < column < width - 1:
        cell[1] += _vertex(around[min(row, 1), :])
    return index, cell


def _vertex(values):
    """Return where the parabola through values at -1, 0, 1 has its maximum, in [-0.5, 0.5]."""
    below, middle, above = values
    bend = below - 2 * middle + above
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (below - above) / bend, -0.5, 0.5))
