"""Ground-truth files: one line per frame, in the forms that the benchmarks use."""
import logging
from pathlib import Path
import re

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.geometry import polygon_to_box

LOGGER = logging.getLogger(__name__)
SEPARATORS = re.compile(r'[,;\s]+')


def read_rows(file):
    """
    Return the numbers of a text file with one line per frame.

    Commas, semicolons, tabs and spaces separate; any line end is good; a line that holds a NaN
    becomes a row of NaN.

    :param file: path of the file.
    :return: (N, K) float64.
    :raises SequenceError: unreadable, empty, not a number, or lines of different length; the
        message names file and line.
    """
    try:
        lines = Path(file).read_text(encoding='utf-8-sig').rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SequenceError(f'ground truth {file} cannot be read: {error}') from error
    if not lines:
        raise SequenceError(f'ground truth {file} is empty')
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append([float(word) for word in SEPARATORS.split(line.strip(' \t,;'))])
        except ValueError:
            raise SequenceError(f'ground truth {file}, line {number}: {line!r} is not a list of '
                                'numbers') from None
        if len(rows[-1]) != len(rows[0]) or np.isinf(rows[-1]).any():
            raise SequenceError(f'ground truth {file}, line {number}: expected {len(rows[0])} '
                                f'finite numbers or NaN as in line 1, got {line!r}')
    rows = np.array(rows, dtype=np.float64)
    rows[np.isnan(rows).any(axis=1)] = np.nan
    return rows


def read_boxes(file, form='xywh', origin=0):
    """
    Return the boxes of a ground-truth file.

    Eight numbers a line are the corners x1, y1, ... x4, y4 of a polygon, whatever the form; the
    box is then the one around it.

    :param file: path of the file.
    :param form: what four numbers mean, 'xywh' or 'xyxy' (left, top, right, bottom; the width
        is right - left).
    :param origin: coordinate of the first pixel in the file, 0 or 1.
    :return: boxes (N, 4) in 0-based pixels, and polygons (N, 8) or None.
    :raises SequenceError: as `read_rows`, or neither four nor eight numbers a line.
    """
    rows = read_rows(file)
    if rows.shape[1] == 8:
        polygons = rows - origin
        return polygon_to_box(polygons), polygons
    if rows.shape[1] != 4:
        raise SequenceError(f'ground truth {file} has {rows.shape[1]} numbers a line; a box has '
                            'four, a polygon eight')
    boxes = rows - [origin, origin, 0, 0]
    if form == 'xyxy':
        boxes = np.concatenate([rows[:, :2] - origin, rows[:, 2:] - rows[:, :2]], axis=1)
    return boxes, None


def fit_to_video(boxes, frames, file):
    """
    Return the ground truth for the frames that will be evaluated.

    Benchmarks cut a video by annotating its beginning, so frames after the last line are left
    out. A file of a single line only gives the start: all other frames are kept, not annotated.
    Lines without a frame are dropped, said by a warning.

    :param boxes: (N, K), boxes or polygons.
    :param frames: number of frames of the video.
    :param file: path of the file, for messages.
    :return: (M, K); M frames are to be kept.
    """
    if len(boxes) > frames:
        LOGGER.warning('%s has %d lines for %d frames: the last %d lines are dropped',
                       file, len(boxes), frames, len(boxes) - frames)
        return boxes[:frames]
    if len(boxes) == 1:
        return np.vstack([boxes, np.full((frames - 1, boxes.shape[1]), np.nan)])
    if len(boxes) < frames:
        LOGGER.info('%s has %d lines for %d frames: the last %d frames are left out',
                    file, len(boxes), frames, frames - len(boxes))
    return boxes
