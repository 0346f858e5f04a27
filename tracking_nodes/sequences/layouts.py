"""
Readers of the folder layouts of the benchmarks, one function each.

Every reader takes a path and returns a list of sequences; which one fits is decided in
`catalog.py`. Coordinates become 0-based: OTB and UAV123 count pixels from 1, the others are
taken as they are.
"""
import logging
from pathlib import Path
import re

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.folder import FolderSequence, image_files
from tracking_nodes.sequences.ground_truth import fit_to_video, read_boxes, read_rows
from tracking_nodes.sequences.sequence import DEFAULT_RATE
from tracking_nodes.sequences.video import count_frames, VIDEO_SUFFIXES, VideoSequence

LOGGER = logging.getLogger(__name__)
# Number of the first evaluated image, where the official archive holds earlier ones.
OTB_FIRST_IMAGE = {'BlurCar1': 247, 'BlurCar3': 3, 'BlurCar4': 18, 'David': 300, 'Tiger1': 6}
GOT10K_RATE = 10.0
UAV123_RANGE = re.compile(
    r"'name'\s*,\s*'(?P<name>[^']+)'.*?'path'\s*,\s*'[^']*?(?P<folder>[^'\\/]+)[\\/]*'"
    r".*?'startFrame'\s*,\s*(?P<start>\d+)\s*,\s*'endFrame'\s*,\s*(?P<end>\d+)")


def read_otb(folder):
    """
    Read one OTB folder: `img/` and `groundtruth_rect.txt`, or one file per target.

    :param folder: path of the folder.
    :return: list of sequences; two targets of `Jogging` are `Jogging.1` and `Jogging.2`.
    :raises SequenceError: no images, or unreadable ground truth.
    """
    attributes = _otb_attributes(folder / 'attrs.txt')
    sequences = []
    for file in sorted(folder.glob('groundtruth_rect*.txt')):
        target = file.stem[len('groundtruth_rect'):]
        boxes, _ = read_boxes(file, origin=1)
        files = _find_images(folder)
        if len(files) > len(boxes):
            first = OTB_FIRST_IMAGE.get(folder.name, 0)
            files = [image for image in files
                     if not image.stem.isdigit() or int(image.stem) >= first]
        sequences.append(_folder_sequence(folder.name + target, files, boxes, file,
                                          attributes=attributes))
    return sequences


def read_vot(folder):
    """
    Read one VOT folder: images and `groundtruth.txt`, rectangles or 4-point polygons.

    :param folder: path of the folder; newer years keep the images in `color/`.
    :return: list of one sequence, with `polygons` where the file has them.
    :raises SequenceError: no images, or unreadable ground truth.
    """
    file = folder / 'groundtruth.txt'
    boxes, polygons = read_boxes(file)
    return [_folder_sequence(folder.name, _find_images(folder), boxes, file, polygons=polygons)]


def read_got10k(folder):
    """
    Read one GOT-10k folder: images, `groundtruth.txt`, `absence.label` and `cover.label`.

    :param folder: path of the folder.
    :return: list of one sequence; frames labelled absent or not covered at all are NaN.
    :raises SequenceError: no images, or unreadable ground truth or labels.
    """
    file = folder / 'groundtruth.txt'
    boxes, _ = read_boxes(file)
    for label, absent in (('absence.label', 1), ('cover.label', 0)):
        if (folder / label).exists():
            values = read_rows(folder / label)[:, 0]
            if len(values) != len(boxes):
                raise SequenceError(f'{folder / label} has {len(values)} lines, {file.name} has '
                                    f'{len(boxes)}')
            boxes[values == absent] = np.nan
    return [_folder_sequence(folder.name, _find_images(folder), boxes, file, rate=GOT10K_RATE)]


def read_uav123(root):
    """
    Read UAV123: `anno/UAV123/<name>.txt` beside `data_seq/UAV123/<name>/`.

    Parts of one long flight (bird1_1, bird1_2) need the frame ranges of `configSeqs.m`, which
    the archive has; without it they are left out, said by a warning.

    :param root: folder that holds `anno` and `data_seq`.
    :return: list of sequences.
    :raises SequenceError: unreadable ground truth, or no sequence at all.
    """
    ranges = {}
    for file in root.glob('configSeqs*.m'):
        for match in UAV123_RANGE.finditer(file.read_text(encoding='utf-8')):
            ranges[match['name']] = (match['folder'], int(match['start']), int(match['end']))
    sequences = []
    for file in sorted((root / 'anno').glob('**/*.txt')):
        if 'att' in file.parent.name:
            continue
        name, start, end = ranges.get(file.stem, (file.stem, 1, None))
        folders = sorted((root / 'data_seq').glob(f'**/{name}'))
        if not folders:
            LOGGER.warning('%s is left out: %s has no folder %s, and no configSeqs.m gives its '
                           'frames', file, root / 'data_seq', name)
            continue
        boxes, _ = read_boxes(file, origin=1)
        sequences.append(_folder_sequence(file.stem, image_files(folders[0])[start - 1:end],
                                          boxes, file))
    if not sequences:
        raise SequenceError(f'{root} has anno and data_seq, but no annotation with its images')
    return sequences


