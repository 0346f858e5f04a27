"""What the tests of the node share: a tracker that reads coded images, a running node."""
from contextlib import contextmanager
from dataclasses import dataclass
import os
from pathlib import Path
import subprocess
import sys
import threading
import time

from coded_images import coded_image, header, read_code
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import SetParametersAtomically
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

import tracking_nodes
from tracking_nodes.nodes.conversions import (
    best_hypothesis, box_to_message, detection, image_message, message_to_box,
    stamp_to_nanoseconds)
from tracking_nodes.nodes.qos import LATCHED
from tracking_nodes.nodes.tracker_node import TrackerNode
from tracking_nodes.parameters import setting, Settings
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Location, Tracker

from vision_msgs.msg import Detection2D, Detection2DArray

SECOND = 1_000_000_000
# Of no account on an idle machine; a full one takes its time.
PATIENCE = 30.0


@dataclass(frozen=True)
class FrameCodeSettings(Settings):
    """Parameters of the test tracker."""

    delay: float = setting(0.0, 'time to locate, seconds', minimum=0.0, live=True)
    start_delay: float = setting(0.0, 'time to start, seconds', minimum=0.0, live=True)
    warm_up_delay: float = setting(0.0, 'time to warm up, seconds', minimum=0.0)
    fail_on: int = setting(-1, 'number of the frame to fail on', live=True)
    frozen: int = setting(1, 'cannot be changed while configured')


class FrameCodeTracker(Tracker):
    """Answers with the number in the image as y, so that a wrong frame shows; remembers calls."""

    settings_class = FrameCodeSettings
    calls = []

    def warm_up(self, width=640, height=480):
        """Take the time that was asked for."""
        time.sleep(self.settings.warm_up_delay)
        super().warm_up(width, height)

    def _start(self, image, box):
        self._box = box
        time.sleep(self.settings.start_delay)
        self.calls.append(('start', read_code(image)[0]))

    def _locate(self, image):
        number, score = read_code(image)
        self._number = number
        time.sleep(self.settings.delay)
        if number == self.settings.fail_on:
            raise RuntimeError(f'told to fail on frame {number}')
        self.calls.append(('locate', number))
        return Location(np.array([self._box[0], number, *self._box[2:]]), score, score >= 0.2)

    def _learn(self):
        self.calls.append(('learn', self._number))
        return True

    def _relocate(self, box):
        self._box = box

    def _reset(self):
        self._box, self._number = None, None


class UpsideDownTracker(FrameCodeTracker):
    """Fails in every call, as a tracker with a bug would."""

    def warm_up(self, width=640, height=480):
        """Leave the bug for the first real frame."""

    def _start(self, image, box):
        raise ValueError('told to fail at the start')


def register_test_trackers():
    """Make the trackers of this module known to the registry of this process."""
    registry._ENTRIES['frame_code'] = registry.Entry(
        'node_harness', 'FrameCodeTracker', 'reads the number in the image')
    registry._ENTRIES['upside_down'] = registry.Entry(
        'node_harness', 'UpsideDownTracker', 'always fails')
    registry._ENTRIES['hungry'] = registry.Entry(
        'hungry_tracker', 'HungryTracker', 'runs out of GPU memory')


