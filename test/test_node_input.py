"""Images that are late, damaged, unstamped or of another size: said in words, never fatal."""
import math
import time

from coded_images import coded_image, header
import cv2
from node_harness import Bench, compressed, FrameCodeTracker, init_message, SECOND, wait
import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from tracking_nodes.nodes.conversions import image_message
from tracking_nodes.nodes.qos import LATCHED

from vision_msgs.msg import Detection2D

BOX = (100.0, 80.0, 40.0, 30.0)
WARN, ERROR = b'\x01', b'\x02'


@pytest.fixture
def bench():
    with Bench() as running:
        yield running


def damaged(kind, stamp):
    """Return an image message with one fault."""
    message = image_message(coded_image(50), header(stamp))
    if kind == 'truncated':
        message.data = message.data[:1000]
    elif kind == 'wrong step':
        message.step = 100
    elif kind == 'unknown encoding':
        message.encoding = 'purple17'
    elif kind == 'no pixels':
        message.width = message.height = message.step = 0
        message.data = []
    return message


@pytest.mark.parametrize('kind, words', [
    ('truncated', 'bytes'), ('wrong step', 'step'), ('unknown encoding', 'purple17'),
    ('no pixels', '0x0')])
def test_damaged_image_is_counted_in_words_and_the_target_is_kept(bench, kind, words):
    before = bench.start(BOX)
    stamp = bench.next_stamp()
    bench.client.image.publish(damaged(kind, stamp))
    level, text, values = bench.diagnosed(lambda *status: 'fault: bad_image' in status[2])
    assert level == WARN and words in text and '/image' in text
    assert values['dropped: bad_image'] == values['fault: bad_image'] == '1'
    after = bench.ask(3)
    assert (after.identity, after.box[0], after.box[1]) == (before.identity, 100, 3)
    assert all(message.header != header(stamp) for message in bench.client.answers)


