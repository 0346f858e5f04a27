"""
Overlap of two polygons by the pixel rule of VOT2013 to VOT2015, which the image does not cut.

The grid begins at the leftmost and topmost corner of the two, wherever that lies between pixels.
Row n holds what an edge meets that goes from above n to n or below; in it a polygon covers the
pixels from the one that its left edge meets to the one before its right edge. A box whose corners
are whole so has w h pixels, and two of them their exact overlap, as in VOT2013.
"""
import numpy as np

# Beyond every column: where a row has fewer edges than another, a stretch of no pixel.
_BEYOND = 2 ** 40


def older_overlap(one, other):
    """
    Return intersection over union.

    :param one, other: (2n,) float32 corners x1, y1, x2, y2, ... in pixels.
    :return: in [0, 1]; 0 where neither covers a pixel.
    """
    corners = [one.reshape(-1, 2), other.reshape(-1, 2)]
    low, high = (reach(np.concatenate(corners), axis=0) for reach in (np.min, np.max))
    rows = np.arange(1, int(high[1] - low[1]) + 1, dtype=np.float32)[:, None]
    (left, right), (other_left, other_right) = (_stretches(points - low, rows)
                                                for points in corners)
    shared = np.minimum(right[:, :, None], other_right[:, None]) - np.maximum(
        left[:, :, None], other_left[:, None])
    common = np.maximum(shared, 0).sum()
    union = (right - left).sum() + (other_right - other_left).sum() - common
    return float(common / union) if union else 0.0


def _stretches(points, rows):
    """Return first columns and columns behind the last, (R, S) each, of the stretches per row."""
    x, y = points.T
    x_before, y_before = np.roll(x, 1), np.roll(y, 1)
    crossed = (y < rows) != (y_before < rows)
    rise = np.where(y == y_before, 1, y_before - y)
    # In 32 bits and cut to whole pixels, as in the toolkit.
    nodes = np.trunc(x + (rows - y) / rise * (x_before - x)).astype(np.int64)
    nodes = np.sort(np.where(crossed, nodes, _BEYOND), axis=1)
    if nodes.shape[1] % 2:
        nodes = nodes[:, :-1]
    return nodes[:, 0::2], nodes[:, 1::2]
