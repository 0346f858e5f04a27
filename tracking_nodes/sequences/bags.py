"""Sequences in rosbags: read one, write one, and read recorded detections."""
from functools import partial
from itertools import islice
import logging
from pathlib import Path
import shutil
from typing import NamedTuple

import cv2
import numpy as np
from rosbags.interfaces import (Qos, QosDurability, QosHistory, QosLiveliness, QosReliability,
                                QosTime)
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError

from tracking_nodes.errors import ImageError, SequenceError
from tracking_nodes.imaging import decode_compressed, decode_image, JPEG_START, PNG_START
from tracking_nodes.sequences import messages
from tracking_nodes.sequences.bag_file import (bag_files, find_topic, list_topics, open_bag,
                                               read_messages, read_topics)
from tracking_nodes.sequences.bag_notes import (noted_targets, NOTES_SUFFIX, read_notes,
                                                TargetNotes, write_notes)
from tracking_nodes.sequences.bag_truth import (find_targets, find_truth_topic, match_stamps,
                                                match_truth, REGION_SUFFIX, truth_connections)
from tracking_nodes.sequences.ground_truth import fit_to_video, read_ground_truth
from tracking_nodes.sequences.sequence import camera_stamps, EncodedImage, Sequence

LOGGER = logging.getLogger(__name__)
IMAGE_TOPIC, GROUND_TRUTH_TOPIC = '/camera/image', '/ground_truth'
IMAGE_TYPES = (messages.IMAGE, messages.COMPRESSED)
STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
# Read by every distribution from Humble on; 9 only from Jazzy on.
BAG_VERSION = 8
JPEG_QUALITY = 95
FOREVER = QosTime(9223372036, 854775807)
OFFERED = Qos(QosHistory.KEEP_LAST, 10, QosReliability.RELIABLE, QosDurability.VOLATILE, FOREVER,
              FOREVER, QosLiveliness.AUTOMATIC, FOREVER, False)
# A latched topic: who subscribes late gets the message that was sent once.
LATCHED = OFFERED._replace(depth=1, durability=QosDurability.TRANSIENT_LOCAL)


class Detections(NamedTuple):
    """
    A recorded Detection2DArray topic.

    stamps: (N,) int64, nanoseconds, of the array's header. boxes: (N, 4), the detection with the
    best score, NaN rows for empty arrays. scores: (N,), NaN likewise. ids: list of N str, ''
    likewise. received: (N,) int64, nanoseconds, when the bag's recorder got them.
    """

    stamps: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    ids: list
    received: np.ndarray


