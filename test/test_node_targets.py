"""Several targets in one node: given, replaced and given up by id, over real messages."""
import time

from diagnostic_msgs.msg import DiagnosticArray
from node_harness import Bench, candidate, FrameCodeTracker, header, init_message, wait
import numpy as np
import pytest
from sensor_msgs.msg import Image
from small_trackers import clip, quick
from std_msgs.msg import String

from tracking_nodes.nodes import worker as worker_module
from tracking_nodes.nodes.conversions import (
    best_hypothesis, message_to_box, stamp_to_nanoseconds)

from vision_msgs.msg import Detection2D, Detection2DArray
from visualization_msgs.msg import Marker, MarkerArray


class Targets:
    """A bench whose targets are given by id; `answer` is {id: (x, y, class)} of an image."""

    def __init__(self, bench):
        self.bench = bench
        self._init = bench.publisher(Detection2D, '/tracker/init')
        self._forget = bench.publisher(String, '/tracker/forget')
        self.number = 0

    def give(self, identity, x, class_id=''):
        """Publish a box at x under an id and wait until it is taken."""
        message = init_message((x, 80, 40, 30), class_id=class_id)
        message.id = identity
        before = self._asked()
        self._init.publish(message)
        wait(lambda: self._asked() != before)

    def forget(self, identity):
        """Publish that the target of an id is to be given up."""
        self._forget.publish(String(data=identity))

    def _asked(self):
        worker = self.bench.node._worker
        return [id(pursuit.requests._start) for pursuit in worker._pursuits()], dict(
            self.bench.node._health.faults)

    def answer(self, score=1.0):
        """Send the next image and return the answer to it."""
        self.number += 1
        message = self.message(self.bench.send(self.number, score))
        return {each.id: (round(message_to_box(each.bbox)[0]), round(message_to_box(each.bbox)[1]),
                          best_hypothesis(each).class_id) for each in message.detections}

    def message(self, stamp):
        """Wait for the message of an image."""
        return wait(lambda: next((
            message for message in self.bench.client.answers
            if stamp_to_nanoseconds(message.header.stamp) == stamp), None))

    def until(self, check):
        """Send images until the answer to one passes, and return it."""
        for _ in range(200):
            answer = self.answer()
            if check(answer):
                return answer
            time.sleep(0.01)
        raise AssertionError(f'no such answer; the last one was {answer}')


@pytest.fixture
def targets():
    with Bench(max_targets=3) as bench:
        yield Targets(bench)


def test_each_target_has_its_own_box_class_and_id_in_one_message(targets):
    targets.answer()
    targets.give('left', 10, 'dog')
    targets.give('right', 200)
    targets.give('', 100)
    targets.answer()
    number = targets.number + 1
    assert targets.answer() == {'1': (100, number, 'target'), 'left': (10, number, 'dog'),
                                'right': (200, number, 'target')}


def test_a_box_under_a_known_id_replaces_that_target_and_no_other(targets):
    targets.answer()
    targets.give('a', 10)
    targets.give('b', 50)
    targets.answer()
    targets.give('a', 150, 'cat')
    targets.answer()
    number = targets.number + 1
    assert targets.answer() == {'a': (150, number, 'cat'), 'b': (50, number, 'target')}
    targets.give('', 90)
    targets.give('', 95)
    targets.answer()
    assert targets.answer().keys() == {'a', 'b', '1'}


def test_one_more_than_max_targets_is_refused_in_words_and_room_is_made_by_forgetting(targets):
    targets.answer()
    for identity, x in (('a', 10), ('b', 50), ('c', 90)):
        targets.give(identity, x)
    targets.answer()
    targets.give('d', 130)
    assert targets.answer().keys() == {'a', 'b', 'c'}
    _, words, values = targets.bench.diagnosed(
        lambda *status: 'fault: too_many_targets' in status[2])
    assert 'max_targets = 3' in words and '~/forget' in words
    # That without an id counts, too.
    targets.give('', 130)
    targets.until(lambda answer: targets.bench.node._health.faults['too_many_targets'] == 2)
    assert targets.answer().keys() == {'a', 'b', 'c'}
    targets.forget('b')
    targets.until(lambda answer: 'b' not in answer)
    targets.give('d', 130)
    targets.answer()
    assert targets.answer().keys() == {'a', 'c', 'd'}


