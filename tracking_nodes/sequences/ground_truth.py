"""Ground-truth files: one line per frame, in the forms that the benchmarks use."""
from dataclasses import dataclass, field, replace
import logging
import math
from pathlib import Path
import re

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.geometry import polygon_to_box

LOGGER = logging.getLogger(__name__)
SEPARATORS = re.compile(r'[,;\s]+')


@dataclass(frozen=True)
class GroundTruth:
    """
    What is known of every frame of a sequence.

    boxes: (N, 4) float64, x, y, w, h in 0-based pixels, NaN rows where the target is absent or
    not annotated. polygons: (N, 8), x1, y1, ... x4, y4, or None. tags: name to (N,) bool, what
    the benchmark says of each frame, such as `occlusion`. values: name to (N,) float64, as
    `Sequence.values`. file: where it was read from, or None. lines: (N,) int, the line of `file`
    that holds each frame, from 1; 0 for frames without one.
    """

    boxes: np.ndarray
    polygons: np.ndarray | None = None
    tags: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)
    file: Path | None = None
    lines: np.ndarray | None = None

    def __len__(self):
        return len(self.boxes)

    def where(self, index):
        """Return the file and the line of a frame, as file:line, or '' where there is none."""
        return f'{self.file}:{self.lines[index]}' if self.file else ''

    def part(self, first, stop=None):
        """Return the frames from `first` on, up to `stop`, which is no longer part of it."""
        def cut(values):
            return None if values is None else values[first:stop]

        return replace(self, boxes=cut(self.boxes), polygons=cut(self.polygons),
                       lines=cut(self.lines),
                       tags={name: cut(flags) for name, flags in self.tags.items()},
                       values={name: cut(numbers) for name, numbers in self.values.items()})

    def without(self, absent):
        """Return the same with NaN boxes and polygons where `absent` (N,) bool is true."""
        def blank(values):
            return None if values is None else np.where(absent[:, None], np.nan, values)

        return replace(self, boxes=blank(self.boxes), polygons=blank(self.polygons))


def no_ground_truth(frames):
    """Return the `GroundTruth` of frames of which nothing is known."""
    return GroundTruth(np.full((frames, 4), np.nan))


def read_text(file):
    """
    Return the text of one of a dataset's files, with any line end and without a byte order mark.

    :raises SequenceError: missing, or no UTF-8.
    """
    try:
        return Path(file).read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise SequenceError(f'{file} cannot be read: {error}') from error


def read_rows(file):
    """
    Return the numbers of a text file with one line per frame.

    Commas, semicolons, tabs and spaces separate; any line end is good; a line that holds a NaN
    becomes a row of NaN, and so does one of separators alone, such as `,,,`.

    :param file: path of the file.
    :return: (N, K) float64.
    :raises SequenceError: unreadable, empty, not a number, or lines of different length; the
        message names file and line.
    """
    lines = read_text(file).rstrip().splitlines()
    if not lines:
        raise SequenceError(f'ground truth {file} is empty')
    rows = [_numbers(file, number, line) for number, line in enumerate(lines, 1)]
    # What stands for a whole line does not say how long lines are.
    model = next((index for index, row in enumerate(rows) if row), None)
    width = len(re.findall('[,;]', lines[0])) + 1 if model is None else len(rows[model])
    for index, (row, line) in enumerate(zip(rows, lines)):
        if not row:
            rows[index] = [math.nan] * width
        elif len(row) != width or math.inf in map(abs, row):
            raise SequenceError(f'ground truth {file}, line {index + 1}: expected {width} finite '
                                f'numbers or NaN as in line {model + 1}, got {line!r}')
    rows = np.array(rows, dtype=np.float64)
    rows[np.isnan(rows).any(axis=1)] = np.nan
    return rows