class Client(Node):
    """The outside of a tracker node: camera, viewer and operator in one."""

    def __init__(self, context=None, node_name='tracker', image_qos=10):
        super().__init__('client', context=context)
        self.answers, self.states, self.diagnostics, self.logs = [], [], [], []
        self.own = f'/{node_name}'
        self.image = self.create_publisher(Image, '/image', image_qos)
        self.create_subscription(Detection2DArray, f'{self.own}/detections',
                                 self.answers.append, 1000)
        self.create_subscription(String, f'{self.own}/state',
                                 lambda message: self.states.append(message.data), LATCHED)
        self.create_subscription(Log, '/rosout', lambda log: self.logs.append(log.msg), 100)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._diagnosed, 10)

    def _diagnosed(self, message):
        self.diagnostics.extend(status for status in message.status
                                if status.name == f'{self.own}: tracker')

    def send(self, image, stamp, publisher=None):
        """Publish an image under a stamp in ns."""
        (publisher or self.image).publish(image_message(image, header(stamp)))

    def status(self):
        """Return (level, words, values) of the newest diagnostics."""
        newest = self.diagnostics[-1]
        return newest.level, newest.message, {item.key: item.value for item in newest.values}

    def meet(self, nodes=1, timeout=120.0):
        """
        Wait until a node that became active just now and this client know each other.

        Its latched state is the proof: a node that has found the reader of its states has found
        the one of its answers, which was there before.

        :param nodes: how many the middleware believes in, killed ones included.
        """
        wait(lambda: self.states and self.count_publishers(f'{self.own}/detections') >= nodes
             and (self.image is None or self.image.get_subscription_count() >= nodes), timeout)

    def forget_camera(self):
        """Publish no images any more, so that this is nobody's camera."""
        self.destroy_publisher(self.image)
        self.image = None


def init_message(box, stamp=0, class_id=''):
    """Return the Detection2D that asks for a target."""
    message = Detection2D(header=header(stamp), bbox=box_to_message(box))
    if class_id:
        message.results = candidate(box, class_id, 1.0).results
    return message


def candidate(box, class_id, score):
    """Return one box of a detector."""
    return detection(header(0), box, score, class_id, '')


@dataclass(frozen=True)
class Answer:
    """One message of ~/detections, unpacked; box, score, class and id are None when empty."""

    stamp: int
    frame_id: str
    box: np.ndarray | None = None
    score: float | None = None
    class_id: str | None = None
    identity: str | None = None

    @staticmethod
    def of(message):
        """Unpack a Detection2DArray."""
        stamp, frame_id = stamp_to_nanoseconds(message.header.stamp), message.header.frame_id
        if not message.detections:
            return Answer(stamp, frame_id)
        (only,) = message.detections
        hypothesis = best_hypothesis(only)
        return Answer(stamp, frame_id, message_to_box(only.bbox), hypothesis.score,
                      hypothesis.class_id, only.id)


class Operator:
    """
    What is asked of a node from outside, by a `Client` that is spun elsewhere.

    client: the `Client`.
    """

    def __init__(self, client):
        self.client = client
        self._services = {}

    def call(self, kind, name, request):
        """Call a service of the node."""
        if name not in self._services:
            self._services[name] = self.client.create_client(kind, f'{self.client.own}/{name}')
        service = self._services[name]
        assert service.wait_for_service(PATIENCE)
        future = service.call_async(request)
        wait(future.done)
        return future.result()

    def transition(self, label):
        """Change the lifecycle state; return whether it worked."""
        number = getattr(Transition, f'TRANSITION_{label.upper()}')
        request = ChangeState.Request(transition=Transition(id=number))
        return self.call(ChangeState, 'change_state', request).success

    def lifecycle(self):
        """Return the label of the lifecycle state."""
        return self.call(GetState, 'get_state', GetState.Request()).current_state.label

    def trigger(self, name):
        """Call ~/reset or ~/stop."""
        return self.call(Trigger, name, Trigger.Request())

    def set_learning(self, learning):
        """Freeze or resume."""
        return self.call(SetBool, 'set_learning', SetBool.Request(data=learning))

    def set_parameters(self, **parameters):
        """Set parameters together; a double underscore stands for a dot."""
        request = SetParametersAtomically.Request(parameters=[
            Parameter(name.replace('__', '.'), value=value).to_parameter_msg()
            for name, value in parameters.items()])
        return self.call(SetParametersAtomically, 'set_parameters_atomically', request).result

    def answer_to(self, stamp):
        """Wait for the `Answer` to a stamp."""
        return Answer.of(wait(lambda: next(
            (message for message in self.client.answers
             if stamp_to_nanoseconds(message.header.stamp) == stamp), None)))

    def publisher(self, kind, topic):
        """Return a publisher whose subscription is matched."""
        publisher = self.client.create_publisher(kind, topic, 10)
        wait(lambda: publisher.get_subscription_count() > 0)
        return publisher

    def diagnosed(self, check):
        """Wait until the diagnostics (level, words, values) pass a check and return them."""
        def passing():
            return self.client.diagnostics and check(*self.client.status())
        wait(passing)
        return self.client.status()


