"""Bags: what comes back equals what went in, and what is said when a bag is not usable."""
import json
import logging
from pathlib import Path
import pickle

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores

from tracking_nodes.errors import ImageError, SequenceError
from tracking_nodes.evaluation.protocols.otb import TemporalRobustness
from tracking_nodes.sequences import messages
from tracking_nodes.sequences.bag_truth import match_stamps
from tracking_nodes.sequences.bags import BagSequence, read_detections, write_bag
from tracking_nodes.sequences.catalog import find_sequences, open_sequences
from tracking_nodes.sequences.folder import FolderSequence
from tracking_nodes.sequences.ground_truth import no_ground_truth
from tracking_nodes.sequences.mcap_repair import repair_mcap
from tracking_nodes.sequences.sequence import camera_stamps, INIT_OMIT, PRACTICAL, Sequence

ROOT = Path(__file__).resolve().parent.parent
FRAMES = 12


@pytest.fixture
def random():
    """Return a seeded random generator."""
    return np.random.default_rng(11)


class MemorySequence(Sequence):
    """Random pictures and boxes with all 53 bits of their fractions in use."""

    def __init__(self, random, frames=FRAMES, polygons=False):
        boxes = random.uniform(0.1, 99, (frames, 4)) * [1, 1e-3, 7, 0.1]
        boxes[3] = np.nan
        shapes = None
        if polygons:
            shapes = random.uniform(0, 99, (frames, 8))
            shapes[3] = np.nan
        super().__init__('memory', boxes, camera_stamps(frames, 29.97), shapes)
        self.pictures = random.integers(0, 256, (frames, 48, 64, 3), dtype=np.uint8)

    def images(self):
        yield from self.pictures


def write_messages(path, rows, storage=StoragePlugin.MCAP, compression=None):
    """Write (topic, receive time, message) rows to a rosbag2."""
    with Writer(path, version=8, storage_plugin=storage) as writer:
        add_messages(writer, rows)
    return path


def add_messages(writer, rows):
    """Add (topic, receive time, message) rows to an open rosbag2 writer."""
    store, connections = messages.typestore(), {}
    for topic, time, message in rows:
        if topic not in connections:
            connections[topic] = writer.add_connection(topic, message.__msgtype__,
                                                       typestore=store)
        writer.write(connections[topic], time, store.serialize_cdr(message, message.__msgtype__))


def image_rows(stamps, topic='/camera/image', received=None):
    """Return rows of images whose grey is their number."""
    times = stamps if received is None else received
    return [(topic, int(time), messages.make_image(np.full((4, 6, 3), k, np.uint8), int(stamp)))
            for k, (stamp, time) in enumerate(zip(stamps, times))]


def truth_rows(stamps, topic='/ground_truth', received=None):
    """Return rows of ground truth, box k at (k, k, 10, 10)."""
    times = stamps if received is None else received
    return [(topic, int(time), messages.make_detections([k, k, 10, 10], int(stamp)))
            for k, (stamp, time) in enumerate(zip(stamps, times))]


