"""The launch files, run by the real launch from an installation as colcon makes it."""
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from tracking_nodes.nodes.conversions import (
    image_message, message_to_box, nanoseconds_to_stamp, stamp_to_nanoseconds)
from tracking_nodes.sequences.bags import write_bag
from tracking_nodes.sequences.synthetic import SyntheticSequence

launch = pytest.importorskip(
    'launch.launch_description_sources', reason='ros2/launch cannot be imported here')
pytest.importorskip('launch_ros.actions', reason='ros2/launch_ros cannot be imported here')

ROOT = Path(__file__).resolve().parent.parent
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
file, *arguments = sys.argv[1:]
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    file, launch_arguments=[argument.split(':=', 1) for argument in arguments])]))
sys.exit(service.run())
"""
FILES = ('tracker.launch.py', 'evaluate_bag.launch.py')


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    """Return a prefix the package is installed into by its setup.py, as colcon calls it."""
    folder = tmp_path_factory.mktemp('installation')
    (folder / 'build').mkdir()
    subprocess.run(
        [sys.executable, 'setup.py', '-q', 'egg_info', '--egg-base', folder / 'build',
         'build', '--build-base', folder / 'build' / 'python',
         'install', '--prefix', folder / 'install', '--single-version-externally-managed',
         '--record', folder / 'install.log'], cwd=ROOT, check=True)
    return folder / 'install'


@pytest.fixture
def run(prefix, tmp_path):
    """Return a function that starts an installed launch file with arguments."""
    site, = prefix.glob('lib/python3*/site-packages')
    paths = [str(site), *filter(None, [os.environ.get('PYTHONPATH')])]
    prefixes = [str(prefix), *filter(None, [os.environ.get('AMENT_PREFIX_PATH', sys.prefix)])]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(paths),
                   'AMENT_PREFIX_PATH': os.pathsep.join(prefixes),
                   'ROS_LOG_DIR': str(tmp_path / 'log')}
    started = []

    def start(file, **arguments):
        path = prefix / 'share' / 'tracking_nodes' / 'launch' / file
        process = subprocess.Popen(
            [sys.executable, '-c', RUN, path,
             *(f'{key}:={value}' for key, value in arguments.items())],
            env=environment, cwd=tmp_path, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)


@pytest.mark.parametrize('file', FILES)
def test_every_argument_is_described(file):
    description = launch.get_launch_description_from_python_launch_file(
        str(ROOT / 'launch' / file))
    arguments = {argument.name: argument for argument in description.get_launch_arguments()}
    assert {'namespace', 'log_level', 'device', 'models'} <= set(arguments)
    for argument in arguments.values():
        assert argument.description and argument.description != 'no description given'
    without_default = {name for name, argument in arguments.items()
                       if argument.default_value is None}
    assert without_default == ({'bags'} if file == 'evaluate_bag.launch.py' else set())


def test_tracker_launch_answers_images(run):
    process = run('tracker.launch.py', tracker='static', name='eye', namespace='/front',
                  image='/camera/image', init_box='30, 40, 50, 60', device='cpu')
    rclpy.init()
    node = rclpy.create_node('camera')
    answers = []
    node.create_subscription(Detection2DArray, '/front/eye/detections', answers.append, 10)
    camera = node.create_publisher(Image, '/camera/image', 10)
    image = np.full((240, 320, 3), 90, np.uint8)
    stamp, end = 5_000_000_000, time.monotonic() + 60
    try:
        while len(answers) < 3 and time.monotonic() < end:
            assert process.poll() is None, process.stdout.read()
            message = image_message(image, Image().header)
            stamp += 33_000_000
            message.header.stamp = nanoseconds_to_stamp(stamp)
            message.header.frame_id = 'optical'
            camera.publish(message)
            rclpy.spin_once(node, timeout_sec=0.05)
    finally:
        node.destroy_node()
        rclpy.shutdown()
    assert len(answers) >= 3
    boxes = [message_to_box(answer.detections[0].bbox) for answer in answers]
    np.testing.assert_allclose(boxes, [[30, 40, 50, 60]] * len(boxes))
    assert {answer.header.frame_id for answer in answers} == {'optical'}
    stamps = [stamp_to_nanoseconds(answer.header.stamp) for answer in answers]
    assert stamps == sorted(set(stamps)) and stamps[-1] <= stamp
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert 'process has finished cleanly' in output, output


def test_evaluate_bag_launch_writes_results_and_ends(run, tmp_path):
    write_bag(SyntheticSequence(frames=8), tmp_path / 'clip')
    process = run('evaluate_bag.launch.py', bags=f"['{tmp_path / 'clip'}']",
                  trackers="['static', 'static:again']", output=tmp_path / 'results', seed=3)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    summary = json.loads((tmp_path / 'results' / 'summary.json').read_text())
    assert set(summary) == {'static', 'again'}
    assert summary['static']['sequences']['clip']['frames'] == 8
    record = json.loads((tmp_path / 'results' / 'static' / 'clip_run.json').read_text())
    assert record['made_by']['runtime']['seed'] == 3


def test_evaluate_bag_launch_needs_bags(run, tmp_path):
    process = run('evaluate_bag.launch.py', output=tmp_path / 'results')
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert 'bags' in output and not (tmp_path / 'results').exists()
