"""The launch files, run by the real launch from an installation as colcon makes it."""
from concurrent.futures import ThreadPoolExecutor
import json
import os
from pathlib import Path
import re
import shutil
import signal
import subprocess
import sys
import time

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import TransitionEvent
from lifecycle_msgs.srv import GetState
import numpy as np
import pytest
from rcl_interfaces.srv import GetParameters
import rclpy
from rclpy.parameter import parameter_value_to_python
from std_msgs.msg import Header

from tracking_nodes.nodes.conversions import (
    detection, detections, image_message, message_to_box, nanoseconds_to_stamp,
    stamp_to_nanoseconds)
from tracking_nodes.sequences.bags import write_bag
from tracking_nodes.sequences.synthetic import SyntheticSequence

from vision_msgs.msg import Detection2DArray

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
FILES = sorted(path.name for path in (ROOT / 'launch').iterdir())
# What cannot have a default.
NEEDED = {'evaluate_bag.launch.py': {'bags'}, 'cameras.launch.py': {'cameras'}}


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
    assert without_default == NEEDED.get(file, set())


class Outside:
    """Cameras, detectors and listeners of a launched system, in one node."""

    def __init__(self):
        self.node = rclpy.create_node('outside')
        self.received, self._publishers = {}, {}
        self._stamp = 5_000_000_000

    def listen(self, kind, topic, profile=10):
        """Collect the messages of a topic."""
        self.received[topic] = []
        self.node.create_subscription(kind, topic, self.received[topic].append, profile)

    def send(self, topics, message):
        """Publish a message on each of the topics under a new stamp."""
        self._stamp += 33_000_000
        message.header = Header(stamp=nanoseconds_to_stamp(self._stamp), frame_id='optical')
        for topic in topics:
            if topic not in self._publishers:
                self._publishers[topic] = self.node.create_publisher(type(message), topic, 10)
            self._publishers[topic].publish(message)
        return self._stamp

    def film(self, process, topics, check, seconds=60):
        """Send images on the topics until a check holds; return its value."""
        image, end = np.full((240, 320, 3), 90, np.uint8), time.monotonic() + seconds
        while time.monotonic() < end:
            assert process.poll() is None, process.stdout.read()
            self.send(topics, image_message(image, Header()))
            rclpy.spin_once(self.node, timeout_sec=0.05)
            value = check()
            if value:
                return value
        raise AssertionError(f'in vain: {self.received}')

    def parameter(self, node, name):
        """Return a parameter of a node."""
        client = self.node.create_client(GetParameters, f'{node}/get_parameters')
        assert client.wait_for_service(20.0)
        future = client.call_async(GetParameters.Request(names=[name]))
        rclpy.spin_until_future_complete(self.node, future, timeout_sec=20.0)
        return parameter_value_to_python(future.result().values[0])


@pytest.fixture
def outside():
    rclpy.init()
    node = Outside()
    yield node
    node.node.destroy_node()
    rclpy.shutdown()


def end(process):
    """Interrupt a launch; return what it said, and check that all its processes ended well."""
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert 'process has finished cleanly' in output and 'has died' not in output, output
    return output


def test_tracker_launch_answers_images(run, outside):
    process = run('tracker.launch.py', tracker='static', name='eye', namespace='/front',
                  image='/camera/image', init_box='30, 40, 50, 60', device='cpu')
    topic = '/front/eye/detections'
    outside.listen(Detection2DArray, topic)
    outside.film(process, ['/camera/image'], lambda: len(outside.received[topic]) >= 3)
    answers = outside.received[topic]
    boxes = [message_to_box(answer.detections[0].bbox) for answer in answers]
    np.testing.assert_allclose(boxes, [[30, 40, 50, 60]] * len(boxes))
    assert {answer.header.frame_id for answer in answers} == {'optical'}
    stamps = [stamp_to_nanoseconds(answer.header.stamp) for answer in answers]
    assert stamps == sorted(set(stamps))
    assert outside.parameter('/front/eye', 'use_sim_time') is False
    end(process)


def test_tracker_launch_takes_the_trackers_own_parameters_from_a_file(run, outside, tmp_path):
    text = (ROOT / 'config' / 'edcf.yaml').read_text()
    changed = tmp_path / 'mine.yaml'
    changed.write_text(re.sub(r'scales: \d+', 'scales: 5', text))
    process = run('tracker.launch.py', tracker_params_file=changed, autostart='false',
                  use_sim_time='true')
    assert outside.parameter('/tracker', 'edcf.scales') == 5
    assert outside.parameter('/tracker', 'score_low') == 0.4
    assert outside.parameter('/tracker', 'use_sim_time') is True
    end(process)


