"""
The published sets of the benchmarks, by the names that papers call them.

A named set is all of its sequences or an error: a score of a part must not be called by the name
of the whole.
"""
from functools import partial
from pathlib import Path
from typing import Callable, NamedTuple

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.ground_truth import read_text
from tracking_nodes.sequences.layouts.got10k import GOT10K
from tracking_nodes.sequences.layouts.lasot import LASOT
from tracking_nodes.sequences.layouts.layout import Layout
from tracking_nodes.sequences.layouts.otb import OTB
from tracking_nodes.sequences.layouts.otb_lists import OTB_2013, OTB_2015, OTB_50
from tracking_nodes.sequences.layouts.temple_color import TEMPLE_COLOR
from tracking_nodes.sequences.layouts.uav import find_uav, UAV
from tracking_nodes.sequences.layouts.vot import VOT


class NamedSet(NamedTuple):
    """
    A published set.

    summary: what it is. layout: the only one its folders may have. find: function of the path
    and of a function that lists the sequences of this layout in a folder; returns a list of
    `LazySequence`.
    """

    summary: str
    layout: Layout
    find: Callable


def split_name(text):
    """
    Return the named set and the path of `<set>:<path>`, or None and the path.

    :param text: path on the command line.
    :return: name or None, `Path`.
    """
    name, colon, path = str(text).partition(':')
    if colon and name in NAMED_SETS and not Path(text).exists():
        return name, Path(path)
    return None, Path(text)


def _listed(path, list_folder, names=None, list_file=None):
    """Return the sequences of the folders with certain names, wherever they lie below `path`."""
    if list_file is not None:
        names = read_text(path / list_file).split()
    found = [(sequence, {sequence.path.name, sequence.path.parent.name})
             for sequence in list_folder(path)]
    missing = [name for name in names if not any(name in places for _, places in found)]
    if missing:
        raise SequenceError(f'{path} lacks {len(missing)} of the {len(names)} videos of this set: '
                            f'{", ".join(missing)}. Give the path alone for what is there')
    return [sequence for sequence, places in found if places & set(names)]


def _counted(path, list_folder, count):
    """Return the sequences below `path`, of which there must be a certain number."""
    sequences = list_folder(path)
    if len(sequences) != count:
        raise SequenceError(f'{path} has {len(sequences)} sequences, this set has {count}. Give '
                            'the path alone for what is there')
    return sequences


def _folder(path, list_folder, name):
    """Return the sequences of the folder of that name in `path`."""
    if not (path / name).is_dir():
        raise SequenceError(f'{path} has no folder {name}')
    return list_folder(path / name)


def _uav(path, _, name, count):
    return _counted(path, partial(find_uav, name=name), count)


NAMED_SETS = {
    'otb2013': NamedSet('OTB-2013 (CVPR13): 51 targets in 50 videos', OTB,
                        partial(_listed, names=OTB_2013)),
    'otb50': NamedSet('OTB-50 (TB-50): 50 targets in 49 videos', OTB,
                      partial(_listed, names=OTB_50)),
    'otb2015': NamedSet('OTB-2015 (OTB-100, TB-100): 100 targets in 98 videos', OTB,
                        partial(_listed, names=OTB_2015)),
    'tc128': NamedSet('Temple-Color-128: 128 sequences', TEMPLE_COLOR,
                      partial(_counted, count=128)),
    'vot2014': NamedSet('VOT2014: 25 sequences', VOT, partial(_counted, count=25)),
    'vot2015': NamedSet('VOT2015: 60 sequences', VOT, partial(_counted, count=60)),
    'vot2016': NamedSet('VOT2016: those of 2015, annotated anew', VOT,
                        partial(_counted, count=60)),
    'vot2017': NamedSet('VOT2017: 60 sequences', VOT, partial(_counted, count=60)),
    'vot2018': NamedSet('VOT2018: those of 2017', VOT, partial(_counted, count=60)),
    'got10k_train': NamedSet('GOT-10k, folder train', GOT10K, partial(_folder, name='train')),
    'got10k_val': NamedSet('GOT-10k, folder val', GOT10K, partial(_folder, name='val')),
    'got10k_test': NamedSet('GOT-10k, folder test: only first boxes are public', GOT10K,
                            partial(_folder, name='test')),
    'uav123': NamedSet('UAV123: 123 sequences', UAV, partial(_uav, name='UAV123', count=123)),
    'uav20l': NamedSet('UAV20L: 20 long sequences', UAV,
                       partial(_uav, name='UAV20L', count=20)),
    'lasot_train': NamedSet('LaSOT, those that training_set.txt lists', LASOT,
                            partial(_listed, list_file='training_set.txt')),
    'lasot_test': NamedSet('LaSOT, those that testing_set.txt lists', LASOT,
                           partial(_listed, list_file='testing_set.txt')),
}
