"""Where a tracker loses hold: the stretches of low overlap in a run."""
from dataclasses import dataclass

import numpy as np

# The overlap that the field counts as success (OS0.5).
DIP_OVERLAP = 0.5


@dataclass(frozen=True)
class Dip:
    """
    A stretch of consecutive frames below `DIP_OVERLAP`.

    first, last: its frames, 0-based, both included. frame: the first of those with its lowest
    overlap. overlap: that overlap. lost: sum over its frames of what lacks to `DIP_OVERLAP`.
    """

    first: int
    last: int
    frame: int
    overlap: float
    lost: float


def find_dips(overlaps):
    """
    Return the dips of a run, the one that lost most first.

    :param overlaps: (N,) IoU per frame; NaN where there is nothing to compare, which ends a dip.
    :return: list of `Dip`.
    """
    overlaps = np.asarray(overlaps, dtype=np.float64)
    with np.errstate(invalid='ignore'):
        low = np.concatenate([[False], overlaps < DIP_OVERLAP, [False]])
    edges = np.flatnonzero(low[1:] != low[:-1])
    dips = []
    for first, end in edges.reshape(-1, 2).tolist():
        inside = overlaps[first:end]
        frame = first + int(np.argmin(inside))
        dips.append(Dip(first, end - 1, frame, float(overlaps[frame]),
                        float((DIP_OVERLAP - inside).sum())))
    return sorted(dips, key=lambda dip: (-dip.lost, dip.first))
