"""What tests of learning beside the frames share: a gate for updates, and trackers to watch."""
import threading
import time

import numpy as np
from small_trackers import clip, make
import torch

# Those whose own model learns.
NAMES = ['rman', 'tsn', 'cstnet', 'edcf']
PATIENCE = 20.0


class Gate:
    """Holds up updates: they train while it is open and wait while it is closed."""

    def __init__(self):
        self.opened, self.began, self.error = threading.Event(), 0, None
        self.opened.set()

    def hold(self, train):
        """Return the function that trains, behind this gate."""
        def held(taken):
            self.began += 1
            assert self.opened.wait(PATIENCE)
            if self.error is not None:
                raise self.error
            return train(taken)
        return held


def settle(running):
    """Wait until a function says that nothing runs."""
    deadline = time.monotonic() + PATIENCE
    while running():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def started(name, **changes):
    """Return a quick tracker that learns in the background, on the first image of the clip."""
    images, boxes = clip(24)
    tracker = make(name, learning='background', **{'present_threshold': 0.0, **changes})
    tracker.start(images[0], boxes[0])
    return tracker


def frame(tracker, image):
    """Locate and learn; return the `Location`."""
    found = tracker.locate(image)
    tracker.learn()
    return found


def until_due(tracker):
    """Go on frame by frame until an update begins; return the number of the next image."""
    for number, image in enumerate(clip(24)[0][1:], start=1):
        frame(tracker, image)
        if tracker.progress.running:
            return number + 1
    raise AssertionError('no update was due')


def learners(tracker):
    """Return the learners of a tracker by detection."""
    held = [getattr(tracker, name, None) for name in (
        '_learner', '_classifier', '_similarity', '_spatial')]
    temporal = getattr(tracker, '_temporal', None)
    return [each for each in (*held, temporal and temporal.classifier) if each is not None]


def model(tracker):
    """Return copies of all tensors that the tracker has learned."""
    if hasattr(tracker, '_filter'):
        return [tracker._filter.clone()]
    return [value.clone() for each in learners(tracker)
            for value in each.network.state_dict().values()]


def equal(one, other):
    return len(one) == len(other) and all(map(torch.equal, one, other))


def same(one, other):
    return np.array_equal(one.box, other.box) and one.score == other.score
