"""A detector's boxes: which of them may start a target, and which confirm the one there is."""
from collections import deque
import threading
from typing import NamedTuple

import numpy as np

from tracking_nodes.geometry import iou
from tracking_nodes.nodes.conversions import best_hypothesis, message_to_box
from tracking_nodes.nodes.frames import NANOSECONDS
from tracking_nodes.nodes.requests import parse_box
from tracking_nodes.trackers.presence import State

_REMEMBERED_ANSWERS = 300
_PENDING_OFFERS = 16


class Candidate(NamedTuple):
    """One box of a detector: box (x, y, w, h) in pixels, and what it says of it."""

    box: np.ndarray
    class_id: str
    score: float
    identity: str


def suitable(message, classes, lowest_score):
    """
    Return the candidates of the right class with a high enough score.

    :param message: Detection2DArray of a detector.
    :param classes: class ids asked for; empty: any.
    :param lowest_score: in [0, 1].
    :return: list of `Candidate`, in the message's order; boxes are not checked.
    """
    found = []
    for each in message.detections:
        hypothesis = best_hypothesis(each, classes)
        if hypothesis is not None and hypothesis.score >= lowest_score:
            found.append(Candidate(message_to_box(each.bbox), hypothesis.class_id,
                                   hypothesis.score, each.id))
    return found


def is_usable(box):
    """Return whether a box is finite and has an area."""
    return bool(np.isfinite(box).all() and min(box[2:]) > 0)


def choose(candidates, region='', identity=''):
    """
    Return the `Candidate` to start on, or None.

    :param candidates: list of `Candidate` with usable boxes.
    :param region: 'x, y, w, h' that the centre has to lie in; '' for anywhere.
    :param identity: the detector's id of the target that was lost; the candidate that has it
        wins whatever its score, '' for none.
    """
    bounds = parse_box(region, 'candidates_region')
    inside = [each for each in candidates if bounds is None or _centre_inside(each.box, bounds)]
    return max(inside, default=None, key=lambda each: (
        bool(identity) and each.identity == identity, each.score))


def _centre_inside(box, bounds):
    centre = box[:2] + box[2:] / 2
    return bool(((bounds[:2] <= centre) & (centre < bounds[:2] + bounds[2:])).all())


class Confirmation:
    """
    Compares a detector's boxes with where the target was in the same image.

    A detector answers later than the tracker: its boxes are held against the answer of their own
    stamp, not against the newest. One thread offers, another judges and remembers.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._offers = deque(maxlen=_PENDING_OFFERS)
        # (stamp in ns, epoch, box) of the last answers.
        self._track = deque(maxlen=_REMEMBERED_ANSWERS)

    def offer(self, stamp, candidates):
        """
        Leave a detector's boxes.

        :param stamp: of their image, ns; 0 for the newest answer.
        :param candidates: list of `Candidate`.
        """
        with self._lock:
            self._offers.append((stamp, candidates))

    def remember(self, stamp, target):
        """Take up the answer to an image of this stamp, ns; one of a lost target says nothing."""
        if target.state in (State.TRACKING, State.UNCERTAIN):
            if self._track and stamp < self._track[-1][0]:
                self._track.clear()
            self._track.append((stamp, target.epoch, target.location.box.copy()))

    def judge(self, target, overlap, tolerance):
        """
        Confirm the target where a candidate overlaps it, and take over the detector's id of it.

        :param target: the `Target`.
        :param overlap: intersection over union from which on it does.
        :param tolerance: how far the stamps may be apart, seconds.
        :return: whether the target was confirmed.
        """
        with self._lock:
            offers = list(self._offers)
            self._offers.clear()
        confirmed = False
        for stamp, candidates in offers:
            if self._track and stamp > self._track[-1][0] + tolerance * NANOSECONDS:
                self.offer(stamp, candidates)
                continue
            box = self._box_at(stamp, target.epoch, tolerance)
            if box is None or not candidates:
                continue
            # Of boxes too large for their area to be a number it is NaN.
            overlaps = np.nan_to_num(iou(np.array([each.box for each in candidates]), box))
            if overlaps.max() >= overlap:
                target.confirm(candidates[int(np.argmax(overlaps))].identity)
                confirmed = True
        return confirmed

    def _box_at(self, stamp, epoch, tolerance):
        answers = [answer for answer in self._track if answer[1] == epoch]
        if not answers:
            return None
        near = min(answers, key=lambda answer: abs(answer[0] - stamp)) if stamp else answers[-1]
        if stamp and abs(near[0] - stamp) > tolerance * NANOSECONDS:
            return None
        return near[2]