class BagSequence(Sequence):
    """
    The images of a bag, with ground truth from a topic or a file.

    A stamp is that of the image's header; where a header has none, or they do not increase, all
    stamps are the times at which the bag received the images, said by a warning. Ground truth
    belongs to the image with the same header stamp, or else to the nearest one within half a
    frame; images without any have NaN boxes. Attributes, tags and values are those that
    `write_bag` left beside the ground truth.

    Of several targets one is read, from its first image to its last.
    """

    def __init__(self, path, image_topic=None, ground_truth_topic=None, ground_truth_file=None,
                 target=None):
        """
        Read the stamps and the ground truth of a bag; images are read when asked for.

        :param path: folder with metadata.yaml, or an .mcap, .db3 or .bag file.
        :param image_topic: of sensor_msgs/Image or CompressedImage; may be left out when the bag
            has one.
        :param ground_truth_topic: of vision_msgs/Detection2DArray; by default one whose name
            ends in `ground_truth`, if there is one.
        :param ground_truth_file: x,y,w,h or polygon per line, 0-based, instead of a topic.
        :param target: id of one of several targets, which adds `.<target>` to the name.
        :raises SequenceError: unreadable, no or several image topics, several targets of which
            none is asked for, or ground truth that does not fit.
        """
        self.path = Path(path)
        with open_bag(self.path) as reader:
            images = _image_connections(reader, self.path, image_topic)
            self.image_topic = images[0].topic
            topic = None if ground_truth_file else ground_truth_topic or find_truth_topic(reader)
            truth = truth_connections(reader, self.path, topic) if topic else []
            recorded = read_topics(reader, images + truth, stamps_only=self.image_topic)
        stamps, received = _times(self.path, self.image_topic, recorded[self.image_topic])
        boxes, polygons = np.full((len(stamps), 4), np.nan), None
        notes = None
        if ground_truth_file:
            known = fit_to_video(read_ground_truth(ground_truth_file), len(stamps))
            boxes, polygons = known.boxes, known.polygons
        elif topic:
            times = stamps if stamps.all() else received
            _check_target(self.path, truth[0].topic, recorded, target)
            boxes, polygons = match_truth(self.path, truth[0].topic, recorded, times, target)
            notes = _read_notes(self.path, truth[0].topic, recorded, times, target)
        notes = notes or TargetNotes(np.isfinite(boxes[:, 0]))
        frames = slice(0, len(boxes)) if target is None else _stretch(notes.seen)
        self._first, self._received = frames.start, received
        stamps = _usable_stamps(stamps, received, f'bag {self.path}: topic {self.image_topic}')
        super().__init__(bag_name(self.path, target), boxes[frames], stamps[frames],
                         polygons if polygons is None else polygons[frames], notes.attributes,
                         {tag: flags[frames] for tag, flags in notes.tags.items()},
                         bag_files(self.path),
                         {name: numbers[frames] for name, numbers in notes.values.items()})

    @property
    def received(self):
        """When the recorder got each image, (N,) int64 ns, for N images with a row of `boxes`."""
        return self._received[:len(self)]

    def images(self):
        for index, message in enumerate(self._own_messages()):
            yield self._decode(message, index)

    def image(self, index):
        self._check_index(index)
        place = self._first + index
        received = self._received[place]
        earlier = place - int(np.searchsorted(self._received, received))
        same_time = list(self._messages(int(received), int(received) + 1))
        return self._decode(same_time[earlier], index)

    def encoded_images(self):
        for message in self._own_messages():
            kind = _encoded_format(message)
            yield EncodedImage(kind, bytes(message.data)) if kind else None

    def _own_messages(self):
        """Yield the image messages of the sequence's frames."""
        return islice(self._messages(), self._first, self._first + len(self))

    def _messages(self, start=None, stop=None):
        """Yield the bag's image messages that were received in some time."""
        with open_bag(self.path) as reader:
            connections = find_topic(reader, self.path, self.image_topic, IMAGE_TYPES)
            found = read_messages(reader, connections, start, stop)
            for _, _, message in found:
                yield message

    def _decode(self, message, index):
        try:
            compressed = message.__msgtype__ == messages.COMPRESSED
            decode = decode_compressed if compressed else decode_image
            image = decode(message)
        except ImageError as error:
            raise ImageError(f'bag {self.path}, topic {self.image_topic}, frame {index}: '
                             f'{error}') from error
        # A view of the bag's bytes cannot be drawn on, unlike the images of all other sequences.
        return image if image.flags.writeable else image.copy()


def bag_name(path, target=None):
    """Return the name of the sequence in a bag, of one of its targets where an id is given."""
    name = path.name if path.is_dir() else path.stem
    return name if target is None else f'{name}.{target}'


def bag_targets(path, ground_truth_topic=None):
    """
    Return the ids of a bag's targets, [] where there is one, without reading images.

    :param path: bag, as for `BagSequence`.
    :param ground_truth_topic: as for `BagSequence`.
    :raises SequenceError: unreadable bag, no such topic, or targets that cannot be told apart.
    """
    with open_bag(path) as reader:
        topic = ground_truth_topic or find_truth_topic(reader)
        if topic is None:
            return []
        truth = truth_connections(reader, path, topic)
        topic = truth[0].topic
        notes = [connection for connection in truth if connection.topic == topic + NOTES_SUFFIX]
        if notes:
            # Sent once, so that the ground truth itself need not be read.
            for _, _, message in read_messages(reader, notes):
                ids = noted_targets(message.data, f'bag {path}: {topic}{NOTES_SUFFIX}')
                return ids if len(ids) > 1 else []
        return find_targets(path, topic, read_messages(
            reader, [connection for connection in truth if connection.topic == topic]))


