"""What goes wrong around a robot, one fault after the other; docs/faults.md is the table."""
from array import array
from collections import deque
import json
import resource
import subprocess
import sys
import threading
import time

import cv2
from measure_soak import Soak
from node_harness import (
    Answer, Bench, candidate, coded_image, compressed, FrameCodeTracker, header, init_message,
    SECOND, wait)
import numpy as np
import pytest
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from tracking_nodes.nodes.conversions import image_message, nanoseconds_to_stamp
from tracking_nodes.sequences.bags import write_bag
from tracking_nodes.sequences.synthetic import SyntheticSequence

BOX = (100.0, 80.0, 40.0, 30.0)
FUZZED = 10_000
GOOD_EVERY = 25
ENCODINGS = ('bgr8', 'rgb8', 'mono8', 'mono16', 'bayer_rggb8', 'yuv422', 'yuv422_yuy2', '8UC3',
             '32FC1', '', 'purple17', 'bgra16')
WRONG_SIZES = (0, 1, 7, 100, 201, 601, 2 ** 31, 2 ** 32 - 1)


def test_camera_that_stops_and_comes_back_finds_its_target_again(monkeypatch):
    monkeypatch.setattr('tracking_nodes.nodes.image_input._DISCOVERY', 0.3)
    with Bench() as bench:
        before = bench.start(BOX)
        for number in (10, 20):
            bench.client.destroy_publisher(bench.client.image)
            bench.diagnosed(lambda level, words, _: 'nobody publishes /image' in words)
            bench.client.image = bench.client.create_publisher(Image, '/image', 10)
            wait(lambda: bench.client.image.get_subscription_count() == 1)
            bench.diagnosed(lambda level, words, _: 'nobody publishes' not in words)
            time.sleep(0.2)
            after = bench.ask(number)
            assert (after.identity, after.box[0], after.box[1]) == (before.identity, 100, number)


def test_flood_at_ten_times_the_rate_is_answered_with_the_newest_and_all_is_counted():
    # The tracker manages 30 images a second; 300 a second come.
    with Bench(image_qos=1000, init_box='100, 80, 40, 30') as bench:
        bench.ask(1)
        assert bench.set(frame_code__delay=1 / 30).successful
        begin = time.monotonic()
        for number in range(2, 602):
            bench.send(number)
            time.sleep(max(0.0, begin + (number - 1) / 300 - time.monotonic()))
        last = bench.answer_to(bench.sent[-1])
        assert last.box[1] == 601 and last.identity == '1'
        health, answers = bench.node._health, [Answer.of(each) for each in bench.client.answers]
        assert len(answers) + health.drops['superseded'] + health.drops['lost_on_the_way'] == 601
        assert len(answers) > 30 and len(bench.node._images.buffer) <= 62
        numbers = dict(zip(bench.sent, range(1, 602)))
        assert all(answer.box[1] == numbers[answer.stamp] for answer in answers[1:])


