"""The offline node with real rclpy, on real bags: results, resuming, watching, bad bags."""
import json
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from tracking_nodes.cli import main as tracking_benchmark
from tracking_nodes.nodes.bag_evaluator import BagEvaluator
from tracking_nodes.nodes.conversions import message_to_box, stamp_to_nanoseconds
from tracking_nodes.sequences.bags import BagSequence, write_bag
from tracking_nodes.sequences.sequence import Sequence
from tracking_nodes.sequences.synthetic import SyntheticSequence

from vision_msgs.msg import Detection2DArray


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    """Return two bags: mcap with JPEG, sqlite3 with raw images."""
    folder = tmp_path_factory.mktemp('bags')
    write_bag(SyntheticSequence(20, 0), folder / 'clip0')
    write_bag(SyntheticSequence(20, 1), folder / 'clip1', 'sqlite3', compressed=False)
    return [folder / 'clip0', folder / 'clip1']


def arguments(bags, output, *more, trackers=('kcf',)):
    """Return the node's command-line arguments."""
    parameters = (f'bags:={[str(bag) for bag in bags]}', f'output:={output}',
                  f'trackers:={list(trackers)}', *more)
    return ['--ros-args', *(part for parameter in parameters for part in ('-p', parameter))]


def evaluate(bags, output, *more, **rest):
    """Run the node in a process of its own."""
    return subprocess.run(
        [sys.executable, '-m', 'tracking_nodes.nodes.bag_evaluator',
         *arguments(bags, output, *more, **rest)], capture_output=True, text=True, timeout=100)


def test_it_writes_what_the_command_writes(bags, tmp_path):
    ended = evaluate(bags, tmp_path / 'node', trackers=['static', 'kcf:filter'])
    assert ended.returncode == 0, ended.stderr
    assert tracking_benchmark(['run', '--tracker', 'static', '--tracker', 'kcf:filter', '--out',
                               str(tmp_path / 'command'), *map(str, bags)]) == 0
    found, expected = (json.loads((tmp_path / name / 'summary.json').read_text())
                       for name in ('node', 'command'))
    for row in (row for summary in (found, expected) for tracker in summary.values()
                for row in [tracker['overall'], *tracker['sequences'].values()]):
        assert row.pop('fps') > 0
    assert found == expected
    assert list(found['filter']['sequences']) == ['clip0', 'clip1']
    for path in (tmp_path / 'command').glob('*/*[0-9].txt'):
        assert (tmp_path / 'node' / path.relative_to(tmp_path / 'command')).read_bytes() == (
            path.read_bytes())
    assert 'clip1' in (tmp_path / 'node' / 'report.html').read_text()


def test_no_frame_is_lost_and_viewers_see_stamps_of_the_bag(bags, tmp_path):
    seen = {'image': [], 'detections': [], 'ground_truth': []}
    rclpy.init(args=arguments(bags[:1], tmp_path, 'publish:=true', 'frame_id:=eye',
                              trackers=['csrt']))
    try:
        viewer = rclpy.create_node('viewer')
        for name, kind in (('image', Image), ('detections', Detection2DArray),
                           ('ground_truth', Detection2DArray)):
            viewer.create_subscription(kind, f'/bag_evaluator/{name}', seen[name].append, 50)
        executor = SingleThreadedExecutor()
        executor.add_node(viewer)
        thread = threading.Thread(target=executor.spin, daemon=True)
        thread.start()
        node = BagEvaluator()
        end = time.monotonic() + 20
        while node._truth.get_subscription_count() == 0 and time.monotonic() < end:
            time.sleep(0.05)
        node.evaluate()
        while len(seen['ground_truth']) < 10 and time.monotonic() < end:
            time.sleep(0.05)
        executor.shutdown()
        thread.join(timeout=10)
    finally:
        rclpy.try_shutdown()
    bag = BagSequence(bags[0])
    assert len((tmp_path / 'csrt' / 'clip0.txt').read_text().splitlines()) == len(bag) == 20
    rows = {int(stamp): box for stamp, box in zip(bag.stamps, bag.boxes)}
    for messages in seen.values():
        assert len(messages) > 10
        assert all(message.header.frame_id == 'eye' for message in messages)
        assert {stamp_to_nanoseconds(message.header.stamp) for message in messages} <= set(rows)
    for message in seen['ground_truth']:
        truth = rows[stamp_to_nanoseconds(message.header.stamp)]
        np.testing.assert_allclose(message_to_box(message.detections[0].bbox), truth, atol=1e-9)


