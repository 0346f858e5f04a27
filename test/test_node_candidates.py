"""The hand-off from a detector: what starts a target, what confirms it, which id it keeps."""
import time
from types import SimpleNamespace

from blob_detector import BlobDetector, paint
from coded_images import coded_image, header
from node_harness import Bench, candidate, FrameCodeTracker, SECOND, wait
import numpy as np
import pytest

from tracking_nodes.errors import SettingError
from tracking_nodes.nodes.candidates import Candidate, choose, Confirmation, is_usable, suitable
from tracking_nodes.nodes.parameters import NodeSettings
from tracking_nodes.trackers.base import Location
from tracking_nodes.trackers.presence import State

from vision_msgs.msg import Detection2DArray


def found(box, score=0.9, identity=''):
    """Return a candidate."""
    return Candidate(np.array(box, dtype=float), 'dog', score, identity)


class TargetDouble:
    """A target of one place that counts its confirmations."""

    def __init__(self, box, state=State.TRACKING):
        self.location = Location(np.array(box, dtype=float), 0.5, True)
        self.epoch, self.state, self.confirmed = 1, state, []

    def confirm(self, identity):
        self.confirmed.append(identity)


def test_region_takes_what_has_its_centre_inside():
    inside, outside = found((90, 90, 19, 19)), found((101, 90, 20, 20), score=1.0)
    assert choose([inside, outside], '0, 0, 100, 200') is inside
    assert choose([inside, outside], '') is outside
    assert choose([outside], '0, 0, 100, 200') is None


def test_the_id_of_the_lost_target_wins_over_the_score():
    known, better = found((0, 0, 9, 9), 0.6, 'a'), found((5, 5, 9, 9), 0.9, 'b')
    assert choose([better, known], identity='a') is known
    assert choose([better, known], identity='c') is better
    # A detector without ids says '' of everything: that is no id in common.
    nameless = found((5, 5, 9, 9), 0.95)
    assert choose([known, nameless], identity='') is nameless


def test_candidates_keep_their_class_score_and_id():
    message = Detection2DArray(detections=[candidate((1, 2, 3, 4), 'dog', 0.7)])
    message.detections[0].id = 'seven'
    (only,) = suitable(message, ('dog',), 0.5)
    np.testing.assert_allclose(only.box, (1, 2, 3, 4))
    assert only[1:] == ('dog', 0.7, 'seven')


@pytest.mark.parametrize('box', [
    (np.nan, 1, 2, 3), (1, 2, np.inf, 3), (1, 2, 0, 3), (1, 2, 3, -1)])
def test_boxes_that_are_none_are_not_usable(box):
    assert not is_usable(np.array(box)) and is_usable(np.array([1.0, 2, 3, 4]))


def test_region_that_is_no_box_is_refused_by_its_name():
    with pytest.raises(SettingError, match='candidates_region = '):
        NodeSettings(candidates_region='1, 2, 3')


