"""What the outside may not do: ask for memory by a header, or for files beside the output."""
import resource

from coded_images import header
import cv2
from node_harness import Bench
import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import Image

from tracking_nodes.errors import ImageError, SequenceError
from tracking_nodes.image_headers import stated_size
from tracking_nodes.imaging import decode_bytes, decode_image
from tracking_nodes.nodes.detection_recorder import DetectionRecorder
from tracking_nodes.sequences.lazy import LazySequence
from tracking_nodes.sequences.synthetic import SyntheticSequence

SUFFIXES = ('.jpg', '.png', '.bmp', '.webp', '.tiff', '.ppm', '.pgm')
OUTSIDE = ('../x', '/tmp/x', 'a/b', '..', '.', '', 'a\0b', 'a\\b', 'a\nb')


def encoded(suffix, width=37, height=23):
    """Return an image file's bytes."""
    channels = () if suffix == '.pgm' else (3,)
    image = np.random.default_rng(0).integers(0, 256, (height, width, *channels), dtype=np.uint8)
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_the_head_of_every_format_says_the_size_and_the_limit_counts(suffix):
    data = encoded(suffix)
    assert stated_size(data) == (37, 23)
    assert decode_bytes(data, 37 * 23).shape == (23, 37, 3)
    with pytest.raises(ImageError, match='37x23 has more than 850 pixels'):
        decode_bytes(data, 850)


@pytest.mark.parametrize('form', [1, 50, 101])
def test_webp_sizes_are_read_in_each_of_its_forms(form):
    image = np.random.default_rng(0).integers(0, 256, (23, 37, 3), dtype=np.uint8)
    data = cv2.imencode('.webp', image, [cv2.IMWRITE_WEBP_QUALITY, form])[1].tobytes()
    assert stated_size(data) == (37, 23)
    flagged = b'RIFF\0\0\0\0WEBPVP8X' + b'\x0a\0\0\0' + b'\0' * 4 + b'\x24\0\0' + b'\x16\0\0'
    assert stated_size(flagged) == (37, 23)


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_a_head_cut_short_anywhere_is_an_error_in_words(suffix):
    data = encoded(suffix)
    for length in range(min(60, len(data))):
        with pytest.raises(ImageError):
            decode_bytes(data[:length])


def test_fill_bytes_do_not_hide_the_size_of_a_jpeg():
    data = encoded('.jpg')
    filled = data[:2] + b'\xff' * 50 + data[2:]
    assert stated_size(filled) == (37, 23)


def grown_by(action):
    """Return the megabytes by which the largest memory of this process grew."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    action()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def refused(function, *arguments):
    """Call a function that has to refuse its image."""
    with pytest.raises(ImageError):
        function(*arguments)


def test_a_head_that_states_a_gigantic_image_costs_no_memory():
    png = bytearray(encoded('.png'))
    png[16:24] = (32000).to_bytes(4, 'big') * 2
    jpeg = bytearray(encoded('.jpg'))
    place = jpeg.index(b'\xff\xc0')
    jpeg[place + 5:place + 9] = (32000).to_bytes(2, 'big') * 2
    bmp = bytearray(encoded('.bmp'))
    bmp[18:26] = (32000).to_bytes(4, 'little') * 2
    message = Image(width=2 ** 31, height=2 ** 31, step=2 ** 32 - 1, encoding='bgr8', data=b'abc')
    assert grown_by(lambda: [refused(decode_bytes, bytes(data)) for data in (png, jpeg, bmp)]) < 50
    assert grown_by(lambda: refused(decode_image, message)) < 50


def test_the_nodes_limit_counts_at_once_and_is_said_in_words():
    with Bench(init_box='100, 80, 40, 30') as bench:
        bench.ask(1)
        assert bench.set_parameters(max_image_pixels=1000).successful
        bench.send(2)
        _, words, _ = bench.diagnosed(lambda *status: 'fault: bad_image' in status[2])
        assert '320x240 has more than 1000 pixels' in words
        bench.client.image.publish(Image(
            header=header(bench.next_stamp()), width=2 ** 32 - 1, height=2 ** 32 - 1,
            step=2 ** 32 - 1, encoding='mono8', data=b'abc'))
        bench.diagnosed(lambda *status: status[2].get('fault: bad_image') == '2')
        assert bench.set_parameters(max_image_pixels=320 * 240).successful
        assert bench.ask(3).identity == '1'


class Renamed(SyntheticSequence):
    """A sequence that calls itself what its source says."""

    def __init__(self, name):
        super().__init__(frames=2)
        super(SyntheticSequence, self).__init__(name, self.boxes, self.stamps)


@pytest.mark.parametrize('name', OUTSIDE)
def test_no_sequence_has_a_name_that_leads_out_of_the_folder_of_its_results(name):
    with pytest.raises(SequenceError, match='cannot name a sequence'):
        Renamed(name)
    with pytest.raises(SequenceError, match='cannot name a sequence'):
        LazySequence(name, 'somewhere', None)


@pytest.mark.parametrize('name', ['Crossing', 'car-1 (2)', 'Jogging.1', '..a', 'für'])
def test_other_names_stay_as_they_are(name):
    assert Renamed(name).name == name


def test_the_recorder_refuses_a_label_that_leads_out_of_its_results(tmp_path):
    rclpy.init(args=['--ros-args', '-p', 'label:=../elsewhere', '-p', f'results:={tmp_path}',
                     '-p', f'sequence:={tmp_path}'])
    try:
        with pytest.raises(SequenceError, match='../elsewhere'):
            DetectionRecorder()
    finally:
        rclpy.shutdown()