def test_forgetting_one_leaves_the_others_and_an_unknown_id_is_said(targets):
    targets.answer()
    targets.give('', 100)
    targets.give('a', 10)
    targets.answer()
    targets.forget('nobody')
    _, words, _ = targets.bench.diagnosed(lambda *status: 'fault: unknown_target' in status[2])
    assert "no target 'nobody'" in words and '1, a' in words
    targets.forget('1')
    assert targets.until(lambda answer: '1' not in answer).keys() == {'a'}
    # As after ~/stop, a detector does not bring it back.
    targets.bench.publisher(Detection2DArray, '/candidates').publish(Detection2DArray(
        header=header(0), detections=[candidate((50, 50, 10, 10), 'dog', 0.9)]))
    time.sleep(0.2)
    assert targets.answer().keys() == {'a'}


@pytest.mark.parametrize('service', ['reset', 'stop'])
def test_reset_and_stop_give_up_all(targets, service):
    targets.answer()
    targets.give('', 100)
    targets.give('a', 10)
    targets.answer()
    assert targets.bench.trigger(service).success
    assert targets.until(lambda answer: not answer) == {}
    wait(lambda: targets.bench.client.states[-1] == 'idle')


def test_numbers_given_by_hand_and_by_the_node_are_never_the_same(targets):
    targets.answer()
    targets.give('1', 10)
    targets.answer()
    targets.give('', 100)
    targets.answer()
    assert {key: box[0] for key, box in targets.answer().items()} == {'1': 10, '2': 100}
    # A box under the number of the target without an id takes its place.
    targets.give('2', 200)
    targets.answer()
    assert {key: box[0] for key, box in targets.answer().items()} == {'1': 10, '2': 200}


def test_the_state_is_the_best_of_all_and_diagnostics_have_one_status_each(targets):
    targets.answer()
    assert targets.bench.set_parameters(lost_after=2).successful
    targets.give('a', 10)
    targets.give('b', 50)
    targets.answer()
    targets.answer()
    wait(lambda: targets.bench.client.states[-1] == 'tracking')
    for _ in range(4):
        targets.answer(score=0.0)
    wait(lambda: targets.bench.client.states[-1] == 'lost')
    targets.give('b', 60)
    # Neither a doubt nor enough for the lost one to come back.
    targets.answer(score=0.5)
    targets.answer(score=0.5)
    wait(lambda: targets.bench.client.states[-1] == 'tracking')
    seen, diagnostics = {}, []

    def both():
        seen.update({status.name: status for status in diagnostics})
        return {seen[name].message for name in seen if ': target ' in name} == {
            'lost', 'tracking'}
    targets.bench.client.create_subscription(
        DiagnosticArray, '/diagnostics', lambda array: diagnostics.extend(array.status), 10)
    wait(both)
    assert seen['/tracker: target a'].message == 'lost'
    values = {item.key: item.value for item in seen['/tracker: target b'].values}
    assert values['state'] == 'tracking' and 'model age (s)' in values


def test_a_tracker_that_fails_leaves_the_others_their_answers(targets, monkeypatch):
    targets.answer()
    targets.give('good', 10)
    targets.give('bad', 50)
    targets.answer()
    worker = targets.bench.node._worker
    bad, = [pursuit for pursuit in worker._pursuits() if pursuit.target.name == 'bad']

    def broken(image):
        raise RuntimeError('told to fail')
    monkeypatch.setattr(bad.target.tracker, '_locate', broken)
    assert targets.answer().keys() == {'good'}
    _, words, values = targets.bench.diagnosed(
        lambda *status: 'fault: tracker_error' in status[2])
    assert 'target bad is not in this answer' in words
    assert not [key for key in values if key.startswith('dropped')]
    monkeypatch.undo()
    assert targets.answer().keys() == {'good', 'bad'}


def test_an_image_is_decoded_once_and_looked_at_once_for_all(targets, monkeypatch):
    decoded, looked = [], []
    decode, look = worker_module.decode_image, worker_module.look_together
    monkeypatch.setattr(worker_module, 'decode_image',
                        lambda *arguments: decoded.append(1) or decode(*arguments))
    monkeypatch.setattr(worker_module, 'look_together',
                        lambda trackers, image: looked.append(len(trackers)) or look(
                            trackers, image))
    targets.answer()
    for identity, x in (('a', 10), ('b', 50), ('c', 90)):
        targets.give(identity, x)
    targets.answer()
    decoded.clear()
    looked.clear()
    FrameCodeTracker.calls.clear()
    assert len(targets.answer()) == 3
    assert decoded == [1] and looked == [3]
    wait(lambda: FrameCodeTracker.calls == [('locate', targets.number)] * 3
         + [('learn', targets.number)] * 3)


