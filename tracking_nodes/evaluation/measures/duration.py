"""How long a track lasts without help."""
import numpy as np


def time_to_failure(overlaps, threshold, patience):
    """
    Return the normalised time to failure (NT2F): frames tracked before failing, by all frames.

    A track has failed in the first of `patience` frames in a row with ground truth and an overlap
    of at most `threshold`; one that never fails has 1. Frames without ground truth end a row.
    With 0.1 and 10 this is the robustness of one run of VOT-ST2020 (Kristan et al.: The Eighth
    Visual Object Tracking VOT2020 Challenge Results, 2020); with 0 and 1 the failure of VOT's
    reset-based protocol.

    :param overlaps: (N,) from the start on; NaN where there is no ground truth.
    :param threshold: highest overlap that counts as lost.
    :param patience: number of frames.
    :return: in [0, 1].
    """
    row = 0
    for index, lost in enumerate(np.asarray(overlaps) <= threshold):
        row = row + 1 if lost else 0
        if row == patience:
            return (index + 1 - patience) / len(overlaps)
    return 1.0
