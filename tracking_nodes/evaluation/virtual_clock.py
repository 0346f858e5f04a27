"""A clock that only moves when told to: what a camera sent while a tracker computed."""
from concurrent.futures import Executor, Future

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
        self.now = self._free = int(self._arrivals[first])

    @property
    def late(self):
        """Return whether the image after the one taken last has arrived."""
        return self._next < len(self._arrivals) and self._arrivals[self._next] <= self.now

    @property
    def busy(self):
        """Return whether something runs beside the frames."""
        return self.now < self._free

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

    def beside(self, nanoseconds):
        """Let something run beside the frames, after what does already; return when it ends."""
        self._free = max(self.now, self._free) + nanoseconds
        return self._free

    def await_beside(self):
        """Let time pass until nothing runs beside the frames."""
        self.now = max(self.now, self._free)


class VirtualThread(Executor):
    """
    The thread that learns beside the frames, on a virtual clock.

    Work is done when it is submitted, and said to be done once the clock has moved by what it
    takes; work submitted before that begins after it.
    """

    def __init__(self, clock, duration):
        """
        Begin idle.

        :param clock: a `VirtualClock`.
        :param duration: function that returns what a piece of work takes, ns.
        """
        self._clock, self._duration = clock, duration

    def submit(self, work, /, *arguments):
        """Do the work and return its `Future`, not done before its time."""
        future = _Later(self._clock, self._clock.beside(self._duration()))
        try:
            future.set_result(work(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Let time pass until all work is done: nobody moves the clock after the end."""
        self._clock.await_beside()


class _Later(Future):
    """A future that nobody knows the result of before a time."""

    def __init__(self, clock, when):
        super().__init__()
        self._clock, self._when = clock, when

    def done(self):
        return self._clock.now >= self._when
