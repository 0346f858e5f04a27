"""What a tracker did frame by frame, as the page embeds it."""
import numpy as np

from tracking_nodes.evaluation.metrics import repeat_missing
from tracking_nodes.geometry import iou


def frame_overlaps(result):
    """
    Return the IoU of each frame's box with the ground truth.

    :param result: a `Result`.
    :return: (N,) float64, NaN where there is no ground truth, or no box yet.
    """
    return iou(repeat_missing(result.run.boxes), result.truth)


def track(result):
    """
    Return a run as plain lists of one entry per frame, None where there is nothing.

    :param result: a `Result`.
    :return: {'boxes': [x, y, w, h] in pixels, 'overlaps', 'scores', 'present': 1 or 0, 'events':
        the codes of `run.py` or None for a run without resets}.
    """
    run = result.run
    return {'boxes': boxes(run.boxes), 'overlaps': numbers(frame_overlaps(result), 3),
            'scores': numbers(run.scores, 2), 'present': run.present.astype(int).tolist(),
            'events': None if run.events is None else run.events.tolist()}


def boxes(rows):
    """Return (N, 4) boxes as lists of tenths of a pixel, None for rows of NaN."""
    return [None if np.isnan(row).any() else row.round(1).tolist()
            for row in np.asarray(rows, dtype=np.float64)]


def numbers(values, digits):
    """Return values as a list of rounded numbers, None for NaN and infinity."""
    return [round(value, digits) if np.isfinite(value) else None
            for value in np.asarray(values, dtype=np.float64).tolist()]
