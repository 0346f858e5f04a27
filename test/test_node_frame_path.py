"""The way of an image through the node: nothing copied, nothing blocked, and how long it took."""
import threading
import time

from coded_images import coded_image, header
import cv2
from node_harness import Bench, compressed, FrameCodeTracker, SECOND, wait
import numpy as np
import pytest
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from small_trackers import clip, quick
import torch

from tracking_nodes.nodes import worker as module
from tracking_nodes.nodes.conversions import image_message, nanoseconds_to_stamp
from tracking_nodes.online import background
from tracking_nodes.trackers.edcf import Edcf

BOX = '100, 80, 40, 30'


@pytest.fixture
def located(monkeypatch):
    """Return the images the tracker was given and the messages they were decoded from."""
    seen, locate, decode = {'images': [], 'messages': []}, FrameCodeTracker._locate, \
        module.decode_image

    def kept_image(self, image):
        seen['images'].append(image)
        return locate(self, image)

    def kept_message(message, *limits):
        seen['messages'].append(message)
        return decode(message, *limits)

    monkeypatch.setattr(FrameCodeTracker, '_locate', kept_image)
    monkeypatch.setattr(module, 'decode_image', kept_message)
    return seen


@pytest.mark.parametrize('padding, copied', [(0, False), (6, True)])
def test_the_tracker_sees_the_memory_of_a_bgr8_message_without_padding(located, padding, copied):
    with Bench(init_box=BOX) as bench:
        bench.ask(1)
        pixels = coded_image(2)
        rows = np.pad(pixels.reshape(240, -1), ((0, 0), (0, padding)))
        stamp = bench.next_stamp()
        bench.client.image.publish(Image(
            header=header(stamp), height=240, width=320, encoding='bgr8', step=960 + padding,
            data=rows.tobytes()))
        assert bench.answer_to(stamp).box[1] == 2
        image, message = located['images'][-1], located['messages'][-1]
        np.testing.assert_array_equal(image, pixels)
        assert np.shares_memory(image, np.frombuffer(message.data, np.uint8)) is not copied


@pytest.mark.parametrize('kind', ['raw', 'compressed'])
def test_images_are_decoded_by_the_worker_and_not_in_the_callback(monkeypatch, kind):
    name = 'decode_compressed' if kind == 'compressed' else 'decode_image'
    decode, threads = getattr(module, name), []

    def watched(*arguments):
        threads.append(threading.get_ident())
        return decode(*arguments)

    monkeypatch.setattr(module, name, watched)
    with Bench(active=False, init_box=BOX, image_transport=kind) as bench:
        assert bench.transition('configure') and bench.transition('activate')
        wait(lambda: bench.client.count_publishers('/tracker/detections') == 1)
        stamp = bench.next_stamp()
        if kind == 'raw':
            bench.client.send(coded_image(7), stamp, bench.publisher(Image, '/image'))
        else:
            camera = bench.publisher(CompressedImage, '/image/compressed')
            camera.publish(compressed(cv2.imencode('.jpg', coded_image(7))[1].tobytes(), stamp))
        bench.answer_to(stamp)
        assert threads == [bench.node._worker._thread.ident]
        assert threads[0] != bench._thread.ident


def test_a_tracker_that_takes_long_blocks_no_callback(monkeypatch):
    gate, locate = threading.Event(), FrameCodeTracker._locate

    def held(self, image):
        assert gate.wait(60)
        return locate(self, image)

    with Bench(init_box=BOX) as bench:
        bench.ask(1)
        monkeypatch.setattr(FrameCodeTracker, '_locate', held)
        health = bench.node._health
        before = health.received
        for number in range(1, 11):
            bench.send(1 + number)
            wait(lambda: health.received == before + number)
        assert bench.set_learning(False).success and bench.set_parameters(max_age=60.0).successful
        reports = len(bench.client.diagnostics)
        wait(lambda: len(bench.client.diagnostics) > reports + 1)
        # The worker is still in the first of them.
        assert health.processed == 1
        gate.set()
        assert bench.answer_to(bench.sent[-1]).box[1] == 11
        assert bench.diagnosed(lambda *status: True)[2]['dropped: superseded'] == '8'


def test_a_callback_takes_no_time_however_large_the_image():
    with Bench(active=False) as bench:
        assert bench.transition('configure') and bench.transition('activate')
        # Nobody decodes: the worker is stopped.
        assert bench.node._worker.stop(5.0)
        message = image_message(np.zeros((2160, 3840, 3), np.uint8), header(SECOND))
        took = []
        for number in range(50):
            message.header = header(SECOND * (number + 1))
            begin = time.perf_counter()
            bench.node._images._raw_received(message)
            took.append(time.perf_counter() - begin)
        # A copy of its 25 megabytes alone takes several times as long.
        assert np.median(took) < 1e-3
        assert bench.node._images.slot.take(0.0).message is message


def test_diagnostics_have_the_percentiles_of_stamp_to_published():
    late = [10, 20, 30, 40, 50, 60, 70, 80, 90, 250]
    with Bench(init_box=BOX, use_sim_time=True) as bench:
        clock = bench.publisher(Clock, '/clock')
        for number, milliseconds in enumerate(late, 1):
            stamp = 100 * SECOND + number * SECOND
            now = stamp + milliseconds * 1_000_000
            clock.publish(Clock(clock=nanoseconds_to_stamp(now)))
            wait(lambda: bench.node.get_clock().now().nanoseconds == now)
            bench.client.send(coded_image(number), stamp)
            bench.answer_to(stamp)
        _, _, values = bench.diagnosed(
            lambda *status: status[2].get('images answered') == str(len(late)))
    # Simulated time stands still while an image is answered, so these are exact.
    for rank in (50, 95, 99):
        assert float(values[f'image stamp to published p{rank} (ms)']) == pytest.approx(
            np.percentile(late, rank), abs=0.001)


def test_the_threads_asked_for_hold_where_frames_are_answered_and_where_is_learned(monkeypatch):
    before, seen = (torch.get_num_threads(), cv2.getNumThreads()), {}

    def watch(where, name, key):
        original = getattr(where, name)

        def watched(*arguments):
            seen[key] = torch.get_num_threads(), cv2.getNumThreads()
            return original(*arguments)
        monkeypatch.setattr(where, name, watched)
    watch(background, '_train', 'learning')
    watch(Edcf, '_locate', 'frames')
    images, boxes = clip()
    values = {f'edcf.{name}': value for name, value in quick('edcf').items()}
    try:
        with Bench(tracker='edcf', device='cpu', threads=3,
                   init_box=', '.join(map(str, boxes[0])), **values) as bench:
            for image in images[:4]:
                stamp = bench.next_stamp()
                bench.client.send(image, stamp)
                bench.answer_to(stamp)
            wait(lambda: 'learning' in seen)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
    assert seen == {'learning': (3, 3), 'frames': (3, 3)}
