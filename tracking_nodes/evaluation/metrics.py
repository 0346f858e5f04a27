"""
One-pass metrics of a single target: pure functions over boxes, and what each metric is called.

All boxes are (N, 4) float64, x, y, w, h in pixels. No function changes its arguments. Tools of the
field compute different numbers under one name; a `Variant` says which reading is meant:

================  ============  ====================================  =========================
variant           first frame   frames without ground truth           as in
================  ============  ====================================  =========================
`visible`         as written    left out of every mean                this package's default
`otb`             ground truth  missed by success, hit by precision   OTB MATLAB toolkit
`pysot`           as written    missed by success, hit by precision   pysot-toolkit
`pytracking`      ground truth  missed by success and precision       pytracking, LaSOT toolkit
`got10k`          ground truth  compared as they are                  got10k toolkit, `otb.py`
================  ============  ====================================  =========================

They agree wherever every frame has ground truth inside of the image and the first box is the
given one. `otb` and `pysot` take a box whose corner lies left of or above the first pixel for no
ground truth, in success; in precision `otb` asks for the corner again, `pysot` for the centre.
"""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.measures.duration import time_to_failure
from tracking_nodes.geometry import iou

SUCCESS_THRESHOLDS = np.linspace(0, 1, 21)
PRECISION_THRESHOLDS = np.arange(51)
NORMALISED_THRESHOLDS = np.arange(51) / 100


@dataclass(frozen=True)
class Variant:
    """
    How a tool treats the first frame and frames without ground truth.

    first: 'written' or 'truth'. absent: 'left out', 'otb' (overlap -1 and error -1, so that
    every precision threshold counts it as a hit), 'pysot' (the same, but precision asks where the
    centre is), 'missed' (overlap -1, error inf) or 'as is'.
    """

    first: str
    absent: str


VARIANTS = {
    'visible': Variant('written', 'left out'),
    'otb': Variant('truth', 'otb'),
    'pysot': Variant('written', 'pysot'),
    'pytracking': Variant('truth', 'missed'),
    'got10k': Variant('truth', 'as is'),
}


@dataclass(frozen=True)
class Metric:
    """What a number of `Score` is: its name, definition, range and which direction is better."""

    key: str
    name: str
    definition: str
    low: float
    high: float
    higher_is_better: bool | None


METRICS = (
    Metric('auc', 'success AUC', 'mean share of frames with IoU > t, t = 0, 0.05 .. 1 '
           '(21 thresholds, OTB); a perfect tracker has 20/21; which frames count: --variant',
           0, 20 / 21, True),
    Metric('dp20', 'precision at 20 px', 'share of frames with centre error <= 20 px (OTB); '
           'which frames count: --variant', 0, 1, True),
    Metric('os50', 'OS0.5', 'share of frames with IoU > 0.5; which frames count: --variant',
           0, 1, True),
    Metric('cle', 'CLE', 'mean centre error in pixels over frames with ground truth',
           0, np.inf, False),
    Metric('mean_overlap', 'mean overlap', 'mean IoU over frames with ground truth', 0, 1, True),
    Metric('norm_precision', 'normalised precision', 'share of frames with centre error, divided '
           'by width and height of the ground truth, <= 0.2 (LaSOT toolkit, pysot, pytracking); '
           'which frames count: --variant', 0, 1, True),
    Metric('norm_auc', 'normalised precision AUC', 'mean share over 51 thresholds 0, 0.01 .. 0.5 '
           'of the same error (TrackingNet); which frames count: --variant', 0, 1, True),
    Metric('ao', 'AO', 'GOT-10k: mean IoU over frames with ground truth but the first, boxes cut '
           'at the image; of several sequences the mean over sequences, while the protocol got10k '
           'pools their frames', 0, 1, True),
    Metric('sr50', 'SR0.5', 'GOT-10k: share of those frames with IoU > 0.5', 0, 1, True),
    Metric('sr75', 'SR0.75', 'GOT-10k: share of those frames with IoU > 0.75', 0, 1, True),
    Metric('nt2f', 'NT2F', 'normalised time to failure: share of frames before the first of ten '
           'in a row with IoU <= 0.1 (failure as in VOT-ST2020)', 0, 1, True),
    Metric('nt2f_zero', 'NT2F (IoU 0)', 'share of frames before the first with IoU 0 (failure as '
           'in VOT2013 to VOT2019)', 0, 1, True),
    Metric('fps', 'fps', 'frames divided by the sum of their seconds, start included',
           0, np.inf, True),
    Metric('fps_got10k', 'fps (got10k)', 'mean of 1 / seconds of each frame: above fps wherever '
           'frames differ', 0, np.inf, True),
)


