"""The thread that answers frames: decode, locate, publish, then learn."""
import threading
import time
import traceback

from tracking_nodes.errors import ImageError
from tracking_nodes.imaging import decode_compressed, decode_image
from tracking_nodes.nn.device import resolve_device
from tracking_nodes.nn.gpu_memory import advice, is_out_of_memory, with_room
from tracking_nodes.nodes.candidates import Confirmation
from tracking_nodes.nodes.frames import age, explain_clock
from tracking_nodes.nodes.health import FrameTimes
from tracking_nodes.nodes.named_targets import NamedTargets, too_many
from tracking_nodes.nodes.pursuit import Pursuit
from tracking_nodes.nodes.requests import Forget, StartRequest
from tracking_nodes.nodes.start_inputs import candidates_allowed
from tracking_nodes.nodes.state_file import StateFile
from tracking_nodes.online.background import learning_thread, updates_in, updates_in_time
from tracking_nodes.trackers.presence import State
from tracking_nodes.trackers.together import look_together

_WAIT_FOR_FRAME = 0.1
_BEST = (State.TRACKING, State.UNCERTAIN, State.LOST, State.IDLE)


class Worker:
    """
    Runs the trackers, in one thread, on the newest frame there is.

    Other threads set `settings`, `tracker_settings` and `learning`, which count from the next
    frame on, put wishes into `requests` and `named`, and read `state` and `held`. named: the
    `NamedTargets` beside the target without an id, which all else here is about.
    """

    def __init__(self, target, outputs, health, settings, now, others=()):
        """
        Prepare; nothing runs before `start`.

        :param target: the `Target` without an id, from now on used by this worker only.
        :param outputs: the `Outputs`.
        :param health: the `Health`.
        :param settings: `NodeSettings`.
        :param now: function that returns the node's clock in ns and whether it is simulated.
        :param others: list of `Target` for those with an id; none where there is one target.
        """
        self._target, self._outputs, self.health, self._now = target, outputs, health, now
        self.settings = settings
        self.tracker_settings = target.tracker.settings
        self.learning = True
        self.held = False
        self._first = Pursuit(target, self)
        self.requests = self._first.requests
        self.named = NamedTargets([Pursuit(other, self) for other in others])
        self.confirmation = Confirmation()
        self._saved = StateFile(settings.state_file, settings.state_age, health)
        self.images = None
        self._stopping = threading.Event()
        self._thread = None

    @property
    def state(self):
        """Return the target's `State`."""
        return self._target.state

    @property
    def state_of_all(self):
        """Return the best `State` of all targets, from tracking down to idle."""
        return min((pursuit.target.state for pursuit in self._pursuits()), key=_BEST.index)

    @property
    def target_given(self):
        """Return whether there is a target or one is asked for."""
        return self._first.wanted

    @property
    def targets(self):
        """Return every `Target` that is given or asked for, that without an id first."""
        return [pursuit.target for pursuit in (self._first, *self.named.pursuits)
                if pursuit.wanted]

    @property
    def identity(self):
        """Return a detector's id of the target, or ''."""
        return self._target.identity

    @property
    def epoch(self):
        """Return the number of the target given last; 0 before the first."""
        return self._target.epoch

    @property
    def buffered(self):
        """Return how many frames are kept for late boxes."""
        return len(self.images.buffer) if self.images else 0

    @property
    def progress(self):
        """Return the `Progress` of learning the target."""
        return self._target.progress

    @property
    def stopping(self):
        """Return whether the thread is asked to end."""
        return self._stopping.is_set()

    def start(self, images):
        """Begin to answer the frames of an `ImageInput`."""
        self.images = images
        for pursuit in self._pursuits():
            pursuit.rest()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name='tracker', daemon=True)
        self._thread.start()

    def stop(self, timeout):
        """
        Stop after the frame at hand.

        :param timeout: seconds to wait for it.
        :return: whether the thread has ended.
        """
        self._stopping.set()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self):
        with updates_in(learning_thread()), updates_in_time(lambda: self.images.slot.filled):
            self._answer()

    def _answer(self):
        while not self.stopping:
            try:
                self._step(self.images.slot.take(_WAIT_FOR_FRAME))
            except Exception as error:
                # Whatever a message or a tracker brings about, the next frame is answered.
                self.health.dropped(
                    self._fault('tracker_error', error, 'the frame is not answered'))

    def _fault(self, reason, error, consequence):
        """Count an error of the tracker; return the reason it is counted under."""
        if is_out_of_memory(error):
            reason = 'gpu_memory'
            consequence += f'; {advice(self.settings.tracker, self._target.tracker.settings)}'
        self.health.fault(reason, f'{type(error).__name__}: {error}; {consequence}\n'
                          + traceback.format_exc())
        return reason

    def with_room(self, work, *arguments):
        """Call what computes on the tracker's device; on a full GPU twice."""
        return with_room(
            resolve_device(self._target.tracker.runtime.device),
            lambda error: self._fault('gpu_memory', error, 'it is tried once more'),
            work, *arguments)

    def decode(self, frame):
        """
        Return the picture of a frame.

        :raises ImageError: it has none.
        """
        decode = decode_compressed if frame.compressed else decode_image
        return decode(frame.message, self.settings.max_image_pixels)

    def bad_image(self, error):
        """Count an image that cannot be decoded."""
        self.health.fault('bad_image', f'{self.images.topic}: {error}')

    def _pursuits(self):
        return [self._first, *self.named.pursuits]

    def _step(self, frame):
        pursuits = self._pursuits()
        for pursuit in pursuits:
            pursuit.target.thresholds = self.settings.thresholds
            pursuit.target.tracker.settings = self.tracker_settings
        fresh = frame is not None and not self._is_stale(frame)
        wishes = [(pursuit, request) for pursuit in pursuits
                  for request in [self._take(pursuit, fresh)] if request is not None]
        if not fresh:
            self.named.tidy()
            return
        times = _Stopwatch(frame)
        image = None
        if (wishes or self._outputs.want_image or self._saved.pending
                or any(pursuit.target.given for pursuit in pursuits)):
            try:
                image = self.decode(frame)
            except ImageError as error:
                self.health.dropped('bad_image')
                self.bad_image(error)
                for pursuit, request in wishes:
                    pursuit.requests.keep(request)
                return
        times.lap('decode')
        if self._saved.pending:
            wishes = self._resume(wishes, image, frame)
        answered = [pursuit for pursuit, request in wishes
                    if self._alone(pursuit, self._start_target, pursuit, request, frame, image)]
        followed = self._follow([pursuit for pursuit in pursuits if pursuit.target.given
                                 and pursuit not in answered], frame, image)
        times.lap('locate')
        self.confirmation.remember(frame.stamp, self._target)
        shown = [pursuit.target for pursuit in pursuits if pursuit in answered or
                 pursuit in followed]
        self._outputs.publish(frame.header, shown, self.state_of_all)
        latency = age(self._now()[0], frame.stamp)
        times.lap('publish')
        if self.settings.compensation != 'none':
            now = self._now()[0]
            self._outputs.predict(frame.header, [
                (pursuit.target, *pursuit.predicted(frame, image, pursuit in followed, now))
                for pursuit in pursuits if pursuit.target in shown])
        times.lap('predict')
        self._outputs.show(frame.header, image, shown or [self._target], self._camera)
        self._saved.keep(image, self._target)
        times.lap('publish')
        if self.learning:
            for pursuit in followed:
                self._learn(pursuit.target)
        times.lap('learn')
        self.named.tidy()
        self.health.frame_processed(times.result(latency))

    def _take(self, pursuit, with_start):
        """Let a target be forgotten where that is asked for; return the `StartRequest` or None."""
        how, request = pursuit.requests.take(with_start)
        if how is not None:
            pursuit.forget()
            if pursuit is self._first:
                self.held = how is Forget.STOP
            self._outputs.publish_state(self.state_of_all)
        return request

    def _alone(self, pursuit, work, *arguments):
        """Do what an error of one of several targets must not take from the others."""
        try:
            return work(*arguments)
        except Exception as error:
            if not self.named:
                raise
            self._fault('tracker_error', error,
                        f'target {pursuit.target.label} is not in this answer')
            return None

    def _follow(self, pursuits, frame, image):
        """Find targets in the newest image; return the `Pursuit`s that were."""
        behind = [pursuit for pursuit in pursuits
                  if self._alone(pursuit, self._caught_up, pursuit, frame)]
        if len(behind) > 1:
            self.with_room(look_together, [pursuit.target.tracker for pursuit in behind], image)
        return [pursuit for pursuit in behind
                if self._alone(pursuit, self._followed, pursuit, image)]

    @staticmethod
    def _caught_up(pursuit, frame):
        pursuit.catch_up(frame)
        return True

    def _followed(self, pursuit, image):
        pursuit.follow(image)
        if pursuit is self._first:
            self._confirm()
        pursuit.target.judge()
        return True

    def _resume(self, wishes, image, frame):
        """Return the wishes, and that to go on with a saved target unless one is given by hand."""
        saved = self._saved.hand_back(image)
        given = dict(wishes)
        by_hand = given.get(self._first)
        if saved is None or (by_hand is not None and by_hand.origin != 'init_box'):
            return wishes
        # The start counts it up again.
        self._target.epoch = saved.epoch - 1
        given[self._first] = StartRequest(saved.box, 'state_file', saved.class_id, frame=frame,
                                          identity=saved.identity)
        return list(given.items())

    def _is_stale(self, frame):
        now, simulated = self._now()
        seconds = age(now, frame.stamp)
        if seconds is None:
            self.health.notice('clock', explain_clock(now, frame.stamp, simulated))
            return False
        self.health.notice('clock', None)
        limit = self.settings.max_age
        if not limit or seconds <= limit:
            self.health.notice('stale', None)
            return False
        self.health.dropped('stale')
        self.health.notice('stale', f'images are {seconds:.2f} s old when their turn comes and '
                           f'are dropped, as max_age is {limit:g} s: the camera or the network '
                           'is late, or max_age is too small for them')
        return True

    def _camera(self, size):
        return self.images.camera(size, self.settings.focal_length)

    def _confirm(self):
        if self.settings.candidates_confirm:
            self.confirmation.judge(self._target, self.settings.candidates_confirm,
                                    self.settings.init_tolerance)

    def _learn(self, target):
        try:
            target.learn()
        except Exception as error:
            beside = target.tracker.runtime.learning == 'background'
            self._fault('learn_error', error, 'the model stays as it was' if beside else
                        'the model may be half updated')

    def _start_target(self, pursuit, request, frame, image):
        """Start on what was asked for; return whether `frame` itself is answered by it."""
        if request.automatic and not candidates_allowed(
                self.settings.candidates_policy, self.state, self.held):
            return False
        if self._is_full(pursuit):
            if not request.automatic:
                self.health.fault('too_many_targets',
                                  too_many(request.origin, self.settings.max_targets))
            return False
        started_on = pursuit.start(request, frame, image)
        if started_on is not None and pursuit is self._first:
            self.held = False
        return started_on is frame

    def _is_full(self, pursuit):
        """Return whether there are as many targets as may be beside this one."""
        given = sum(other.target.given for other in self._pursuits() if other is not pursuit)
        return given >= self.settings.max_targets


class _Stopwatch:
    """Splits the time of one frame into the parts of `FrameTimes`."""

    def __init__(self, frame):
        self._last = time.monotonic()
        self._parts = {'queue': self._last - frame.received}

    def lap(self, part):
        now = time.monotonic()
        self._parts[part] = self._parts.get(part, 0.0) + now - self._last
        self._last = now

    def result(self, latency):
        return FrameTimes(latency=latency, **self._parts)