@pytest.mark.parametrize('polygons', [False, True])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_raw_round_trip_is_exact(tmp_path, random, storage, polygons):
    sequence = MemorySequence(random, polygons=polygons)
    write_bag(sequence, tmp_path / 'Some.1', storage, compressed=False)
    back, = open_sequences(tmp_path / 'Some.1')
    assert back.name == 'Some.1' and back.image_topic == '/camera/image'
    np.testing.assert_array_equal(back.boxes, sequence.boxes)
    np.testing.assert_array_equal(back.stamps, sequence.stamps)
    np.testing.assert_array_equal(np.stack(list(back.images())), sequence.pictures)
    if polygons:
        np.testing.assert_array_equal(back.polygons, sequence.polygons)
    else:
        assert back.polygons is None


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_jpeg_and_png_bytes_come_back_as_they_are(tmp_path, random, storage):
    files = []
    for k in range(6):
        files.append(tmp_path / f'{k}.{"png" if k % 2 else "jpg"}')
        cv2.imwrite(str(files[-1]), random.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    sequence = FolderSequence('files', files, no_ground_truth(6))
    write_bag(sequence, tmp_path / 'bag', storage)
    back = BagSequence(tmp_path / 'bag')
    assert back.image_topic == '/camera/image/compressed'
    assert [item.codec for item in back.encoded_images()] == ['jpeg', 'png'] * 3
    assert [item.data for item in back.encoded_images()] == [file.read_bytes() for file in files]
    for ours, theirs in zip(back.images(), sequence.images()):
        np.testing.assert_array_equal(ours, theirs)


def test_pictures_without_bytes_become_jpeg(tmp_path, random):
    sequence = MemorySequence(random, frames=4)
    sequence.pictures = np.stack([cv2.GaussianBlur(image, (0, 0), 4)
                                  for image in sequence.pictures])
    write_bag(sequence, tmp_path / 'bag')
    back = BagSequence(tmp_path / 'bag')
    difference = np.stack(list(back.images())).astype(int) - sequence.pictures
    assert np.abs(difference).mean() < 1.5
    assert all(item.codec == 'jpeg' for item in back.encoded_images())


def test_a_bag_can_be_converted_again_without_loss(tmp_path, random):
    sequence = MemorySequence(random, polygons=True)
    write_bag(sequence, tmp_path / 'first')
    first = BagSequence(tmp_path / 'first')
    write_bag(first, tmp_path / 'second', 'sqlite3')
    second = BagSequence(tmp_path / 'second')
    np.testing.assert_array_equal(second.boxes, sequence.boxes)
    np.testing.assert_array_equal(second.polygons, sequence.polygons)
    assert ([item.data for item in first.encoded_images()]
            == [item.data for item in second.encoded_images()])


def test_rate_gives_new_stamps(tmp_path, random):
    write_bag(MemorySequence(random), tmp_path / 'bag', rate=10.0)
    assert np.diff(BagSequence(tmp_path / 'bag').stamps).tolist() == [100_000_000] * (FRAMES - 1)


def test_ground_truth_messages(tmp_path, random):
    sequence = MemorySequence(random)
    write_bag(sequence, tmp_path / 'bag')
    found = read_detections(tmp_path / 'bag', 'ground_truth')
    np.testing.assert_array_equal(found.stamps, sequence.stamps)
    np.testing.assert_allclose(found.boxes, sequence.boxes, rtol=0, atol=1e-12)
    assert np.isnan(found.scores[3]) and found.ids[3] == ''
    assert set(np.delete(found.scores, 3)) == {1.0} and set(found.ids) == {'1', ''}
    with AnyReader([tmp_path / 'bag']) as reader:
        assert {name: info.msgcount for name, info in reader.topics.items()} == {
            '/camera/image/compressed': FRAMES, '/ground_truth': FRAMES,
            '/ground_truth/region': FRAMES, '/ground_truth/sequence': 1}


def test_what_is_written_is_what_ros_itself_reads(tmp_path, random):
    serialization = pytest.importorskip('rclpy.serialization')
    vision_messages = pytest.importorskip('vision_msgs.msg')
    from sensor_msgs.msg import Image
    types = {'vision_msgs/msg/Detection2DArray': vision_messages.Detection2DArray,
             'sensor_msgs/msg/Image': Image}
    sequence = MemorySequence(random)
    write_bag(sequence, tmp_path / 'bag', compressed=False)
    seen = {name: [] for name in types}
    with AnyReader([tmp_path / 'bag']) as reader:
        for connection, _, data in reader.messages():
            if connection.msgtype in types:
                seen[connection.msgtype].append(
                    serialization.deserialize_message(bytes(data), types[connection.msgtype]))
    image = seen['sensor_msgs/msg/Image'][5]
    assert (image.encoding, image.step, image.header.frame_id) == ('bgr8', 192, 'camera')
    np.testing.assert_array_equal(
        np.frombuffer(image.data, np.uint8).reshape(48, 64, 3), sequence.pictures[5])
    array = seen['vision_msgs/msg/Detection2DArray'][5]
    assert array.header.stamp == image.header.stamp
    box, centre = sequence.boxes[5], array.detections[0].bbox.center.position
    assert abs(centre.x - (box[0] + box[2] / 2)) < 1e-9
    assert seen['vision_msgs/msg/Detection2DArray'][3].detections == []


def test_type_hashes_are_those_of_vision_msgs(tmp_path, random):
    hashes = json.loads((ROOT / 'interfaces/vision_msgs/type_hashes.json').read_text())
    for name in messages.VISION_MSGS:
        full = f'vision_msgs/msg/{name}'
        assert messages.typestore().hash_rihs01(full) == hashes[full]
    write_bag(MemorySequence(random), tmp_path / 'bag')
    assert hashes[messages.DETECTIONS] in (tmp_path / 'bag' / 'metadata.yaml').read_text()


def test_existing_bags_are_not_overwritten_and_failures_leave_nothing(tmp_path, random):
    write_bag(MemorySequence(random), tmp_path / 'bag')
    with pytest.raises(SequenceError, match='bag cannot be written: .*exists already'):
        write_bag(MemorySequence(random), tmp_path / 'bag')
    assert len(BagSequence(tmp_path / 'bag')) == FRAMES
    (tmp_path / 'no.jpg').write_bytes(b'\xff\xd8nothing')
    broken = FolderSequence('broken', [tmp_path / 'no.jpg'], no_ground_truth(1))
    with pytest.raises(ImageError):
        write_bag(broken, tmp_path / 'other', compressed=False)
    assert not (tmp_path / 'other').exists()


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_single_frames(tmp_path, random, storage):
    sequence = MemorySequence(random)
    write_bag(sequence, tmp_path / 'bag', storage, compressed=False)
    back = pickle.loads(pickle.dumps(BagSequence(tmp_path / 'bag')))
    for index in (0, 7, FRAMES - 1):
        np.testing.assert_array_equal(back.image(index), sequence.pictures[index])
    with pytest.raises(SequenceError, match='frames 0 to 11, not 12'):
        back.image(FRAMES)


def test_images_received_at_the_same_time_are_told_apart(tmp_path):
    stamps = camera_stamps(6)
    path = write_messages(tmp_path / 'bag', image_rows(stamps, received=[5, 5, 5, 9, 9, 12]))
    back = BagSequence(path)
    assert [int(back.image(k)[0, 0, 0]) for k in range(6)] == list(range(6))
    np.testing.assert_array_equal(back.stamps, stamps)


@pytest.mark.parametrize('mode', [CompressionMode.FILE, CompressionMode.MESSAGE,
                                  CompressionMode.STORAGE])
def test_compressed_bags(tmp_path, mode):
    writer = Writer(tmp_path / 'bag', version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    stamps = camera_stamps(5)
    with writer:
        add_messages(writer, image_rows(stamps) + truth_rows(stamps))
    back, = open_sequences(tmp_path / 'bag')
    assert [int(image[0, 0, 0]) for image in back.images()] == list(range(5))
    assert back.boxes[:, 0].tolist() == list(range(5))


def test_ros_1_bag(tmp_path):
    store = get_typestore(Stores.ROS1_NOETIC)
    header, image = (store.types[f'{name}'] for name in ('std_msgs/msg/Header', messages.IMAGE))
    with Rosbag1Writer(tmp_path / 'old.bag') as writer:
        connection = writer.add_connection('/cam', messages.IMAGE, typestore=store)
        for k in range(3):
            time = store.types['builtin_interfaces/msg/Time'](sec=k + 1, nanosec=5)
            message = image(header=header(seq=k, stamp=time, frame_id='c'), height=4, width=6,
                            encoding='mono8', is_bigendian=0, step=6,
                            data=np.full(24, 9 * k, np.uint8))
            writer.write(connection, k, store.serialize_ros1(message, messages.IMAGE))
    back, = open_sequences(tmp_path / 'old.bag')
    assert back.stamps.tolist() == [1_000_000_005, 2_000_000_005, 3_000_000_005]
    assert [int(picture[2, 2, 1]) for picture in back.images()] == [0, 9, 18]
    assert np.isnan(back.boxes).all()


def test_bag_files_without_metadata_and_folders_of_bags(tmp_path, random):
    for name, storage in (('a', 'mcap'), ('b', 'sqlite3')):
        write_bag(MemorySequence(random), tmp_path / 'bags' / name, storage)
    assert [bag.name for bag in open_sequences(tmp_path / 'bags')] == ['a', 'b']
    (tmp_path / 'bags' / 'a' / 'metadata.yaml').unlink()
    assert [bag.name for bag in open_sequences(tmp_path / 'bags')] == ['a', 'b']
    assert open_sequences(tmp_path / 'bags' / 'b' / 'b.db3')[0].name == 'b'


def test_no_ground_truth_is_no_error_when_reading(tmp_path):
    back = BagSequence(write_messages(tmp_path / 'bag', image_rows(camera_stamps(4))))
    assert back.boxes.shape == (4, 4) and np.isnan(back.boxes).all()
    write_bag(back, tmp_path / 'again')
    with AnyReader([tmp_path / 'again']) as reader:
        assert list(reader.topics) == ['/camera/image/compressed']


def test_ground_truth_of_another_topic_and_of_a_file(tmp_path):
    stamps = camera_stamps(4)
    path = write_messages(tmp_path / 'bag',
                          image_rows(stamps) + truth_rows(stamps, '/tracker/detections'))
    assert np.isnan(BagSequence(path).boxes).all()
    sequence, = open_sequences(path, ground_truth_topic='tracker/detections')
    assert sequence.boxes[2].tolist() == [2, 2, 10, 10]
    file = tmp_path / 'truth.txt'
    file.write_text('1,2,3,4\n5,6,7,8\n')
    sequence, = open_sequences(path, ground_truth_file=file)
    assert sequence.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert len(sequence) == len(sequence.stamps) == len(list(sequence.images())) == 2


def test_ground_truth_shorter_longer_and_shifted(tmp_path, caplog):
    stamps = camera_stamps(6)
    short = BagSequence(write_messages(tmp_path / 'short',
                                       image_rows(stamps) + truth_rows(stamps[:4])))
    assert short.boxes[:4, 0].tolist() == [0, 1, 2, 3] and np.isnan(short.boxes[4:]).all()
    with caplog.at_level(logging.WARNING):
        longer = BagSequence(write_messages(
            tmp_path / 'longer', image_rows(stamps) + truth_rows(camera_stamps(9))))
    assert longer.boxes[:, 0].tolist() == list(range(6))
    assert '3 of 9 messages of /ground_truth belong to no image' in caplog.text
    near = BagSequence(write_messages(tmp_path / 'near', image_rows(stamps)
                                      + truth_rows(stamps + 10_000_000)))
    assert near.boxes[:, 0].tolist() == list(range(6))
    with pytest.raises(SequenceError, match='none of the 6 messages of /ground_truth'):
        BagSequence(write_messages(tmp_path / 'far', image_rows(stamps)
                                   + truth_rows(stamps + 10 ** 12)))


def target_rows(stamps, seen, topic='/ground_truth'):
    """Return rows of ground truth with the targets that `seen`, a string of ids, has each time."""
    return [(topic, int(stamp), messages.make_targets(
        {name: [k, ord(name), 5, 6] for name in names}, int(stamp)))
        for k, (stamp, names) in enumerate(zip(stamps, seen))]


def test_several_targets_are_a_sequence_each(tmp_path):
    stamps = camera_stamps(6)
    path = write_messages(tmp_path / 'bag', image_rows(stamps)
                          + target_rows(stamps, ['', 'a', 'ba', 'b', '', 'b']))
    first, second = find_sequences(path)
    assert (first.name, second.name) == ('bag.a', 'bag.b')
    assert first.boxes.tolist() == [[1, 97, 5, 6], [2, 97, 5, 6]]
    np.testing.assert_array_equal(second.boxes[:, 0], [2, 3, np.nan, 5])
    np.testing.assert_array_equal(second.stamps, stamps[2:])
    assert [int(image[0, 0, 0]) for image in second.images()] == [2, 3, 4, 5]
    assert [int(second.image(k)[0, 0, 0]) for k in range(4)] == [2, 3, 4, 5]
    assert pickle.loads(pickle.dumps(second)).boxes.shape == (4, 4)
    with pytest.raises(SequenceError, match='/ground_truth has 2 targets, a, b; say which'):
        BagSequence(path)
    with pytest.raises(SequenceError, match="no target 'c'; it has a, b"):
        BagSequence(path, target='c')


def test_a_target_that_begins_among_images_received_at_one_time(tmp_path):
    stamps = camera_stamps(5)
    path = write_messages(tmp_path / 'bag', image_rows(stamps, received=[5, 5, 5, 5, 9])
                          + target_rows(stamps, ['a', 'a', 'ab', 'b', 'b']))
    second = open_sequences(path)[1]
    assert [int(second.image(k)[0, 0, 0]) for k in range(3)] == [2, 3, 4]


def test_exact_numbers_of_several_targets(tmp_path, random):
    stamps = camera_stamps(3)
    boxes, polygon = random.uniform(1, 99, (3, 2, 4)), random.uniform(1, 99, 8)
    rows = [row for k, stamp in enumerate(stamps) for row in (
        ('/ground_truth', int(stamp), messages.make_targets(dict(zip('ab', boxes[k])), stamp)),
        ('/ground_truth/region', int(stamp), messages.make_regions(
            [(boxes[k, 0], None), (boxes[k, 1], polygon if k == 1 else None)])))]
    one, other = open_sequences(write_messages(tmp_path / 'bag', image_rows(stamps) + rows))
    np.testing.assert_array_equal([one.boxes, other.boxes], boxes.swapaxes(0, 1))
    assert one.polygons is None
    np.testing.assert_array_equal(other.polygons[:, 0], [np.nan, polygon[0], np.nan])


def test_one_target_at_a_time_is_one_sequence_whatever_the_ids(tmp_path):
    stamps = camera_stamps(4)
    path = write_messages(tmp_path / 'bag',
                          image_rows(stamps) + target_rows(stamps, ['a', 'b', '', 'c']))
    assert [one.name for one in open_sequences(path)] == ['bag']


def test_targets_that_cannot_be_told_apart_are_named(tmp_path):
    stamps = camera_stamps(2)
    twice = messages.make_detections([1, 2, 3, 4], int(stamps[0]))
    twice.detections.append(twice.detections[0])
    path = write_messages(tmp_path / 'bag',
                          image_rows(stamps) + [('/ground_truth', int(stamps[0]), twice)])
    # Listed like any other, so that the others of a folder can be opened.
    assert [one.name for one in find_sequences(path)] == ['bag']
    with pytest.raises(SequenceError, match="2 detections at 1000000000 ns with ids '1', '1'"):
        open_sequences(path)


class NotedSequence(MemorySequence):
    """All that benchmarks say beside boxes."""

    def __init__(self, random):
        super().__init__(random, polygons=True)
        self.attributes = ('OCC', 'object_class=cat')
        self.tags = {'occlusion': random.random(FRAMES) < 0.5, 'empty': np.zeros(FRAMES, bool)}
        self.values = {PRACTICAL: random.random(FRAMES),
                       INIT_OMIT: (random.random(FRAMES) < 0.3).astype(float)}
        self.values[PRACTICAL][2] = np.nan


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_all_that_a_sequence_says_comes_back(tmp_path, random, storage):
    sequence = NotedSequence(random)
    write_bag(sequence, tmp_path / 'first', storage)
    write_bag(BagSequence(tmp_path / 'first'), tmp_path / 'second', storage)
    (tmp_path / 'second' / 'metadata.yaml').unlink()
    for name in ('first', 'second'):
        back, = open_sequences(tmp_path / name)
        assert back.attributes == sequence.attributes
        np.testing.assert_equal((back.tags, back.values), (sequence.tags, sequence.values))
        assert back.tags['empty'].dtype == bool


def test_what_remains_of_a_bag_that_was_cut_finds_its_own_notes(tmp_path, random):
    sequence = NotedSequence(random)
    write_bag(sequence, tmp_path / 'whole')
    rows = []
    with AnyReader([tmp_path / 'whole'], default_typestore=messages.typestore()) as reader:
        for connection, received, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            if received >= sequence.stamps[5] or message.__msgtype__ == messages.STRING:
                rows.append((connection.topic, received, message))
    back = BagSequence(write_messages(tmp_path / 'cut', rows))
    np.testing.assert_array_equal(back.boxes, sequence.boxes[5:])
    np.testing.assert_equal((back.tags, back.values),
                            ({name: one[5:] for name, one in sequence.tags.items()},
                             {name: one[5:] for name, one in sequence.values.items()}))


def test_trials_of_a_bag_are_those_of_its_sequence(tmp_path, random):
    sequence = NotedSequence(random)
    write_bag(sequence, tmp_path / 'bag')
    tre = TemporalRobustness(shortest=2)
    assert tre.trials(BagSequence(tmp_path / 'bag')) == tre.trials(sequence)
    sequence.values.pop(INIT_OMIT)
    assert tre.trials(BagSequence(tmp_path / 'bag')) != tre.trials(sequence)


@pytest.mark.parametrize('text', ['no JSON', '[]', '{"targets": []}',
                                  '{"targets": {"1": {}}, "stamps": []}'])
def test_notes_of_somebody_else_are_named(tmp_path, text):
    stamps = camera_stamps(2)
    path = write_messages(tmp_path / 'bag', image_rows(stamps) + truth_rows(stamps) + [
        ('/ground_truth/sequence', int(stamps[0]), messages.make_string(text))])
    with pytest.raises(SequenceError, match='/ground_truth/sequence is not what dataset_to_bag'):
        open_sequences(path)


def test_region_that_disagrees_with_the_detections_does_not_count(tmp_path):
    stamps = camera_stamps(2)
    rows = image_rows(stamps) + truth_rows(stamps)
    rows += [('/ground_truth/region', int(stamp), messages.make_region(box))
             for stamp, box in zip(stamps, ([50, 50, 10, 10], [1, 1, 10, 10]))]
    assert BagSequence(write_messages(tmp_path / 'bag', rows)).boxes[:, 0].tolist() == [0, 1]


def test_turned_boxes_become_the_upright_box_around_them():
    detection = messages.make_detections([10, 20, 30, 40], 1).detections[0]
    detection.bbox.center.theta = 0.3
    corners = np.array([[-15, -20], [15, -20], [15, 20], [-15, 20]])
    turned = corners @ np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
    expected = [*(turned.min(axis=0) + [25, 40]), *np.ptp(turned, axis=0)]
    np.testing.assert_allclose(messages.detection_box(detection), expected, atol=1e-12)


def test_match_stamps_against_a_plain_search(random):
    times = np.sort(random.choice(10 ** 6, 200, replace=False)).astype(np.int64)
    stamps = random.integers(0, 10 ** 6, 150)
    half = np.median(np.diff(times)) / 2
    for time, chosen in zip(times, match_stamps(times, stamps)):
        distance = np.abs(stamps - time)
        if chosen < 0:
            assert distance.min() > half
        else:
            assert distance[chosen] == distance.min() <= half


@pytest.mark.parametrize('stamps, words', [([0, 0, 0], '3 images without a stamp'),
                                           ([10, 30, 20], 'do not increase at image 2'),
                                           ([10, 10, 20], 'do not increase at image 1')])
def test_unusable_stamps_give_way_to_receive_times(tmp_path, caplog, stamps, words):
    received = [1000, 2000, 3000]
    rows = image_rows(stamps, received=received) + truth_rows(stamps, received=received)
    with caplog.at_level(logging.WARNING):
        back = BagSequence(write_messages(tmp_path / 'bag', rows))
    assert back.stamps.tolist() == received and words in caplog.text
    assert np.isfinite(back.boxes).all()


def test_image_topics(tmp_path):
    stamps = camera_stamps(2)
    none = write_messages(tmp_path / 'none', truth_rows(stamps))
    with pytest.raises(SequenceError, match=r'no image topic .* /ground_truth \(vision_msgs'):
        open_sequences(none)
    two = write_messages(tmp_path / 'two',
                         image_rows(stamps, '/left') + image_rows(stamps[:1], '/right'))
    with pytest.raises(SequenceError, match='several image topics, /left, /right'):
        open_sequences(two)
    assert len(open_sequences(two, image_topic='right')[0]) == 1
    with pytest.raises(SequenceError, match='no topic /up of sensor_msgs.*; it has /left'):
        open_sequences(two, image_topic='/up')
    with pytest.raises(SequenceError, match='no topic /gt of vision_msgs'):
        open_sequences(two, image_topic='/left', ground_truth_topic='/gt')


def test_a_damaged_frame_is_named(tmp_path):
    rows = image_rows(camera_stamps(3))
    rows[1][2].data = rows[1][2].data[:10]
    back = BagSequence(write_messages(tmp_path / 'bag', rows))
    images = back.images()
    next(images)
    with pytest.raises(ImageError, match='topic /camera/image, frame 1: image has 10 bytes'):
        next(images)


@pytest.mark.parametrize('share', [0.3, 0.6, 0.9])
def test_truncated_mcap_says_what_is_whole_and_can_be_repaired(tmp_path, random, share):
    sequence = MemorySequence(random, frames=600)
    write_bag(sequence, tmp_path / 'bag', compressed=False)
    file = tmp_path / 'bag' / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:int(share * file.stat().st_size)])
    for path in (tmp_path / 'bag', file):
        with pytest.raises(SequenceError, match=r'cut short .* At least \d+ messages') as raised:
            open_sequences(path)
    counted = repair_mcap(file, tmp_path / 'saved.mcap')
    assert f'At least {counted} messages' in str(raised.value)
    saved, = open_sequences(tmp_path / 'saved.mcap')
    assert abs(counted - 1 - 3 * len(saved)) < 3
    assert share - 0.2 < len(saved) / 600 <= share
    np.testing.assert_array_equal(saved.boxes[:-1], sequence.boxes[:len(saved) - 1])
    np.testing.assert_array_equal(np.stack(list(saved.images())),
                                  sequence.pictures[:len(saved)])
    with pytest.raises(SequenceError, match='exists already'):
        repair_mcap(file, tmp_path / 'saved.mcap')


