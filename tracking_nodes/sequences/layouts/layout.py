"""What a layout is, and what the readers of several layouts share."""
from dataclasses import dataclass
import re
from typing import Callable

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.folder import FolderSequence, has_images, image_files
from tracking_nodes.sequences.ground_truth import (fit_to_video, read_rows, read_text,
                                                   wrong_count)
from tracking_nodes.sequences.sequence import DEFAULT_RATE


@dataclass(frozen=True)
class Layout:
    """
    How the files of one benchmark lie in a folder.

    name: of the layout. summary: the files it is known by. matches: function of a resolved
    folder, returns whether it is of this layout. find: function of the same folder, returns a
    list of `Sequence`; reads no more than it takes to name them.
    """

    name: str
    summary: str
    matches: Callable
    find: Callable


def image_folder(folder):
    """Return where a sequence folder keeps its images, or None."""
    return next((place for place in (folder, folder / 'img', folder / 'color')
                 if has_images(place)), None)


def find_images(folder):
    """
    Return the image files of a sequence folder in the order of their numbers.

    :raises SequenceError: there are none.
    """
    place = image_folder(folder)
    if place is None:
        raise SequenceError(f'{folder} has ground truth but no images; looked in it, in img/ and '
                            'in color/')
    return image_files(place)


def annotated_sequence(name, files, truth, *, rate=DEFAULT_RATE, attributes=()):
    """Return the `FolderSequence` of the frames that the ground truth covers."""
    truth = fit_to_video(truth, len(files))
    return FolderSequence(name, files[:len(truth)], truth, rate=rate, attributes=attributes)


def read_attribute_flags(file, names):
    """
    Return the names of the attributes a sequence has.

    :param file: path of a file of 0 and 1, one number per name; none is no attributes.
    :param names: names of the attributes in the order of the file.
    :return: list of str.
    :raises SequenceError: another number of numbers.
    """
    if not file.exists():
        return []
    flags = read_rows(file)
    if flags.size != len(names):
        raise wrong_count(file, flags, len(names), f'numbers, one each for {", ".join(names)}')
    return [name for name, flag in zip(names, flags.ravel()) if flag]


def read_words(file):
    """Return the words of a text file, [] where there is no file."""
    return re.findall(r'\w+', read_text(file)) if file.exists() else []
