"""
LaSOT: `img/`, `groundtruth.txt`, `full_occlusion.txt`, `out_of_view.txt`; pixels from 1.

Heng Fan et al., "LaSOT", CVPR 2019. The sequences lie in folders of their classes. Frames in
which the target is fully occluded or out of view are not evaluated by its toolkit: their boxes
are NaN. Attributes are the flags of the toolkit, where its folder `att` lies beside the classes.
"""
from tracking_nodes.sequences.ground_truth import read_flags, read_ground_truth
from tracking_nodes.sequences.layouts.layout import (annotated_sequence, find_images, Layout,
                                                     read_attribute_flags)
from tracking_nodes.sequences.lazy import LazySequence

ABSENT = ('full_occlusion', 'out_of_view')
ATTRIBUTES = ('IV', 'POC', 'DEF', 'MB', 'CM', 'ROT', 'BC', 'VC', 'SV', 'FOC', 'FM', 'OV', 'LR',
              'ARC')


def _find(folder):
    return [LazySequence(folder.name, folder, _read, folder)]


def _read(folder):
    truth = read_ground_truth(folder / 'groundtruth.txt', origin=1)
    for name in ABSENT:
        file = folder / f'{name}.txt'
        if file.exists():
            truth.tags[name] = read_flags(file, len(truth)) != 0
            truth = truth.without(truth.tags[name])
    flags = folder.parent.parent / 'att' / f'{folder.name}.txt'
    return annotated_sequence(folder.name, find_images(folder), truth,
                              attributes=read_attribute_flags(flags, ATTRIBUTES))


def _matches(folder):
    return (folder / 'groundtruth.txt').exists() and any(
        (folder / f'{name}.txt').exists() for name in ABSENT)


LASOT = Layout('lasot', 'LaSOT: CLASS/CLASS-N/ with img/, groundtruth.txt, full_occlusion.txt, '
               'out_of_view.txt', _matches, _find)
