"""The target of the node: its tracker, its number, and whether it is tracked, doubtful or lost."""
from dataclasses import dataclass
from enum import Enum
import time

from tracking_nodes.trackers.base import Location


class State(str, Enum):
    """What is known of the target; the values are the words on `~/state`."""

    IDLE = 'idle'
    TRACKING = 'tracking'
    UNCERTAIN = 'uncertain'
    LOST = 'lost'


@dataclass(frozen=True)
class Thresholds:
    """
    When the state changes; scores between `low` and `high` never change it.

    low: a score below it is a doubt. high: a score from which the target is sure.
    lost_after: doubts in a row after which the target is lost, frames.
    """

    low: float
    high: float
    lost_after: int


class Presence:
    """The state of one target; hysteresis keeps it from flickering near a threshold."""

    def __init__(self):
        self.state = State.IDLE
        self._doubts = 0

    def begin(self):
        """Enter `tracking`: a target was given."""
        self.state, self._doubts = State.TRACKING, 0

    def end(self):
        """Enter `idle`: there is no target."""
        self.state, self._doubts = State.IDLE, 0

    def update(self, location, thresholds):
        """
        Take up the answer for one frame.

        :param location: a `Location`; a target said to be absent is a doubt whatever its score.
        :param thresholds: a `Thresholds`.
        :return: the new `State`.
        """
        doubt = not location.present or location.score < thresholds.low
        self._doubts = self._doubts + 1 if doubt else 0
        if not doubt and location.score >= thresholds.high:
            self.state = State.TRACKING
        elif self._doubts >= thresholds.lost_after:
            self.state = State.LOST
        elif doubt and self.state is State.TRACKING:
            self.state = State.UNCERTAIN
        return self.state


class Target:
    """
    A tracker together with the target it was given last; used by one thread only.

    epoch: counts the targets given, from 1. location: the last `Location`, or None.
    """

    def __init__(self, tracker, thresholds):
        """
        Begin without a target.

        :param tracker: a `Tracker` that is not started.
        :param thresholds: a `Thresholds`; may be replaced at any time.
        """
        self.tracker = tracker
        self.thresholds = thresholds
        self.epoch = 0
        self.class_id = ''
        self.location = None
        self._presence = Presence()
        self._size = None
        self._learned_at = None

    @property
    def state(self):
        """Return the `State`."""
        return self._presence.state

    @property
    def given(self):
        """Return whether there is a target, be it lost."""
        return self.tracker.started

    def start(self, image, box, class_id):
        """
        Begin with a new target.

        :param image: (H, W, 3) uint8 BGR.
        :param box: (x, y, w, h) in this image.
        :param class_id: what is published as its class.
        :raises BoxError: the box cannot be started on; the target so far is kept.
        """
        try:
            self.tracker.start(image, box)
        finally:
            if not self.tracker.started:
                self.forget()
        self.epoch += 1
        self.class_id = class_id
        self.location = Location(box, 1.0, True)
        self._size = image.shape[1], image.shape[0]
        self._learned_at = time.monotonic()
        self._presence.begin()

    def follow(self, image):
        """
        Find the target in the next image, without judging the answer.

        :return: (width, height) of the images before where this one's differs, otherwise None.
        """
        size = image.shape[1], image.shape[0]
        before = self._size if size != self._size else None
        if before:
            self.tracker.relocate(_scaled(self.location.box, before, size))
            self._size = size
        self.location = self.tracker.locate(image)
        return before

    def judge(self):
        """Take the last location into the state."""
        self._presence.update(self.location, self.thresholds)

    def learn(self):
        """Let the tracker learn from the last image."""
        if self.tracker.learn():
            self._learned_at = time.monotonic()

    def forget(self):
        """Have no target any more; the tracker's weights stay loaded."""
        self.tracker.reset()
        self.location = None
        self._presence.end()

    def model_age(self):
        """Return the seconds since the model last changed, or None without a target."""
        return time.monotonic() - self._learned_at if self.given else None


def _scaled(box, before, after):
    ratio = after[0] / before[0], after[1] / before[1]
    return box * [ratio[0], ratio[1], ratio[0], ratio[1]]
