"""The thread that answers frames: decode, locate, publish, then learn."""
import threading
import time
import traceback

from tracking_nodes.errors import BoxError, ImageError
from tracking_nodes.imaging import decode_compressed, decode_image
from tracking_nodes.nn.device import resolve_device
from tracking_nodes.nn.gpu_memory import advice, is_out_of_memory, with_room
from tracking_nodes.nodes.candidates import Confirmation
from tracking_nodes.nodes.compensation import Compensation
from tracking_nodes.nodes.frames import age, explain_clock, NANOSECONDS, spread
from tracking_nodes.nodes.health import FrameTimes
from tracking_nodes.nodes.requests import Forget, Requests, StartRequest
from tracking_nodes.nodes.start_inputs import candidates_allowed
from tracking_nodes.nodes.state_file import StateFile

_WAIT_FOR_FRAME = 0.1
_WAIT_FOR_STAMP = 2.0


class Worker:
    """
    Runs the tracker, in one thread, on the newest frame there is.

    Other threads set `settings`, `tracker_settings` and `learning`, which count from the next
    frame on, put wishes into `requests`, and read `state` and `held`.
    """

    def __init__(self, target, outputs, health, settings, now):
        """
        Prepare; nothing runs before `start`.

        :param target: the `Target`, from now on used by this worker only.
        :param outputs: the `Outputs`.
        :param health: the `Health`.
        :param settings: `NodeSettings`.
        :param now: function that returns the node's clock in ns and whether it is simulated.
        """
        self._target, self._outputs, self._health, self._now = target, outputs, health, now
        self.settings = settings
        self.tracker_settings = target.tracker.settings
        self.learning = True
        self.held = False
        self.requests = Requests()
        self.confirmation = Confirmation()
        self._saved = StateFile(settings.state_file, settings.state_age, health)
        self._compensation = Compensation(settings)
        self._images = None
        # The frame of the last start, until the target was followed from there to now.
        self._behind = None
        self._stopping = threading.Event()
        self._thread = None

    @property
    def state(self):
        """Return the target's `State`."""
        return self._target.state

    @property
    def target_given(self):
        """Return whether there is a target or one is asked for."""
        return self._target.given or self.requests.start_pending

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
        return len(self._images.buffer) if self._images else 0

    @property
    def progress(self):
        """Return the `Progress` of learning the target."""
        return self._target.progress

    def start(self, images):
        """Begin to answer the frames of an `ImageInput`."""
        self._images, self._behind = images, None
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
        while not self._stopping.is_set():
            try:
                self._step(self._images.slot.take(_WAIT_FOR_FRAME))
            except Exception as error:
                # Whatever a message or a tracker brings about, the next frame is answered.
                self._health.dropped(
                    self._fault('tracker_error', error, 'the frame is not answered'))

    def _fault(self, reason, error, consequence):
        """Count an error of the tracker; return the reason it is counted under."""
        if is_out_of_memory(error):
            reason = 'gpu_memory'
            consequence += f'; {advice(self.settings.tracker, self._target.tracker.settings)}'
        self._health.fault(reason, f'{type(error).__name__}: {error}; {consequence}\n'
                           + traceback.format_exc())
        return reason

    def _with_room(self, work, *arguments):
        return with_room(
            resolve_device(self._target.tracker.runtime.device),
            lambda error: self._fault('gpu_memory', error, 'it is tried once more'),
            work, *arguments)

    def _step(self, frame):
        self._target.thresholds = self.settings.thresholds
        self._target.tracker.settings = self.tracker_settings
        fresh = frame is not None and not self._is_stale(frame)
        how, request = self.requests.take(with_start=fresh)
        if how is not None:
            self._forget(how)
        if not fresh:
            return
        times = _Stopwatch(frame)
        image = None
        if self._target.given or request or self._outputs.want_image or self._saved.pending:
            try:
                image = self._decode(frame)
            except ImageError as error:
                self._health.dropped('bad_image')
                self._health.fault('bad_image', f'{self._images.topic}: {error}')
                if request:
                    self.requests.keep(request)
                return
        times.lap('decode')
        if self._saved.pending:
            request = self._resume(request, image, frame)
        answered = request is not None and self._start_target(request, frame, image)
        followed = self._target.given and not answered
        if followed:
            self._catch_up(frame)
            self._follow(image)
            self._confirm()
            self._target.judge()
        times.lap('locate')
        self.confirmation.remember(frame.stamp, self._target)
        self._outputs.publish(frame.header, self._target)
        latency = age(self._now()[0], frame.stamp)
        times.lap('publish')
        if self._compensation.wanted:
            self._predict(frame, image, followed)
        times.lap('predict')
        self._outputs.show(frame.header, image, self._target, self._camera)
        self._saved.keep(image, self._target)
        times.lap('publish')
        if followed and self.learning:
            self._learn()
        times.lap('learn')
        self._health.frame_processed(times.result(latency))

    def _resume(self, request, image, frame):
        """Return the request to go on with a saved target; one given by hand is better."""
        saved = self._saved.hand_back(image)
        if saved is None or (request is not None and request.origin != 'init_box'):
            return request
        # The start counts it up again.
        self._target.epoch = saved.epoch - 1
        return StartRequest(saved.box, 'state_file', saved.class_id, frame=frame,
                            identity=saved.identity)

    def _forget(self, how):
        self._target.forget()
        self._compensation.reset()
        self.held = how is Forget.STOP
        self._outputs.publish_state(self._target.state)

    def _is_stale(self, frame):
        now, simulated = self._now()
        seconds = age(now, frame.stamp)
        if seconds is None:
            self._health.notice('clock', explain_clock(now, frame.stamp, simulated))
            return False
        self._health.notice('clock', None)
        limit = self.settings.max_age
        if not limit or seconds <= limit:
            self._health.notice('stale', None)
            return False
        self._health.dropped('stale')
        self._health.notice('stale', f'images are {seconds:.2f} s old when their turn comes and '
                            f'are dropped, as max_age is {limit:g} s: the camera or the network '
                            'is late, or max_age is too small for them')
        return True

    def _decode(self, frame):
        decode = decode_compressed if frame.compressed else decode_image
        return decode(frame.message, self.settings.max_image_pixels)

    def _camera(self, size):
        return self._images.camera(size, self.settings.focal_length)

    def _confirm(self):
        if self.settings.candidates_confirm:
            self.confirmation.judge(self._target, self.settings.candidates_confirm,
                                    self.settings.init_tolerance)

    def _predict(self, frame, image, followed):
        box, stamp = None, frame.stamp
        if followed:
            self._compensation.take(frame.stamp, image, self._target.location)
        if self._target.given:
            box, stamp = self._compensation.at(frame.stamp, self._now()[0])
        self._outputs.predict(frame.header, self._target, box, stamp)

    def _learn(self):
        try:
            self._target.learn()
        except Exception as error:
            beside = self._target.tracker.runtime.learning == 'background'
            self._fault('learn_error', error, 'the model stays as it was' if beside else
                        'the model may be half updated')

    def _follow(self, image):
        before = self._with_room(self._target.follow, image)
        if before:
            self._compensation.reset()
            self._health.inform(
                f'the images changed from {before[0]}x{before[1]} to '
                f'{image.shape[1]}x{image.shape[0]}; the target is followed at the new size')

    def _start_target(self, request, frame, image):
        """Start on what was asked for; return whether `frame` itself is answered by it."""
        if request.automatic and not candidates_allowed(
                self.settings.candidates_policy, self.state, self.held):
            return False
        try:
            drawn_on = self._resolve(request, frame)
            if drawn_on is None:
                self.requests.keep(request)
                return False
            first = image if drawn_on is frame else self._decode(drawn_on)
            self._with_room(self._target.start, first, request.box, request.class_id,
                            request.identity)
            self._compensation.reset()
            self._compensation.take(drawn_on.stamp, first, self._target.location)
        except (BoxError, ImageError) as error:
            self._health.fault('bad_box', f'{request.origin}: {error}; the target so far is kept')
            return False
        self.held = False
        self._behind = drawn_on
        self._health.inform(f'target {self._target.epoch} starts from {request.origin}')
        return drawn_on is frame

    def _resolve(self, request, frame):
        """
        Return the frame a request is meant for, or None while it has to wait.

        :raises BoxError: the frame is not in the buffer any more, or did not come.
        """
        drawn_on = request.frame
        if drawn_on is None and request.stamp is None:
            return frame
        if drawn_on is None:
            oldest, newest = self._images.buffer.span()
            waited = time.monotonic() - request.asked
            if request.stamp > newest and waited < _WAIT_FOR_STAMP:
                return None
            drawn_on = self._images.buffer.nearest(request.stamp, self.settings.init_tolerance)
            if drawn_on is None:
                raise BoxError(_no_such_frame(request.stamp, oldest, newest))
        return None if drawn_on.received > frame.received else drawn_on

    def _catch_up(self, frame):
        """
        After a start, follow the target through the frames between its own and this one.

        They were missed because the box came late or because starting took long.
        """
        if self._behind is None:
            return
        missed, self._behind = self._images.buffer.between(self._behind, frame), None
        for past in spread(missed, self.settings.carry_frames):
            if self._stopping.is_set():
                return
            try:
                self._follow_past(past)
            except ImageError as error:
                self._health.fault('bad_image', f'{self._images.topic}: {error}')

    def _follow_past(self, frame):
        image = self._decode(frame)
        self._follow(image)
        self._compensation.take(frame.stamp, image, self._target.location)


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


def _no_such_frame(stamp, oldest, newest):
    wanted, first, last = (value / NANOSECONDS for value in (stamp, oldest, newest))
    return (f'the box is for an image stamped {wanted:.3f} s, but the buffer holds '
            f'{first:.3f} s to {last:.3f} s; send the box sooner, raise buffer_seconds or '
            'buffer_megabytes, or give stamp 0 for the newest image')