def test_late_boxes_of_two_targets_start_on_their_images_and_are_carried_to_now(targets):
    stamps = []
    for number in range(1, 9):
        stamps.append(targets.bench.send(number))
        targets.message(stamps[-1])
    targets.number = 8
    for identity, x, index in (('a', 10, 2), ('b', 50, 5)):
        message = init_message((x, 80, 40, 30), stamps[index])
        message.id = identity
        targets._init.publish(message)
    worker = targets.bench.node._worker
    wait(lambda: len(worker.named.pursuits) == 2)
    FrameCodeTracker.calls.clear()
    assert targets.answer() == {'a': (10, 9, 'target'), 'b': (50, 9, 'target')}
    started = sorted(number for what, number in FrameCodeTracker.calls if what == 'start')
    assert started == [3, 6]
    located = [number for what, number in FrameCodeTracker.calls if what == 'locate']
    assert sorted(located) == sorted([4, 5, 6, 7, 8, 7, 8, 9, 9])


def test_what_people_look_at_shows_all_targets(targets):
    images, markers = [], []
    targets.bench.client.create_subscription(Image, '/tracker/debug_image', images.append, 10)
    targets.bench.client.create_subscription(MarkerArray, '/tracker/markers', markers.append, 10)
    targets.answer()
    for identity, x in (('a', 10), ('b', 200)):
        targets.give(identity, x)
    wait(lambda: targets.bench.node._outputs.want_image
         and targets.bench.client.count_publishers('/tracker/markers'))
    time.sleep(0.2)
    targets.number = 100
    targets.answer()
    targets.answer()
    shown = wait(lambda: [array for array in markers if len(array.markers) == 9])[-1].markers
    assert shown[0].action == Marker.DELETEALL
    assert {marker.ns for marker in shown[1:]} == {'target a', 'target b'}
    image = wait(lambda: images and images[-1])
    pixels = np.frombuffer(image.data, np.uint8).reshape(240, 320, 3)
    # Both boxes are drawn at the number of the image.
    for left in (10, 200):
        assert not (pixels[101:103, left + 5:left + 35] == 90).all()


def test_extrapolated_boxes_are_published_for_each():
    with Bench(max_targets=2, compensation='kalman') as bench:
        moved, predicted = Targets(bench), []
        bench.client.create_subscription(
            Detection2DArray, '/tracker/predicted', predicted.append, 10)
        wait(lambda: bench.node.count_subscribers('/tracker/predicted') == 1)
        moved.answer()
        moved.give('a', 10)
        moved.give('b', 50)
        moved.answer()
        moved.answer()
        found = wait(lambda: [message for message in predicted if len(message.detections) == 2])
        assert {each.id for each in found[-1].detections} == {'a', 'b'}


def test_with_one_target_an_id_is_ignored_and_forget_takes_its_number():
    with Bench() as bench:
        targets = Targets(bench)
        targets.answer()
        targets.give('a', 10)
        targets.answer()
        assert targets.answer().keys() == {'1'}
        assert not bench.node._worker.named
        wait(lambda: bench.client.diagnostics)
        targets.forget('1')
        assert targets.until(lambda answer: not answer) == {}
        assert bench.set_parameters(max_targets=2).reason.startswith('max_targets is read when')


def test_two_real_targets_get_the_answers_that_one_node_each_gives():
    images, boxes = clip()
    other = np.array([40.0, 60.0, 50.0, 36.0])
    values = {'tracker': 'edcf', 'device': 'cpu', 'learning': 'inline',
              **{f'edcf.{key}': value for key, value in quick('edcf').items()},
              'edcf.precision': 'float32'}

    def answers(given, **more):
        with Bench(**values, **more) as bench:
            targets = Targets(bench)
            targets.bench.client.send(images[0], bench.next_stamp())
            wait(lambda: bench.client.answers)
            for identity, box in given.items():
                message = init_message(box)
                message.id = identity
                targets._init.publish(message)
            worker = bench.node._worker
            wait(lambda: sum(pursuit.requests.start_pending
                             for pursuit in worker._pursuits()) == len(given))
            found = {}
            for image in images[1:6]:
                stamp = bench.next_stamp()
                bench.client.send(image, stamp)
                for each in targets.message(stamp).detections:
                    found.setdefault(each.id, []).append(message_to_box(each.bbox))
            return {key: np.array(value) for key, value in found.items()}
    both = answers({'a': boxes[0], 'b': other}, max_targets=2)
    for key, box in (('a', boxes[0]), ('b', other)):
        alone = answers({'': box})
        np.testing.assert_allclose(both[key], alone['1'], atol=0.02)
