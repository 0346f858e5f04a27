"""
GOT-10k: images, `groundtruth.txt`, `absence.label`, `cover.label`, `cut_by_image.label`.

Lianghua Huang, Xin Zhao, Kaiqi Huang, "GOT-10k", TPAMI 2019. Frames labelled absent or not
covered at all have NaN boxes. `meta_info.ini` gives the rate and, as attributes, the classes of
object and motion. Sequences of the test set have the box of their first frame only.
"""
from tracking_nodes.sequences.ground_truth import read_flags, read_ground_truth
from tracking_nodes.sequences.layouts.layout import annotated_sequence, find_images, Layout
from tracking_nodes.sequences.layouts.vot import frame_rate, read_settings
from tracking_nodes.sequences.lazy import LazySequence

RATE = 10.0
FILES = ('absence.label', 'cover.label', 'meta_info.ini')
CLASSES = ('object_class', 'motion_class')


def _find(folder):
    return [LazySequence(folder.name, folder, _read, folder)]


def _read(folder):
    truth = read_ground_truth(folder / 'groundtruth.txt')
    frames = len(truth)
    for name in ('absence', 'cut_by_image'):
        file = folder / f'{name}.label'
        if file.exists():
            truth.tags[name] = read_flags(file, frames) != 0
    if 'absence' in truth.tags:
        truth = truth.without(truth.tags['absence'])
    if (folder / 'cover.label').exists():
        truth = truth.without(read_flags(folder / 'cover.label', frames) == 0)
    meta = read_settings(folder / 'meta_info.ini', ':')
    return annotated_sequence(
        folder.name, find_images(folder), truth,
        rate=frame_rate(folder / 'meta_info.ini', meta.get('anno_fps'), RATE),
        attributes=[f'{name}={meta[name]}' for name in CLASSES if name in meta])


def _matches(folder):
    return (folder / 'groundtruth.txt').exists() and (
        folder.name.startswith('GOT-10k') or any((folder / file).exists() for file in FILES))


GOT10K = Layout('got10k', 'GOT-10k: images, groundtruth.txt, absence.label, cover.label, '
                'meta_info.ini', _matches, _find)
