"""What a tracker did frame by frame, as the page embeds it."""
import numpy as np

from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.evaluation.metrics import repeat_missing
from tracking_nodes.geometry import iou


def frame_overlaps(result, regions=False):
    """
    Return the overlap of each frame's answer with the ground truth.

    :param result: a `Result`.
    :param regions: overlap by counting pixels, with polygons where there are any, as VOT has it;
        otherwise the IoU of boxes.
    :return: (N,) float64, NaN where there is no ground truth or no box.
    """
    run = result.run
    # Between a failure and the next start there is no box; elsewhere a missing one is repeated.
    rows = repeat_missing(run.boxes) if run.events is None else run.boxes
    if not regions:
        return iou(rows, result.truth)
    return region_overlaps(rows if run.events is None else run.answers, result.regions,
                           run.image_size)


def track(result, overlaps):
    """
    Return a run as plain lists of one entry per frame, None where there is nothing.

    :param result: a `Result`.
    :param overlaps: (N,), as from `frame_overlaps`.
    :return: {'boxes': [x, y, w, h] in pixels, 'overlaps', 'scores', 'present': 1 or 0, 'events':
        the codes of `run.py` or None for a run without resets}.
    """
    run = result.run
    return {'boxes': boxes(run.boxes), 'overlaps': numbers(overlaps, 3),
            'scores': numbers(run.scores, 2), 'present': run.present.astype(int).tolist(),
            'events': None if run.events is None else run.events.tolist()}


def boxes(rows):
    """Return (N, 4) boxes, or (N, 2n) corners, in tenths of a pixel, None for rows of NaN."""
    return [None if np.isnan(row).any() else row.round(1).tolist()
            for row in np.asarray(rows, dtype=np.float64)]


def numbers(values, digits):
    """Return values as a list of rounded numbers, None for NaN and infinity."""
    return [round(value, digits) if np.isfinite(value) else None
            for value in np.asarray(values, dtype=np.float64).tolist()]
