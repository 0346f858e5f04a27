"""The maxima of response maps, to fractions of a cell."""
import numpy as np
import torch


def peak_at(responses):
    """
    Return where the largest of several response maps has its maximum.

    A parabola through the maximum and its neighbours, down and across, gives the fraction.

    :param responses: (N, H, W) tensor.
    :return: index of the map, and (down, across) in cells, float64.
    """
    height, width = responses.shape[1:]
    index, place = divmod(int(responses.argmax()), height * width)
    return index, _refined(responses[index], *divmod(place, width))


def best_peaks(response, count, distance):
    """
    Return the highest maxima of one response map that are not next to each other.

    :param response: (H, W) tensor.
    :param count: how many at the most.
    :param distance: cells, across and down, within which a lower one is no maximum of its own.
    :return: places (M, 2), down and across in cells, float64, the highest first; heights (M,).
    """
    left, places, heights = response.clone(), [], []
    lowest = torch.finfo(response.dtype).min
    for _ in range(count):
        row, column = divmod(int(left.argmax()), response.shape[1])
        height = float(left[row, column])
        if height == lowest:
            break
        places.append(_refined(response, row, column))
        heights.append(height)
        left[max(row - distance, 0):row + distance + 1,
             max(column - distance, 0):column + distance + 1] = lowest
    return np.array(places), np.array(heights)


def _refined(response, row, column):
    """Return (down, across) of a maximum of (H, W), to fractions of a cell."""
    height, width = response.shape
    around = response[max(row - 1, 0):row + 2, max(column - 1, 0):column + 2]
    around = around.double().cpu().numpy()
    cell = np.array([row, column], dtype=np.float64)
    if 0 < row < height - 1:
        cell[0] += _vertex(around[:, min(column, 1)])
    if 0 < column < width - 1:
        cell[1] += _vertex(around[min(row, 1), :])
    return cell


def _vertex(values):
    """Return where the parabola through values at -1, 0, 1 has its maximum, in [-0.5, 0.5]."""
    below, middle, above = values
    bend = below - 2 * middle + above
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (below - above) / bend, -0.5, 0.5))
