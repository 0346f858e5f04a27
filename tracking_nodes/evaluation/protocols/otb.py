"""
OTB's temporal and spatial robustness evaluation (Wu, Lim, Yang: CVPR 2013, PAMI 2015).

Both run a sequence many times from the ground truth's neighbourhood and count the frames of all
runs of a sequence together. Starts and boxes are those of the authors' MATLAB code (`splitSeqTRE`,
`shiftInitBB`), which counts pixels from 1. Its Python copy, tracker_benchmark, differs: a shift is
one pixel longer where a tenth of the side is whole, and `down` widens the box.
"""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.evaluation.metrics import (frame_scores, frames_per_second, has_truth, METRICS,
                                               precision_curve, Score, success_curve)
from tracking_nodes.evaluation.ope import first_target
from tracking_nodes.evaluation.protocols.base import Trial
from tracking_nodes.evaluation.protocols.ope import OnePass
from tracking_nodes.sequences.sequence import INIT_OMIT

# Shifts of a corner or of the whole box by a tenth of its size, and scales about its centre.
PERTURBATIONS = ('left', 'right', 'up', 'down', 'topLeft', 'topRight', 'bottomLeft',
                 'bottomRight', 'scale_8', 'scale_9', 'scale_11', 'scale_12')
_KEYS = ('auc', 'dp20', 'os50', 'cle', 'mean_overlap', 'fps')


@dataclass(frozen=True)
class _ManyPasses(OnePass):
    """Several passes over a sequence, whose frames are counted together."""

    metrics = tuple(metric for metric in METRICS if metric.key in _KEYS)

    @property
    def folder(self):
        return self.name

    def score_sequence(self, trials, variant):
        """Return the `Score` of one sequence from {trial name: `Result`}, of all their frames."""
        overlaps, errors, seen, seconds = [], [], [], []
        for result in trials.values():
            rows = slice(result.trial.first, result.trial.last + 1)
            boxes, truth = result.run.boxes[rows], result.truth[rows]
            for kept, part in zip((overlaps, errors), frame_scores(boxes, truth, variant)):
                kept.append(part)
            seen.append(frame_scores(boxes, truth))
            seconds.append(result.run.seconds)
        success = success_curve(np.concatenate(overlaps))
        precision = precision_curve(np.concatenate(errors))
        seen_overlaps, seen_errors = (np.concatenate(part) for part in zip(*seen))
        values = (success.mean(), precision[20], success[10], seen_errors.mean(),
                  seen_overlaps.mean(), frames_per_second(np.concatenate(seconds)))
        return Score(dict(zip(_KEYS, map(float, values))), success, precision, len(result.truth))


@dataclass(frozen=True)
class TemporalRobustness(_ManyPasses):
    """
    Start at several times, each time follow to the end.

    No start is where the target leaves the image on the left or above, as in the authors' code, or
    where `init_omit` of the sequence says that it is hidden.

    segments: number of starts. shortest: frames that the last of them has left.
    """

    name: str = 'tre'
    segments: int = 20
    shortest: int = 20

    summary = 'temporal robustness: started at 20 times spread over the sequence (OTB)'

    def misfit(self, sequence):
        return super().misfit(sequence) or (
            '' if len(self._starts(sequence)) else
            f'no ground truth {self.shortest} frames or more before the end')

    def trials(self, sequence):
        known, last = self._starts(sequence), len(sequence) - 1
        # As the authors have it, counted from 1: equal steps, and the last possible start.
        steps = np.floor(np.arange(1, len(known), len(known) / (self.segments - 1)))
        places = [*steps.astype(int), len(known)]
        return [Trial(f'segment{number:02d}', int(known[place - 1]), last)
                for number, place in enumerate(places, 1)]

    def _starts(self, sequence):
        inside = (sequence.boxes[:, :2] > -1).all(axis=1)
        omitted = sequence.values.get(INIT_OMIT, np.zeros(len(sequence))) > 0
        known = np.flatnonzero(has_truth(sequence.boxes) & inside & ~omitted)
        return known[known <= len(sequence) - self.shortest]


@dataclass(frozen=True)
class SpatialRobustness(_ManyPasses):
    """Start on twelve boxes near the ground truth, as a detector might give them."""

    name: str = 'sre'

    summary = 'spatial robustness: started on 12 shifted and scaled boxes (OTB)'

    def trials(self, sequence):
        first, last = first_target(sequence), len(sequence) - 1
        height, width = sequence.image(first).shape[:2]
        return [Trial(kind, first, last,
                      tuple(perturbed_box(sequence.boxes[first], kind, (width, height)).tolist()))
                for kind in PERTURBATIONS]


def perturbed_box(box, kind, image_size):
    """
    Return a start box of spatial robustness evaluation.

    :param box: (4,) x, y, w, h of the ground truth, 0-based pixels.
    :param kind: one of `PERTURBATIONS`.
    :param image_size: (width, height) in pixels, at which the box is cut.
    :return: (4,) float64.
    """
    x, y, w, h = np.asarray(box, dtype=np.float64) + [1, 1, 0, 0]
    right, bottom = x + w - 1, y + h - 1
    if kind.startswith('scale_'):
        ratio = int(kind[len('scale_'):]) / 10
        x, y, w, h = (_round(value) for value in (x + w / 2 - ratio * w / 2,
                                                  y + h / 2 - ratio * h / 2, ratio * w, ratio * h))
    elif kind in ('left', 'right'):
        x += np.ceil(0.1 * w) * (-1 if kind == 'left' else 1)
    elif kind in ('up', 'down'):
        y += np.ceil(0.1 * h) * (-1 if kind == 'up' else 1)
    else:
        if kind.endswith('Left'):
            x = _round(x - 0.1 * w)
        else:
            right = _round(right + 0.1 * w)
        if kind.startswith('top'):
            y = _round(y - 0.1 * h)
        else:
            bottom = _round(bottom + 0.1 * h)
        w, h = right - x + 1, bottom - y + 1
    x, y = max(x, 1), max(y, 1)
    w, h = min(w, image_size[0] - x + 1), min(h, image_size[1] - y + 1)
    return np.array([x - 1, y - 1, w, h])


def _round(value):
    """Round as MATLAB does, halves away from zero."""
    return np.copysign(np.floor(abs(value) + 0.5), value)
