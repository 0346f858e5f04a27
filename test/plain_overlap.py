"""The older overlap of VOT, pixel by pixel, in the toolkit's 32 bits."""
import numpy as np


def older_overlap(one, other):
    """
    Return intersection over union of two polygons.

    :param one, other: sequences of corners x1, y1, x2, y2, ... in pixels.
    """
    shapes = [[(np.float32(x), np.float32(y)) for x, y in zip(region[0::2], region[1::2])]
              for region in (one, other)]
    left = min(x for shape in shapes for x, _ in shape)
    top = min(y for shape in shapes for _, y in shape)
    width, height = (int(max(point[axis] for shape in shapes for point in shape)) + 2
                     for axis in (0, 1))
    common = either = 0
    for row in range(height - int(top) + 1):
        nodes = [_nodes([(x - left, y - top) for x, y in shape], row) for shape in shapes]
        for column in range(width - int(left) + 1):
            # Inside is where an odd number of edges lies at or left of the pixel.
            inside = [sum(node <= column for node in row_nodes) % 2 for row_nodes in nodes]
            common, either = common + all(inside), either + any(inside)
    return common / either if either else 0.0


def _nodes(shape, row):
    """Return the whole columns in which edges go from above a row to it or below."""
    found = []
    # From a corner towards the one before, which rounds otherwise than the other way round.
    for (x, y), (x_last, y_last) in zip(shape, shape[-1:] + shape[:-1]):
        if min(y, y_last) < row <= max(y, y_last):
            found.append(int(x + (row - y) / (y_last - y) * (x_last - x)))
    return found
