"""Updates that run in a thread of their own while frames are answered."""
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
import time

import torch

from tracking_nodes.nn.device import give_way, side_stream


_shared = ContextVar('shared', default=None)
_late = ContextVar('late', default=lambda: False)


@contextmanager
def updates_in(executor):
    """
    Let the updates that begin in this context run somewhere else than in their learners' threads.

    With `learning_thread()` the targets of one camera learn one after the other, and leave the
    other cores to the frames. Each learner still has one update at most, under way or waiting.

    :param executor: a `concurrent.futures.Executor`, for all learners.
    """
    with _set(_shared, executor):
        yield


@contextmanager
def updates_in_time(late):
    """
    Let no update begin in this context while frames are late, unless one was just put off.

    An update takes cores and memory from the frames beside it. Where frames fall behind the
    camera, one without an update beside it can catch up.

    :param late: function that returns whether the next image waits already.
    """
    with _set(_late, late):
        yield


@contextmanager
def _set(variable, value):
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def learning_thread():
    """
    Return an executor of one thread, which ends when nobody refers to it, and at exit.

    The thread gives way to that of the frames where both want the same core.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix='learning', initializer=give_way)


class BackgroundLearner:
    """
    One thread that trains, on a GPU on a stream of its own.

    It does one update at a time: what is due meanwhile is skipped, never queued. All methods are
    called by the thread of the frames, and none waits. skipped and failed: how many updates were,
    since the last `drop`. put_off: whether the last one was, since frames are late; the next is
    not. The thread ends with its learner, or with the update at hand after it.
    """

    def __init__(self, device):
        """
        Prepare; the thread begins with the first update.

        :param device: torch device that the updates compute on.
        """
        self._stream = side_stream(device)
        self._executor = learning_thread()
        self._future = self._adopt = self._begun = None
        self.skipped = self.failed = 0
        self.put_off = False

    @property
    def running(self):
        """Return whether an update is under way, be it one whose result was dropped."""
        # Other threads may ask, too, while the frames' one forgets it.
        future = self._future
        return future is not None and not future.done()

    def submit(self, snapshot, train, adopt):
        """
        Begin an update, unless one is running, waits to be taken over, or is put off.

        :param snapshot: function of nothing, called at once; returns what `train` is to know.
        :param train: function of the snapshot, called in the other thread; it leaves alone
            whatever frames are answered with, and returns what was learned.
        :param adopt: function of what was learned, called by a later `take_over`.
        :return: whether it began; otherwise it counts as skipped.
        """
        busy = self._adopt is not None or self.running
        self.put_off = not busy and not self.put_off and _late.get()()
        if busy or self.put_off:
            self.skipped += 1
            return False
        self._begun = time.monotonic()
        taken, ready = snapshot(), _event(self._stream)
        executor = _shared.get() or self._executor
        self._future = executor.submit(_train, train, taken, self._stream, ready)
        self._adopt = adopt
        return True

    def take_over(self):
        """
        Let the result of an update that has ended, if there is one, be adopted.

        :return: when that update began, `time.monotonic()` seconds, or None.
        """
        if self._adopt is None or self.running or self._future.exception() is not None:
            return None
        # A frame ends by reading its answer back: no work given to a GPU needs the old model.
        self._adopt(self._future.result())
        self._future = self._adopt = None
        return self._begun

    def check(self):
        """Raise, once, the error that an update has ended in; the thread goes on."""
        if self._adopt is None or self.running or self._future.exception() is None:
            return
        future, self._future, self._adopt = self._future, None, None
        self.failed += 1
        raise future.exception()

    def drop(self):
        """Forget what runs: nobody will adopt it. The counts begin anew."""
        self._adopt = None
        if not self.running:
            self._future = None
        self.skipped = self.failed = 0
        self.put_off = False


def _event(stream):
    """Return the event that all work given to the GPU so far is done; None on a CPU."""
    return None if stream is None else torch.cuda.current_stream(stream.device).record_event()


def _train(train, taken, stream, ready):
    """Train on a stream, which is idle again when this returns; None is the CPU."""
    if stream is None:
        return train(taken)
    # What the frames' stream still computes may be part of the snapshot.
    stream.wait_event(ready)
    try:
        with torch.cuda.stream(stream):
            return train(taken)
    finally:
        # The snapshot's memory belongs to the frames' stream, which takes it back at once.
        stream.synchronize()
