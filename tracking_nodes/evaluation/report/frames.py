"""Which frames a page shows, as small JPEG images within a budget of bytes."""
import base64

import cv2
import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.report.dips import find_dips

LONGEST_SIDE = 320
JPEG_QUALITY = 70
# Around the lowest frame of a dip: how it began and how it went on.
NEIGHBOURS = (0, -2, 2, -5, 5, -10, 10)


def thumbnails(sequence, overlaps, budget):
    """
    Return small images of the frames that matter most, as many as the budget allows.

    Half of them lie around the worst dips of any run, the others are evenly spread.

    :param sequence: a `Sequence`.
    :param overlaps: list of (N,) overlaps per frame, one array per run; NaN where unknown.
    :param budget: bytes that all images of the sequence may take, in base64.
    :return: {frame: JPEG in base64}, in the order of frames; empty where not one fits.
    :raises SequenceError: the sequence cannot be read, or ends before its last box.
    """
    first = _encode(sequence.image(0))
    chosen = choose_frames(len(sequence), overlaps, int(budget // len(first)))
    wanted, images = set(chosen), {}
    if not wanted:
        return {}
    for index, image in enumerate(sequence.images()):
        if index in wanted:
            images[index] = _encode(image)
        if index == max(wanted):
            break
    if len(images) < len(wanted):
        raise SequenceError(f'{sequence.name}: {index + 1} images for {len(sequence)} boxes of '
                            'ground truth')
    size = sum(len(text) for text in images.values())
    while chosen and size > budget:
        size -= len(images.pop(chosen.pop()))
    return dict(sorted(images.items()))


def choose_frames(count, overlaps, limit):
    """
    Return the frames to show, the most important first.

    :param count: frames of the sequence.
    :param overlaps: list of (count,) overlaps, one array per run.
    :param limit: how many frames at most.
    :return: list of different frame numbers, 0-based.
    """
    limit = min(limit, count)
    dips = sorted((dip for run in overlaps for dip in find_dips(run)), key=lambda dip: -dip.lost)
    around = dict.fromkeys(dip.frame + offset for offset in NEIGHBOURS for dip in dips
                           if 0 <= dip.frame + offset < count)
    ordered = list(around)[:limit // 2]
    spread = _spread(count, limit - len(ordered))
    # What falls on a frame taken already makes room for more of the spread.
    rest = [frame for frame in _spread(count, limit) if frame not in {*ordered, *spread}]
    return list(dict.fromkeys([*ordered, *spread, *rest]))[:limit]


def _spread(count, number):
    return np.linspace(0, count - 1, number).round().astype(int).tolist() if number > 0 else []


def _encode(image):
    scale = LONGEST_SIDE / max(image.shape[:2])
    if scale < 1:
        size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return base64.b64encode(data).decode('ascii')
