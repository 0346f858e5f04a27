"""What is wrong with the files of a sequence, found before a long run instead of during one."""
from contextlib import contextmanager
from dataclasses import dataclass
import logging

import numpy as np

from tracking_nodes.errors import TrackingError
from tracking_nodes.sequences.catalog import list_sequences, same_names

READERS = logging.getLogger('tracking_nodes.sequences')
# Annotators draw boxes a little over the edge; more than this is worth a line.
OVERHANG = 10.0
# Shorter sides are of no use to a tracker.
SMALL_SIDE = 3.0


@dataclass(frozen=True)
class Finding:
    """
    One thing found.

    severity: 'error' (a run fails or is meaningless), 'warning' (a score is affected) or 'note'.
    place: file and line, or file. text: what is there. As a text, one line of all three.
    """

    severity: str
    place: str
    text: str

    def __str__(self):
        return f'{self.place}: {self.severity}: {self.text}'


def check_listing(path):
    """
    List what lies at a path.

    :return: list of `LazySequence` to check one by one, and list of `Finding`.
    """
    findings = []
    with _what_readers_say(findings, path):
        try:
            sequences = list_sequences(path)
        except (TrackingError, OSError) as error:
            return [], [*findings, Finding('error', str(path), str(error))]
    return sequences, findings + [Finding('error', str(path), f'has {text}; open them apart')
                                  for text in same_names(sequences)]


def check_sequence(sequence, quick=False):
    """
    Check that a sequence can be run and scored.

    Ground truth and images are read; counts, numbers of the images, sizes and boxes compared.

    :param sequence: `Sequence`.
    :param quick: decode three images, the first, the middle and the last one, not all.
    :return: list of `Finding`.
    """
    findings = []
    with _what_readers_say(findings, sequence.name):
        try:
            frames = len(sequence)
        except (TrackingError, OSError) as error:
            return [*findings, Finding('error', sequence.name, str(error))]
    if not frames:
        return [*findings, Finding('error', sequence.name, 'has no frames')]
    sizes, damaged = _read_images(sequence, quick)
    return [*findings, *damaged, *_check_numbers(sequence), *_check_sizes(sequence, sizes),
            *_check_boxes(sequence, sizes)]


@contextmanager
def _what_readers_say(findings, place):
    """Collect the log of the readers as findings: what they tolerate and what they leave out."""
    class Collector(logging.Handler):

        def emit(self, record):
            severity = 'warning' if record.levelno >= logging.WARNING else 'note'
            findings.append(Finding(severity, str(place), record.getMessage()))

    collector, level, propagate = Collector(), READERS.level, READERS.propagate
    READERS.addHandler(collector)
    READERS.setLevel(logging.INFO)
    READERS.propagate = False
    try:
        yield
    finally:
        READERS.removeHandler(collector)
        READERS.setLevel(level)
        READERS.propagate = propagate


def _read_images(sequence, quick):
    """Return sizes (N, 2), width and height, NaN where not read, and the findings."""
    sizes, findings = np.full((len(sequence), 2), np.nan), []
    before = None
    for index, image in _images(sequence, quick, findings):
        sizes[index] = image.shape[1], image.shape[0]
        if before is not None and np.array_equal(image, before):
            findings.append(Finding('note', _file(sequence, index),
                                    f'frame {index} is the same picture as the one before'))
        before = None if quick else image
    return sizes, _summarise(findings)


def _images(sequence, quick, findings):
    """Yield (index, image) of all frames that can be read, or of three."""
    alone = len(sequence.sources) == len(sequence)
    if quick or alone:
        last = len(sequence) - 1
        for index in sorted({0, last // 2, last}) if quick else range(len(sequence)):
            try:
                yield index, sequence.image(index)
            except (TrackingError, OSError) as error:
                findings.append(Finding('error', _file(sequence, index), str(error)))
        return
    try:
        yield from enumerate(sequence.images())
    except (TrackingError, OSError) as error:
        # Frames of one file come one after the other: after a bad one there is no next.
        findings.append(Finding('error', _file(sequence, 0), str(error)))


def _check_numbers(sequence):
    """Find gaps and repetitions in the numbers that are the names of image files."""
    names = [file.stem for file in sequence.sources]
    if len(names) < 2 or not all(name.isdigit() for name in names):
        return []
    steps = np.diff([int(name) for name in names])
    findings = []
    for index in np.flatnonzero(steps != 1):
        before, after = sequence.sources[index].name, sequence.sources[index + 1].name
        findings.append(
            Finding('error', str(sequence.sources[index + 1]), f'is frame {before} once more')
            if steps[index] == 0 else
            Finding('warning', str(sequence.sources[index + 1]),
                    f'frames are missing between {before} and {after}'))
    return findings


def _check_sizes(sequence, sizes):
    other = np.flatnonzero((sizes != sizes[0]).any(axis=1) & np.isfinite(sizes).all(axis=1)
                           & np.isfinite(sizes[0]).all())
    return _summarise([Finding(
        'warning', _file(sequence, index),
        f'has {sizes[index, 0]:g}x{sizes[index, 1]:g} pixels, the first image '
        f'{sizes[0, 0]:g}x{sizes[0, 1]:g}') for index in other])


def _check_boxes(sequence, sizes):
    """Find boxes that no tracker can start on, or that cannot be scored."""
    boxes = sequence.boxes
    known = np.isfinite(boxes).all(axis=1)
    if not known.any():
        return [Finding('warning', sequence.where(0), 'no frame has a box')]
    findings = []
    if not known[0]:
        findings.append(Finding('warning', sequence.where(0), 'the first frame has no box; a run '
                                f'starts at frame {int(known.argmax())}, counted from 0'))
    # Where an image was not read, it is taken to be as large as one that was.
    read = sizes[np.isfinite(sizes).all(axis=1)]
    limits = np.where(np.isfinite(sizes), sizes, read[0] if len(read) else np.inf)
    with np.errstate(invalid='ignore'):
        overhang = np.maximum(-boxes[:, :2], boxes[:, :2] + boxes[:, 2:] - limits).max(axis=1)
        outside = ((boxes[:, :2] >= limits) | (boxes[:, :2] + boxes[:, 2:] <= 0)).any(axis=1)
        side = boxes[:, 2:].min(axis=1)
    for wrong, severity, text in (
            (side <= 0, 'warning', 'has no area'),
            ((side > 0) & (side < SMALL_SIDE), 'note', f'is less than {SMALL_SIDE:g} pixels wide '
             'or high'),
            ((side > 0) & outside, 'warning', 'lies outside of the image'),
            ((side > 0) & ~outside & (overhang > OVERHANG), 'note',
             f'leaves the image by more than {OVERHANG:g} pixels')):
        findings += _summarise([
            Finding('error' if severity == 'warning' and index == known.argmax() else severity,
                    sequence.where(index), f'box {_numbers(boxes[index])} {text}')
            for index in np.flatnonzero(known & wrong)])
    return findings


def _numbers(box):
    return ', '.join(f'{value:g}' for value in box)


def _file(sequence, index):
    """Return the file that holds a frame."""
    sources = sequence.sources
    if not sources:
        return sequence.name
    return str(sources[index] if len(sources) == len(sequence) else sources[0])


def _summarise(findings):
    """Return the errors, and the first of lesser findings, with how many like it follow."""
    errors = [finding for finding in findings if finding.severity == 'error']
    others = [finding for finding in findings if finding.severity != 'error']
    if len(others) > 1:
        first = others[0]
        others = [Finding(first.severity, first.place,
                          f'{first.text}; frames like this: {len(others)}')]
    return errors + others
