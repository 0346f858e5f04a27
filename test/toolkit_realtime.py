"""The VOT toolkit's real-time runtime beside `vot_realtime`, both fed with the same latencies."""
from dataclasses import replace

import numpy as np

from tracking_nodes.evaluation import protocols
from tracking_nodes.sequences.sequence import camera_stamps, Sequence
from tracking_nodes.trackers.base import Location, Tracker

from vot.tracker import OnlineTrackerRuntime, RealtimeTrackerRuntime


class _Clip(Sequence):
    """Frames whose first pixel is their number; the target moves half a pixel in each."""

    def __init__(self, count):
        super().__init__('clip', np.array([_box(index) for index in range(count)]),
                         camera_stamps(count))

    def images(self):
        for index in range(len(self)):
            yield np.full((120, 160, 3), index, dtype=np.uint8)


class _Numbered(Tracker):
    """Remembers which frame it was shown last, and answers with that frame's box."""

    def _start(self, image, box):
        self.frame = int(image[0, 0, 0])

    def _locate(self, image):
        self.frame = int(image[0, 0, 0])
        return Location(_box(self.frame), 0.5, True)

    def _learn(self):
        return False

    def _relocate(self, box):
        raise AssertionError('no protocol moves a tracker')

    def _reset(self):
        self.frame = None


class _Latencies:
    """A profile and its only stage: what the frame that the tracker works on takes."""

    def __init__(self, seconds):
        self.seconds, self.tracker = seconds, None

    def stages(self, tracker):
        self.tracker, nothing = tracker, _Latencies(np.zeros(len(self.seconds)))
        nothing.tracker = tracker
        return {'start': self, 'locate': self, 'learn': nothing, 'gather': nothing}

    def draw(self, random):
        return self.seconds[self.tracker.frame] * 1e9


class _Online(OnlineTrackerRuntime):
    """The toolkit's tracker: answers with the number of the frame."""

    def __init__(self, seconds):
        super().__init__(None)
        self.seconds = seconds

    def initialize(self, frame, new=None):
        return frame, self.seconds[frame]

    def update(self, frame, new=None):
        return frame, self.seconds[frame]

    def stop(self):
        raise AssertionError('nothing stops it')

    restart = stop


def compare(seed, count=60):
    """Yield (what, ours, theirs): of which frame the answer to each frame is."""
    seconds = np.random.default_rng(seed).exponential(0.06, count)
    runtime = RealtimeTrackerRuntime(_Online(seconds), grace=3, interval=1 / 20)
    theirs = [runtime.initialize(0)[0]] + [runtime.update(index)[0] for index in range(1, count)]
    protocol, clip = replace(protocols.get('vot_realtime'), profile=_Latencies(seconds)), _Clip(
        count)
    run = protocol.run(_Numbered(), clip, protocol.trials(clip)[0])
    yield 'vot_realtime, the frame that each answer is of', (run.boxes[:, 0] - 20) * 2, theirs


def _box(index):
    return np.array([20 + index / 2, 30, 40, 20])
