"""
Candidate boxes around a target: Gaussian, uniform, or over the whole image.

All draws come from the generator given. Scale and aspect vary as powers of 1.05, as in MDNet's
published description (Nam and Han, CVPR 2016, section 5), which RMAN, TSN and CSTNet build on.
"""
import numpy as np

from tracking_nodes.geometry import cxcywh_to_xywh, iou, xywh_to_cxcywh

SCALE_BASE = 1.05


def gaussian(rng, box, count, translation, scale, aspect=0.0):
    """
    Draw boxes whose centre and log size are normal around a box.

    :param rng: a numpy Generator.
    :param box: (x, y, w, h).
    :param count: number of boxes.
    :param translation: standard deviation of the centre, in units of the mean side.
    :param scale: standard deviation of the size, in powers of 1.05.
    :param aspect: standard deviation of the aspect ratio, in powers of 1.05.
    :return: (count, 4).
    """
    shift = rng.standard_normal((count, 2)).clip(-2, 2) * translation
    size = rng.standard_normal((count, 1)).clip(-3, 3) * scale
    ratio = rng.standard_normal((count, 1)).clip(-3, 3) * aspect
    return _vary(box, shift, size, ratio)


def uniform(rng, box, count, translation, scale, aspect=0.0):
    """
    Draw boxes whose centre and log size are uniform around a box.

    :param translation: largest shift of the centre along each axis, in units of the mean side.
    :param scale: largest change of size, in powers of 1.05.
    :param aspect: largest change of the aspect ratio, in powers of 1.05.
    :return: (count, 4).
    """
    shift = rng.uniform(-1, 1, (count, 2)) * translation
    size = rng.uniform(-1, 1, (count, 1)) * scale
    ratio = rng.uniform(-1, 1, (count, 1)) * aspect
    return _vary(box, shift, size, ratio)


def whole(rng, box, count, width, height, scale):
    """
    Draw boxes of about the target's size anywhere in the image.

    :param width: of the image, in pixels.
    :param height: of the image, in pixels.
    :param scale: largest change of size, in powers of 1.05.
    :return: (count, 4).
    """
    centre = rng.uniform(0, 1, (count, 2)) * (width, height)
    size = np.asarray(box[2:]) * SCALE_BASE ** (rng.uniform(-1, 1, (count, 1)) * scale)
    return cxcywh_to_xywh(np.concatenate([centre, size], axis=1))


def inside(boxes, width, height):
    """
    Return the boxes with their centres moved into the image and sizes held to its size.

    :param boxes: (N, 4), an array or a tensor.
    :param width: of the image, in pixels.
    :param height: of the image, in pixels.
    :return: (N, 4).
    """
    rows = xywh_to_cxcywh(boxes)
    for axis, limit in enumerate((width, height)):
        rows[:, axis] = rows[:, axis].clip(0, limit)
        rows[:, 2 + axis] = rows[:, 2 + axis].clip(min(4.0, limit), limit)
    return cxcywh_to_xywh(rows)


def with_overlap(draw, box, count, low, high, attempts=12):
    """
    Return drawn boxes whose overlap with a box lies in a range.

    :param draw: called with a number, returns that many boxes.
    :param box: (x, y, w, h).
    :param count: how many to return at the most; fewer when the range is hardly ever met.
    :param low: smallest intersection over union.
    :param high: largest intersection over union.
    :param attempts: how often to draw.
    :return: (M, 4), M <= count.
    """
    kept, have = [], 0
    for _ in range(attempts):
        boxes = draw(2 * count)
        overlap = iou(boxes, np.asarray(box))
        boxes = boxes[(overlap >= low) & (overlap <= high)][:count - have]
        kept.append(boxes)
        have += len(boxes)
        if have >= count:
            break
    return np.concatenate(kept)


def _vary(box, shift, size, ratio):
    row = xywh_to_cxcywh(box)
    centre = row[:2] + shift * row[2:].mean()
    factor = SCALE_BASE ** np.concatenate([size + ratio, size - ratio], axis=1)
    return cxcywh_to_xywh(np.concatenate([centre, row[2:] * factor], axis=1))