@dataclass(frozen=True)
class Score:
    """
    All metrics of one run on one sequence, by the keys of `METRICS`.

    success: (21,), share of frames above each of `SUCCESS_THRESHOLDS`. precision: (51,), share
    within each of `PRECISION_THRESHOLDS`. frames: length of the sequence. normalised: (51,), share
    within each of `NORMALISED_THRESHOLDS`, or None. confidence: a `confidence.Confidence`, or
    None; with it, values has those too.
    """

    values: dict
    success: np.ndarray
    precision: np.ndarray
    frames: int
    normalised: np.ndarray | None = None
    confidence: object = None


def has_truth(truth):
    """Return (N,) bool: rows of ground truth that are finite and have an area."""
    truth = np.asarray(truth, dtype=np.float64)
    with np.errstate(invalid='ignore'):
        return np.isfinite(truth).all(axis=-1) & (truth[..., 2:] > 0).all(axis=-1)


def repeat_missing(boxes):
    """Return boxes with each non-finite row replaced by the one before, as OTB's tools do."""
    boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    known = np.isfinite(boxes).all(axis=1)
    last = np.maximum.accumulate(np.where(known, np.arange(len(boxes)), -1))
    return np.where((last >= 0)[:, None], boxes[last], np.nan)


def centre_errors(boxes, truth):
    """Return (N,) distances between box centres in pixels."""
    return np.linalg.norm(_centres(boxes) - _centres(truth), axis=-1)


def normalised_errors(boxes, truth):
    """Return (N,) centre distances in units of the ground truth's width and height."""
    size = np.asarray(truth, dtype=np.float64)[..., 2:]
    size = np.where(size > 0, size, np.nan)
    return np.linalg.norm((_centres(boxes) - _centres(truth)) / size, axis=-1)


def success_curve(overlaps, thresholds=SUCCESS_THRESHOLDS):
    """Return (K,) shares of frames with overlap > each threshold."""
    return (np.asarray(overlaps)[:, None] > thresholds).mean(axis=0)


def precision_curve(errors, thresholds=PRECISION_THRESHOLDS):
    """Return (51,) shares of frames with error <= each threshold."""
    return (np.asarray(errors)[:, None] <= thresholds).mean(axis=0)


def frame_scores(boxes, truth, variant='visible'):
    """
    Return what a variant scores in each frame.

    :param boxes: (N, 4) predicted; NaN rows repeat the one before.
    :param truth: (N, 4) ground truth; NaN rows where there is none.
    :param variant: a key of `VARIANTS`.
    :return: overlaps (M,) and centre errors (M,) in pixels; M < N where frames are left out.
    :raises SequenceError: the two differ in length, or no frame has ground truth.
    """
    return _all_scores(boxes, truth, variant)[:2]


def _all_scores(boxes, truth, variant):
    """Return what `frame_scores` does, and the errors in units of the ground truth's size."""
    rule = VARIANTS[variant]
    truth = np.asarray(truth, dtype=np.float64).reshape(-1, 4)
    boxes = repeat_missing(boxes)
    valid = has_truth(truth)
    if len(boxes) != len(truth):
        raise SequenceError(f'{len(boxes)} result boxes for {len(truth)} boxes of ground truth; '
                            'results need one line per frame')
    if not valid.any():
        raise SequenceError(f'none of {len(truth)} frames has ground truth, nothing to score')
    if rule.first == 'truth' and valid[0]:
        boxes = np.concatenate([truth[:1], boxes[1:]])
    # Rounding can lift the overlap of equal boxes above 1, past the last strict threshold.
    overlaps, errors = np.minimum(iou(boxes, truth), 1), centre_errors(boxes, truth)
    normalised = normalised_errors(boxes, truth)
    if rule.absent == 'left out':
        return overlaps[valid], errors[valid], normalised[valid]
    if rule.absent == 'as is':
        return overlaps, errors, normalised
    if rule.absent == 'missed':
        return (np.where(valid, overlaps, -1), np.where(valid, errors, np.inf),
                np.where(valid, normalised, np.inf))
    # These tools count pixels from 1 and ask whether all numbers are above 0.
    with np.errstate(invalid='ignore'):
        corner = valid & (truth[:, :2] > -1).all(axis=1)
        centre = valid & (_centres(truth) > -0.5).all(axis=1)
    near = corner if rule.absent == 'otb' else centre
    return (np.where(corner, overlaps, -1), np.where(near, errors, -1),
            np.where(near, normalised, -1))


