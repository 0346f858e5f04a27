"""
VOT: images and `groundtruth.txt`, rectangles or 4-point polygons, and labels of every frame.

The labels (`occlusion.tag`, from 2013 to 2014 `occlusion.label`) become `Sequence.tags`; a file
that is shorter than the sequence goes on with 0, as the VOT toolkit reads it. Numbers of every
frame (`practical.value`) become `Sequence.values`; a file has one for each. Newer sequences
have a file `sequence` that says where the images are and how many a second.
"""
import re

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.folder import image_files
from tracking_nodes.sequences.ground_truth import read_flags, read_ground_truth, read_text
from tracking_nodes.sequences.layouts.layout import annotated_sequence, find_images, Layout
from tracking_nodes.sequences.lazy import LazySequence
from tracking_nodes.sequences.sequence import DEFAULT_RATE


def _find(folder):
    return [LazySequence(folder.name, folder, _read, folder)]


def _read(folder):
    truth = read_ground_truth(folder / 'groundtruth.txt')
    for file in sorted([*folder.glob('*.tag'), *folder.glob('*.label')]):
        truth.tags[file.stem] = read_flags(file, len(truth), short=True) != 0
    for file in sorted(folder.glob('*.value')):
        truth.values[file.stem] = read_flags(file, len(truth))
    settings = read_settings(folder / 'sequence', '=')
    files = _images(folder, settings.get('channels.color'))
    attributes = [name for name, flags in truth.tags.items() if flags.any()]
    return annotated_sequence(folder.name, files, truth, attributes=attributes,
                              rate=frame_rate(folder / 'sequence', settings.get('fps')))


def read_settings(file, separator):
    """Return the lines of a file of `name = value` as a dict, {} where there is no file."""
    if not file.exists():
        return {}
    lines = (line.partition(separator) for line in read_text(file).splitlines())
    return {name.strip(): value.strip() for name, found, value in lines if found}


def frame_rate(file, text, default=DEFAULT_RATE):
    """
    Return the rate that a file states, in Hz.

    :param file: of lines `name = value` or `name: value`, for the message.
    :param text: such as '30' or '10Hz', as the file has it, or None for the default.
    :raises SequenceError: not a positive number.
    """
    if text is None:
        return default
    try:
        rate = float(text.lower().removesuffix('hz'))
    except ValueError:
        rate = 0
    if not 0 < rate < float('inf'):
        # A value of an ini file may go on in the next line.
        first = text.partition('\n')[0]
        line = next(number for number, line in enumerate(read_text(file).splitlines(), 1)
                    if re.split('[=:]', line, maxsplit=1)[-1].strip() == first)
        raise SequenceError(f'{file}, line {line}: {text!r} is not a frame rate; give images a '
                            'second, such as 30')
    return rate


def _images(folder, pattern):
    """Return the image files, from where the `sequence` file says they are if it does."""
    if pattern is None:
        return find_images(folder)
    place = (folder / pattern).parent
    files = image_files(place)
    if not files:
        raise SequenceError(f'{folder / "sequence"} says that the images are in {place}; there '
                            'are none')
    return files


VOT = Layout('vot', 'VOT: color/ or images, groundtruth.txt, sequence, *.tag or *.label, *.value',
             lambda folder: (folder / 'groundtruth.txt').exists(), _find)
