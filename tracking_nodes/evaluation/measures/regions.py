"""
Overlap of predicted boxes or polygons with VOT's regions, in pixels as the official tools count.

Both tools fill polygons and count pixels; they differ, from each other and from what they did
before, in details that move a score in its third digit:

=========  ==============================================  ====================  ================
rule       a box (x, y, w, h)                              corners between them  off the image
=========  ==============================================  ====================  ================
`toolkit`  pixels x .. x + w - 1                           x.5 to the even       does not count
`pysot`    pixels x .. x + w: its corners as a polygon     x.5 away from zero    does not count
`older`    as many pixels as it has area                   stay where they are   counts
=========  ==============================================  ====================  ================

`toolkit` is the Python toolkit from VOT2020 on; `pysot` is the C code of the MATLAB toolkit since
VOT2016 as pysot-toolkit calls it; `older` is that of VOT2013 to VOT2015 (`older_overlap`). Where
no polygon is known, the ground truth is a box.
"""
import numpy as np

from tracking_nodes.evaluation.measures.older_overlap import older_overlap

OVERLAP_RULES = ('toolkit', 'pysot', 'older')


def region_overlaps(predicted, regions, image_size, rule='toolkit'):
    """
    Return the overlap of each predicted region with its own.

    :param predicted: (N, 4) boxes x, y, w, h in pixels, or (N, 2n) corners x1, y1, x2, y2, ...;
        or a list of N such rows, boxes and polygons.
    :param regions: the same of the ground truth.
    :param image_size: (width, height) in pixels; only pixels inside of it count, but for the rule
        `older`. None: all.
    :param rule: one of `OVERLAP_RULES`.
    :return: (N,) in [0, 1]; NaN where one of the two has a NaN.
    """
    overlap = {'toolkit': _toolkit_overlap, 'pysot': _pysot_overlap,
               'older': _older_overlap}[rule]
    pairs = list(zip(_rows(predicted), _rows(regions)))
    result = np.full(len(pairs), np.nan)
    for index, (one, other) in enumerate(pairs):
        if np.isfinite(one).all() and np.isfinite(other).all():
            result[index] = overlap(one, other, image_size)
    return result


def _rows(regions):
    """Return regions one by one, in 32 bits as the tools hold them: rounding sees it."""
    if isinstance(regions, np.ndarray):
        return np.atleast_2d(regions).astype(np.float32)
    return [np.asarray(region, dtype=np.float32) for region in regions]


def _toolkit_overlap(predicted, region, image_size):
    regions = [np.round(one).astype(np.int64) for one in (predicted, region)]
    shapes = [_box_pixels(one) if len(one) == 4 else _bounds(one) for one in regions]
    left, top, right, bottom = union = _union(shapes)
    if left >= right or top >= bottom:
        return 1.0
    left, top, right, bottom = window = _cut(union, image_size)
    if left >= right or top >= bottom:
        return 0.0
    return _share(*(_filled(_cut(shape, image_size), window) if len(one) == 4
                    else _fill_polygon(one, window, True)
                    for one, shape in zip(regions, shapes)))


def _pysot_overlap(predicted, region, image_size):
    bounds = [_cut((np.floor(x.min()), np.floor(y.min()), np.ceil(x.max()), np.ceil(y.max())),
                   image_size)
              for x, y in ((corners[0::2], corners[1::2])
                           for corners in (_corners(predicted), _corners(region)))]
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in bounds]
    window = tuple(int(value) for value in _union(bounds))
    apart = any(one[axis] >= other[axis + 2] for axis in (0, 1)
                for one, other in (bounds, bounds[::-1]))
    if min(areas) <= 0 or window[2] < window[0] or window[3] < window[1] or apart:
        return 0.0
    origin = np.tile(np.float32(window[:2]), 4)
    masks = []
    for corners in (_corners(predicted), _corners(region)):
        moved = corners - np.resize(origin, len(corners))
        rounded = np.copysign(np.floor(np.abs(moved) + np.float32(0.5)), moved).astype(np.int64)
        size = (0, 0, window[2] - window[0], window[3] - window[1])
        masks.append(_fill_polygon(rounded, size, False))
    return _share(*masks)


