"""The tracker node from outside: every way to a target, every answer, over real messages."""
import time

from coded_images import coded_image, header
import cv2
from geometry_msgs.msg import Point
from node_harness import Bench, candidate, compressed, FrameCodeTracker, init_message, SECOND, wait
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from tracking_nodes.nodes.qos import LATCHED

from vision_msgs.msg import Detection2D, Detection2DArray, VisionInfo
from visualization_msgs.msg import Marker, MarkerArray

BOX = (100.0, 80.0, 40.0, 30.0)


@pytest.fixture
def bench():
    with Bench() as running:
        yield running


def test_lifecycle_goes_round_and_frees_everything():
    with Bench(active=False) as bench:
        assert bench.lifecycle() == 'unconfigured'
        assert bench.transition('configure') and bench.lifecycle() == 'inactive'
        assert bench.client.count_subscribers('/image') == 0
        assert bench.transition('activate') and bench.lifecycle() == 'active'
        wait(lambda: bench.client.count_subscribers('/image') == 1)
        assert bench.transition('deactivate') and bench.lifecycle() == 'inactive'
        wait(lambda: bench.client.count_subscribers('/image') == 0)
        assert bench.transition('cleanup') and bench.lifecycle() == 'unconfigured'
        wait(lambda: bench.client.count_publishers('/tracker/detections') == 0)
        assert bench.transition('configure') and bench.transition('activate')
        wait(lambda: bench.client.image.get_subscription_count() == 1)
        assert bench.ask(1).box is None
        assert bench.transition('active_shutdown') and bench.lifecycle() == 'finalized'


def test_a_missing_gpu_is_an_error_never_the_cpu():
    with Bench(active=False, device='cuda:7') as bench:
        assert not bench.transition('configure')
        assert bench.lifecycle() == 'unconfigured'
        _, words, _ = bench.diagnosed(lambda level, words, _: level == b'\x02')
        assert 'cuda:7' in words and 'DeviceError' in words
        assert bench.set_parameters(device='cpu').successful
        assert bench.transition('configure')


def test_unknown_tracker_fails_to_configure_and_names_the_known():
    with Bench(active=False, tracker='nonesuch') as bench:
        assert not bench.transition('configure')
        _, words, _ = bench.diagnosed(lambda level, words, _: 'nonesuch' in words)
        assert 'static' in words
        assert not bench.set_parameters(tracker='neither').successful
        assert bench.set_parameters(tracker='static').successful and bench.transition('configure')


def test_idle_answers_are_empty_under_the_images_header(bench):
    stamp = bench.send(1)
    answer = bench.answer_to(stamp)
    assert (answer.stamp, answer.frame_id, answer.box) == (stamp, 'camera', None)
    wait(lambda: bench.client.states == ['idle'])


def test_init_topic_gives_box_score_class_and_id(bench):
    answer = bench.start(BOX)
    np.testing.assert_allclose(answer.box, [100, 2, 40, 30])
    assert (answer.score, answer.class_id, answer.identity) == (1.0, 'target', '1')
    wait(lambda: bench.client.states[-1] == 'tracking')


def test_init_with_stamp_zero_means_the_newest_image_received(bench):
    init = bench.publisher(Detection2D, '/tracker/init')
    bench.ask(5)
    init.publish(init_message(BOX, class_id='dog'))
    wait(lambda: bench.node._worker.requests.start_pending)
    assert bench.ask(6).class_id == 'dog'
    assert FrameCodeTracker.calls[-3:] == [('start', 5), ('locate', 6), ('learn', 6)]