def test_thousand_disordered_stamps_lose_only_what_was_overtaken():
    rng, lost = np.random.default_rng(0), 0
    with Bench(init_box='100, 80, 40, 30') as bench:
        stamp = newest = 1000 * SECOND
        bench.client.send(coded_image(1), stamp)
        bench.answer_to(stamp)
        for number in range(2, 1002):
            stamp = newest + int(rng.choice([SECOND // 30, 0, -SECOND // 20, -100 * SECOND],
                                            p=[0.7, 0.1, 0.15, 0.05]))
            overtaken = 0 < newest - stamp <= SECOND
            lost += overtaken
            bench.client.answers.clear()
            bench.client.send(coded_image(number), stamp)
            if overtaken:
                wait(lambda: bench.node._health.drops['out_of_order'] == lost)
                continue
            newest = stamp
            answer = bench.answer_to(stamp)
            assert (answer.box[1], answer.identity) == (number, '1')
        assert 100 < lost < 200 and set(bench.node._health.drops) == {'out_of_order'}


@pytest.mark.parametrize('ahead, lost', [
    (0.2, 2), (0.9, 2), (1.1, 0), (30, 0), (59, 0), (10 ** 6, 0), (-0.9, 0), (-1.1, 0),
    (-10 ** 6, 0)])
def test_an_image_stamped_in_another_time_costs_at_most_the_two_images_after_it(ahead, lost):
    with Bench(init_box='100, 80, 40, 30', max_age=1.0) as bench:
        before = bench.ask(1)
        bench.client.send(coded_image(2), bench.sent[-1] + round(ahead * SECOND))
        health = bench.node._health
        wait(lambda: health.processed + sum(health.drops.values()) == 2)
        for number in range(3, 3 + lost):
            bench.send(number)
            wait(lambda: health.drops['out_of_order'] == number - 2)
        for number in range(3 + lost, 10):
            answer = bench.ask(number)
            assert (answer.identity, answer.box[1]) == (before.identity, number)


def test_a_clock_that_jumps_ahead_and_back_loses_no_image():
    with Bench(init_box='100, 80, 40, 30', max_age=1.0, use_sim_time=True) as bench:
        clock = bench.publisher(Clock, '/clock')
        answers = []
        for begin in (100, 5000, 100, 101, 2 ** 31 - 10, 50):
            for step in range(4):
                stamp = begin * SECOND + step * SECOND // 30
                clock.publish(Clock(clock=nanoseconds_to_stamp(stamp)))
                wait(lambda: bench.node.get_clock().now().nanoseconds == stamp)
                bench.client.answers.clear()
                bench.client.send(coded_image(len(answers)), stamp)
                answers.append(bench.answer_to(stamp))
        assert {answer.identity for answer in answers} == {'1'}
        assert [answer.box[1] for answer in answers[1:]] == list(range(1, 24))
        assert not bench.node._health.drops


class EverySlot:
    """In place of the newest image every one is worked on, so that none of the bad is spared."""

    def __init__(self):
        self._frames, self._filled = deque(), threading.Condition()

    def put(self, frame):
        with self._filled:
            self._frames.append(frame)
            self._filled.notify()
        return False

    def take(self, timeout):
        with self._filled:
            self._filled.wait_for(lambda: self._frames, timeout)
            return self._frames.popleft() if self._frames else None

    def __len__(self):
        return len(self._frames)


def mutated_image(rng, stamp):
    """Return an image message with one to three of its fields wrong."""
    message = image_message(coded_image(1, width=200, height=24), header(stamp))
    for field in rng.choice(['width', 'height', 'step', 'encoding', 'data', 'endian', 'stamp'],
                            rng.integers(1, 4), replace=False):
        if field in ('width', 'height', 'step'):
            setattr(message, field, int(rng.choice(WRONG_SIZES)))
        elif field == 'encoding':
            message.encoding = str(rng.choice(ENCODINGS))
        elif field == 'data':
            length = int(rng.integers(0, 2 * len(message.data)))
            message.data = array('B', rng.bytes(length))
        elif field == 'endian':
            message.is_bigendian = int(rng.integers(0, 256))
        else:
            near = stamp // SECOND + int(rng.choice([-1, 1])) * int(rng.integers(3, 100))
            message.header.stamp.sec = int(rng.choice([near, rng.integers(-2 ** 31, 2 ** 31)]))
            message.header.stamp.nanosec = int(rng.choice([0, 999_999_999, 2 ** 32 - 1]))
    return message


def mutated_jpeg(rng, stamp, data):
    """Return a compressed image with some bytes changed, and perhaps cut short."""
    data = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(0, len(data), rng.integers(1, 20))
    data[places] = rng.integers(0, 256, len(places))
    data = data[:rng.integers(0, len(data) + 1)] if rng.random() < 0.3 else data
    return compressed(array('B', data.tobytes()), stamp)


def mutated_boxes(rng):
    """Return a detector's message of three boxes with numbers that are none."""
    wild = [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-300, 1e300, 50.0]
    items = [candidate((1, 1, 1, 1), 'dog', float(rng.choice([0.9, np.nan, np.inf, -1])))
             for _ in range(3)]
    for item in items:
        item.bbox.center.position.x, item.bbox.center.position.y = map(float, rng.choice(wild, 2))
        item.bbox.size_x, item.bbox.size_y = map(float, rng.choice(wild, 2))
        item.bbox.center.theta = float(rng.choice([0.0, 0.5, np.nan, np.inf]))
        if rng.random() < 0.2:
            item.results = []
    return Detection2DArray(header=header(0), detections=items)


@pytest.mark.filterwarnings('ignore::RuntimeWarning')
def test_ten_thousand_mutated_images_and_messages_lose_no_good_image():
    rng = np.random.default_rng(0)
    jpeg = cv2.imencode('.jpg', coded_image(1, width=200, height=24))[1].tobytes()
    with Bench(init_box='100, 8, 40, 10', candidates_policy='lost', candidates_confirm=0.5,
               max_image_pixels=100_000) as bench:
        images, starts = bench.node._images, bench.node._starts
        bench.ask(1, width=200, height=24)
        images.slot = EverySlot()
        init, candidates = (subscription.callback for subscription in starts._subscriptions[:2])
        raw, good = images._subscription.callback, []
        for number in range(FUZZED):
            kind = number % 4
            if kind == 0:
                message = mutated_boxes(rng)
                (candidates if rng.random() < 0.5 else lambda each: init(init_message(
                    (1, 1, 10, 10)) if rng.random() < 0.02 else each.detections[0]))(message)
            elif kind == 1:
                images._compressed_received(mutated_jpeg(rng, bench.next_stamp(), jpeg))
            else:
                raw(mutated_image(rng, bench.next_stamp()))
            if number % GOOD_EVERY == 0:
                good.append(1000 + number)
                raw(image_message(coded_image(good[-1], width=200, height=24),
                                  header(bench.next_stamp())))
            wait(lambda: len(images.slot) < 50, timeout=30)
        wait(lambda: not len(images.slot), timeout=30)
        last = bench.ask(7, width=200, height=24)
        seen = {number for _, number in FrameCodeTracker.calls}
        assert set(good) <= seen and len(good) == FUZZED // GOOD_EVERY
        assert last.stamp == bench.sent[-1]
        faults = bench.node._health.faults
        assert faults['bad_image'] > 3000 and faults['bad_box'] > 1000
        assert not faults['tracker_error']


def test_parameter_storm_is_survived_and_wrong_values_never_count():
    rng = np.random.default_rng(0)
    with Bench() as bench:
        bench.start(BOX)
        for number in range(100, 220):
            low, high = (float(value) for value in rng.random(2))
            result = bench.set(score_low=low, score_high=high)
            assert result.successful == (low <= high)
            assert not bench.set(candidates_region='1, 2', max_age=float('nan')).successful
            assert not bench.set(tracker='static').successful
            answer = bench.ask(number)
            assert (answer.identity, answer.box[1]) == ('1', number)
            assert bench.node.settings.candidates_region == ''


def test_missing_weights_are_said_and_repaired_without_a_new_process(tmp_path):
    with Bench(active=False, tracker='edcf', models=str(tmp_path),
               **{'edcf.weights': 'nowhere.safetensors'}) as bench:
        assert not bench.transition('configure')
        _, words, _ = bench.diagnosed(lambda level, words, _: 'nowhere.safetensors' in words)
        assert 'WeightsError' in words and bench.lifecycle() == 'unconfigured'
        assert bench.set(**{'edcf__weights': 'random'}).successful
        assert bench.transition('configure')


def evaluate_bags(bags, out):
    """Return the command that evaluates bags in the offline node."""
    return ['tracking_nodes.nodes.bag_evaluator', '--ros-args',
            '-p', f'bags:={[str(bag) for bag in bags]}', '-p', "trackers:=['static']",
            '-p', f'output:={out}', '-p', 'device:=cpu']


def run_benchmark(bags, out):
    """Return the command that does the same without ROS."""
    return ['tracking_nodes.cli', 'run', '--tracker', 'static', '--device', 'cpu', '--out',
            str(out), *map(str, bags)]


def no_more_than(size):
    """Return what limits the files that a process writes to some bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize('make_command', [evaluate_bags, run_benchmark])
def test_full_disk_ends_an_evaluation_in_words_and_the_same_command_goes_on(
        tmp_path, make_command):
    bags, out = [tmp_path / 'one', tmp_path / 'two'], tmp_path / 'results'
    for bag in bags:
        write_bag(SyntheticSequence(frames=6), bag)
    command = [sys.executable, '-m', *make_command(bags, out)]
    full = subprocess.run(command, text=True, capture_output=True, timeout=60,
                          preexec_fn=no_more_than(3000))
    assert full.returncode == 1 and 'Traceback' not in full.stderr, full.stderr
    assert 'File too large' in full.stderr and 'what is done is kept' in full.stderr
    for path in out.rglob('*.json'):
        json.loads(path.read_text())
    again = subprocess.run(command, text=True, capture_output=True, timeout=60)
    assert again.returncode == 0, again.stderr
    assert set(json.loads((out / 'summary.json').read_text())['static']['sequences']) == {
        'one', 'two'}


@pytest.mark.parametrize('frames', [2000])
def test_soak_leaves_memory_threads_and_files_as_they_were(frames):
    with Soak('frame_code') as soak:
        samples = list(soak.run(frames, frames // 8))
        assert soak.last_answer().box is not None
    settled, last = samples[1], samples[-1]
    assert last.megabytes < settled.megabytes + 8
    assert last.threads <= settled.threads and last.files <= settled.files