def wrong_count(file, rows, expected, what):
    """
    Return the error of a file that holds another number of numbers than it should.

    :param file: path of the file.
    :param rows: (N, K), its numbers.
    :param expected: how many there should be.
    :param what: of what, in words.
    :return: `SequenceError` that names the line where there are too many, or where they end.
    """
    line = min(expected // rows.shape[1] + 1, len(rows))
    return SequenceError(f'{file}, line {line}: expected {expected} {what}, found {rows.size}')


def _numbers(file, number, line):
    """Return the numbers of a line, [] where a NaN or separators stand for all of them."""
    words = SEPARATORS.split(line.strip(' \t,;'))
    if words == [''] and line.strip():
        return []
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise SequenceError(f'ground truth {file}, line {number}: {line!r} is not a list of '
                            'numbers') from None
    return [] if len(numbers) == 1 and math.isnan(numbers[0]) else numbers


def read_ground_truth(file, form='xywh', origin=0):
    """
    Return the boxes of a ground-truth file.

    Eight numbers a line are the corners x1, y1, ... x4, y4 of a polygon, whatever the form; the
    box is then the one around it.

    :param file: path of the file.
    :param form: what four numbers mean, 'xywh' or 'xyxy' (left, top, right, bottom; the width
        is right - left).
    :param origin: coordinate of the first pixel in the file, 0 or 1.
    :return: `GroundTruth`.
    :raises SequenceError: as `read_rows`, or neither four nor eight numbers a line.
    """
    rows, file = read_rows(file), Path(file)
    lines = np.arange(1, len(rows) + 1)
    if rows.shape[1] == 8:
        polygons = rows - origin
        return GroundTruth(polygon_to_box(polygons), polygons, file=file, lines=lines)
    if rows.shape[1] != 4:
        line = 1 + int(np.isfinite(rows).all(axis=1).argmax())
        raise SequenceError(f'ground truth {file}, line {line}: expected the four numbers of a '
                            f'box or the eight of a polygon, found {rows.shape[1]}')
    boxes = rows - [origin, origin, 0, 0]
    if form == 'xyxy':
        boxes = np.concatenate([rows[:, :2] - origin, rows[:, 2:] - rows[:, :2]], axis=1)
    return GroundTruth(boxes, file=file, lines=lines)


def read_flags(file, frames, short=False):
    """
    Return one number per frame, written one a line or all in one line.

    :param file: path of the file.
    :param frames: number of frames.
    :param short: allow fewer numbers; those missing at the end are 0, as VOT's tags.
    :return: (frames,) float64.
    :raises SequenceError: as `read_rows`, or another number of numbers.
    """
    rows = read_rows(file)
    values = rows[0] if len(rows) == 1 else rows[:, 0]
    if len(values) > frames or (len(values) < frames and not short):
        raise wrong_count(file, rows, frames, 'labels, one for each frame')
    return np.concatenate([values, np.zeros(frames - len(values))])


def fit_to_video(truth, frames):
    """
    Return the ground truth for the frames that will be evaluated.

    Benchmarks cut a video by annotating its beginning, so frames after the last line are left
    out. A file of a single line only gives the start: all other frames are kept, not annotated.
    Lines without a frame are dropped, said by a warning.

    :param truth: `GroundTruth` of a file.
    :param frames: number of frames of the video.
    :return: `GroundTruth`, of the frames that are to be kept.
    """
    if len(truth) > frames:
        LOGGER.warning('%s has %d lines for %d frames: the last %d lines are dropped',
                       truth.file, len(truth), frames, len(truth) - frames)
        return truth.part(0, frames)
    if len(truth) == 1 and frames > 1:
        return _extend(truth, frames)
    if len(truth) < frames:
        LOGGER.info('%s has %d lines for %d frames: the last %d frames are left out',
                    truth.file, len(truth), frames, frames - len(truth))
    return truth


def _extend(truth, frames):
    """Return the ground truth of one frame with others after it of which nothing is known."""
    def pad(values):
        return None if values is None else np.vstack(
            [values, np.full((frames - 1, values.shape[1]), np.nan)])

    return GroundTruth(pad(truth.boxes), pad(truth.polygons), file=truth.file,
                       lines=np.concatenate([truth.lines, np.zeros(frames - 1, int)]))
