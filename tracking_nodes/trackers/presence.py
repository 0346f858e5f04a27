"""Whether a target is tracked, doubtful or lost, judged from a tracker's answers."""
from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """What is known of the target; the values are the words that the node publishes."""

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

    low: float = 0.4
    high: float = 0.6
    lost_after: int = 10


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

    def confirm(self):
        """Count doubts anew: somebody else than the tracker sees the target."""
        self._doubts = 0

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