def test_cameras_launch_keeps_the_cameras_apart(run, outside):
    process = run('cameras.launch.py', cameras='front, rear', namespace='robot',
                  tracker='static', candidates='boxes')
    images = ['/robot/front/image_raw', '/robot/rear/image_raw']
    answers = [f'/robot/{camera}/tracker/detections' for camera in ('front', 'rear')]
    for topic in answers:
        outside.listen(Detection2DArray, topic)
    outside.film(process, images, lambda: all(outside.received[topic] for topic in answers))

    def rear_tracks():
        outside.send(['/robot/rear/boxes'], detections(
            Header(), [detection(Header(), (30, 40, 50, 60), 0.9, 'car', '')]))
        return any(answer.detections for answer in outside.received[answers[1]])

    outside.film(process, images, rear_tracks)
    assert not any(answer.detections for answer in outside.received[answers[0]])
    assert outside.received[answers[0]]
    end(process)


def test_cameras_launch_refuses_a_repeated_camera(run):
    output, _ = run('cameras.launch.py', cameras='front,front').communicate(timeout=60)
    assert 'cameras:=front,front has an empty or a repeated name' in output


def test_detector_launch_starts_on_what_the_detector_finds_in_the_region(run, outside):
    process = run('detector.launch.py', tracker='static', candidates='/detector/boxes',
                  candidates_region='0, 0, 160, 240', candidates_class='dog')
    outside.listen(Detection2DArray, '/tracker/detections')

    def tracks():
        outside.send(['/detector/boxes'], detections(Header(), [
            detection(Header(), (200, 40, 50, 60), 0.9, 'dog', ''),
            detection(Header(), (30, 40, 50, 60), 0.8, 'dog', ''),
            detection(Header(), (35, 45, 50, 60), 0.95, 'car', '')]))
        return next((answer.detections[0] for answer in
                     outside.received['/tracker/detections'] if answer.detections), None)

    found = outside.film(process, ['/image'], tracks)
    np.testing.assert_allclose(message_to_box(found.bbox), [30, 40, 50, 60])
    assert outside.parameter('/tracker', 'candidates_policy') == 'lost'
    assert outside.parameter('/tracker', 'candidates_confirm') == 0.5
    end(process)


def test_lifecycle_launch_configures_and_activates_the_node(run, outside):
    process = run('lifecycle.launch.py', tracker='static', init_box='30, 40, 50, 60')
    events = '/tracker/transition_event'
    outside.listen(TransitionEvent, events)
    outside.listen(Detection2DArray, '/tracker/detections')
    outside.film(process, ['/image'], lambda: outside.received['/tracker/detections'])
    goals = [event.goal_state.label for event in outside.received[events]]
    assert goals[-1] == 'active'
    assert outside.parameter('/tracker', 'autostart') is False
    end(process)


def test_lifecycle_launch_may_leave_the_node_ready_and_says_when_it_cannot(run, outside):
    process = run('lifecycle.launch.py', tracker='static', activate='false')
    client = outside.node.create_client(GetState, '/tracker/get_state')
    assert client.wait_for_service(60.0)

    def label():
        future = client.call_async(GetState.Request())
        rclpy.spin_until_future_complete(outside.node, future, timeout_sec=10.0)
        return future.result().current_state.label

    outside.film(process, ['/image'], lambda: label() == 'inactive')
    time.sleep(0.5)
    assert label() == 'inactive'
    end(process)
    process = run('lifecycle.launch.py', tracker='static', device='cuda:99')
    said = ''
    while 'stays unconfigured; its words are above' not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    assert 'cuda:99' in said
    end(process)


def test_demo_launch_replays_on_the_bags_clock_and_ends_without_rviz(run, outside, tmp_path):
    write_bag(SyntheticSequence(frames=30), tmp_path / 'clip')
    process = run('demo_rviz.launch.py', sequence=tmp_path / 'clip', tracker='static', rate=15.0)
    outside.listen(Detection2DArray, '/tracker/detections')
    outside.listen(DiagnosticArray, '/diagnostics')
    with ThreadPoolExecutor() as pool:
        said = pool.submit(process.communicate, timeout=120)
        while not said.done():
            rclpy.spin_once(outside.node, timeout_sec=0.05)
    output, _ = said.result()
    assert process.returncode == 0 and '30 images of clip published' in output, output
    if shutil.which('rviz2') is None:
        assert 'rviz2 is not installed here' in output
    answers = outside.received['/tracker/detections']
    first = SyntheticSequence(frames=1).boxes[0]
    assert len(answers) > 10 and all(answer.detections for answer in answers)
    np.testing.assert_allclose(message_to_box(answers[0].detections[0].bbox), first, atol=0.01)
    values = {item.key: item.value
              for item in outside.received['/diagnostics'][-1].status[0].values}
    # The bag's stamps are of 1970: only the bag's own clock gives them an age.
    assert float(values['image stamp to published p50 (ms)']) < 1000


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
