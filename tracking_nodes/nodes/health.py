"""How the node is doing: rates, times, drops and what is wrong, in numbers and in words."""
from collections import Counter, deque
from dataclasses import dataclass
import threading
import time

import numpy as np

_WINDOW = 300
_LOG_EVERY = 5.0
_RATE_SPAN = 5.0


@dataclass(frozen=True)
class FrameTimes:
    """
    Where the time of one frame went, seconds.

    queue: from the callback to the worker. decode: message to array. locate: inside of the
    tracker, for a frame that starts a target its start. predict: the extrapolated answer, where
    one is asked for. publish: messages out. learn: inside of the tracker after publishing;
    updates in the background are not in it. latency: image stamp to the answer published, None
    where the clocks cannot be compared.
    """

    queue: float
    decode: float
    locate: float
    predict: float
    publish: float
    learn: float
    latency: float | None


class Rate:
    """Events per second over the last few seconds."""

    def __init__(self):
        self._times = deque(maxlen=_WINDOW)

    def tick(self, now):
        """Take an event, `now` in seconds."""
        self._times.append(now)

    def per_second(self, now):
        """Return the rate; 0 when nothing happened lately."""
        recent = [moment for moment in self._times if now - moment <= _RATE_SPAN]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])


class Health:
    """
    Thread-safe record of what the node's threads meet.

    `count` is for what is normal, `fault` for an error with words, `notice` for a condition that
    lasts until it is cleared.
    """

    def __init__(self, logger):
        """
        Begin with nothing known.

        :param logger: with methods info, warning and error, as rclpy's and Python's have.
        """
        self._logger = logger
        self._lock = threading.Lock()
        self._logged = {}
        self._times = deque(maxlen=_WINDOW)
        self._drops = Counter()
        self._faults = Counter()
        self._notices = {}
        self.last_fault = None
        self.received = 0
        self.processed = 0
        self._input, self._output = Rate(), Rate()

    @property
    def drops(self):
        """Return how many frames were not answered, by reason."""
        with self._lock:
            return Counter(self._drops)

    @property
    def faults(self):
        """Return how many errors there were, by reason."""
        with self._lock:
            return Counter(self._faults)

    @property
    def notices(self):
        """Return the texts of the conditions that last, by key."""
        with self._lock:
            return dict(self._notices)

    def frame_received(self):
        """Count an image message."""
        with self._lock:
            self.received += 1
            self._input.tick(time.monotonic())

    def frame_processed(self, times):
        """Record a frame that was answered, by its `FrameTimes`."""
        with self._lock:
            self.processed += 1
            self._times.append(times)
            self._output.tick(time.monotonic())

    def dropped(self, reason, count=1):
        """Count frames that are not answered; reasons are words such as 'superseded'."""
        with self._lock:
            self._drops[reason] += count

    def fault(self, reason, text):
        """Count an error, keep its text as the last one, log each reason once in a while."""
        with self._lock:
            self._faults[reason] += 1
            count = self._faults[reason]
            self.last_fault = (time.monotonic(), reason, text)
            due = self._due(reason)
        if due:
            self._logger.error(f'{text} ({reason}, {count} so far)')

    def notice(self, key, text):
        """Set, or with None as text clear, a lasting condition; logged when it begins."""
        with self._lock:
            begins = text is not None and key not in self._notices
            if text is None:
                self._notices.pop(key, None)
            else:
                self._notices[key] = text
            due = begins and self._due(key)
        if due:
            self._logger.warning(text)

    def _due(self, key):
        """Return whether a text of this key may be logged now, and note that it is."""
        now = time.monotonic()
        if now - self._logged.get(key, -_LOG_EVERY) < _LOG_EVERY:
            return False
        self._logged[key] = now
        return True

    def inform(self, text):
        """Log something that happens once."""
        self._logger.info(text)

    def rates(self):
        """Return (images received, frames answered) per second."""
        now = time.monotonic()
        with self._lock:
            return self._input.per_second(now), self._output.per_second(now)

    def percentiles(self, part, ranks=(50, 95, 99)):
        """
        Return percentiles of one part of `FrameTimes` over the last frames, seconds.

        :param part: name of a field.
        :return: list as long as `ranks`, or None without any frame.
        """
        with self._lock:
            values = [getattr(times, part) for times in self._times]
        values = [value for value in values if value is not None]
        return list(np.percentile(values, ranks)) if values else None

    def share_outside(self):
        """Return the share of the worker's time spent outside of the tracker, or None."""
        with self._lock:
            inside = sum(times.locate + times.learn for times in self._times)
            outside = sum(times.decode + times.predict + times.publish for times in self._times)
        return outside / (inside + outside) if inside + outside > 0 else None
