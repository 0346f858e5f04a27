"""Targets that lie in one video, put together again."""
from typing import NamedTuple

from tracking_nodes.sequences.folder import FolderSequence, image_files
from tracking_nodes.sequences.ground_truth import no_ground_truth
from tracking_nodes.sequences.sequence import DEFAULT_RATE, Sequence
from tracking_nodes.sequences.video import VideoSequence


class Video(NamedTuple):
    """
    A video with its targets.

    name: of the video. frames: `Sequence` of the images from the first that a target has to the
    last, without ground truth. targets: {id: (number of its first image in `frames`,
    `Sequence`)}.
    """

    name: str
    frames: Sequence
    targets: dict


def join_targets(sequences):
    """
    Return the videos of sequences, in the order of their first targets.

    Sequences named `<video>.<id>` whose images lie in one folder, or in one video file, are
    targets of one video. All others, those of bags too, are a video each, with their own name.

    :param sequences: list of `Sequence`.
    :return: list of `Video`; targets is {} where there is one.
    :raises SequenceError: a sequence cannot be read.
    """
    groups = {}
    for sequence in sequences:
        stem, _, name = sequence.name.rpartition('.')
        place, first = _place(sequence) if stem else (None, 0)
        key = (place, stem) if place else (sequence.name, '')
        groups.setdefault(key, {})[name] = (first, sequence)
    return [_join(*key, targets) if len(targets) > 1
            else Video(sequence.name, sequence, {})
            for key, targets in groups.items() for _, sequence in [next(iter(targets.values()))]]


def _place(sequence):
    """Return the folder or file of a sequence's images and the number of its first, or None."""
    opened = getattr(sequence, 'opened', sequence)
    if isinstance(opened, VideoSequence):
        return opened.sources[0], opened.first
    if isinstance(opened, FolderSequence):
        folder = opened.sources[0].parent
        return folder, image_files(folder).index(opened.sources[0])
    return None, 0


def _join(place, name, targets):
    """Return the `Video` of several targets, {id: (number of its first image, `Sequence`)}."""
    first = min(begin for begin, _ in targets.values())
    stop = max(begin + len(sequence) for begin, sequence in targets.values())
    truth = no_ground_truth(stop - first)
    if place.is_dir():
        longest = max((sequence for _, sequence in targets.values()), key=len)
        frames = FolderSequence(name, image_files(place)[first:stop], truth, rate=_rate(longest))
    else:
        frames = VideoSequence(name, place, truth, first)
    return Video(name, frames, {key: (begin - first, sequence)
                                for key, (begin, sequence) in targets.items()})


def _rate(sequence):
    """Return the rate of a camera without jitter, in Hz, from stamps in whole nanoseconds."""
    span = int(sequence.stamps[-1] - sequence.stamps[0])
    return round(1e9 * (len(sequence) - 1) / span, 6) if span else DEFAULT_RATE
