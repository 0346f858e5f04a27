"""Ground truth from the topics of a bag, matched to images by their stamps."""
import logging

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences import messages
from tracking_nodes.sequences.bag_file import find_topic

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
    Return the connections of a ground-truth topic and of the exact numbers beside it, if any.

    :param topic: of vision_msgs/Detection2DArray.
    :raises SequenceError: no such topic.
    """
    found = find_topic(reader, path, topic, (messages.DETECTIONS,))
    return found + [connection for connection in reader.connections
                    if connection.topic == found[0].topic + REGION_SUFFIX
                    and connection.msgtype == messages.REGION]


def match_truth(path, topic, recorded, times):
    """
    Return the ground truth of every image.

    :param path: of the bag, for messages.
    :param topic: of vision_msgs/Detection2DArray, one detection at most per message.
    :param recorded: {topic: [(stamp, receive time, message)]} of `truth_connections`.
    :param times: (N,) int64, stamps of the images, nanoseconds.
    :return: boxes (N, 4), NaN where absent or without a message, and polygons (N, 8) or None.
    :raises SequenceError: several targets, or not one message fits an image.
    """
    stamps, boxes = _boxes(path, topic, recorded[topic])
    regions = _regions(recorded.get(topic + REGION_SUFFIX, ()), boxes)
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


def _boxes(path, topic, recorded):
    """Return stamps (M,) and boxes (M, 4) of a topic, NaN rows for empty arrays."""
    stamps, boxes = [], []
    for stamp, received, message in recorded:
        if len(message.detections) > 1:
            ids = ', '.join(repr(detection.id) for detection in message.detections)
            raise SequenceError(f'bag {path}: {topic} has {len(message.detections)} targets '
                                f'({ids}) at {stamp} ns; ground truth is of one target')
        stamps.append(stamp or received)
        boxes.append(messages.detection_box(message.detections[0]) if message.detections
                     else np.full(4, np.nan))
    if not stamps:
        raise SequenceError(f'bag {path}: topic {topic} has no messages')
    return np.array(stamps, np.int64), np.array(boxes)


def _regions(recorded, boxes):
    """
    Return x, y, w, h and the polygon of every message, (M, 12), NaN where there is none.

    The exact numbers count only where they say the same as the detections.
    """
    regions = np.full((len(boxes), 12), np.nan)
    regions[:, :4] = boxes
    if len(recorded) != len(boxes):
        return regions
    for region, (_, _, message) in zip(regions, recorded):
        numbers = message.data
        if len(numbers) in (4, 12) and np.allclose(numbers[:4], region[:4], 0, ROUNDING):
            region[:len(numbers)] = numbers
    return regions
