"""The whole path over DDS: player, tracker node and recorder as processes of their own."""
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from tracking_nodes.evaluation.results import read_boxes, read_result
from tracking_nodes.nodes import demo
from tracking_nodes.nodes.conversions import detection, detections, stamp_to_nanoseconds
from tracking_nodes.nodes.qos import RELIABLE
from tracking_nodes.sequences.bags import BagSequence, read_detections, write_bag
from tracking_nodes.sequences.synthetic import SyntheticSequence

from vision_msgs.msg import Detection2DArray

FRAMES = 12


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Return the folder of a short bag with compressed images and ground truth."""
    path = tmp_path_factory.mktemp('bags') / 'clip'
    write_bag(SyntheticSequence(frames=FRAMES), path)
    return path


@pytest.fixture
def listener():
    """Return an rclpy node that an executor spins in the background."""
    rclpy.init()
    node, executor = rclpy.create_node('listener'), SingleThreadedExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    yield node
    executor.shutdown()
    thread.join()
    node.destroy_node()
    rclpy.try_shutdown()


def start(name, *arguments):
    """Start a node of the package."""
    return subprocess.Popen(
        [sys.executable, '-m', f'tracking_nodes.nodes.{name}', '--ros-args', *arguments],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))


def test_demo_answers_every_frame_and_leaves_all_files(bag, tmp_path, capfd):
    out = tmp_path / 'out'
    assert demo.main(['--bag', str(bag), '--tracker', 'static', '--out', str(out)]) == 0
    truth = BagSequence(bag).boxes
    result = read_result(out, 'static', 'clip')
    np.testing.assert_allclose(result.truth, truth)
    np.testing.assert_allclose(read_boxes(out / 'static' / 'clip.txt'), [truth[0]] * FRAMES,
                               atol=1e-3)
    assert result.record['made_by']['frames without an answer'] == 0
    summary = json.loads((out / 'summary.json').read_text())['static']
    assert summary['overall']['frames'] == FRAMES
    # The target leaves the first box slowly, so a box that stays overlaps less and less.
    assert 0.1 < summary['overall']['auc'] < 0.95
    said = capfd.readouterr().out
    for file in ('report.html', 'success.png', 'precision.png', 'video/clip.mp4'):
        assert (out / file).stat().st_size > 1000 and str(out / file) in said


def test_the_chain_over_dds_gives_the_numbers_of_the_offline_evaluation(bag, tmp_path):
    chain, offline = tmp_path / 'chain', tmp_path / 'offline'
    assert demo.main(['--bag', str(bag), '--tracker', 'edcf', '--out', str(chain)]) == 0
    # A process of its own, as the node has: threads are as many.
    subprocess.run([sys.executable, '-m', 'tracking_nodes.cli', 'run', '--tracker', 'edcf',
                    '--device', 'auto', '--out', str(offline), str(bag)], check=True)
    boxes, expected = (read_boxes(folder / 'edcf' / 'clip.txt') for folder in (chain, offline))
    assert len(np.unique(expected, axis=0)) == FRAMES
    np.testing.assert_allclose(boxes, expected, rtol=0, atol=2e-3)
    scores = [json.loads((folder / 'summary.json').read_text())['edcf']['overall']['auc']
              for folder in (chain, offline)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-9)


def test_demo_ends_at_once_with_a_tracker_that_cannot_start(bag, tmp_path, capfd):
    assert demo.main(['--bag', str(bag), '--tracker', 'nonesuch',
                      '--out', str(tmp_path / 'out')]) == 1
    words = capfd.readouterr().err
    assert "no tracker 'nonesuch'" in words
    assert 'demo: the tracker does not become active' in words


def test_sample_bag_is_made_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, 'SyntheticSequence', lambda: SyntheticSequence(frames=3))
    path = demo.sample_bag(None)
    made = (path / 'metadata.yaml').stat().st_mtime_ns
    assert len(BagSequence(path)) == 3
    assert demo.sample_bag(None) == path
    assert (path / 'metadata.yaml').stat().st_mtime_ns == made


@pytest.mark.parametrize('compressed', [False, True])
def test_player_sends_every_frame_with_its_stamp(bag, listener, compressed):
    received = []
    kind, topic = (CompressedImage, '/eye/compressed') if compressed else (Image, '/eye')
    listener.create_subscription(kind, topic, received.append, 50)
    player = start('bag_player', '-p', f'sequence:={bag}', '-p', 'rate:=10.0', '-r', 'image:=/eye',
                   '-p', f'compressed:={str(compressed).lower()}', '-p', 'frame_id:=lens')
    assert player.wait(timeout=60) == 0, player.stderr.read()
    expected = BagSequence(bag)
    stamps = [stamp_to_nanoseconds(message.header.stamp) for message in received]
    assert stamps == expected.stamps.tolist()
    assert {message.header.frame_id for message in received} == {'lens'}
    if compressed:
        bytes_of = [encoded.data for encoded in expected.encoded_images()]
        assert [bytes(message.data) for message in received] == bytes_of
    else:
        for message, image in zip(received, expected.images()):
            assert message.encoding == 'bgr8'
            np.testing.assert_array_equal(np.array(message.data), image.ravel())


@pytest.mark.parametrize('arguments, words', [
    (['-p', 'sequence:=/nowhere'], '/nowhere'),
    ([], 'nothing to replay'),
    (['-p', 'sequence:=BAG', '-p', 'patience:=0.3', '-r', 'image:=/unheard'],
     'nobody subscribed to /unheard within 0.3 s'),
    (['-p', 'sequence:=BAG', '-p', 'patience:=2.5', '-r', 'image:=/unheard'],
     'nobody has subscribed to /unheard so far: waiting for 2.5 s at most'),
])
def test_player_says_what_is_wrong(bag, arguments, words):
    player = start('bag_player', *(word.replace('BAG', str(bag)) for word in arguments))
    _, errors = player.communicate(timeout=60)
    assert player.returncode == 1 and words in errors


def test_recorder_writes_what_it_heard_as_results_and_as_bag(bag, listener, tmp_path):
    publisher = listener.create_publisher(Detection2DArray, '/answers', RELIABLE)
    recorder = start('detection_recorder', '-p', f'sequence:={bag}', '-p', 'label:=mine',
                     '-p', f'results:={tmp_path / "results"}', '-p', f'bag:={tmp_path / "heard"}',
                     '-r', 'detections:=/answers')
    clip = SyntheticSequence(frames=FRAMES)
    wait_for(lambda: publisher.get_subscription_count() == 1)
    header = Image().header
    for index in (0, 1, 4):
        header.stamp.sec, header.stamp.nanosec = divmod(int(clip.stamps[index]), 10 ** 9)
        items = [] if index == 4 else [detection(header, clip.boxes[index], 0.8, 'cup', '7')]
        publisher.publish(detections(header, items))
    publisher.wait_for_all_acked(rclpy.duration.Duration(seconds=5))
    recorder.send_signal(signal.SIGINT)
    output, errors = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, errors
    assert f'3 answers for {FRAMES} frames of clip, {FRAMES - 3} frames without' in output
    heard = read_detections(tmp_path / 'heard', '/answers')
    assert heard.stamps.tolist() == clip.stamps[[0, 1, 4]].tolist()
    assert heard.ids == ['7', '7', '']
    np.testing.assert_allclose(heard.boxes[:2], clip.boxes[:2])
    run = read_result(tmp_path / 'results', 'mine', 'clip').run
    np.testing.assert_allclose(run.boxes[:5], clip.boxes[[0, 1, 1, 1, 1]], atol=1e-3)
    assert run.present[:5].tolist() == [True, True, False, False, False]


def test_recorder_misses_nothing_that_came_while_it_stood_still(bag, listener, tmp_path):
    """The depth of a queue, and what is in it when the recorder is told to end, are no limits."""
    publisher = listener.create_publisher(
        Detection2DArray, '/answers', QoSProfile(depth=FRAMES, reliability=RELIABLE.reliability))
    recorder = start('detection_recorder', '-p', f'sequence:={bag}',
                     '-p', f'results:={tmp_path}', '-r', 'detections:=/answers')
    wait_for(lambda: publisher.get_subscription_count() == 1)
    header, stamps = Image().header, SyntheticSequence(frames=FRAMES).stamps.tolist()
    for stamp in stamps:
        header.stamp.sec, header.stamp.nanosec = divmod(stamp, 10 ** 9)
        publisher.publish(detections(header, []))
        if stamp == stamps[0]:
            # Only once the first is acknowledged does the recorder know of the publisher, too.
            assert publisher.wait_for_all_acked(rclpy.duration.Duration(seconds=30))
            recorder.send_signal(signal.SIGSTOP)
    recorder.send_signal(signal.SIGINT)
    recorder.send_signal(signal.SIGCONT)
    output, errors = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, errors
    assert f'{FRAMES} answers for {FRAMES} frames of clip, 0 frames without' in output


@pytest.mark.parametrize('arguments, words', [
    ([], 'set bag or results'),
    (['-p', 'results:=/tmp/never', '-p', 'sequence:=/nowhere'], '/nowhere'),
    (['-p', 'results:=/tmp/never'], 'results needs sequence'),
])
def test_recorder_says_what_is_missing(arguments, words):
    recorder = start('detection_recorder', *arguments)
    _, errors = recorder.communicate(timeout=60)
    assert recorder.returncode == 1 and words in errors


def wait_for(condition, seconds=30.0):
    """Wait until a condition holds, and fail if it does not."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        pause.wait(0.05)
    pytest.fail('the condition did not come true')