class Bench(Operator):
    """A tracker node and a client on one executor in a thread; use it in a `with` statement."""

    def __init__(self, active=True, image_qos=10, arguments=(), **parameters):
        register_test_trackers()
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        # Best effort, the node's own default, may lose an image on a full machine.
        values = {'tracker': 'frame_code', 'diagnostics_period': 0.1, 'max_age': 0.0,
                  'image_qos': 'reliable',
                  'qos_overrides./candidates.subscription.reliability': 'reliable', **parameters}
        self.node = TrackerNode(
            context=self.context, cli_args=['--ros-args', *arguments] if arguments else None,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()])
        super().__init__(Client(self.context, image_qos=image_qos))
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._executor.add_node(self.client)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._active = active
        self._stamp = time.time_ns()
        self._closing = False
        self._others = []
        self.sent = []

    def _spin(self):
        while not self._closing:
            self._executor.spin_once(timeout_sec=0.05)

    def __enter__(self):
        self._thread.start()
        try:
            if self._active:
                assert self.transition('configure') and self.transition('activate')
                self.client.meet()
        except BaseException:
            # A node that stays would answer in place of that of the next test.
            self.__exit__()
            raise
        FrameCodeTracker.calls.clear()
        return self

    def __exit__(self, *failure):
        self._closing = True
        self._thread.join()
        assert self.node.release(5.0)
        self._executor.shutdown()
        self.node.destroy_node()
        for other in (self.client, *self._others):
            other.destroy_node()
        rclpy.shutdown(context=self.context)

    def add(self, node):
        """Let a node of the same context take part until the end; return it."""
        self._executor.add_node(node)
        self._others.append(node)
        return node

    def next_stamp(self):
        """Return a stamp 33 ms after the one before."""
        self._stamp += SECOND // 30
        return self._stamp

    def send(self, number, score=1.0, **size):
        """Publish a coded image, return its stamp."""
        stamp = self.next_stamp()
        self.sent.append(stamp)
        self.client.send(coded_image(number, score, **size), stamp)
        return stamp

    def ask(self, number, score=1.0, **size):
        """Publish a coded image and return the `Answer` to it."""
        return self.answer_to(self.send(number, score, **size))

    def start(self, box=(100, 80, 40, 30), number=1):
        """Give a target on a new image; return the answer to that image."""
        init = self.publisher(Detection2D, '/tracker/init')
        stamp = self.send(number)
        self.answer_to(stamp)
        init.publish(init_message(box, stamp))
        wait(lambda: self.node._worker.requests.start_pending)
        return self.ask(number + 1)


@contextmanager
def spun_client():
    """Return a `Client` that an executor spins in a thread of its own."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node, executor = Client(context), SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
        thread.join(5)


def wait(check, timeout=PATIENCE):
    """Return the first true value of a function, or fail."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f'waited {timeout} s in vain')


def compressed(image_bytes, stamp):
    """Return a JPEG CompressedImage."""
    return CompressedImage(header=header(stamp), format='jpeg', data=image_bytes)


def start_node(*arguments, **options):
    """
    Start the node in a process of its own.

    :param arguments: after --ros-args.
    :param options: of subprocess.Popen.
    """
    return start_program('node_process.py', '--ros-args', *arguments, **options)


def start_program(file, *arguments, **options):
    """Start a program of this folder in a process of its own; options are subprocess.Popen's."""
    root = str(Path(tracking_nodes.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get('PYTHONPATH')]))
    return subprocess.Popen([sys.executable, str(Path(__file__).with_name(file)), *arguments],
                            env={**os.environ, 'PYTHONPATH': path}, **options)
