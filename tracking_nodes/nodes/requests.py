"""What the outside asks of the worker: a new target, or none; the latest word counts."""
from dataclasses import dataclass, field
from enum import Enum
import threading
import time

import numpy as np

from tracking_nodes.errors import BoxError
from tracking_nodes.geometry import as_box


@dataclass(frozen=True, eq=False)
class StartRequest:
    """
    A box to start on.

    frame: the `Frame` it was drawn on, or None. stamp: of a frame to be found or awaited, ns, or
    None; with neither, the next frame is meant. origin: where the box came from, for messages.
    automatic: from a detector, so only where the policy still allows it. identity: the detector's
    id of the object, or ''. asked: when, time.monotonic().
    """

    box: np.ndarray
    origin: str
    class_id: str
    frame: object = None
    stamp: int | None = None
    automatic: bool = False
    identity: str = ''
    asked: float = field(default_factory=time.monotonic)


class Forget(Enum):
    """How a target is given up."""

    RESET = 'reset'
    STOP = 'stop'


class Requests:
    """
    The pending wish: perhaps to forget the target, then perhaps to start on a new one.

    Thread-safe and of fixed size: a later start replaces an earlier one, and to forget drops it.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._forget = None
        self._start = None

    def forget(self, how):
        """Ask for the target to be given up before the next frame."""
        with self._lock:
            self._forget, self._start = how, None

    def start(self, request):
        """Ask for a new target; a detector's box never replaces one that was given."""
        with self._lock:
            given = self._start is not None and not self._start.automatic
            if not (request.automatic and given):
                self._start = request

    def keep(self, request):
        """Put back a start that has to wait, unless there is a newer wish."""
        with self._lock:
            if self._start is None and self._forget is None:
                self._start = request

    def take(self, with_start):
        """
        Return (`Forget` or None, `StartRequest` or None) and have them no longer pending.

        :param with_start: whether there is a frame to start on; otherwise a start stays pending.
        """
        with self._lock:
            how, self._forget = self._forget, None
            request = None
            if with_start:
                request, self._start = self._start, None
        return how, request

    @property
    def start_pending(self):
        """Return whether a start waits."""
        return self._start is not None

    @property
    def pending(self):
        """Return whether anything waits."""
        with self._lock:
            return self._start is not None or self._forget is not None


class TwoClicks:
    """Two clicks on an image that make a box; the first one is forgotten after a while."""

    def __init__(self, patience=30.0):
        """
        Begin without a click.

        :param patience: seconds within which the second click has to follow.
        """
        self._patience = patience
        self._first = None

    def click(self, x, y, now):
        """
        Take a click.

        :param x: pixels.
        :param y: pixels.
        :param now: seconds, any clock that does not jump.
        :return: (x, y, w, h) after the second click, otherwise None.
        """
        if self._first is None or now - self._first[2] > self._patience:
            self._first = x, y, now
            return None
        other_x, other_y, _ = self._first
        self._first = None
        return np.array([min(x, other_x), min(y, other_y), abs(x - other_x), abs(y - other_y)])


def parse_box(text, name='init_box'):
    """
    Return the box in a text of four numbers, or None for an empty one.

    :param text: 'x, y, w, h' in pixels, separated by commas or spaces.
    :param name: of the parameter that holds it, for messages.
    :raises BoxError: anything else.
    """
    parts = text.replace(',', ' ').split()
    if not parts:
        return None
    try:
        box = as_box([float(part) for part in parts])
    except (BoxError, ValueError) as error:
        raise BoxError(f'{name} = {text!r} is not four numbers "x, y, w, h"') from error
    if not np.isfinite(box).all() or box[2] <= 0 or box[3] <= 0:
        raise BoxError(f'{name} = {text!r} has no area or is not finite')
    return box