@pytest.mark.parametrize('name', ['x.mcap', 'x.db3', 'x.bag'])
@pytest.mark.parametrize('content', [b'', b'\x89MCAP0\r\n', b'nothing like a bag' * 9])
def test_files_that_are_no_bags(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SequenceError, match=name):
        open_sequences(tmp_path / name)


def test_truncated_sqlite3(tmp_path, random):
    write_bag(MemorySequence(random, frames=100), tmp_path / 'bag', 'sqlite3', compressed=False)
    file = tmp_path / 'bag' / 'bag.db3'
    file.write_bytes(file.read_bytes()[:file.stat().st_size // 2])
    with pytest.raises(SequenceError, match='bag cannot be read'):
        open_sequences(tmp_path / 'bag')


def test_read_detections_takes_the_best_and_lists_topics(tmp_path):
    array = messages.make_detections([1, 2, 3, 4], 7)
    array.detections.append(messages.make_detections([5, 6, 7, 8], 7).detections[0])
    array.detections[0].results[0].hypothesis.score = 0.4
    array.detections[1].id = 'second'
    path = write_messages(tmp_path / 'bag', [
        ('/d', 5, array), ('/d', 9, messages.make_detections([np.nan] * 4, 0))])
    found = read_detections(path, 'd')
    assert found.stamps.tolist() == [7, 9] and found.ids == ['second', '']
    np.testing.assert_array_equal(found.boxes, [[5, 6, 7, 8], [np.nan] * 4])
    with pytest.raises(SequenceError, match='no topic /e .* it has /d'):
        read_detections(path, 'e')