def read_detections(path, topic):
    """
    Read a recorded Detection2DArray topic.

    :param path: bag, as for `BagSequence`.
    :param topic: name of the topic.
    :return: `Detections`, in the order they were recorded.
    :raises SequenceError: unreadable bag or no such topic; the message lists the topics.
    """
    with open_bag(path) as reader:
        connections = find_topic(reader, path, topic, (messages.DETECTIONS,))
        rows = []
        for stamp, received, message in read_messages(reader, connections):
            row = (np.full(4, np.nan), np.nan, '')
            if message.detections:
                best = max(message.detections, key=messages.detection_score)
                row = (messages.detection_box(best), messages.detection_score(best), best.id)
            rows.append((stamp or received, *row, received))
    stamps, boxes, scores, ids, received = zip(*rows) if rows else ((), (), (), (), ())
    return Detections(np.array(stamps, np.int64), np.array(boxes, float).reshape(-1, 4),
                      np.array(scores, float), list(ids), np.array(received, np.int64))


def write_bag(sequence, path, storage='mcap', compressed=True, rate=None,
              image_topic=IMAGE_TOPIC, ground_truth_topic=GROUND_TRUTH_TOPIC, targets=None):
    """
    Write a sequence as a rosbag2 that every distribution from Humble on reads.

    :param sequence: a `Sequence`. One that has no ground truth at all gets no such topic.
    :param path: folder to make.
    :param storage: 'mcap' or 'sqlite3'.
    :param compressed: write CompressedImage on `<image_topic>/compressed`, JPEG and PNG bytes as
        they are in the source and other images as JPEG of quality 95; else bgr8 Image.
    :param rate: camera rate in Hz of new stamps; by default the sequence's own stamps stay.
    :param image_topic: base name of the image topic.
    :param ground_truth_topic: Detection2DArray topic, empty arrays while the target is absent;
        the exact numbers are on `<ground_truth_topic>/region`, attributes, tags and values of
        frames on `<ground_truth_topic>/sequence`.
    :param targets: {id: (number of its first image, `Sequence`)} of a video with several; by
        default the one of `sequence`.
    :raises SequenceError: the folder exists, or the sequence cannot be read.
    """
    path = Path(path)
    stamps = sequence.stamps if rate is None else camera_stamps(len(sequence), rate)
    try:
        writer = Writer(path, version=BAG_VERSION, storage_plugin=STORAGES[storage])
    except WriterError as error:
        raise SequenceError(f'bag {path} cannot be written: {error}') from error
    image_topic, image_type = ((f'{image_topic}/compressed', messages.COMPRESSED) if compressed
                               else (image_topic, messages.IMAGE))
    topics = {image_topic: image_type}
    targets = targets or {messages.ONLY: (0, sequence)}
    annotated = any(np.isfinite(target.boxes).any() for _, target in targets.values())
    if annotated:
        topics |= {ground_truth_topic: messages.DETECTIONS,
                   ground_truth_topic + REGION_SUFFIX: messages.REGION}
    try:
        with writer:
            connections = [_add_topic(writer, topic, kind) for topic, kind in topics.items()]
            if annotated:
                notes = _add_topic(writer, ground_truth_topic + NOTES_SUFFIX, messages.STRING,
                                   LATCHED)
                _write(writer, notes, stamps[0],
                       messages.make_string(write_notes(stamps, targets)))
            images = _image_messages(sequence, stamps, compressed)
            for index, image in enumerate(images):
                frame = (image, *_truth_messages(targets.items(), stamps, index))
                for connection, message in zip(connections, frame):
                    _write(writer, connection, stamps[index], message)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _image_connections(reader, path, topic):
    if topic is not None:
        return find_topic(reader, path, topic, IMAGE_TYPES)
    found = {connection.topic for connection in reader.connections
             if connection.msgtype in IMAGE_TYPES
             and not connection.topic.endswith('/compressedDepth')}
    if not found:
        raise SequenceError(f'bag {path} has no image topic ({" or ".join(IMAGE_TYPES)}); it has '
                            f'{list_topics(reader)}')
    if len(found) > 1:
        raise SequenceError(f'bag {path} has several image topics, {", ".join(sorted(found))}; '
                            'say which one with image_topic')
    return find_topic(reader, path, found.pop(), IMAGE_TYPES)


