"""From a path to sequences: the layout is found by what lies there."""
from functools import partial
import os
from pathlib import Path

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.bag_file import BAG_SUFFIXES
from tracking_nodes.sequences.bags import bag_name, bag_targets, BagSequence
from tracking_nodes.sequences.ground_truth import read_text
from tracking_nodes.sequences.layouts import find_layout, LAYOUTS
from tracking_nodes.sequences.layouts.layout import image_folder
from tracking_nodes.sequences.layouts.plain import find_images_only, find_video
from tracking_nodes.sequences.lazy import LazySequence, list_or_stand_in
from tracking_nodes.sequences.named_sets import NAMED_SETS, split_name
from tracking_nodes.sequences.video import VIDEO_SUFFIXES


def open_sequences(path, image_topic=None, ground_truth_topic=None, ground_truth_file=None):
    """
    Open what lies at a path: a sequence, a folder of several, a video or a bag.

    A single sequence is read at once. Of several, only the names are known until something else
    is asked of one: a damaged one raises its SequenceError then.

    :param path: dataset folder, folder of several sequences, one sequence folder, video file
        with its ground truth, folder of images, or rosbag (folder, .mcap, .db3 or .bag);
        `<set>:<folder>` is a published set of `named_sets`, such as `otb2013:data/otb`.
    :param image_topic: image topic of a bag; needed when it has several.
    :param ground_truth_topic: Detection2DArray topic of a bag; default one named ground_truth.
    :param ground_truth_file: x,y,w,h per line, 0-based, for one bag, video or image folder.
    :return: list of `Sequence`, at least one, in the order of their names or of `list.txt`.
    :raises SequenceError: nothing there, it cannot be read, or two have the same name; the
        message says what was looked for.
    """
    sequences = find_sequences(path, image_topic, ground_truth_topic, ground_truth_file)
    return [sequences[0].opened] if len(sequences) == 1 else sequences


def find_sequences(path, image_topic=None, ground_truth_topic=None, ground_truth_file=None):
    """
    Return a `LazySequence` for each that lies at a path, also for a single one.

    Parameters and errors are those of `open_sequences`, but no sequence is read. Where only a
    damaged file could tell the names, one sequence in their place says so when it is read.
    """
    sequences = list_sequences(path, image_topic, ground_truth_topic, ground_truth_file)
    for text in same_names(sequences):
        raise SequenceError(f'{path} has {text}; open them apart')
    return sequences


def list_sequences(path, image_topic=None, ground_truth_topic=None, ground_truth_file=None):
    """Return what `find_sequences` does, those with the same name too."""
    name, path = split_name(path)
    # Not resolved, since the name of a linked folder is that of the link.
    path = Path(os.path.abspath(path))
    if not path.exists():
        raise SequenceError(f'{path} does not exist')
    if ground_truth_file is not None:
        return _find_with_file(path, image_topic, Path(ground_truth_file))
    if name is not None:
        named = NAMED_SETS[name]
        return named.find(path, partial(_find_in_folder, layouts=[named.layout]))
    return _find(path, image_topic, ground_truth_topic)


def same_names(sequences):
    """
    Return for each sequence with the name of one before, in words, which two they are.

    Results are kept by name, so those of one would be taken for those of the other.
    """
    places, found = {}, []
    for sequence in sequences:
        other = places.setdefault(sequence.name, sequence)
        if other is not sequence:
            found.append(f'two sequences {sequence.name}: {other.path} and {sequence.path}')
    return found


def _find(path, *topics):
    """Return a list of `LazySequence` of what lies at a path."""
    if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
        return find_video(path)
    open_bag = partial(_lazy_bags, topics=topics)
    if path.is_file():
        if path.suffix not in BAG_SUFFIXES:
            raise SequenceError(f'{path} is no video, no bag and no folder; videos are '
                                f'{", ".join(VIDEO_SUFFIXES)}, bags {", ".join(BAG_SUFFIXES)}')
        return open_bag(path)
    sequences = _find_in_folder(path, LAYOUTS, open_bag)
    if not sequences:
        known = '; '.join(layout.summary for layout in LAYOUTS)
        raise SequenceError(f'{path} holds no sequence; looked for a rosbag (metadata.yaml, '
                            f'{", ".join(BAG_SUFFIXES)}), or: {known}; or folders of these')
    return sequences


def _find_in_folder(folder, layouts, open_bag=None):
    """Return the sequences of a folder, or else of all folders in it, [] where there are none."""
    bags = _bags(folder) if open_bag else []
    if bags:
        return [sequence for bag in bags for sequence in open_bag(bag)]
    layout = find_layout(folder, layouts)
    if layout is not None:
        return list_or_stand_in(folder.name, folder, partial(layout.find, folder))
    return list_or_stand_in(folder.name, folder, lambda: [
        sequence for entry in _folders(folder)
        for sequence in _find_in_folder(entry, layouts, open_bag)])


def _folders(folder):
    """Return the folders in a folder: those that its list.txt names, or all."""
    folders = sorted(entry for entry in folder.iterdir()
                     if entry.is_dir() and not entry.name.startswith('.'))
    file, known = folder / 'list.txt', {entry.name for entry in folders}
    names = read_text(file).split() if file.is_file() else []
    if not known.intersection(names):
        return folders
    for line, name in enumerate(names, 1):
        if name not in known:
            raise SequenceError(f'{file}, line {line}: there is no folder {name}')
    return [folder / name for name in names]


def _lazy_bags(path, topics):
    """Return a sequence per target of a bag, whose ids only the bag itself can tell."""
    return list_or_stand_in(bag_name(path), path, lambda: [
        LazySequence(bag_name(path, target), path, BagSequence, path, *topics, None, target)
        for target in bag_targets(path, topics[1]) or [None]])


def _bags(path):
    """Return the bags at a path: itself, or the bag files of a folder that has no metadata."""
    if path.is_file():
        return [path] if path.suffix in BAG_SUFFIXES else []
    if (path / 'metadata.yaml').exists():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in BAG_SUFFIXES)


def _find_with_file(path, image_topic, file):
    """Return one bag, video or image folder with a ground-truth file given by hand."""
    bags = _bags(path)
    if len(bags) == 1:
        return [LazySequence(bag_name(bags[0]), bags[0], BagSequence, bags[0], image_topic, None,
                             file)]
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return find_video(path, file)
    if path.is_dir() and image_folder(path):
        return find_images_only(path, file)
    raise SequenceError(f'ground truth file {file} needs one bag, video or image folder; {path} '
                        'is none')
