"""
What a bag says of its targets beside their boxes: attributes, and tags and values of frames.

It is one std_msgs/String of JSON, sent once and latched, on `<ground truth>/sequence`. A topic
goes through `ros2 bag convert`, `reindex` and `play` in either storage, where a storage's own
metadata is dropped. Frames are told by their stamps, so that what remains of a bag that was cut
still finds its own.

    {"stamps": [ns, ...],
     "targets": {"ID": {"frames": [first, last], "attributes": ["OCC", ...],
                        "tags": {"occlusion": [frame, ...]},
                        "values": {"practical": [number or null, ...]}}}}

Frames count from 0 in `stamps`; tags name those that have them, values go from the first to the
last frame of the target.
"""
from dataclasses import dataclass, field
import json

import numpy as np

from tracking_nodes.errors import SequenceError

NOTES_SUFFIX = '/sequence'


@dataclass(frozen=True)
class TargetNotes:
    """
    What is said of one target of a bag of N images.

    attributes, tags, values: as of `Sequence`, (N,) each. seen: (N,) bool, whether its sequence
    has the image.
    """

    seen: np.ndarray
    attributes: tuple = ()
    tags: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)


def write_notes(stamps, targets):
    """
    Return the JSON of a bag's targets.

    :param stamps: (N,) int64, of the bag's images, nanoseconds.
    :param targets: {id: (number of its first image, `Sequence`)}.
    """
    return json.dumps({'stamps': [int(stamp) for stamp in stamps], 'targets': {
        name: {'frames': [first, first + len(sequence) - 1],
               'attributes': list(sequence.attributes),
               'tags': {tag: (first + np.flatnonzero(flags)).tolist()
                        for tag, flags in sequence.tags.items()},
               'values': {key: [None if np.isnan(number) else float(number)
                                for number in numbers]
                          for key, numbers in sequence.values.items()}}
        for name, (first, sequence) in targets.items()}})


def noted_targets(text, place):
    """
    Return the ids of the targets that the JSON speaks of, in its order.

    :raises SequenceError: it is not what `write_notes` writes.
    """
    return list(_content(text, place)['targets'])


def read_notes(text, place, target, find_frames):
    """
    Return what is said of a target.

    :param text: the JSON.
    :param place: bag and topic, for messages.
    :param target: its id.
    :param find_frames: function of the noted stamps (M,), which returns for each of N images the
        index of its stamp, -1 where it has none.
    :return: `TargetNotes`, or None where nothing is said of this target.
    :raises SequenceError: it is not what `write_notes` writes.
    """
    content = _content(text, place)
    if target not in content['targets']:
        return None
    try:
        own = content['targets'][target]
        first, last = own['frames']
        frames = find_frames(np.array(content['stamps'], np.int64))
        tags = {tag: np.isin(frames, marked) for tag, marked in own['tags'].items()}
        seen = (first <= frames) & (frames <= last)
        values = {}
        for key, numbers in own['values'].items():
            values[key] = np.full(len(frames), np.nan)
            values[key][seen] = np.array(numbers, np.float64)[frames[seen] - first]
        return TargetNotes(seen, tuple(own['attributes']), tags, values)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _not_ours(place, error) from error


def _content(text, place):
    try:
        content = json.loads(text)
        if not isinstance(content['targets'], dict):
            raise TypeError('targets is no object')
        return content
    except (KeyError, TypeError, ValueError) as error:
        raise _not_ours(place, error) from error


def _not_ours(place, error):
    return SequenceError(f'{place} is not what dataset_to_bag says of a sequence ({error!r}); '
                         'leave the topic out of the bag, or write it anew')
