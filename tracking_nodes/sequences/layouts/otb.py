"""
OTB: `img/` and `groundtruth_rect.txt`, or one such file per target; pixels from 1.

Yi Wu, Jongwoo Lim, Ming-Hsuan Yang, "Object Tracking Benchmark", TPAMI 2015, and its toolkit.
"""
import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.ground_truth import read_ground_truth, read_rows
from tracking_nodes.sequences.layouts.layout import (annotated_sequence, find_images, Layout,
                                                     read_attribute_flags, read_words)
from tracking_nodes.sequences.layouts.otb_lists import OTB_ATTRIBUTES, OTB_VIDEOS
from tracking_nodes.sequences.lazy import LazySequence
from tracking_nodes.sequences.sequence import INIT_OMIT

# Number of the first evaluated image, where the official archive holds earlier ones.
FIRST_IMAGE = {'BlurCar1': 247, 'BlurCar3': 3, 'BlurCar4': 18, 'David': 300, 'Tiger1': 6}
# Where its file has a line for every image, those before the first evaluated one too.
TIGER1_LINES = 354


def find_otb(folder):
    """Return a sequence per target: of Jogging, `Jogging.1` and `Jogging.2`."""
    sequences = []
    for file in sorted(folder.glob('groundtruth_rect*.txt')):
        # The archive of Human4 has an empty file for a target that was given up.
        if file.stat().st_size < 4 and not file.read_bytes().strip():
            continue
        name = folder.name + file.stem[len('groundtruth_rect'):]
        sequences.append(LazySequence(name, file, _read_otb, name, file))
    return sequences


def _read_otb(name, file):
    folder = file.parent
    files, truth = find_images(folder), read_ground_truth(file, origin=1)
    if folder.name == 'Tiger1' and len(truth) == TIGER1_LINES:
        truth = truth.part(FIRST_IMAGE['Tiger1'] - 1)
    omitted = _omitted_starts(folder, name, len(truth))
    if omitted is not None:
        truth.values[INIT_OMIT] = omitted
    # Archives that were cut to the evaluated images may have numbered them anew.
    if len(files) > len(truth):
        first = FIRST_IMAGE.get(folder.name, 0)
        files = [image for image in files
                 if not image.stem.isdigit() or int(image.stem) >= first]
    return annotated_sequence(name, files, truth, attributes=_attributes(folder))


def _omitted_starts(folder, name, frames):
    """
    Return (N,) float64, 1 where no tracker is to be started, or None where no file says so.

    The MATLAB toolkit has them in `initOmit/`, by its own name of the target, its Python copy
    beside the images; a line is the numbers of the first and the last image of a stretch.
    """
    known = {folder.name, name, name.replace('.', '-')}
    places = [folder / 'init_omit.txt',
              *(folder.parent / 'initOmit' / f'{form}.txt'
                for form in sorted(known | {form.lower() for form in known}))]
    file = next((place for place in places if place.exists() and place.read_bytes().strip()), None)
    if file is None:
        return None
    rows = read_rows(file)
    if rows.shape[1] != 2:
        raise SequenceError(f'{file}, line 1: expected two numbers, the first and the last image '
                            f'of a stretch without starts, found {rows.shape[1]}')
    numbers = np.arange(frames) + FIRST_IMAGE.get(folder.name, 1)
    return np.any((rows[:, :1] <= numbers) & (numbers <= rows[:, 1:]), axis=0).astype(float)


def _attributes(folder):
    """Return the attributes from the archive, from the toolkit's flags, or as published."""
    if (folder / 'attrs.txt').exists():
        return read_words(folder / 'attrs.txt')
    for place in (folder.parent / 'att', folder.parent / 'anno' / 'att'):
        flags = read_attribute_flags(place / f'{folder.name}.txt', OTB_ATTRIBUTES)
        if flags:
            return flags
    video = OTB_VIDEOS.get(folder.name)
    return video.attributes if video else ()


OTB = Layout('otb', 'OTB: img/, groundtruth_rect*.txt, attrs.txt, init_omit.txt',
             lambda folder: any(folder.glob('groundtruth_rect*.txt')), find_otb)