def _older_overlap(predicted, region, image_size):
    return older_overlap(_corners(predicted), _corners(region))


def _corners(region):
    if len(region) > 4:
        return region
    x, y, w, h = region
    return np.array([x, y, x + w, y, x + w, y + h, x, y + h], dtype=np.float32)


def _box_pixels(box):
    """Return the first and last pixel (left, top, right, bottom) of a rounded box."""
    return (box[0], box[1], box[0] + box[2] - 1, box[1] + box[3] - 1)


def _bounds(corners):
    x, y = corners[0::2], corners[1::2]
    return (x.min(), y.min(), x.max(), y.max())


def _union(bounds):
    return (min(one[0] for one in bounds), min(one[1] for one in bounds),
            max(one[2] for one in bounds), max(one[3] for one in bounds))


def _cut(bounds, image_size):
    if image_size is None:
        return bounds
    width, height = image_size
    left, top, right, bottom = bounds
    return (max(left, 0), max(top, 0), min(right, width - 1), min(bottom, height - 1))


def _filled(pixels, window):
    """Return the window as a mask with a rectangle of pixels set."""
    mask = np.zeros((window[3] - window[1] + 1, window[2] - window[0] + 1), dtype=bool)
    left, top, right, bottom = pixels
    if left <= right and top <= bottom:
        mask[top - window[1]:bottom - window[1] + 1, left - window[0]:right - window[0] + 1] = True
    return mask


def _fill_polygon(corners, window, tips):
    """
    Return the window as a mask with a polygon filled, row by row between its edges.

    :param corners: (2n,) whole numbers.
    :param window: first and last pixel (left, top, right, bottom).
    :param tips: whether a row that is met in one point, or along an edge only, is filled.
    """
    x, y = corners[0::2] - window[0], corners[1::2] - window[1]
    rows, columns = np.arange(window[3] - window[1] + 1)[:, None], window[2] - window[0] + 1
    x_before, y_before = np.roll(x, 1), np.roll(y, 1)
    rise, run = y_before - y, x_before - x
    touched = (np.minimum(y, y_before) <= rows) & (rows <= np.maximum(y, y_before))
    if not tips:
        touched &= rise != 0
    across = x + (rows - y) / np.where(rise == 0, 1, rise) * run * (rise != 0)
    nodes = np.where(touched, np.trunc(across), np.inf)
    turns = run * np.roll(rise, 1) - rise * np.roll(run, 1)
    # Four corners that all turn one way cannot cross; more could, as a star does. Where three lie
    # on one row, the tools leave part of it out.
    if len(x) == 4 and ((turns > 0).all() or (turns < 0).all()):
        return _between_outer_nodes(nodes, touched, columns, tips)
    mask = np.zeros((len(rows), columns), dtype=bool)
    nodes.sort(axis=1)
    for row, count in enumerate(touched.sum(axis=1)):
        _fill_row(mask[row], nodes[row, :count].astype(np.int64).tolist(), tips)
    return mask


def _between_outer_nodes(nodes, touched, columns, tips):
    """Fill a convex polygon: every row has one stretch."""
    left = nodes.min(axis=1, keepdims=True)
    right = np.where(touched, nodes, -np.inf).max(axis=1, keepdims=True)
    pixels = np.arange(columns)
    mask = (left <= pixels) & (pixels <= right)
    return mask if tips else mask & (left < right)


def _fill_row(row, nodes, tips):
    """Fill the stretches between pairs of sorted nodes."""
    index = 0
    while index < len(nodes) - 1:
        left, right = nodes[index], nodes[index + 1]
        if left >= len(row):
            break
        # A corner gives its row two equal nodes, of which one is enough.
        if left == right and not (tips and index == len(nodes) - 2):
            index += 1
            continue
        if right >= 0:
            row[max(left, 0):right + 1] = True
        index += 2


def _share(one, other):
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 0.0
