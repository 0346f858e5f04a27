"""The topics that start a target, `~/init`, candidates, two clicks; and `~/forget`, of one."""
import time

from geometry_msgs.msg import Point
from std_msgs.msg import String

from tracking_nodes.errors import BoxError
from tracking_nodes.nodes import qos
from tracking_nodes.nodes.candidates import choose, is_usable, suitable
from tracking_nodes.nodes.conversions import (
    best_hypothesis, message_to_box, stamp_to_nanoseconds)
from tracking_nodes.nodes.named_targets import too_many
from tracking_nodes.nodes.requests import Forget, parse_box, StartRequest, TwoClicks
from tracking_nodes.trackers.presence import State

from vision_msgs.msg import Detection2D, Detection2DArray

_ALLOWED_STATES = {
    'never': (), 'idle': (State.IDLE,), 'lost': (State.IDLE, State.LOST)}


def candidates_allowed(policy, state, held):
    """
    Return whether a detector's box may start a target now.

    :param policy: the parameter `candidates_policy`.
    :param state: the target's `State`.
    :param held: whether `~/stop` asked to stay without a target.
    """
    return not held and state in _ALLOWED_STATES[policy]


class StartInputs:
    """Subscriptions whose callbacks put start requests before the worker."""

    def __init__(self, node, images, worker, health):
        """
        Subscribe.

        :param node: the rclpy node.
        :param images: the `ImageInput`, for its topic's name and its buffer.
        :param worker: the `Worker` that gets the requests; its settings are the live ones.
        :param health: the `Health` that gets faults.
        """
        self._node, self._images, self._worker, self._health = node, images, worker, health
        self._clicks = TwoClicks()
        self._subscriptions = [
            self._subscribe(Detection2D, '~/init', self._init, qos.RELIABLE),
            self._subscribe(String, '~/forget', self._forget, qos.RELIABLE),
            self._subscribe(Detection2DArray, 'candidates', self._candidates, qos.SENSOR_DATA)]
        for shown in (images.topics['raw'], '~/debug_image'):
            self._subscriptions.append(
                self._subscribe(Point, f'{shown}_mouse_left', self._click, qos.RELIABLE))

    def close(self):
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def start_on(self, text):
        """Ask for the target of the parameter `init_box`, if it names one."""
        box = parse_box(text)
        if box is not None:
            self._worker.requests.start(
                StartRequest(box, 'init_box', self._worker.settings.class_id))

    def _subscribe(self, kind, topic, callback, profile):
        return qos.subscribe(self._node, kind, topic, callback, profile, self._health)

    def _init(self, message):
        hypothesis = best_hypothesis(message)
        self._ask(message_to_box(message.bbox), '~/init', message.header,
                  hypothesis.class_id if hypothesis else '',
                  name=message.id if self._worker.named else '')

    def _forget(self, message):
        worker = self._worker
        if worker.named.forget(Forget.STOP, message.data):
            return
        if worker.target_given and message.data == str(worker.epoch):
            worker.requests.forget(Forget.STOP)
            return
        known = ', '.join(target.label for target in worker.targets) or 'none'
        self._health.fault('unknown_target', f'~/forget: no target {message.data!r}; there are: '
                           f'{known}')

    def _candidates(self, message):
        worker, settings = self._worker, self._worker.settings
        allowed = candidates_allowed(settings.candidates_policy, worker.state, worker.held)
        if not allowed and not settings.candidates_confirm:
            return
        classes = tuple(name.strip() for name in settings.candidates_class.split(',')
                        if name.strip())
        candidates = suitable(message, classes, settings.candidates_score)
        usable = [each for each in candidates if self._is_usable(each.box, 'candidates')]
        if settings.candidates_confirm and usable:
            worker.confirmation.offer(stamp_to_nanoseconds(message.header.stamp), usable)
        found = choose(usable, settings.candidates_region, worker.identity) if allowed else None
        if found is not None:
            self._ask(found.box, 'candidates', message.header, found.class_id, automatic=True,
                      identity=found.identity)

    def _click(self, message):
        box = self._clicks.click(message.x, message.y, time.monotonic())
        if box is not None:
            self._ask(box, 'two clicks', None, '')

    def _is_usable(self, box, origin):
        if is_usable(box):
            return True
        error = BoxError(f'box ({", ".join(f"{value:g}" for value in box)}) from {origin} '
                         'has no area or is not finite; the target so far is kept')
        self._health.fault('bad_box', str(error))
        return False

    def _ask(self, box, origin, header, class_id, automatic=False, identity='', name=''):
        if not self._is_usable(box, origin):
            return
        stamp = stamp_to_nanoseconds(header.stamp) if header is not None else 0
        worker = self._worker
        request = StartRequest(
            box, origin, class_id or worker.settings.class_id,
            frame=None if stamp else self._images.buffer.newest(),
            stamp=stamp or None, automatic=automatic, identity=identity)
        if not name:
            worker.requests.start(request)
            return
        if worker.target_given and name == str(worker.epoch):
            # Two targets are never published under one id.
            worker.requests.forget(Forget.RESET)
        if not worker.named.start(name, request):
            self._health.fault('too_many_targets', too_many(origin, worker.settings.max_targets))