def _times(path, topic, recorded):
    """Return the header stamps and receive times of a topic, (N,) int64 each."""
    if not recorded:
        raise SequenceError(f'bag {path}: topic {topic} has no messages')
    return np.array([times[:2] for times in recorded], np.int64).T


def _usable_stamps(stamps, received, what):
    """Return the header stamps, or the receive times where those are no good."""
    if not stamps.all():
        LOGGER.warning('%s has %d images without a stamp; the times at which the bag received '
                       'them are used', what, int((stamps == 0).sum()))
        return received
    if (np.diff(stamps) <= 0).any():
        LOGGER.warning('%s: stamps do not increase at image %d; the times at which the bag '
                       'received them are used', what, 1 + int(np.argmax(np.diff(stamps) <= 0)))
        return received
    return stamps


def _encoded_format(message):
    """Return the format of an image message's bytes when a file may hold them as they are."""
    data = bytes(message.data[:8]) if message.__msgtype__ == messages.COMPRESSED else b''
    return next((kind for start, kind in ((JPEG_START, 'jpeg'), (PNG_START, 'png'))
                 if data.startswith(start)), None)


def _check_target(path, topic, recorded, target):
    """Refuse to choose among several targets, and one that is not there."""
    notes = recorded.get(topic + NOTES_SUFFIX)
    known = (noted_targets(notes[0][2].data, f'bag {path}: {topic}{NOTES_SUFFIX}') if notes
             else find_targets(path, topic, recorded[topic]))
    if target is None and len(known) > 1:
        raise SequenceError(f'bag {path}: {topic} has {len(known)} targets, {", ".join(known)}; '
                            'say which one with target, or open all with open_sequences')
    if target is not None and target not in known:
        raise SequenceError(f'bag {path}: {topic} has no target {target!r}; it has '
                            f'{", ".join(known) or "a single one"}')


def _read_notes(path, topic, recorded, times, target):
    """Return the `TargetNotes` of a target, or None where the bag says nothing of it."""
    found = recorded.get(topic + NOTES_SUFFIX)
    if not found:
        return None
    return read_notes(found[0][2].data, f'bag {path}: {topic}{NOTES_SUFFIX}',
                      messages.ONLY if target is None else target, partial(match_stamps, times))


def _stretch(marked):
    """Return the slice from the first to the last that is marked (N,)."""
    places = np.flatnonzero(marked)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, len(marked))


def _add_topic(writer, topic, kind, qos=OFFERED):
    return writer.add_connection(topic, kind, typestore=messages.typestore(),
                                 offered_qos_profiles=[qos])


def _write(writer, connection, stamp, message):
    data = messages.typestore().serialize_cdr(message, connection.msgtype)
    writer.write(connection, int(stamp), data)


def _image_messages(sequence, stamps, compressed):
    """Yield the message of every frame; only frames without bytes of their own are decoded."""
    if not compressed:
        for stamp, image in zip(stamps, sequence.images()):
            yield messages.make_image(image, stamp)
    elif next(sequence.encoded_images()) is None:
        for stamp, image in zip(stamps, sequence.images()):
            yield messages.make_compressed(_encode(image), stamp)
    else:
        for index, encoded in enumerate(sequence.encoded_images()):
            encoded = encoded or _encode(sequence.image(index))
            yield messages.make_compressed(encoded, stamps[index])


def _encode(image):
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return EncodedImage('jpeg', data.tobytes())


def _truth_messages(targets, stamps, index):
    """Return the detections of an image, and their exact numbers."""
    boxes, annotations = {}, []
    for name, (first, target) in targets:
        own = index - first
        if 0 <= own < len(target):
            polygon = None if target.polygons is None else target.polygons[own]
            boxes[name] = target.boxes[own]
            annotations.append((target.boxes[own], polygon))
    return messages.make_targets(boxes, stamps[index]), messages.make_regions(annotations)
