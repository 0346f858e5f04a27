"""The tracker node's ~/predicted: which box, under which stamp, by which clock."""
import math
from types import SimpleNamespace

from coded_images import coded_image
import cv2
from node_harness import Answer, Bench, FrameCodeTracker, SECOND, stamp_to_nanoseconds, wait
import numpy as np
import pytest
from rosgraph_msgs.msg import Clock

from tracking_nodes.nodes.compensation import Compensation
from tracking_nodes.nodes.conversions import nanoseconds_to_stamp
from tracking_nodes.nodes.parameters import NodeSettings
from tracking_nodes.trackers.base import Location

from vision_msgs.msg import Detection2DArray

BOX = '100, 80, 40, 30'
STEP = SECOND // 25


def faded(seconds):
    """Return the seconds for which a velocity that fades within 0.2 s moves a box."""
    return 0.2 * (1 - math.exp(-seconds / 0.2))


class Simulation:
    """A node under simulated time, whose clock is late against the images as one says."""

    def __init__(self, bench):
        self._bench, self._clock = bench, bench.publisher(Clock, '/clock')
        self.predicted = []
        bench.client.create_subscription(Detection2DArray, '/tracker/predicted',
                                         self.predicted.append, 100)
        wait(lambda: bench.client.count_publishers('/tracker/predicted') == 1
             and bench.node.count_subscribers('/tracker/predicted') == 1)

    def send(self, number, stamp, late):
        """Send an image when the clock stands `late` ns after its stamp."""
        self._clock.publish(Clock(clock=nanoseconds_to_stamp(stamp + late)))
        wait(lambda: self._bench.node.get_clock().now().nanoseconds == stamp + late)
        self._bench.client.send(coded_image(number), stamp)
        return self._bench.answer_to(stamp)

    def answer(self):
        """Return the newest prediction as an `Answer`, and forget it."""
        return Answer.of(wait(lambda: self.predicted and self.predicted.pop()))


@pytest.fixture(params=['kalman', 'flow'])
def simulation(request):
    with Bench(init_box=BOX, use_sim_time=True, compensation=request.param,
               compensation_limit=0.1) as bench:
        yield Simulation(bench)


def test_the_box_is_moved_to_the_nodes_clock_and_stamped_with_it(simulation):
    # The tracker answers with the image's number as y: 3 pixels every 40 ms.
    for index in range(12):
        stamp, late = 100 * SECOND + index * STEP, 60_000_000
        there = simulation.send(3 * index, stamp, late)
        now = simulation.answer()
        assert (there.stamp, now.stamp) == (stamp, stamp + late)
        assert (now.frame_id, now.identity, now.score) == ('camera', '1', there.score)
    np.testing.assert_allclose(now.box - there.box, [0, 75 * faded(0.06), 0, 0], atol=0.3)
    # The limit is 100 ms.
    later = simulation.send(36, 100 * SECOND + 12 * STEP, 500_000_000)
    now = simulation.answer()
    assert now.stamp == later.stamp + 100_000_000
    np.testing.assert_allclose(now.box - later.box, [0, 75 * faded(0.1), 0, 0], atol=0.4)


def test_a_lost_target_is_not_predicted_and_images_from_the_future_are_not_moved(simulation):
    for index in range(6):
        there = simulation.send(3 * index, 100 * SECOND + index * STEP, -STEP)
        now = simulation.answer()
        assert now.stamp == there.stamp
        np.testing.assert_allclose(now.box, there.box)
    simulation._bench.trigger('stop')
    simulation.send(30, 101 * SECOND, STEP)
    assert simulation.answer().box is None


def test_without_compensation_nothing_is_predicted():
    with Bench(init_box=BOX) as bench:
        predicted = []
        bench.client.create_subscription(Detection2DArray, '/tracker/predicted',
                                         predicted.append, 10)
        wait(lambda: bench.node.count_subscribers('/tracker/predicted') == 1)
        for number in range(1, 6):
            bench.ask(number)
        assert not predicted


def test_images_that_carry_a_late_box_to_now_teach_the_velocity():
    with Bench(init_box='', compensation='kalman', use_sim_time=True) as bench:
        simulation = Simulation(bench)
        assert bench.set_parameters(frame_code__start_delay=0.4).successful
        bench.set_parameters(init_box=BOX)
        begin = 200 * SECOND
        for index in range(10):
            simulation._clock.publish(Clock(clock=nanoseconds_to_stamp(begin + index * STEP)))
            bench.client.send(coded_image(4 * index), begin + index * STEP)
            wait(lambda: len(bench.node._images.buffer) == index + 1)
        there = bench.answer_to(begin + 9 * STEP)
        wait(lambda: any(stamp_to_nanoseconds(message.header.stamp) >= there.stamp
                         for message in simulation.predicted))
        assert ('locate', 20) in FrameCodeTracker.calls
        box, stamp = bench.node._worker._first._compensation.at(there.stamp, there.stamp + STEP)
        assert stamp == there.stamp + STEP
        assert box[1] - there.box[1] == pytest.approx(4, abs=0.5)


def test_a_change_of_size_is_no_velocity():
    with Bench(init_box=BOX, compensation='kalman') as bench:
        for number in range(1, 6):
            bench.ask(number)
        there = bench.ask(6, width=640, height=480)
        compensation = bench.node._worker._first._compensation
        box, _ = compensation.at(there.stamp, there.stamp + SECOND // 10)
        np.testing.assert_allclose(box, there.box)


def test_clocks_that_cannot_be_compared_move_nothing():
    compensation = Compensation(NodeSettings(compensation='kalman'))
    for index in range(5):
        location = Location(np.array([10.0 + 5 * index, 20, 30, 40]), 1.0, True)
        compensation.take(SECOND + index * STEP, None, location)
    last = SECOND + 4 * STEP
    for now in (0, 10 ** 6 * SECOND, last - SECOND // 2):
        box, stamp = compensation.at(last, now)
        assert stamp == last
        np.testing.assert_allclose(box, location.box)
    assert compensation.at(last, last + STEP)[0][0] > location.box[0] + 3


def test_flow_in_the_node_follows_a_camera_that_turns():
    noise = np.random.default_rng(0).integers(0, 256, (60, 150, 3), np.uint8)
    ground = cv2.resize(noise, (600, 240), interpolation=cv2.INTER_CUBIC)
    found = {}
    for kind in ('kalman', 'flow'):
        compensation = Compensation(NodeSettings(compensation=kind))
        for index in range(24):
            # It stands, and turns by 6 pixels an image from the 20th on.
            offset = 6 * max(0, index - 19)
            box = np.array([200.0 - offset, 90, 40, 40])
            compensation.take(SECOND + index * STEP, ground[:, offset:offset + 320].copy(),
                              SimpleNamespace(box=box, present=True))
        found[kind] = abs(compensation.at(SECOND + 23 * STEP, SECOND + 24 * STEP)[0][0]
                          - (box[0] - 6))
    assert found['flow'] < 2 and found['flow'] < 0.7 * found['kalman']
