"""Named stages of a tracker's work, which cost next to nothing while nobody measures them."""
from contextlib import contextmanager
from contextvars import ContextVar
import time

_watch = ContextVar('watch', default=None)


@contextmanager
def stage(name):
    """
    Mark what runs in this context as a stage; the time of a stage inside is not the outer one's.

    :param name: such as 'features', 'scoring', 'learning'.
    """
    watch = _watch.get()
    if watch is None:
        yield
        return
    watch.enter(name)
    try:
        yield
    finally:
        watch.leave()


class HostClock:
    """Tells how long calls last that are done when they return."""

    @staticmethod
    def mark():
        """Return the moment that it is."""
        return time.perf_counter()

    @staticmethod
    def seconds(begin, end):
        """Return the seconds from one `mark` to another."""
        return end - begin


class StageWatch:
    """Adds up the seconds of the stages that run while it is entered."""

    def __init__(self, clock=HostClock):
        """
        Begin with no stage.

        :param clock: has `mark` and `seconds` as `HostClock` has.
        """
        self._clock = clock
        self._open, self._ended = [], []

    def __enter__(self):
        self._token = _watch.set(self)
        return self

    def __exit__(self, *error):
        _watch.reset(self._token)

    def enter(self, name):
        """Begin a stage, inside of the one that is open or of none."""
        self._open.append((name, self._clock.mark()))

    def leave(self):
        """End the stage that began last."""
        name, begin = self._open.pop()
        around = self._open[-1][0] if self._open else None
        self._ended.append((name, around, begin, self._clock.mark()))

    @property
    def seconds(self):
        """Return {stage: seconds}, in the order in which they first ended."""
        total = dict.fromkeys((name for name, *_ in self._ended), 0.0)
        # Only now: asking a GPU how long it took waits for it.
        for name, around, begin, end in self._ended:
            lasted = self._clock.seconds(begin, end)
            total[name] += lasted
            if around is not None:
                total[around] -= lasted
        return total