def test_truncated_jpeg_is_counted_and_the_target_is_kept():
    with Bench(image_transport='compressed', active=False, init_box='100,80,40,30') as bench:
        camera = bench.client.create_publisher(CompressedImage, '/image/compressed', 10)
        assert bench.transition('configure') and bench.transition('activate')
        wait(lambda: camera.get_subscription_count() == 1)
        data = cv2.imencode('.jpg', coded_image(7))[1].tobytes()
        for piece in (data, data[:len(data) // 2], data):
            stamp = bench.next_stamp()
            camera.publish(compressed(piece, stamp))
            if piece is data:
                answer = bench.answer_to(stamp)
            else:
                wait(lambda: bench.node._health.drops['bad_image'] == 1)
        assert answer.identity == '1' and answer.box[1] == 7


def test_tracker_that_fails_on_a_frame_loses_only_that_frame(bench):
    bench.start(BOX)
    assert bench.set_parameters(frame_code__fail_on=77).successful
    bench.send(77)
    level, text, _ = bench.diagnosed(lambda *status: 'fault: tracker_error' in status[2])
    assert level == ERROR and 'told to fail on frame 77' in text
    assert bench.ask(78).identity == '1'


def test_tracker_that_fails_at_the_start_leaves_an_idle_node():
    with Bench(tracker='upside_down', init_box='100,80,40,30') as bench:
        bench.send(1)
        bench.diagnosed(lambda level, words, _: 'told to fail at the start' in words)
        assert bench.ask(2).box is None


def test_size_change_scales_the_target_and_is_said_once(bench):
    def said():
        return [text for text in bench.client.logs if 'the images changed from' in text]

    bench.start(BOX)
    bigger = bench.ask(3, width=640, height=480)
    np.testing.assert_allclose(bigger.box[[0, 2, 3]], [200, 80, 60])
    assert bench.ask(4, width=640, height=480).box[0] == 200
    wait(said)
    (text,) = said()
    assert 'from 320x240 to 640x480' in text
    wider = bench.ask(5, width=640, height=240)
    np.testing.assert_allclose(wider.box[[0, 2, 3]], [200, 80, 30])
    assert wider.identity == '1'


def test_encodings_may_change_from_frame_to_frame(bench):
    bench.start(BOX)
    colour = coded_image(9)
    grey = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
    for encoding, pixels in (
            ('rgb8', colour[..., ::-1]), ('mono8', grey), ('bgra8', np.dstack([colour, grey])),
            ('mono16', grey.astype(np.uint16) * 257)):
        stamp = bench.next_stamp()
        data = np.ascontiguousarray(pixels)
        bench.client.image.publish(Image(
            header=header(stamp), height=240, width=320, encoding=encoding,
            step=data.strides[0], data=data.tobytes()))
        answer = bench.answer_to(stamp)
        assert (answer.box[1], answer.identity) == (9, '1'), encoding


def test_message_that_breaks_a_callback_is_ignored(bench):
    before = bench.start(BOX)
    init = bench.publisher(Detection2D, '/tracker/init')
    message = init_message((1, 1, 10, 10))
    message.bbox.center.theta = math.inf
    init.publish(message)
    bench.diagnosed(lambda level, words, values: '/tracker/init' in words
                    and values['fault: bad_message'] == '1')
    assert bench.ask(3).identity == before.identity


def test_wrong_qos_override_is_said_and_the_node_stays():
    with Bench(active=False, arguments=[
            '-p', 'qos_overrides./image.subscription.reliability:=perhaps']) as bench:
        assert bench.transition('configure') and not bench.transition('activate')
        bench.diagnosed(lambda level, words, _: 'perhaps' in words and level == ERROR)
        assert bench.lifecycle() == 'unconfigured'


def test_stale_images_are_dropped_counted_and_explained():
    with Bench(max_age=0.5) as bench:
        old = time.time_ns() - 3 * SECOND
        bench.client.send(coded_image(1), old)
        level, words, values = bench.diagnosed(lambda *status: 'dropped: stale' in status[2])
        assert level == WARN and 'max_age' in words and values['dropped: stale'] == '1'
        assert not bench.client.answers
        fresh = time.time_ns()
        bench.client.send(coded_image(2), fresh)
        assert bench.answer_to(fresh).stamp == fresh
        bench.diagnosed(lambda level, words, _: 'max_age' not in words)
        assert bench.set_parameters(max_age=10.0).successful
        late = time.time_ns() - 3 * SECOND
        bench.client.send(coded_image(3), late)
        assert bench.answer_to(late).stamp == late


def test_clocks_that_cannot_be_compared_drop_nothing_and_are_explained():
    with Bench(max_age=0.5) as bench:
        bench.client.send(coded_image(1), 1000 * SECOND)
        assert bench.answer_to(1000 * SECOND).frame_id == 'camera'
        _, words, values = bench.diagnosed(lambda level, words, _: 'use_sim_time' in words)
        assert 'ages are not computed' in words
        assert values['image stamp to published p50 (ms)'] == 'unknown'
        assert values['queue p50 (ms)'] != 'unknown'


def test_latency_is_measured_against_the_nodes_clock(bench):
    stamp = time.time_ns() - SECOND // 4
    bench.client.send(coded_image(1), stamp)
    bench.answer_to(stamp)
    _, _, values = bench.diagnosed(lambda *status: status[2].get('images answered') == '1')
    assert 250 <= float(values['image stamp to published p50 (ms)']) < 1000


def test_unstamped_images_are_answered_and_explained(bench):
    bench.start(BOX)
    bench.client.send(coded_image(30), 0)
    answer = bench.answer_to(0)
    assert answer.box[1] == 30
    bench.diagnosed(lambda level, words, _: 'no time stamp' in words and level == WARN)


def test_stamps_that_repeat_or_go_back_are_explained(bench):
    stamp = bench.send(1)
    bench.answer_to(stamp)
    bench.client.send(coded_image(2), stamp)
    _, words, _ = bench.diagnosed(lambda *status: 'fault: stamp_repeated' in status[2])
    assert 'repeat the stamp' in words
    bench.client.send(coded_image(3), stamp - SECOND // 10)
    _, _, values = bench.diagnosed(lambda *status: 'dropped: out_of_order' in status[2])
    assert values['fault: stamp_out_of_order'] == '1'
    bench.client.send(coded_image(4), stamp - 100 * SECOND)
    bench.answer_to(stamp - 100 * SECOND)
    bench.diagnosed(lambda *status: 'fault: stamp_jumped_back' in status[2])
    assert len(bench.node._images.buffer) == 1


def test_reliable_node_and_best_effort_camera_is_said_in_words():
    with Bench(image_qos=qos_profile_sensor_data, active=False) as bench:
        assert bench.set_parameters(image_qos='reliable').successful
        assert bench.transition('configure') and bench.transition('activate')
        _, words, _ = bench.diagnosed(lambda level, words, _: 'reliability' in words)
        assert 'publisher on /image offers less reliability' in words
        assert 'Set image_qos to sensor_data' in words
        assert 'qos_overrides./image.subscription.reliability to best_effort' in words


def test_qos_override_repairs_the_mismatch():
    with Bench(image_qos=qos_profile_sensor_data, active=False, arguments=[
            '-p', 'qos_overrides./image.subscription.reliability:=best_effort']) as bench:
        assert bench.set_parameters(image_qos='reliable').successful
        assert bench.transition('configure') and bench.transition('activate')
        wait(lambda: bench.client.image.get_subscription_count() == 1)
        time.sleep(0.3)
        assert bench.ask(1).frame_id == 'camera'


def test_images_lost_by_the_middleware_are_counted_and_explained(bench):
    bench.node._images._lost(20)
    bench.node._images._lost(15)
    _, words, values = bench.diagnosed(lambda *status: 'dropped: lost_on_the_way' in status[2])
    assert values['dropped: lost_on_the_way'] == '35'
    assert '35 of 35 images were lost' in words and 'image_qos to reliable' in words


def test_subscription_that_asks_too_much_is_said_in_words(bench):
    bench.client.create_subscription(Image, '/tracker/debug_image', lambda message: None, LATCHED)
    _, words, _ = bench.diagnosed(lambda level, words, _: 'durability' in words)
    assert 'subscription to /tracker/debug_image asks for more durability' in words


def test_silence_of_the_camera_is_said_in_words(monkeypatch):
    monkeypatch.setattr('tracking_nodes.nodes.image_input._DISCOVERY', 0.3)
    with Bench(active=False, arguments=['-r', 'image:=/front/image'],
               image_transport='raw') as bench:
        assert bench.transition('configure') and bench.transition('activate')
        bench.diagnosed(lambda level, words, _: 'nobody publishes /front/image:' in words)
        bench.client.create_publisher(CompressedImage, '/front/image/compressed', 10)
        bench.diagnosed(lambda level, words, _: 'set image_transport to auto' in words)


def test_simulated_time_without_a_clock_is_explained():
    with Bench(use_sim_time=True) as bench:
        stamp = bench.send(1)
        bench.answer_to(stamp)
        bench.diagnosed(lambda level, words, _: 'nothing arrives on /clock' in words)


def test_state_is_published_on_change_only(bench):
    seen = []
    bench.client.create_subscription(
        String, '/tracker/state', lambda message: seen.append(message.data), LATCHED)
    wait(lambda: seen)
    bench.start(BOX)
    for number in range(3, 9):
        bench.ask(number)
    wait(lambda: 'tracking' in seen)
    assert seen == ['idle', 'tracking']
    assert ('locate', 8) in FrameCodeTracker.calls
