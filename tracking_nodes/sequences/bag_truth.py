"""Ground truth from the topics of a bag, matched to images by their stamps."""
import logging

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences import messages
from tracking_nodes.sequences.bag_file import find_topic
from tracking_nodes.sequences.bag_notes import NOTES_SUFFIX

LOGGER = logging.getLogger(__name__)
REGION_SUFFIX = '/region'
# Centre and size agree with the corner up to rounding, in pixels.
ROUNDING = 1e-6


def find_truth_topic(reader):
    """Return the Detection2DArray topic whose name ends in ground_truth, or None."""
    return next((connection.topic for connection in reader.connections
                 if connection.msgtype == messages.DETECTIONS
                 and connection.topic.split('/')[-1] == 'ground_truth'), None)


def truth_connections(reader, path, topic):
    """
    Return the connections of a ground-truth topic and of what lies beside it, if anything does.

    That are the exact numbers, and what is said of the targets (`bag_notes`).

    :param topic: of vision_msgs/Detection2DArray.
    :raises SequenceError: no such topic.
    """
    found = find_topic(reader, path, topic, (messages.DETECTIONS,))
    beside = {found[0].topic + REGION_SUFFIX: messages.REGION,
              found[0].topic + NOTES_SUFFIX: messages.STRING}
    return found + [connection for connection in reader.connections
                    if beside.get(connection.topic) == connection.msgtype]


def find_targets(path, topic, recorded):
    """
    Return the ids of the targets of a ground-truth topic, [] where there is one at a time.

    :param path: of the bag, for messages.
    :param topic: of vision_msgs/Detection2DArray.
    :param recorded: iterable of (stamp, receive time, message).
    :return: list of str, in the order in which they appear.
    :raises SequenceError: two of a message share an id, or one has none.
    """
    found, several = {}, False
    for stamp, received, message in recorded:
        ids = [detection.id for detection in message.detections]
        found.update(dict.fromkeys(ids))
        several |= len(ids) > 1
        if len(set(ids)) < len(ids) or (len(ids) > 1 and '' in ids):
            raise SequenceError(f'bag {path}: {topic} has {len(ids)} detections at '
                                f'{stamp or received} ns with ids {", ".join(map(repr, ids))}; '
                                'several targets are told apart by ids of their own')
    return list(found) if several else []


def match_truth(path, topic, recorded, times, target=None):
    """
    Return the ground truth of every image.

    :param path: of the bag, for messages.
    :param topic: of vision_msgs/Detection2DArray.
    :param recorded: {topic: [(stamp, receive time, message)]} of `truth_connections`.
    :param times: (N,) int64, stamps of the images, nanoseconds.
    :param target: id of the detections that count; None where there is one target.
    :return: boxes (N, 4), NaN where absent or without a message, and polygons (N, 8) or None.
    :raises SequenceError: not one message fits an image.
    """
    stamps, regions = _read_regions(path, topic, recorded, target)
    chosen = match_stamps(times, stamps)
    unused = len(stamps) - len(np.unique(chosen[chosen >= 0]))
    if unused == len(stamps):
        raise SequenceError(f'bag {path}: none of the {len(stamps)} messages of {topic} has the '
                            'stamp of an image, within half a frame')
    if unused:
        LOGGER.warning('bag %s: %d of %d messages of %s belong to no image and are dropped',
                       path, unused, len(stamps), topic)
    frames = np.full((len(times), 12), np.nan)
    frames[chosen >= 0] = regions[chosen[chosen >= 0]]
    polygons = frames[:, 4:]
    return frames[:, :4], None if np.isnan(polygons).all() else polygons


def match_stamps(times, stamps):
    """
    Return which message belongs to each image: the nearest, at most half a frame away.

    :param times: (N,) int64, of the images, nanoseconds.
    :param stamps: (M,) int64, of the messages, M >= 1.
    :return: (N,) int, index into `stamps`, -1 where none is near enough.
    """
    order = np.argsort(stamps, kind='stable')
    ordered = stamps[order]
    right = np.clip(np.searchsorted(ordered, times), 0, len(ordered) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(times - ordered[left]) < np.abs(ordered[right] - times), left, right)
    steps = np.diff(np.sort(times))
    half_frame = np.median(steps) / 2 if len(steps) else 0
    return np.where(np.abs(ordered[nearest] - times) <= half_frame, order[nearest], -1)


def _read_regions(path, topic, recorded, target):
    """
    Return stamps (M,), and x, y, w, h and the polygon of every message, (M, 12).

    NaN stands where there is none. The exact numbers beside the detections count only where they
    say the same.
    """
    exact = recorded.get(topic + REGION_SUFFIX, ())
    stamps, regions = [], np.full((len(recorded[topic]), 12), np.nan)
    for index, (stamp, received, message) in enumerate(recorded[topic]):
        stamps.append(stamp or received)
        place = next((place for place, detection in enumerate(message.detections)
                      if target in (None, detection.id)), None)
        if place is None:
            continue
        region = regions[index]
        region[:4] = messages.detection_box(message.detections[place])
        # Of a bag that was cut short the last may be missing.
        if index < len(exact):
            numbers = exact[index][2].data
            width, rest = divmod(len(numbers), len(message.detections))
            own = numbers[place * width:(place + 1) * width]
            if not rest and width in (4, 12) and np.allclose(own[:4], region[:4], 0, ROUNDING):
                region[:width] = own
    if not stamps:
        raise SequenceError(f'bag {path}: topic {topic} has no messages')
    return np.array(stamps, np.int64), regions