def test_an_interrupted_evaluation_goes_on(bags, tmp_path):
    command = [sys.executable, '-m', 'tracking_nodes.nodes.bag_evaluator',
               *arguments(bags, tmp_path, trackers=['static', 'mil'])]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not (tmp_path / 'static' / 'clip1_run.json').exists() and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and 'what is done is kept' in errors, errors
    assert not (tmp_path / 'mil' / 'clip1_run.json').exists()
    before = (tmp_path / 'static' / 'clip0_time.txt').read_bytes()
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert (tmp_path / 'static' / 'clip0_time.txt').read_bytes() == before
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert [len(row['sequences']) for row in summary.values()] == [2, 2]


class Unannotated(Sequence):
    """A clip without any ground truth."""

    def __init__(self, clip):
        super().__init__(clip.name, clip.boxes * np.nan, clip.stamps)
        self._clip = clip

    def images(self):
        return self._clip.images()


def no_ground_truth(folder, bag):
    write_bag(Unannotated(SyntheticSequence(5)), folder / 'bare')
    return folder / 'bare', []


def no_image_topic(folder, bag):
    return bag, ['image_topic:=/other/image']


def truncated(folder, bag):
    path = folder / 'short.mcap'
    data = next(bag.glob('*.mcap')).read_bytes()
    path.write_bytes(data[:len(data) // 2])
    return path, []


def no_bag(folder, bag):
    return folder / 'nowhere', []


@pytest.mark.parametrize('damage, words', [
    (no_ground_truth, 'bare: no frame has ground truth'),
    (no_image_topic, '/other/image'),
    (truncated, 'short.mcap'),
    (no_bag, 'nowhere does not exist'),
])
def test_bags_that_cannot_be_evaluated_are_said(bags, tmp_path, damage, words):
    bag, more = damage(tmp_path, bags[0])
    ended = evaluate([bag], tmp_path / 'out', *more, trackers=['static'])
    assert ended.returncode == 1
    assert words in ended.stderr and 'Traceback' not in ended.stderr
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('lines, scored', [(12, 12), (25, 20)])
def test_a_ground_truth_file_may_be_shorter_or_longer(bags, tmp_path, lines, scored):
    clip = SyntheticSequence(25)
    np.savetxt(tmp_path / 'truth.txt', clip.boxes[:lines], fmt='%.3f', delimiter=',')
    ended = evaluate(bags[:1], tmp_path / 'out', f'ground_truth_file:={tmp_path / "truth.txt"}',
                     trackers=['static'])
    assert ended.returncode == 0, ended.stderr
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert summary['static']['overall']['frames'] == scored


@pytest.mark.parametrize('parameter, words', [
    ('output:=""', 'set bags and output'),
    ('seed:=-1', 'seed'),
    ('variant:=mine', "variant = 'mine' is not one of visible"),
    ("settings:=['speed=1']", "no parameter 'speed'"),
])
def test_wrong_parameters_end_with_a_message(bags, tmp_path, parameter, words):
    ended = evaluate(bags, tmp_path, parameter, trackers=['static'])
    assert ended.returncode == 1
    assert words in ended.stderr


def test_parameters_are_described_and_read_only(bags, tmp_path):
    rclpy.init(args=arguments(bags, tmp_path))
    try:
        node = BagEvaluator()
        for name in ('bags', 'trackers', 'settings', 'output', 'seed', 'publish', 'variant'):
            descriptor = node.describe_parameter(name)
            assert descriptor.description and descriptor.read_only
        node.destroy_node()
    finally:
        rclpy.try_shutdown()
