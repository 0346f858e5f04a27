"""From a path to sequences: the layout is found by what lies there."""
from pathlib import Path

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences import layouts
from tracking_nodes.sequences.bag_file import BAG_SUFFIXES
from tracking_nodes.sequences.bags import BagSequence
from tracking_nodes.sequences.video import VIDEO_SUFFIXES

LOOKED_FOR = ('a rosbag (metadata.yaml, .mcap, .db3, .bag), groundtruth_rect.txt (OTB), '
              'groundtruth.txt (VOT, GOT-10k), anno and data_seq (UAV123), gt.txt (TLD), '
              'video files, images, or folders that hold one of these')


def open_sequences(path, image_topic=None, ground_truth_topic=None, ground_truth_file=None):
    """
    Open what lies at a path: a sequence, a folder of several, a video or a bag.

    :param path: dataset folder, folder of several sequences, one sequence folder, video file
        with its ground truth, folder of images, or rosbag (folder, .mcap, .db3 or .bag).
    :param image_topic: image topic of a bag; needed when it has several.
    :param ground_truth_topic: Detection2DArray topic of a bag; default one named ground_truth.
    :param ground_truth_file: x,y,w,h per line, 0-based, for one bag, video or image folder.
    :return: list of `Sequence`, at least one, in the order of their names.
    :raises SequenceError: nothing there, or it cannot be read; the message says what was
        looked for.
    """
    path = Path(path)
    if not path.exists():
        raise SequenceError(f'{path} does not exist')
    bags = _bags(path)
    if ground_truth_file is not None:
        return _open_with_file(path, bags, image_topic, Path(ground_truth_file))
    if bags:
        return [BagSequence(bag, image_topic, ground_truth_topic) for bag in bags]
    if path.is_file():
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            raise SequenceError(f'{path} is no video, no bag and no folder; videos are '
                                f'{", ".join(VIDEO_SUFFIXES)}, bags {", ".join(BAG_SUFFIXES)}')
        return layouts.read_video(path)
    reader = _layout(path)
    if reader is not None:
        return reader(path)
    sequences = []
    for folder in sorted(entry for entry in path.iterdir() if entry.is_dir()):
        if _holds_something(folder):
            sequences += open_sequences(folder, image_topic, ground_truth_topic)
    if not sequences:
        raise SequenceError(f'{path} holds no sequence; looked for {LOOKED_FOR}')
    return sequences


def _layout(folder):
    """Return the reader of a sequence folder, or None when it is none."""
    folder = folder.resolve()
    if any(folder.glob('groundtruth_rect*.txt')):
        return layouts.read_otb
    if (folder / 'anno').is_dir() and (folder / 'data_seq').is_dir():
        return layouts.read_uav123
    if (folder / 'gt.txt').exists():
        return layouts.read_tld
    if (folder / 'groundtruth.txt').exists():
        labelled = (folder / 'absence.label').exists() or (folder / 'cover.label').exists()
        return layouts.read_got10k if labelled else layouts.read_vot
    if layouts.video_files(folder):
        return layouts.read_videos
    if layouts.image_folder(folder):
        return layouts.read_uav123_sequence if layouts.uav123_root(folder) else layouts.read_images
    return None


def _holds_something(folder):
    """Return whether a folder is a sequence, a bag, or has one somewhere below."""
    if folder.name.startswith('.'):
        return False
    if _bags(folder) or _layout(folder):
        return True
    return any(_holds_something(entry) for entry in folder.iterdir() if entry.is_dir())


def _bags(path):
    """Return the bags at a path: itself, or the bag files of a folder that has no metadata."""
    if path.is_file():
        return [path] if path.suffix in BAG_SUFFIXES else []
    if (path / 'metadata.yaml').exists():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in BAG_SUFFIXES)


def _open_with_file(path, bags, image_topic, file):
    """Open one bag, video or image folder with a ground-truth file given by hand."""
    if len(bags) == 1:
        return [BagSequence(bags[0], image_topic, ground_truth_file=file)]
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return layouts.read_video(path, file)
    if path.is_dir() and layouts.image_folder(path):
        return layouts.read_images(path, file)
    raise SequenceError(f'ground truth file {file} needs one bag, video or image folder; {path} '
                        'is none')
