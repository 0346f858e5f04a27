"""The parts of the tracker node that need no ROS graph: state, frames, requests, health, words."""
from itertools import pairwise
import math
import time
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from node_harness import candidate
import numpy as np
import pytest

from tracking_nodes.errors import BoxError, ImageError
from tracking_nodes.geometry import iou
from tracking_nodes.nodes.candidates import choose, suitable
from tracking_nodes.nodes.conversions import (
    box_to_message, message_to_box, nanoseconds_to_stamp, stamp_to_nanoseconds)
from tracking_nodes.nodes.diagnostics import judge
from tracking_nodes.nodes.drawing import draw
from tracking_nodes.nodes.frames import age, explain_clock, Frame, FrameBuffer, NewestSlot
from tracking_nodes.nodes.frames import spread, StampOrder
from tracking_nodes.nodes.health import FrameTimes, Health
from tracking_nodes.nodes.image_input import choose_transport, image_topics
from tracking_nodes.nodes.qos import explain
from tracking_nodes.nodes.requests import Forget, parse_box, Requests, StartRequest, TwoClicks
from tracking_nodes.nodes.start_inputs import candidates_allowed
from tracking_nodes.nodes.target import Target
from tracking_nodes.trackers.base import Location
from tracking_nodes.trackers.presence import Presence, State, Thresholds
from tracking_nodes.trackers.static import StaticTracker

from vision_msgs.msg import BoundingBox2D, Detection2DArray

SECOND = 1_000_000_000
THRESHOLDS = Thresholds(low=0.4, high=0.6, lost_after=3)
BOX = np.array([10.0, 20, 30, 40])


class Log:
    """A logger that keeps what it is told."""

    def __init__(self):
        self.texts = []

    def error(self, text):
        self.texts.append(('error', text))

    def warning(self, text):
        self.texts.append(('warning', text))

    def info(self, text):
        self.texts.append(('info', text))


def states(scores, absent=()):
    presence = Presence()
    presence.begin()
    return [presence.update(Location(BOX, score, index not in absent), THRESHOLDS).value
            for index, score in enumerate(scores)]


def frame(stamp, size=10, received=None):
    message = SimpleNamespace(data=bytes(size), header=None)
    return Frame(message, False, stamp, stamp / SECOND if received is None else received)


def test_scores_between_the_thresholds_never_change_the_state():
    rng = np.random.default_rng(3)
    wobble = list(rng.uniform(0.4, 0.6, 200))
    assert set(states(wobble)) == {'tracking'}
    assert states([0.3, *wobble])[1:] == ['uncertain'] * 200
    assert states([0.0] * 3 + wobble)[3:] == ['lost'] * 200


def test_doubts_in_a_row_lose_the_target_and_one_sure_frame_finds_it():
    assert states([0.9, 0.3, 0.3, 0.9, 0.3, 0.3, 0.3, 0.5, 0.6]) == [
        'tracking', 'uncertain', 'uncertain', 'tracking', 'uncertain', 'uncertain', 'lost',
        'lost', 'tracking']


def test_a_target_said_to_be_absent_is_a_doubt_whatever_its_score():
    assert states([0.9] * 5, absent=(1, 2, 3)) == [
        'tracking', 'uncertain', 'uncertain', 'lost', 'tracking']


@given(st.lists(st.floats(0, 1), max_size=60))
def test_a_flicker_needs_a_swing_across_both_thresholds(scores):
    for (before, score), (after, _) in pairwise(zip(states(scores), scores[1:] + [0])):
        if 0.4 <= score < 0.6:
            assert after == before


def test_target_numbers_every_start_and_scales_with_the_image():
    target = Target(StaticTracker(), THRESHOLDS)
    image = np.zeros((100, 200, 3), np.uint8)
    assert target.state is State.IDLE and target.progress.age is None
    target.start(image, BOX, 'dog')
    assert (target.epoch, target.state, target.class_id) == (1, State.TRACKING, 'dog')
    assert target.follow(image) is None
    assert target.follow(np.zeros((300, 400, 3), np.uint8)) == (200, 100)
    np.testing.assert_allclose(target.location.box, BOX * [2, 3, 2, 3])
    target.start(image, BOX, 'cat')
    assert target.epoch == 2
    target.forget()
    assert not target.given and target.state is State.IDLE


