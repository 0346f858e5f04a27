"""
UAV123 and UAV20L: `anno/<set>/<name>.txt` beside `data_seq/UAV123/<name>/`; pixels from 1.

Matthias Mueller, Neil Smith, Bernard Ghanem, "A Benchmark and Simulator for UAV Tracking", ECCV
2016. Parts of one long flight (bird1_1, bird1_2) are frame ranges of its folder, which the
archive's `configSeqs.m` gives. Of the two sets, UAV123 is read unless UAV20L is asked for.
"""
import logging
import re

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.folder import image_files
from tracking_nodes.sequences.ground_truth import read_ground_truth, read_text
from tracking_nodes.sequences.layouts.layout import (annotated_sequence, Layout,
                                                     read_attribute_flags)
from tracking_nodes.sequences.lazy import LazySequence

LOGGER = logging.getLogger(__name__)
ATTRIBUTES = ('SV', 'ARC', 'LR', 'FM', 'FOC', 'POC', 'OV', 'BC', 'IV', 'VC', 'CM', 'SOB')
RANGE = re.compile(
    r"'name'\s*,\s*'(?P<name>[^']+)'.*?'path'\s*,\s*'[^']*?(?P<folder>[^'\\/]+)[\\/]*'"
    r".*?'startFrame'\s*,\s*(?P<start>\d+)\s*,\s*'endFrame'\s*,\s*(?P<end>\d+)")


def find_uav(root, name=None):
    """
    Return the sequences of one set; those without images are left out, said by a warning.

    :param root: folder that holds `anno` and `data_seq`.
    :param name: folder in `anno`; by default UAV123, or else the only one.
    :return: list of sequences.
    :raises SequenceError: no such set, or no annotation with images.
    """
    annotations, ranges = _annotations(root, name), _ranges(root)
    sequences = []
    for file in sorted(annotations.glob('*.txt')):
        video, start, end = ranges.get(file.stem, (file.stem, 1, None))
        folder = _video_folder(root, annotations.name, video)
        if folder is None:
            LOGGER.warning('%s is left out: %s has no folder %s, and no configSeqs.m gives its '
                           'frames', file, root / 'data_seq', video)
            continue
        sequences.append(LazySequence(file.stem, folder, _read, file, folder, start, end))
    if not sequences:
        raise SequenceError(f'{root} has anno and data_seq, but no annotation with its images')
    return sequences


def _annotations(root, name):
    """Return the folder of one set's annotations."""
    folders = {entry.name: entry for entry in sorted((root / 'anno').iterdir())
               if entry.is_dir() and entry.name != 'att'}
    if name is None:
        name = 'UAV123' if 'UAV123' in folders or len(folders) != 1 else next(iter(folders))
    if name not in folders:
        raise SequenceError(f'{root / "anno"} has no folder {name}; it has '
                            f'{", ".join(folders) or "no folders"}')
    return folders[name]


def _ranges(root):
    """Return {name: (video, first frame, last frame)} of the archive's `configSeqs.m`."""
    return {match['name']: (match['folder'], int(match['start']), int(match['end']))
            for file in sorted(root.glob('configSeqs*.m'))
            for match in RANGE.finditer(read_text(file))}


def _video_folder(root, name, video):
    """Return the folder of a video's images: UAV20L has its in UAV123's."""
    places = (root / 'data_seq' / name, root / 'data_seq' / 'UAV123', root / 'data_seq')
    return next((place / video for place in places if (place / video).is_dir()), None)


def _read(file, folder, start, end):
    images, truth = image_files(folder), read_ground_truth(file, origin=1)
    if not images or (end and end > len(images)):
        raise SequenceError(f'{folder} has {len(images)} images; {file.stem} needs frames {start} '
                            f'to {end or len(truth)}')
    flags = read_attribute_flags(file.parent / 'att' / file.name, ATTRIBUTES)
    return annotated_sequence(file.stem, images[start - 1:end], truth, attributes=flags)


def _root(folder):
    """Return the folder that holds `anno` and `data_seq`: this one, or one it lies in."""
    return next((place for place in (folder, *folder.parents)
                 if (place / 'anno').is_dir() and (place / 'data_seq').is_dir()), None)


def _find(folder):
    root = _root(folder)
    found = find_uav(root)
    return found if folder == root else [
        sequence for sequence in found if folder in (sequence.path, *sequence.path.parents)]


def _matches(folder):
    root = _root(folder)
    return root is not None and (folder == root or root / 'data_seq' in (folder, *folder.parents))


UAV = Layout('uav', 'UAV123, UAV20L: anno/, data_seq/, configSeqs.m', _matches, _find)