def score(boxes, truth, seconds, image_size, variant='visible'):
    """
    Return every metric of one run.

    :param boxes: (N, 4) predicted.
    :param truth: (N, 4) ground truth; NaN rows where there is none.
    :param seconds: (N,) tracker time of each frame; 0 where it did not run.
    :param image_size: (width, height) in pixels, at which GOT-10k cuts the boxes.
    :param variant: a key of `VARIANTS`, for success and both kinds of precision.
    :return: a `Score`.
    :raises SequenceError: boxes and truth do not fit together.
    """
    overlaps, errors, normalised_error = _all_scores(boxes, truth, variant)
    success, precision = success_curve(overlaps), precision_curve(errors)
    normalised = precision_curve(normalised_error, NORMALISED_THRESHOLDS)
    seen_overlaps, seen_errors = frame_scores(boxes, truth)
    valid = has_truth(truth)
    lasting = np.where(valid, iou(repeat_missing(boxes), truth), np.nan)[np.argmax(valid):]
    values = {'auc': success.mean(), 'dp20': precision[20], 'os50': success[10],
              'cle': seen_errors.mean(), 'mean_overlap': seen_overlaps.mean(),
              'norm_precision': normalised[20], 'norm_auc': normalised.mean(),
              **got10k_scores(boxes, truth, image_size),
              'nt2f': time_to_failure(lasting, 0.1, 10),
              'nt2f_zero': time_to_failure(lasting, 0, 1),
              'fps': frames_per_second(seconds), 'fps_got10k': mean_frame_rate(seconds)}
    return Score({key: float(value) for key, value in values.items()},
                 success, precision, len(valid), normalised)


def got10k_scores(boxes, truth, image_size):
    """Return AO, SR0.5 and SR0.75 of GOT-10k by key; NaN when no frame can be scored."""
    overlaps = got10k_overlaps(boxes, truth, image_size)
    if not len(overlaps):
        return {'ao': np.nan, 'sr50': np.nan, 'sr75': np.nan}
    return {'ao': overlaps.mean(), 'sr50': (overlaps > 0.5).mean(),
            'sr75': (overlaps > 0.75).mean()}


def got10k_overlaps(boxes, truth, image_size, first=0):
    """
    Return the overlaps that GOT-10k counts, of boxes cut at the image.

    Frames without ground truth are left out, and all up to the first, in which the box is given.
    """
    valid = has_truth(truth)
    valid[:first + 1] = False
    return iou(_cut(repeat_missing(boxes)[valid], image_size),
               _cut(np.asarray(truth, dtype=np.float64)[valid], image_size))


def frames_per_second(seconds):
    """Return frames / sum of seconds, over frames with a time above 0."""
    seconds = _measured(seconds)
    return len(seconds) / seconds.sum() if len(seconds) else np.nan


def mean_frame_rate(seconds):
    """Return the mean of 1 / seconds, over frames with a time above 0, as got10k has it."""
    seconds = _measured(seconds)
    return (1 / seconds).mean() if len(seconds) else np.nan


def mean_values(rows):
    """
    Return the mean over sequences of every metric, as OTB does.

    :param rows: one mapping of metric to value per sequence; NaN values are left out.
    """
    return {key: _finite_mean([row[key] for row in rows]) for key in rows[0]}


def _finite_mean(values):
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float('nan')


def _measured(seconds):
    seconds = np.asarray(seconds, dtype=np.float64)
    return seconds[seconds > 0]


def _centres(boxes):
    boxes = np.asarray(boxes, dtype=np.float64)
    return boxes[..., :2] + boxes[..., 2:] / 2


def _cut(boxes, image_size):
    low = np.clip(boxes[:, :2], 0, image_size)
    return np.concatenate([low, np.clip(boxes[:, 2:], 0, image_size - low)], axis=1)