def test_target_survives_a_start_that_is_refused():
    target = Target(StaticTracker(), THRESHOLDS)
    image = np.zeros((100, 200, 3), np.uint8)
    target.start(image, BOX, 'dog')
    with pytest.raises(BoxError):
        target.start(image, (500, 0, 10, 10), 'cat')
    with pytest.raises(ImageError):
        target.start(image[..., 0], BOX, 'cat')
    assert (target.epoch, target.class_id, target.given) == (1, 'dog', True)
    np.testing.assert_allclose(target.location.box, BOX)


def test_slot_keeps_the_newest_and_says_what_it_replaced():
    slot = NewestSlot()
    assert slot.take(0.0) is None and not slot.filled
    assert [slot.put(number) for number in (1, 2, 3)] == [False, True, True]
    assert slot.filled and slot.take(1.0) == 3 and slot.take(0.0) is None


def test_buffer_is_bounded_in_time_and_in_bytes():
    buffer = FrameBuffer(seconds=1.0, limit_bytes=1000)
    for index in range(100):
        buffer.append(frame(SECOND + index * SECOND // 10))
    assert len(buffer) == 11 and buffer.span()[1] - buffer.span()[0] == SECOND
    for index in range(100, 110):
        buffer.append(frame(SECOND + index * SECOND // 10, size=400))
    assert len(buffer) == 2
    buffer.append(frame(30 * SECOND, size=5000))
    assert len(buffer) == 1 and buffer.newest().size == 5000
    buffer.append(frame(0))
    assert len(buffer) == 1 and buffer.newest().stamp == 0


def test_buffer_finds_by_stamp_and_what_came_between():
    buffer = FrameBuffer(10.0, 10 ** 6)
    frames = [frame(SECOND * second) for second in range(1, 7)]
    for item in frames:
        buffer.append(item)
    assert buffer.nearest(3 * SECOND, 0.0) is frames[2]
    assert buffer.nearest(3 * SECOND + SECOND // 50, 0.05) is frames[2]
    assert buffer.nearest(3 * SECOND + SECOND // 10, 0.05) is None
    assert buffer.between(frames[1], frames[4]) == frames[2:4]
    buffer.clear()
    assert buffer.nearest(SECOND, 100.0) is None and buffer.span() == (0, 0)


@given(st.integers(0, 200), st.integers(0, 40))
def test_spread_is_even_and_ends_with_the_last(length, count):
    chosen = spread(list(range(length)), count)
    assert len(chosen) == min(length, count)
    if chosen:
        assert chosen[-1] == length - 1
        steps = np.diff([-1, *chosen])
        assert steps.min() >= 1 and steps.max() - steps.min() <= 1


def test_stamp_order_tells_an_overtaken_frame_from_a_new_clock():
    order = StampOrder(jump_seconds=1.0)
    words = [order.judge(int(second * SECOND)) for second in (
        100, 100.1, 100.1, 100.05, 0, 100.2, 50, 50.1)]
    assert words == ['ok', 'ok', 'repeated', 'out_of_order', 'missing', 'ok', 'jumped_back', 'ok']


def test_ages_are_computed_only_where_clocks_can_be_compared():
    now = 10 ** 6 * SECOND
    assert age(now, now - SECOND // 2) == pytest.approx(0.5)
    assert age(now, 0) is None and age(0, now) is None
    assert age(now, now - 3600 * SECOND) is None and age(now, now + 5 * SECOND) is None
    assert 'no time stamp' in explain_clock(now, 0, False)
    assert '/clock' in explain_clock(0, now, True)
    words = explain_clock(now, now - 3600 * SECOND, False)
    assert '3600 s behind' in words and 'use_sim_time' in words
    assert '5 s ahead' in explain_clock(now, now + 5 * SECOND, False)


def test_requests_keep_only_the_latest_word():
    requests = Requests()
    first, second = (StartRequest(BOX, '~/init', 'a') for _ in range(2))
    detected = StartRequest(BOX, 'candidates', 'a', automatic=True)
    requests.start(first)
    requests.start(detected)
    assert requests.take(with_start=True) == (None, first)
    requests.start(detected)
    requests.start(second)
    assert requests.take(with_start=False) == (None, None) and requests.start_pending
    requests.forget(Forget.STOP)
    assert requests.take(with_start=True) == (Forget.STOP, None)
    requests.start(second)
    requests.keep(first)
    assert requests.take(with_start=True) == (None, second)
    requests.keep(first)
    assert requests.take(with_start=True) == (None, first)


def test_two_clicks_in_any_order_make_a_box_and_an_old_click_is_forgotten():
    clicks = TwoClicks(patience=5.0)
    assert clicks.click(50, 10, now=0.0) is None
    np.testing.assert_array_equal(clicks.click(20, 40, now=1.0), [20, 10, 30, 30])
    assert clicks.click(1, 1, now=2.0) is None
    assert clicks.click(9, 9, now=8.0) is None
    np.testing.assert_array_equal(clicks.click(5, 7, now=9.0), [5, 7, 4, 2])


def test_init_box_is_four_numbers_with_an_area():
    np.testing.assert_array_equal(parse_box(' 1, 2 3.5,4 '), [1, 2, 3.5, 4])
    assert parse_box('  ') is None
    for text in ('1 2 3', 'a b c d', '1 2 0 4', '1 2 nan 4', '1 2 -3 4'):
        with pytest.raises(BoxError, match='init_box|four numbers'):
            parse_box(text)


def test_candidates_pass_by_policy_class_and_score():
    assert candidates_allowed('idle', State.IDLE, held=False)
    assert not candidates_allowed('idle', State.IDLE, held=True)
    assert not candidates_allowed('idle', State.LOST, held=False)
    assert candidates_allowed('lost', State.LOST, held=False)
    assert not candidates_allowed('lost', State.TRACKING, held=False)
    assert not candidates_allowed('never', State.IDLE, held=False)
    message = Detection2DArray(detections=[
        candidate((0, 0, 5, 5), 'car', 0.9), candidate((1, 0, 5, 5), 'dog', 0.6),
        candidate((2, 0, 5, 5), 'dog', 0.8), candidate((3, 0, 5, 5), 'dog', math.nan)])
    found = choose(suitable(message, ('dog',), 0.5))
    assert found.box[0] == 2 and found.score == 0.8
    assert choose(suitable(message, (), 0.5)).class_id == 'car'
    assert choose(suitable(message, ('cat',), 0.0)) is None
    assert choose(suitable(message, (), 0.95)) is None


@given(st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4))
def test_boxes_survive_the_message(values):
    box = np.array([*values[:2], *np.abs(values[2:])])
    np.testing.assert_allclose(message_to_box(box_to_message(box)), box, atol=1e-9)


def test_message_boxes_have_their_centre_at_x_plus_half_the_width():
    message = box_to_message((10, 20, 5, 8))
    assert (message.center.position.x, message.center.position.y) == (12.5, 24.0)
    assert (message.size_x, message.size_y, message.center.theta) == (5.0, 8.0, 0.0)


@pytest.mark.parametrize('theta', [0.0, 0.3, math.pi / 2, -2.0])
def test_turned_message_box_becomes_the_box_around_it(theta):
    message = BoundingBox2D(size_x=40.0, size_y=10.0)
    message.center.position.x, message.center.position.y = 100.0, 50.0
    message.center.theta = theta
    corners = np.array([[20, 5], [20, -5], [-20, -5], [-20, 5]])
    turn = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    corners = corners @ turn.T + [100, 50]
    expected = [*corners.min(axis=0), *np.ptp(corners, axis=0)]
    assert iou(message_to_box(message), expected) == pytest.approx(1.0)


@given(st.integers(0, 2 ** 31 * SECOND - 1))
def test_stamps_survive_the_message(nanoseconds):
    assert stamp_to_nanoseconds(nanoseconds_to_stamp(nanoseconds)) == nanoseconds


def test_compressed_topic_comes_from_the_remapped_base():
    expected = {'raw': '/front/image', 'compressed': '/front/image/compressed'}
    assert image_topics('/front/image') == expected
    assert image_topics('/front/image/compressed') == expected


@pytest.mark.parametrize('asked, current, raw, packed, chosen', [
    ('raw', None, 0, 1, 'raw'), ('compressed', None, 1, 0, 'compressed'),
    ('auto', None, 0, 0, 'raw'), ('auto', 'raw', 0, 1, 'compressed'),
    ('auto', None, 1, 1, 'raw'), ('auto', 'compressed', 1, 1, 'compressed'),
    ('auto', 'compressed', 0, 0, 'compressed'), ('auto', 'compressed', 1, 0, 'raw')])
def test_transport_is_the_one_with_a_publisher(asked, current, raw, packed, chosen):
    assert choose_transport(asked, current, {'raw': raw, 'compressed': packed}) == chosen


def test_qos_words_name_the_topic_the_policy_and_the_way_out():
    words = explain('/image', 'RELIABILITY', 'publisher')
    assert 'qos_overrides./image.subscription.reliability to best_effort' in words
    assert 'durability' in explain('/image', 'DURABILITY', 'subscription')


def test_faults_are_all_counted_but_logged_once_in_a_while():
    log = Log()
    health = Health(log)
    for number in range(100):
        health.fault('bad_image', f'number {number}')
        health.fault('bad_box', f'number {number}')
    assert health.faults == {'bad_image': 100, 'bad_box': 100}
    assert [text for _, text in log.texts] == [
        'number 0 (bad_image, 1 so far)', 'number 0 (bad_box, 1 so far)']
    assert health.last_fault[1:] == ('bad_box', 'number 99')


def test_notices_are_logged_when_they_begin_and_can_end():
    log = Log()
    health = Health(log)
    health.notice('clock', 'differs by 100 s')
    health.notice('clock', 'differs by 101 s')
    assert log.texts == [('warning', 'differs by 100 s')]
    assert judge(health, State.TRACKING, 'active') == (b'\x01', 'differs by 101 s')
    health.notice('clock', None)
    assert judge(health, State.TRACKING, 'active') == (b'\x00', 'tracking')
    assert judge(health, State.LOST, 'active') == (b'\x01', 'the target is lost')
    health.fault('tracker_error', 'broke\nwith a traceback')
    assert judge(health, None, 'unconfigured') == (b'\x02', 'broke')


def test_percentiles_and_shares_come_from_the_last_frames():
    health = Health(Log())
    assert health.percentiles('locate') is None and health.share_outside() is None
    for number in range(1000):
        health.frame_processed(FrameTimes(
            queue=0, decode=0.001, locate=number / 1000, predict=0.001, publish=0.001,
            learn=0, latency=None))
    median, high = health.percentiles('locate', (50, 100))
    assert (median, high) == (pytest.approx(0.8495), pytest.approx(0.999))
    assert health.percentiles('latency') is None
    assert health.share_outside() == pytest.approx(0.003 / (0.8495 + 0.003))


def test_rate_is_that_of_the_last_seconds():
    health = Health(Log())
    for _ in range(20):
        health.frame_received()
        time.sleep(0.01)
    received, answered = health.rates()
    assert 40 < received < 101 and answered == 0.0


@pytest.mark.parametrize('box', [
    BOX, (-1e9, -1e9, 2e9, 2e9), (np.nan, 0, 1, 1), (150, 90, 500, 500)])
def test_drawing_keeps_the_frame_and_takes_any_box(box):
    image = np.full((100, 200, 3), 90, np.uint8)
    target = SimpleNamespace(state=State.TRACKING, label='1',
                             location=Location(np.asarray(box, float), 0.5, True))
    shown = draw(image, [target, target])
    assert (image == 90).all() and shown.shape == image.shape and (shown != 90).any()
