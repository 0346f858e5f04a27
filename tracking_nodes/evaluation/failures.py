"""Where a tracker goes wrong on the sequences on which another of the same folder does better."""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.evaluation.confidence import THRESHOLDS
from tracking_nodes.evaluation.measures.failure import find_losses, HELD
from tracking_nodes.evaluation.metrics import frame_scores, success_curve
from tracking_nodes.evaluation.report.tracks import frame_overlaps

LOSS, DRIFT = 'lost', 'drifts'


@dataclass(frozen=True)
class Failure:
    """
    A sequence on which a tracker is behind the best peer.

    tracker, peer: labels. auc, peer_auc: success AUC of each. kind: `LOSS` or `DRIFT`. frame:
    where it goes wrong, 0-based: the last frame that it holds before the loss, or where the drift
    begins. begin: the first frame of the loss, or `frame` again.
    """

    sequence: str
    tracker: str
    auc: float
    peer: str
    peer_auc: float
    kind: str
    frame: int
    begin: int


def find_failures(stored, peers, margin):
    """
    Return where trackers are behind, tracker by tracker, what costs most first.

    :param stored: {label: {sequence: `Result`}} of one-pass evaluation.
    :param peers: labels of the peers; the others are the trackers.
    :param margin: the difference of success AUC that counts.
    :return: list of `Failure`.
    """
    areas = {label: {name: _area(result) for name, result in results.items()}
             for label, results in stored.items()}
    found = []
    for label in stored:
        for name in stored[label] if label not in peers else ():
            rivals = [peer for peer in peers if name in stored[peer]]
            best = max(rivals, key=lambda peer: areas[peer][name], default=None)
            if best is not None and areas[best][name] - areas[label][name] > margin:
                place = failure_place(*(frame_overlaps(stored[one][name])
                                        for one in (label, best)), margin)
                found.append(Failure(name, label, areas[label][name], best, areas[best][name],
                                     *place))
    return sorted(found, key=lambda one: (list(stored).index(one.tracker),
                                          one.auc - one.peer_auc))


def failure_place(overlaps, others, margin):
    """
    Return how and where a tracker falls behind another.

    Where it loses the target (see `find_losses`, with the node's `lost_after`) while the other is
    better by more than the margin in the mean over the loss, it is lost, from the last frame
    before it with an overlap of `HELD` or more. Otherwise it drifts, from the frame where the
    difference begins to stay: that from which to the end the other's lead beyond the margin,
    frame by frame, adds up to most.

    :param overlaps: (N,) IoU of the tracker; NaN where there is no ground truth.
    :param others: (N,) IoU of the other.
    :param margin: a difference of overlap that does not count.
    :return: `LOSS` or `DRIFT`, frame where it goes wrong, first frame of the loss or drift.
    """
    overlaps, others = np.asarray(overlaps), np.asarray(others)
    lead = np.nan_to_num(others - overlaps)
    known = np.isfinite(overlaps)
    for first, end in find_losses(overlaps, THRESHOLDS.lost_after):
        counted = known[first:end]
        if lead[first:end][counted].mean() > margin:
            held = np.flatnonzero(overlaps[:first] >= HELD)
            return LOSS, int(held[-1]) if len(held) else int(np.argmax(known)), first
    rest = np.cumsum(np.where(known, lead - margin, 0)[::-1])[::-1]
    frame = int(np.argmax(rest))
    return DRIFT, frame, frame


def _area(result):
    return float(success_curve(frame_scores(result.run.boxes, result.truth)[0]).mean())
