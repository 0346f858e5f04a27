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


class StageWatch:
    """
    Adds up the seconds of the stages that run while it is entered.

    seconds: {stage: seconds}, in the order in which they first ended.
    """

    def __init__(self):
        """Begin with no stage."""
        self.seconds = {}
        self._open = []

    def __enter__(self):
        self._token = _watch.set(self)
        return self

    def __exit__(self, *error):
        _watch.reset(self._token)

    def enter(self, name):
        """Begin a stage, inside of the one that is open or of none."""
        self._open.append([name, time.perf_counter(), 0.0])

    def leave(self):
        """End the stage that began last."""
        name, begin, inside = self._open.pop()
        lasted = time.perf_counter() - begin
        self.seconds[name] = self.seconds.get(name, 0.0) + lasted - inside
        if self._open:
            self._open[-1][2] += lasted
