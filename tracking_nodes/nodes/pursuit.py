"""One target of the node, from the box that is asked for to its place in the newest image."""
import time

from tracking_nodes.errors import BoxError, ImageError
from tracking_nodes.nodes.compensation import Compensation
from tracking_nodes.nodes.frames import NANOSECONDS, spread
from tracking_nodes.nodes.requests import Requests

_WAIT_FOR_STAMP = 2.0


class Pursuit:
    """
    A `Target`, what is asked of it, and where it is by now.

    requests: the pending wish, from any thread; everything else is the worker's.
    """

    def __init__(self, target, worker):
        """
        Begin without a target.

        :param target: the `Target`.
        :param worker: the `Worker` that brings images, decodes them and knows the settings.
        """
        self.target, self.requests = target, Requests()
        self._worker = worker
        self._compensation = Compensation(worker.settings)
        # The frame of the last start, until the target was followed from there to now.
        self._behind = None

    @property
    def wanted(self):
        """Return whether there is a target or one is asked for."""
        return self.target.given or self.requests.start_pending

    def rest(self):
        """Go on after a pause: the images missed in it are gone."""
        self._behind = None

    def forget(self):
        """Have no target any more."""
        self.target.forget()
        self._compensation.reset()

    def start(self, request, frame, image):
        """
        Start on what was asked for.

        :param request: the `StartRequest`; it is kept where its image is still to come.
        :param frame: the newest `Frame`.
        :param image: its picture.
        :return: the `Frame` that was started on, or None.
        """
        target, health = self.target, self._worker.health
        try:
            drawn_on = self._resolve(request, frame)
            if drawn_on is None:
                self.requests.keep(request)
                return None
            first = image if drawn_on is frame else self._worker.decode(drawn_on)
            self._worker.with_room(target.start, first, request.box, request.class_id,
                                   request.identity, self._worker.named.names)
            self._compensation.reset()
            self._compensation.take(drawn_on.stamp, first, target.location)
        except (BoxError, ImageError) as error:
            health.fault('bad_box', f'{request.origin}: {error}; the target so far is kept')
            return None
        self._behind = drawn_on
        health.inform(f'target {target.label} starts from {request.origin}')
        return drawn_on

    def catch_up(self, frame):
        """
        After a start, follow the target through the frames between its own and this one.

        They were missed because the box came late or because starting took long.
        """
        if self._behind is None:
            return
        worker = self._worker
        missed, self._behind = worker.images.buffer.between(self._behind, frame), None
        for past in spread(missed, worker.settings.carry_frames):
            if worker.stopping:
                return
            try:
                image = worker.decode(past)
            except ImageError as error:
                worker.bad_image(error)
                continue
            self.follow(image)
            self._compensation.take(past.stamp, image, self.target.location)

    def follow(self, image):
        """Find the target in an image."""
        before = self._worker.with_room(self.target.follow, image)
        if before:
            self._compensation.reset()
            self._worker.health.inform(
                f'the images changed from {before[0]}x{before[1]} to '
                f'{image.shape[1]}x{image.shape[0]}; the target is followed at the new size')

    def predicted(self, frame, image, followed, now):
        """
        Return where the target is by now.

        :param frame: that was answered.
        :param image: its picture.
        :param followed: whether the target was located in it, and not started there.
        :param now: the node's clock, ns.
        :return: box (4,) and the time it is for, ns.
        """
        if followed:
            self._compensation.take(frame.stamp, image, self.target.location)
        return self._compensation.at(frame.stamp, now)

    def _resolve(self, request, frame):
        """
        Return the frame a request is meant for, or None while it has to wait.

        :raises BoxError: the frame is not in the buffer any more, or did not come.
        """
        drawn_on = request.frame
        if drawn_on is None and request.stamp is None:
            return frame
        if drawn_on is None:
            buffer, tolerance = self._worker.images.buffer, self._worker.settings.init_tolerance
            oldest, newest = buffer.span()
            waited = time.monotonic() - request.asked
            if request.stamp > newest and waited < _WAIT_FOR_STAMP:
                return None
            drawn_on = buffer.nearest(request.stamp, tolerance)
            if drawn_on is None:
                raise BoxError(_no_such_frame(request.stamp, oldest, newest))
        return None if drawn_on.received > frame.received else drawn_on


def _no_such_frame(stamp, oldest, newest):
    wanted, first, last = (value / NANOSECONDS for value in (stamp, oldest, newest))
    return (f'the box is for an image stamped {wanted:.3f} s, but the buffer holds '
            f'{first:.3f} s to {last:.3f} s; send the box sooner, raise buffer_seconds or '
            'buffer_megabytes, or give stamp 0 for the newest image')
