"""A clock that only moves when told to: what a camera sent while a tracker computed."""
import numpy as np


class VirtualClock:
    """
    The time of a camera that goes on while a tracker computes, and which image it takes next.

    Nobody sleeps: the clock is moved by what a computation took, or is said to take. A tracker
    that is free takes the newest image that has arrived; older ones that it has not seen are
    skipped. When it has seen the newest, it waits for the next.
    """

    def __init__(self, arrivals, first):
        """
        Begin when the first image arrives.

        :param arrivals: (N,) int64 ns, not decreasing: when each image reaches the tracker.
        :param first: index of the first image that the tracker takes.
        """
        self._arrivals = np.asarray(arrivals, dtype=np.int64)
        self._next = first
        self.now = int(self._arrivals[first])

    def due(self, index):
        """
        Return whether this image is the one that the tracker takes next.

        After the last has arrived, none is: a camera would have sent newer ones by then.
        """
        newest = int(np.searchsorted(self._arrivals, self.now, side='right')) - 1
        return index == max(newest, self._next) and self.now <= self._arrivals[-1]

    def take(self, index):
        """Let the tracker take an image: wait for it when it has not arrived yet."""
        self.now = max(self.now, int(self._arrivals[index]))
        self._next = index + 1

    def spend(self, nanoseconds):
        """Let time pass."""
        self.now += nanoseconds
