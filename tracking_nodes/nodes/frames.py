"""Frames between the camera's callback and the worker: newest wins, a short memory by stamp."""
from collections import deque
from dataclasses import dataclass
import threading

NANOSECONDS = 1_000_000_000

# A frame this much older than the node's clock cannot come from a queue: the clocks differ.
_COMPARABLE_BEHIND = 60.0
_COMPARABLE_AHEAD = 1.0
# So many images in a row behind the newest, each later than the one before, were not overtaken.
_SET_BACK = 3


@dataclass(frozen=True, eq=False)
class Frame:
    """
    One image message as it was received, not decoded yet.

    message: sensor_msgs Image or CompressedImage. stamp: of its header, ns; 0 where missing.
    received: time.monotonic() of the callback, seconds.
    """

    message: object
    compressed: bool
    stamp: int
    received: float

    @property
    def header(self):
        """Return the message's header."""
        return self.message.header

    @property
    def size(self):
        """Return the bytes of the image as received."""
        return len(self.message.data)


class NewestSlot:
    """A place for one frame between two threads: a new frame replaces one not taken yet."""

    def __init__(self):
        self._filled = threading.Condition()
        self._frame = None

    def put(self, frame):
        """Leave a frame; return whether it replaced one that nobody took."""
        with self._filled:
            replaced = self._frame is not None
            self._frame = frame
            self._filled.notify()
        return replaced

    @property
    def filled(self):
        """Return whether a frame waits to be taken."""
        with self._filled:
            return self._frame is not None

    def take(self, timeout):
        """Return the newest frame, or None when none comes within `timeout` seconds."""
        with self._filled:
            self._filled.wait_for(lambda: self._frame is not None, timeout)
            frame, self._frame = self._frame, None
        return frame


class FrameBuffer:
    """
    The last frames received, so that a box can be applied to the frame it was drawn on.

    Bounded in time and in bytes; the newest frame is always kept.
    """

    def __init__(self, seconds, limit_bytes):
        """
        Begin empty.

        :param seconds: frames older than this, by stamp, than the newest are forgotten.
        :param limit_bytes: bytes of all images together.
        """
        self._span = int(seconds * NANOSECONDS)
        self._limit = limit_bytes
        self._frames = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def append(self, frame):
        """Add a frame; its stamp is not smaller than those before, see `clear`."""
        with self._lock:
            self._frames.append(frame)
            self._bytes += frame.size
            while len(self._frames) > 1 and (
                    self._bytes > self._limit
                    or frame.stamp - self._frames[0].stamp > self._span
                    or not frame.stamp):
                self._bytes -= self._frames.popleft().size

    def clear(self):
        """Forget all frames, as the stamps begin anew."""
        with self._lock:
            self._frames.clear()
            self._bytes = 0

    def newest(self):
        """Return the frame received last, or None."""
        with self._lock:
            return self._frames[-1] if self._frames else None

    def span(self):
        """Return the stamps of the oldest and of the newest frame, ns; zeros when empty."""
        with self._lock:
            return (self._frames[0].stamp, self._frames[-1].stamp) if self._frames else (0, 0)

    def nearest(self, stamp, tolerance):
        """
        Return the frame nearest to a stamp, or None.

        :param stamp: ns.
        :param tolerance: how far off it may be, seconds.
        """
        with self._lock:
            near = min(self._frames, key=lambda frame: abs(frame.stamp - stamp), default=None)
        if near is None or abs(near.stamp - stamp) > tolerance * NANOSECONDS:
            return None
        return near

    def between(self, first, last):
        """Return the frames received after `first` and before `last`, oldest first."""
        with self._lock:
            return [frame for frame in self._frames
                    if first.received < frame.received < last.received]

    def __len__(self):
        with self._lock:
            return len(self._frames)


def spread(items, count):
    """Return at most `count` of the items, equally spaced, the last always among them."""
    if len(items) <= count:
        return list(items)
    return [items[(index + 1) * len(items) // count - 1] for index in range(count)]


class StampOrder:
    """What a frame's stamp says against the stamp before: the words for a camera's faults."""

    OK, MISSING, REPEATED, OUT_OF_ORDER, JUMPED_BACK = (
        'ok', 'missing', 'repeated', 'out_of_order', 'jumped_back')

    def __init__(self, jump_seconds=1.0):
        """
        Begin without a frame.

        :param jump_seconds: a step back by more than this is a clock that was set or a bag that
            began again; a smaller one is a frame overtaken on its way, unless those after it
            stay behind as well.
        """
        self._jump = int(jump_seconds * NANOSECONDS)
        self._last = 0
        self._behind = []

    def judge(self, stamp):
        """Return one of the class's five words for the next frame's stamp, ns."""
        if not stamp:
            return self.MISSING
        back = self._last - stamp
        if 0 < back <= self._jump and not self._set_back(stamp):
            return self.OUT_OF_ORDER
        self._last, self._behind = stamp, []
        if back == 0:
            return self.REPEATED
        return self.JUMPED_BACK if back > 0 else self.OK

    def _set_back(self, stamp):
        rises = self._behind and stamp > self._behind[-1]
        self._behind = [*self._behind, stamp] if rises else [stamp]
        return len(self._behind) >= _SET_BACK


def age(now, stamp):
    """
    Return how old a stamp is in seconds, or None where the two clocks cannot be compared.

    :param now: the node's clock, ns; 0 while simulated time has not begun.
    :param stamp: of the image, ns; 0 where missing.
    """
    if not now or not stamp:
        return None
    seconds = (now - stamp) / NANOSECONDS
    return seconds if -_COMPARABLE_AHEAD <= seconds <= _COMPARABLE_BEHIND else None


def explain_clock(now, stamp, simulated):
    """
    Return in words why `age` is None, and what to do.

    :param simulated: whether the node has use_sim_time set.
    """
    if not stamp:
        return ('images carry no time stamp (header.stamp is 0): detections cannot be matched '
                'to images and max_age is not checked; make the camera driver stamp its images')
    if not now:
        return 'use_sim_time is set, but nothing arrives on /clock: play the bag with --clock'
    seconds = (now - stamp) / NANOSECONDS
    side = 'behind' if seconds > 0 else 'ahead of'
    relation = f"{abs(seconds):.0f} s {side} the node's clock"
    remedy = ('is the camera on another machine whose clock differs?' if simulated else
              'for a bag set use_sim_time and play it with --clock; for a camera on another '
              'machine synchronise the clocks')
    return f'image stamps are {relation}: ages are not computed, max_age is not checked; {remedy}'
