"""A tracker that never moves its box: the shortest example of the contract, and a test double."""
import copy

from tracking_nodes.trackers.base import Location, Tracker


class StaticTracker(Tracker):
    """Answer every frame with the box of the first."""

    def _start(self, image, box):
        self._box = box

    def _locate(self, image):
        return Location(self._box.copy(), 1.0, True)

    def _learn(self):
        return False

    def _probe(self):
        return copy.copy(self)

    def _relocate(self, box):
        self._box = box

    def _reset(self):
        self._box = None