def test_late_box_starts_on_its_own_image_and_is_carried_to_now(bench):
    init = bench.publisher(Detection2D, '/tracker/init')
    stamps = [bench.send(number) for number in range(1, 2)]
    for number in range(2, 26):
        stamps.append(bench.send(number))
        bench.answer_to(stamps[-1])
    FrameCodeTracker.calls.clear()
    init.publish(init_message(BOX, stamps[4]))
    wait(lambda: bench.node._worker.requests.start_pending)
    answer = bench.ask(26)
    assert answer.box[1] == 26 and answer.identity == '1'
    # Twenty images were missed, carry_frames allows ten: every second one, the last among them.
    assert FrameCodeTracker.calls == [
        ('start', 5), *(('locate', number) for number in range(7, 26, 2)),
        ('locate', 26), ('learn', 26)]


def test_images_that_came_while_a_tracker_started_carry_the_target_to_now(bench):
    assert bench.set_parameters(frame_code__start_delay=0.5, carry_frames=3).successful
    assert bench.set_parameters(init_box='100, 80, 40, 30').successful
    for number in range(1, 11):
        bench.send(number)
        time.sleep(0.01)
    assert bench.answer_to(bench.sent[-1]).box[1] == 10
    assert FrameCodeTracker.calls == [
        ('start', 1), ('locate', 3), ('locate', 6), ('locate', 9),
        ('locate', 10), ('learn', 10)]


def test_box_for_an_image_no_longer_kept_is_refused_in_words():
    with Bench(buffer_seconds=0.2) as bench:
        bench.start(BOX)
        first = bench.sent[0]
        for number in range(3, 13):
            bench.ask(number)
        init = bench.publisher(Detection2D, '/tracker/init')
        init.publish(init_message((1, 1, 10, 10), first))
        wait(lambda: bench.node._worker.requests.start_pending)
        answer = bench.ask(20)
        assert answer.identity == '1' and answer.box[0] == 100
        _, words, values = bench.diagnosed(lambda *status: 'fault: bad_box' in status[2])
        assert 'the buffer holds' in words and 'buffer_seconds' in words
        assert values['fault: bad_box'] == '1'


def test_box_for_an_image_still_on_its_way_waits_for_it(bench):
    init = bench.publisher(Detection2D, '/tracker/init')
    bench.ask(1)
    coming = bench.next_stamp() + SECOND // 2
    init.publish(init_message(BOX, coming))
    wait(lambda: bench.node._worker.requests.start_pending)
    assert bench.ask(2).box is None
    bench.client.send(coded_image(3), coming)
    np.testing.assert_allclose(bench.answer_to(coming).box, BOX)
    assert FrameCodeTracker.calls[0] == ('start', 3)


@pytest.mark.parametrize('box', [
    (np.nan, 10, 20, 20), (10, 10, 0, 20), (10, 10, 20, -5), (400, 10, 20, 20),
    (-50, 10, 20, 20), (10, np.inf, 20, 20)])
def test_unusable_box_is_an_error_and_the_target_is_kept(bench, box):
    before = bench.start(BOX)
    bench.publisher(Detection2D, '/tracker/init').publish(init_message(box))
    deadline = time.monotonic() + 5
    number = 10
    while not bench.node._health.faults['bad_box'] and time.monotonic() < deadline:
        number += 1
        bench.ask(number)
    assert bench.node._health.faults['bad_box'] == 1
    after = bench.ask(number + 1)
    assert after.identity == before.identity == '1' and after.box[0] == 100
    bench.diagnosed(lambda level, words, _: 'box (' in words and level == b'\x01')


def test_init_box_parameter_starts_on_the_first_image_and_again_after_reset():
    with Bench(init_box='100, 80, 40, 30') as bench:
        answer = bench.ask(1)
        np.testing.assert_allclose(answer.box, BOX)
        assert bench.trigger('reset').success
        again = bench.ask(2)
        np.testing.assert_allclose(again.box, BOX)
        assert (answer.identity, again.identity) == ('1', '2')
        assert bench.set_parameters(init_box='10 20 30 40').successful
        live = bench.ask(3)
        np.testing.assert_allclose(live.box, [10, 20, 30, 40])
        assert live.identity == '3'


