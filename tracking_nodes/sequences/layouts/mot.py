"""
MOTChallenge: `img1/`, `gt/gt.txt`, `seqinfo.ini`; every identity is a sequence of its own.

Lines of `gt.txt` are frame, identity, x, y, w, h, flag and more; frames and pixels count from 1
(the challenge's development kit). Lines with flag 0 are not evaluated there and not read here.
From 2016 on two more numbers follow the flag, class and visibility. `<name>.mot.txt` beside a
video has the first six numbers only, pixels from 0. A sequence runs from the first to the last
frame of its target; frames between them without a line are absent.
"""
from configparser import ConfigParser, Error
import logging

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.folder import FolderSequence, image_files
from tracking_nodes.sequences.ground_truth import GroundTruth, read_rows, read_text
from tracking_nodes.sequences.layouts.layout import Layout
from tracking_nodes.sequences.layouts.vot import frame_rate
from tracking_nodes.sequences.lazy import LazySequence
from tracking_nodes.sequences.video import VideoSequence

LOGGER = logging.getLogger(__name__)
FLAG, VISIBILITY = 6, 8


def find_targets_of_video(video, file):
    """
    Return a sequence per identity, named `<video>.<identity>`.

    :param video: path of the video.
    :param file: path of its `.mot.txt`.
    :raises SequenceError: unreadable ground truth.
    """
    return [LazySequence(f'{video.stem}.{identity}', video, VideoSequence,
                         f'{video.stem}.{identity}', video, truth, first)
            for identity, truth, first in read_targets(file, origin=0)]


def read_targets(file, origin):
    """
    Return the targets of a MOT file that are seen at least twice.

    :param file: path of the file.
    :param origin: coordinate of the first pixel in the file, 0 or 1.
    :return: list of (identity, `GroundTruth`, number of its first frame from 0), in the order of
        the identities.
    :raises SequenceError: as `read_rows`, or not frame, identity and a box in every line, or a
        target twice in a frame.
    """
    rows = read_rows(file)
    unusable = np.flatnonzero(np.isnan(rows).any(axis=1) | (rows.shape[1] < FLAG))
    if len(unusable):
        raise SequenceError(f'{file}, line {unusable[0] + 1}: expected frame, identity, x, y, w, '
                            f'h and more, none of them NaN, found {rows.shape[1]} numbers')
    lines = np.arange(1, len(rows) + 1)
    if rows.shape[1] > FLAG:
        lines, rows = lines[rows[:, FLAG] != 0], rows[rows[:, FLAG] != 0]
    targets = []
    for identity in np.unique(rows[:, 1]):
        own = rows[:, 1] == identity
        if own.sum() > 1:
            targets.append((f'{identity:g}', *_target(rows[own], lines[own], file, origin)))
    return targets


def _target(rows, lines, file, origin):
    """Return the `GroundTruth` of one target's lines, and the number of its first frame."""
    frames = rows[:, 0].astype(int)
    if frames.min() < 1:
        raise SequenceError(f'{file}, line {lines[frames.argmin()]}: frame {frames.min()}; '
                            'frames count from 1')
    order = np.argsort(frames, kind='stable')
    rows, lines, frames = rows[order], lines[order], frames[order]
    twice = np.flatnonzero(np.diff(frames) == 0)
    if len(twice):
        raise SequenceError(f'{file}, line {lines[twice[0] + 1]}: target {rows[0, 1]:g} is in '
                            f'frame {frames[twice[0]]} a second time, as in line '
                            f'{lines[twice[0]]}')
    first, count = frames[0], frames[-1] - frames[0] + 1
    boxes, numbers = np.full((count, 4), np.nan), np.zeros(count, int)
    boxes[frames - first] = rows[:, 2:6] - [origin, origin, 0, 0]
    numbers[frames - first] = lines
    truth = GroundTruth(boxes, file=file, lines=numbers)
    if rows.shape[1] > VISIBILITY:
        hidden = np.zeros(count, bool)
        hidden[frames - first] = rows[:, VISIBILITY] == 0
        truth.tags['full_occlusion'] = hidden
        truth = truth.without(hidden)
    return truth, int(first - 1)


def _read_images(name, folder, truth, first):
    settings = _settings(folder)
    files = image_files(folder / settings.get('imDir', 'img1'))
    if len(files) < first + len(truth):
        raise SequenceError(f'{truth.where(-1)}: frame {first + len(truth)}, but {folder} has '
                            f'{len(files)} images')
    rate = frame_rate(folder / 'seqinfo.ini', settings.get('frameRate'))
    return FolderSequence(name, files[first:first + len(truth)], truth, rate=rate)


def _settings(folder):
    """Return the section `Sequence` of `seqinfo.ini`, {} where there is no file."""
    parser, file = ConfigParser(interpolation=None), folder / 'seqinfo.ini'
    try:
        parser.read_string(read_text(file) if file.exists() else '')
    except Error as error:
        raise SequenceError(f'{file} cannot be read: {error}') from error
    return parser['Sequence'] if parser.has_section('Sequence') else {}


def _find(folder):
    file = folder / 'gt' / 'gt.txt'
    if not file.exists():
        LOGGER.warning('%s is left out: it has no gt/gt.txt, as all of the test set', folder)
        return []
    return [LazySequence(f'{folder.name}.{identity}', folder, _read_images,
                         f'{folder.name}.{identity}', folder, truth, first)
            for identity, truth, first in read_targets(file, origin=1)]


MOT = Layout('mot', 'MOT15 to MOT20: img1/, gt/gt.txt, seqinfo.ini; one sequence per identity',
             lambda folder: (folder / 'gt' / 'gt.txt').exists()
             or (folder / 'seqinfo.ini').exists(), _find)
