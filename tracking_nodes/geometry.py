"""
The one box convention of the package, and what is computed from boxes.

A box is (x, y, w, h) in pixels, float64, 0-based: (x, y) is the top-left corner of the top-left
pixel, so a box that covers a whole image is (0, 0, width, height). The last axis holds the four
numbers. A row of NaN says that the target is absent.
"""
import math

import numpy as np

from tracking_nodes.errors import BoxError

# A target may reach beyond the image, but what compiled operators do with boxes of any size is
# not theirs to say: some of them end the process.
_MOST_SIDES = 10


def as_box(values):
    """
    Return four numbers as a box.

    :param values: any sequence of four numbers, (x, y, w, h) in pixels.
    :return: array (4,), float64, a copy.
    :raises BoxError: when there are not four numbers.
    """
    box = np.array(values, dtype=np.float64).reshape(-1)
    if box.shape != (4,):
        raise BoxError(f'a box has four numbers x, y, w, h; got {box.tolist()}')
    return box


def check_target(box, width, height, minimum_side=1.0):
    """
    Return the box if a tracker can start on it, or say why not.

    :param box: (x, y, w, h) in pixels.
    :param width: image width in pixels.
    :param height: image height in pixels.
    :param minimum_side: the shortest side allowed, in pixels.
    :return: array (4,), float64, unchanged.
    :raises BoxError: not finite, without area, without overlap with the image, or so large that
        it cannot be a target of it.
    """
    box = as_box(box)
    shown = ', '.join(f'{value:g}' for value in box)
    if not np.isfinite(box).all():
        raise BoxError(f'box ({shown}) is not finite; give x, y, w, h in pixels')
    if box[2] < minimum_side or box[3] < minimum_side:
        raise BoxError(f'box ({shown}) has no area; width and height must be at least '
                       f'{minimum_side:g} pixel')
    if box[0] >= width or box[1] >= height or box[0] + box[2] <= 0 or box[1] + box[3] <= 0:
        raise BoxError(f'box ({shown}) lies outside of the {width}x{height} image')
    if box[2] > _MOST_SIDES * width or box[3] > _MOST_SIDES * height:
        raise BoxError(f'box ({shown}) is more than {_MOST_SIDES} times as large as the '
                       f'{width}x{height} image; give x, y, w, h in pixels')
    return box


def copied(values):
    """
    Return numbers as float64 in an array of their own; a tensor as a tensor, where it is.

    What only adds and multiplies goes on with either: boxes that are on a GPU stay there.
    """
    return values.clone() if hasattr(values, 'clone') else np.array(values, dtype=np.float64)


def xywh_to_xyxy(boxes):
    """Return boxes (..., 4), an array or a tensor, as (left, top, right, bottom)."""
    corners = copied(boxes)
    corners[..., 2:] += corners[..., :2]
    return corners


def xyxy_to_xywh(boxes):
    """Return (..., 4) boxes given by two opposite corners, left, top, right, bottom."""
    rows = copied(boxes)
    rows[..., 2:] -= rows[..., :2]
    return rows


def xywh_to_cxcywh(boxes):
    """Return boxes (..., 4), an array or a tensor, as (centre x, centre y, w, h)."""
    rows = copied(boxes)
    rows[..., :2] += rows[..., 2:] / 2
    return rows


def cxcywh_to_xywh(boxes):
    """Return (centre x, centre y, w, h) rows (..., 4), an array or a tensor, as boxes."""
    rows = copied(boxes)
    rows[..., :2] -= rows[..., 2:] / 2
    return rows


def iou(boxes, others):
    """
    Return the intersection over union of boxes, row by row.

    :param boxes: (..., 4), broadcast against `others`.
    :param others: (..., 4).
    :return: (...), in [0, 1]; NaN where a box is NaN.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    others = np.asarray(others, dtype=np.float64)
    low = np.maximum(boxes[..., :2], others[..., :2])
    high = np.minimum(boxes[..., :2] + boxes[..., 2:], others[..., :2] + others[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    union = boxes[..., 2:].prod(axis=-1) + others[..., 2:].prod(axis=-1) - shared
    with np.errstate(invalid='ignore', divide='ignore'):
        return np.where(union > 0, shared / np.where(union > 0, union, 1), union * 0)


def clip_box(box, width, height, minimum_side=2.0):
    """
    Return the box pushed and cut so that part of it stays inside of the image.

    :param box: (x, y, w, h).
    :param width: image width in pixels.
    :param height: image height in pixels.
    :param minimum_side: shortest side of the result, and how much of it stays inside, in pixels.
    :return: array (4,), float64.
    """
    box = as_box(box)
    size = np.maximum(box[2:], minimum_side)
    limit = np.array([width, height], dtype=np.float64)
    size = np.minimum(size, np.maximum(2 * limit, minimum_side))
    keep = np.minimum(minimum_side, limit)
    corner = np.clip(box[:2], keep - size, limit - keep)
    return np.concatenate([corner, size])


def polygon_to_box(polygon):
    """
    Return the axis-aligned box around polygons.

    :param polygon: (..., 2n) as x1, y1, x2, y2, ... in pixels.
    :return: (..., 4).
    """
    polygon = np.asarray(polygon, dtype=np.float64)
    xs, ys = polygon[..., 0::2], polygon[..., 1::2]
    left, top = xs.min(axis=-1), ys.min(axis=-1)
    return np.stack([left, top, xs.max(axis=-1) - left, ys.max(axis=-1) - top], axis=-1)


def area_side(box):
    """Return the side of the square that has the box's area, in pixels."""
    return math.sqrt(float(box[2]) * float(box[3]))