def test_two_clicks_make_a_box(bench):
    clicks = bench.publisher(Point, '/image_mouse_left')
    bench.ask(1)
    clicks.publish(Point(x=140.0, y=110.0))
    clicks.publish(Point(x=100.0, y=80.0))
    wait(lambda: bench.node._worker.requests.start_pending)
    answer = bench.ask(2)
    np.testing.assert_allclose(answer.box, [100, 2, 40, 30])


def test_candidates_start_by_class_and_score_and_only_while_idle():
    with Bench(candidates_class='dog, cat', candidates_score=0.6) as bench:
        detector = bench.publisher(Detection2DArray, '/candidates')
        stamp = bench.send(1)
        bench.answer_to(stamp)
        detector.publish(Detection2DArray(header=header(stamp), detections=[
            candidate((1, 1, 10, 10), 'car', 0.99), candidate((2, 2, 10, 10), 'dog', 0.5)]))
        time.sleep(0.2)
        assert bench.ask(2).box is None
        detector.publish(Detection2DArray(header=header(stamp), detections=[
            candidate((1, 1, 10, 10), 'car', 0.99), candidate(BOX, 'cat', 0.9),
            candidate((3, 3, 10, 10), 'dog', 0.7)]))
        wait(lambda: bench.node._worker.requests.start_pending)
        answer = bench.ask(3)
        assert (answer.box[0], answer.class_id, answer.identity) == (100, 'cat', '1')
        detector.publish(Detection2DArray(header=header(0), detections=[
            candidate((50, 50, 10, 10), 'dog', 0.9)]))
        time.sleep(0.2)
        assert bench.ask(4).identity == '1'


@pytest.mark.parametrize('policy, expected', [('never', '1'), ('idle', '1'), ('lost', '2')])
def test_candidates_after_loss_follow_the_policy(policy, expected):
    with Bench(candidates_policy=policy, lost_after=2) as bench:
        bench.start(BOX)
        detector = bench.publisher(Detection2DArray, '/candidates')
        for number in (3, 4, 5):
            lost = bench.ask(number, score=0.0)
        assert lost.box is None
        wait(lambda: bench.client.states[-1] == 'lost')
        detector.publish(Detection2DArray(header=header(0), detections=[
            candidate((50, 50, 10, 10), 'dog', 0.9)]))
        time.sleep(0.2)
        assert bench.ask(6).identity == expected


def test_stop_holds_against_candidates_until_reset(bench):
    bench.start(BOX)
    assert bench.trigger('stop').success
    assert bench.ask(3).box is None
    wait(lambda: bench.client.states[-1] == 'idle')
    detector = bench.publisher(Detection2DArray, '/candidates')
    message = Detection2DArray(header=header(0), detections=[candidate(BOX, 'dog', 0.9)])
    detector.publish(message)
    time.sleep(0.2)
    assert bench.ask(4).box is None
    assert bench.trigger('reset').success
    assert bench.ask(5).box is None
    detector.publish(message)
    wait(lambda: bench.node._worker.requests.start_pending)
    assert bench.ask(6).identity == '2'


def test_services_say_when_the_node_is_not_active():
    with Bench(active=False) as bench:
        answer = bench.trigger('reset')
        assert not answer.success and 'activate' in answer.message
        assert not bench.set_learning(False).success


def test_learning_comes_after_publishing_freezes_and_resumes(bench):
    bench.start(BOX)
    assert ('learn', 2) in wait(lambda: FrameCodeTracker.calls[-1:])
    assert bench.set_learning(False).message == 'frozen'
    bench.ask(3)
    bench.ask(4)
    assert bench.set_learning(True).success
    bench.ask(5)
    wait(lambda: ('learn', 5) in FrameCodeTracker.calls)
    assert [number for what, number in FrameCodeTracker.calls
            if what == 'learn'] == [2, 5]


def test_pause_keeps_the_target_and_publishes_nothing(bench):
    bench.start(BOX)
    assert bench.transition('deactivate')
    count = len(bench.client.answers)
    bench.send(3)
    time.sleep(0.3)
    assert len(bench.client.answers) == count
    assert bench.transition('activate')
    wait(lambda: bench.client.image.get_subscription_count() == 1)
    answer = bench.ask(4)
    assert (answer.identity, answer.box[0], answer.box[1]) == ('1', 100, 4)