def test_a_candidate_is_held_against_the_answer_of_its_own_image():
    confirmation, target = Confirmation(), TargetDouble((0, 0, 20, 20))
    confirmation.remember(1 * SECOND, target)
    target.location = Location(np.array([100.0, 0, 20, 20]), 0.5, True)
    confirmation.remember(2 * SECOND, target)
    confirmation.offer(1 * SECOND, [found((50, 50, 9, 9)), found((1, 0, 20, 20), identity='x')])
    assert confirmation.judge(target, 0.5, 0.05) and target.confirmed == ['x']
    confirmation.offer(2 * SECOND, [found((1, 0, 20, 20))])
    assert not confirmation.judge(target, 0.5, 0.05)
    confirmation.offer(0, [found((101, 0, 20, 20))])
    assert confirmation.judge(target, 0.5, 0.05)
    confirmation.offer(SECOND // 2, [found((1, 0, 20, 20))])
    assert not confirmation.judge(target, 0.5, 0.05)


def test_a_candidate_for_an_image_not_answered_yet_waits_for_the_answer():
    confirmation, target = Confirmation(), TargetDouble((0, 0, 20, 20))
    confirmation.remember(1 * SECOND, target)
    confirmation.offer(2 * SECOND, [found((0, 0, 20, 20))])
    assert not confirmation.judge(target, 0.5, 0.05)
    confirmation.remember(2 * SECOND, target)
    assert confirmation.judge(target, 0.5, 0.05)
    assert not confirmation.judge(target, 0.5, 0.05)


@pytest.mark.filterwarnings('ignore:overflow', 'ignore:invalid value')
def test_a_box_of_no_measure_does_not_hide_the_one_that_confirms():
    confirmation, target = Confirmation(), TargetDouble((0, 0, 20, 20))
    confirmation.remember(1 * SECOND, target)
    confirmation.offer(1 * SECOND, [found((0, 0, 1e300, 1e300)), found((0, 0, 20, 20))])
    assert confirmation.judge(target, 0.5, 0.05)


@pytest.mark.parametrize('change', [
    {'state': State.LOST}, {'epoch': 2}, {'location': None, 'state': State.IDLE}])
def test_what_is_no_answer_of_this_target_confirms_nothing(change):
    confirmation, target = Confirmation(), TargetDouble((0, 0, 20, 20))
    confirmation.remember(1 * SECOND, SimpleNamespace(**{**vars(target), **change}))
    confirmation.offer(1 * SECOND, [found((0, 0, 20, 20))])
    assert not confirmation.judge(target, 0.5, 0.05)


def test_a_camera_that_began_again_leaves_no_answers_of_the_time_before():
    confirmation, target = Confirmation(), TargetDouble((0, 0, 20, 20))
    confirmation.remember(9 * SECOND, target)
    target.location = Location(np.array([100.0, 0, 20, 20]), 0.5, True)
    confirmation.remember(1 * SECOND, target)
    confirmation.offer(1 * SECOND, [found((0, 0, 20, 20))])
    assert not confirmation.judge(target, 0.5, 0.05)


class Scene:
    """A node, a detector and images with blobs, over DDS; the red one is what is wanted."""

    def __init__(self, bench):
        self.bench = bench
        self.detector = bench.add(BlobDetector(context=bench.context))
        wait(lambda: bench.client.image.get_subscription_count() == 2
             and bench.client.count_subscribers('/candidates') == 1
             and bench.client.count_publishers('/candidates') == 1)
        time.sleep(0.2)

    def show(self, number, score=1.0, red=True):
        """Send an image with a blue and perhaps a red blob; return the answer."""
        image = paint(coded_image(number, score), 'blue', (250, 150, 40, 30))
        if red:
            # Where the test tracker says that the target of frame `number` is.
            paint(image, 'red', (100, number, 40, 30))
        stamp = self.bench.next_stamp()
        self.bench.client.send(image, stamp)
        answer = self.bench.answer_to(stamp)
        # The detector takes its time as well: its boxes come after the answer.
        time.sleep(0.03)
        return answer

    def await_target(self, numbers, score=1.0):
        """Show images until the answer holds a target; return it."""
        answers = (self.show(number, score) for number in numbers)
        return next(answer for answer in answers if answer.box is not None)

    def lose(self, numbers):
        """Show images without the target until it is lost."""
        assert [self.show(number, 0.0, red=False).box for number in numbers][-1] is None


def test_a_detector_starts_confirms_and_starts_again_under_the_ids_it_gives():
    with Bench(candidates_class='red', candidates_policy='lost', candidates_confirm=0.3,
               lost_after=4, diagnostics_period=1.0) as bench:
        scene = Scene(bench)
        first = scene.await_target(range(40, 50))
        assert (first.class_id, first.identity) == ('red', '1')
        np.testing.assert_allclose(first.box[[0, 2, 3]], (100, 40, 30))
        # In doubt three times as long as lost_after allows, but the detector sees it.
        doubted = [scene.show(number, 0.3) for number in range(60, 72)]
        assert all(answer.box is not None for answer in doubted)
        assert bench.client.states[-1] == 'uncertain'
        scene.lose(range(80, 86))
        assert bench.client.states[-1] == 'lost'
        # Too low a score for the tracker to find it by itself.
        assert scene.await_target(range(90, 100), 0.3).identity == '1'
        scene.lose(range(100, 106))
        scene.detector.identities['red'] = 'red-2'
        assert scene.await_target(range(110, 120), 0.3).identity == '2'
        assert [call for call, _ in FrameCodeTracker.calls].count('start') == 3


def test_without_confirmation_the_same_doubts_lose_the_target():
    with Bench(candidates_class='red', lost_after=4, diagnostics_period=1.0) as bench:
        scene = Scene(bench)
        scene.await_target(range(40, 50))
        assert [scene.show(number, 0.3).box for number in range(60, 66)][-1] is None


def test_a_bad_box_among_the_candidates_does_not_hide_the_good_one():
    with Bench() as bench:
        detector = bench.publisher(Detection2DArray, '/candidates')
        bench.ask(1)
        detector.publish(Detection2DArray(header=header(0), detections=[
            candidate((np.nan, 1, 10, 10), 'dog', 0.99), candidate((1, 1, 0, 10), 'dog', 0.98),
            candidate((100, 80, 40, 30), 'dog', 0.6)]))
        wait(lambda: bench.node._worker.requests.start_pending)
        assert bench.ask(2).box[0] == 100
        assert bench.node._health.faults['bad_box'] == 2