def read_uav123_sequence(folder):
    """Read one folder of UAV123's `data_seq/UAV123/<name>` with its annotation."""
    root = uav123_root(folder)
    return [sequence for sequence in read_uav123(root) if sequence.files[0].parent == folder]


def uav123_root(folder):
    """Return the folder that holds `anno` and `data_seq`, for one inside `data_seq`, or None."""
    for parent in folder.parents:
        if parent.name == 'data_seq' and (parent.parent / 'anno').is_dir():
            return parent.parent
    return None


def read_tld(folder):
    """
    Read one TLD folder: `gt.txt` (x1,y1,x2,y2; NaN while absent) and a video, or images.

    :param folder: path of the folder.
    :return: list of one sequence.
    :raises SequenceError: neither video nor images, or several videos.
    """
    file = folder / 'gt.txt'
    boxes, _ = read_boxes(file, form='xyxy')
    videos = video_files(folder)
    if len(videos) > 1:
        raise SequenceError(f'{folder} has one gt.txt and {len(videos)} videos; keep one')
    if videos:
        boxes = fit_to_video(boxes, count_frames(videos[0], expected=len(boxes)), file)
        return [VideoSequence(folder.name, videos[0], boxes)]
    return [_folder_sequence(folder.name, _find_images(folder), boxes, file)]


def read_video(video, ground_truth=None):
    """
    Read a video and the ground truth of the same name: `<name>.mp4`, `<name>.txt`.

    :param video: path of the video.
    :param ground_truth: path of another ground-truth file, x,y,w,h, 0-based.
    :return: list of one sequence; without ground truth its boxes are NaN.
    :raises SequenceError: unreadable video or ground truth.
    """
    if ground_truth is None and (video.parent / 'gt.txt').exists():
        return read_tld(video.parent)
    file = ground_truth or video.with_suffix('.txt')
    if ground_truth is None and not file.exists():
        return [VideoSequence(video.stem, video, np.full((count_frames(video), 4), np.nan))]
    boxes, _ = read_boxes(file)
    boxes = fit_to_video(boxes, count_frames(video, expected=len(boxes)), file)
    return [VideoSequence(video.stem, video, boxes)]


def read_videos(folder):
    """Read every video of a folder; those with several targets (`.mot.txt`) are left out."""
    sequences = []
    for video in video_files(folder):
        if video.with_suffix('.mot.txt').exists() and not video.with_suffix('.txt').exists():
            LOGGER.warning('%s is left out: it has ground truth of several targets', video)
            continue
        sequences += read_video(video)
    return sequences


def read_images(folder, ground_truth=None):
    """
    Read a folder of images without the files of a benchmark.

    :param folder: path of the folder; the images may be in its `img/` or `color/`.
    :param ground_truth: path of a ground-truth file, x,y,w,h or polygons, 0-based, or None.
    :return: list of one sequence; without ground truth its boxes are NaN.
    :raises SequenceError: no images.
    """
    files = _find_images(folder)
    if ground_truth is None:
        return [FolderSequence(folder.name, files, np.full((len(files), 4), np.nan))]
    boxes, polygons = read_boxes(ground_truth)
    return [_folder_sequence(folder.name, files, boxes, ground_truth, polygons=polygons)]


def video_files(folder):
    """Return the video files of a folder, sorted."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES)


def image_folder(folder):
    """Return where a sequence folder keeps its images, or None."""
    for place in (folder, folder / 'img', folder / 'color'):
        if image_files(place):
            return place
    return None


def _find_images(folder):
    place = image_folder(Path(folder))
    if place is None:
        raise SequenceError(f'{folder} has ground truth but no images; looked in it, in img/ and '
                            'in color/')
    return image_files(place)


def _folder_sequence(name, files, boxes, file, *, rate=DEFAULT_RATE, polygons=None,
                     attributes=()):
    """Return the sequence of the frames that the ground truth covers."""
    boxes = fit_to_video(boxes, len(files), file)
    if polygons is not None:
        polygons = fit_to_video(polygons, len(files), file)
    return FolderSequence(name, files[:len(boxes)], boxes, rate=rate, polygons=polygons,
                          attributes=attributes)


def _otb_attributes(file):
    return re.findall(r'\w+', file.read_text(encoding='utf-8')) if file.exists() else []