def test_lost_target_is_empty_and_comes_back_under_its_id():
    with Bench(lost_after=3) as bench:
        bench.start(BOX)
        shown = [bench.ask(10 + index, score).box is not None
                 for index, score in enumerate((0.5, 0.3, 0.5, 0.3, 0.3, 0.3, 0.5, 0.9, 0.5))]
        assert shown == [True, True, True, True, True, False, False, True, True]
        assert bench.ask(30).identity == '1'
        wait(lambda: bench.client.states == [
            'idle', 'tracking', 'uncertain', 'lost', 'tracking'])


def test_newest_frame_wins_and_the_others_are_counted():
    with Bench(frame_code__delay=0.0) as bench:
        bench.start(BOX)
        assert bench.set_parameters(frame_code__delay=0.3).successful
        bench.send(100)
        time.sleep(0.1)
        for number in range(101, 111):
            bench.send(number)
            time.sleep(0.005)
        last = bench.answer_to(bench.sent[-1])
        assert last.box[1] == 110
        located = [number for what, number in FrameCodeTracker.calls if what == 'locate']
        assert located[-2:] == [100, 110]
        _, _, values = bench.diagnosed(lambda *status: 'dropped: superseded' in status[2])
        assert values['dropped: superseded'] == '9'


def test_debug_image_and_markers_are_made_only_for_those_who_look(bench):
    bench.start(BOX)
    assert not bench.node._outputs.want_image
    images, markers = [], []
    bench.client.create_subscription(Image, '/tracker/debug_image', images.append, 10)
    bench.client.create_subscription(MarkerArray, '/tracker/markers', markers.append, 10)
    wait(lambda: bench.node._outputs.want_image
         and bench.client.count_publishers('/tracker/markers'))
    time.sleep(0.2)
    stamp = bench.send(60)
    bench.answer_to(stamp)
    image = wait(lambda: images and images[-1])
    pixels = np.frombuffer(image.data, np.uint8).reshape(240, 320, 3)
    assert image.header == header(stamp) and image.encoding == 'bgr8'
    # The box is at y = 60: its upper edge is drawn, the grey inside is not touched.
    assert not (pixels[60, 105:135] == 90).all() and (pixels[70:80, 110:130] == 90).all()
    outline = wait(lambda: markers and markers[-1]).markers[0]
    assert outline.type == Marker.LINE_STRIP and len(outline.points) == 5
    assert outline.points[0].x == pytest.approx((100 - 160) / 320)
    assert outline.points[0].y == pytest.approx((60 - 120) / 320)


def test_late_subscriber_learns_state_and_what_tracks(bench):
    bench.start(BOX)
    states, infos = [], []
    bench.client.create_subscription(
        String, '/tracker/state', lambda message: states.append(message.data), LATCHED)
    bench.client.create_subscription(VisionInfo, '/tracker/vision_info', infos.append, LATCHED)
    wait(lambda: states and infos)
    assert states == ['tracking']
    assert infos[0].method == 'frame_code'
    assert infos[0].database_location == '/tracker/class_id'


def test_compressed_topic_is_found_after_remapping():
    with Bench(active=False, arguments=['-r', 'image:=/front/image'],
               init_box='100, 80, 40, 30') as bench:
        camera = bench.client.create_publisher(CompressedImage, '/front/image/compressed', 10)
        assert bench.transition('configure') and bench.transition('activate')
        wait(lambda: camera.get_subscription_count() == 1)
        for number in (7, 8):
            stamp = bench.next_stamp()
            data = cv2.imencode('.jpg', coded_image(number))[1].tobytes()
            camera.publish(compressed(data, stamp))
            answer = bench.answer_to(stamp)
        assert answer.box[1] == 8
