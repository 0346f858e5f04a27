"""
Temple-Color-128: `img/`, `<name>_gt.txt` and `<name>_frames.txt`; pixels from 1, as in OTB.

Pengpeng Liang, Erik Blasch, Haibin Ling, "Encoding Color Information for Visual Tracking:
Algorithms and Benchmark", TIP 2015. Names of files do not always have the case of their folder's.
"""
from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.folder import image_files
from tracking_nodes.sequences.ground_truth import read_ground_truth, read_rows
from tracking_nodes.sequences.layouts.layout import annotated_sequence, Layout, read_words
from tracking_nodes.sequences.lazy import LazySequence


def _find(folder):
    return [LazySequence(folder.name, folder, _read, folder)]


def _read(folder):
    frames = read_rows(_file(folder, 'frames')).ravel()
    if len(frames) != 2 or not 0 <= frames[0] <= frames[1]:
        raise SequenceError(f'{_file(folder, "frames")}, line 1: expected the numbers of the '
                            f'first and the last frame, got {frames.tolist()}')
    files = [image for image in image_files(folder / 'img')
             if image.stem.isdigit() and frames[0] <= int(image.stem) <= frames[1]]
    if not files:
        raise SequenceError(f'{folder / "img"} has no image of the frames {frames[0]:g} to '
                            f'{frames[1]:g} that {_file(folder, "frames").name} names')
    truth = read_ground_truth(_file(folder, 'gt'), origin=1)
    attributes = _file(folder, 'att')
    return annotated_sequence(folder.name, files, truth,
                              attributes=read_words(attributes) if attributes else ())


def _file(folder, what):
    """Return `<name>_<what>.txt` in the folder, or None."""
    return next(iter(sorted(folder.glob(f'*_{what}.txt'))), None)


def _matches(folder):
    return bool(_file(folder, 'gt') and _file(folder, 'frames'))


TEMPLE_COLOR = Layout('tc128', 'Temple-Color-128: img/, NAME_gt.txt, NAME_frames.txt, '
                      'NAME_att.txt', _matches, _find)
