"""Long-term evaluation: one pass over a sequence in which the target leaves and comes back."""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.evaluation.measures import longterm
from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.evaluation.metrics import (frames_per_second, has_truth, mean_values, Metric,
                                               repeat_missing)
from tracking_nodes.evaluation.protocols.base import Curve, Scores
from tracking_nodes.evaluation.protocols.ope import OnePass
from tracking_nodes.geometry import iou

_METRICS = (
    Metric('f_score', 'F', 'highest F-score over 100 confidence thresholds shared by all '
           'sequences; precision and recall at each are means over sequences (vot-toolkit)',
           0, 1, True),
    Metric('precision', 'Pr', 'precision where F is highest: mean overlap of confident frames',
           0, 1, True),
    Metric('recall', 'Re', 'recall where F is highest: overlaps of confident frames by the number '
           'of visible frames', 0, 1, True),
    Metric('f_score_pooled', 'F (pooled)', 'the same over the frames of all sequences together, '
           'every confidence a threshold (MATLAB toolkit, VOT-LT2018 and 2019)', 0, 1, True),
    Metric('precision_pooled', 'Pr (pooled)', 'precision where pooled F is highest', 0, 1, True),
    Metric('recall_pooled', 'Re (pooled)', 'recall where pooled F is highest', 0, 1, True),
    Metric('tld_f', 'F (TLD)', "F-score of the tracker's own presence, right at IoU > 0.5 "
           '(TLD); mean over sequences', 0, 1, True),
    Metric('tld_precision', 'precision (TLD)', 'right frames by frames said to show the target',
           0, 1, True),
    Metric('tld_recall', 'recall (TLD)', 'right frames by frames that show the target',
           0, 1, True),
    Metric('fps', 'fps', 'frames divided by the sum of their seconds', 0, np.inf, True),
)


@dataclass(frozen=True)
class LongTerm(OnePass):
    """
    As one-pass evaluation, scored by confidence and by presence.

    As in the official tools, the frame of the start counts as one that shows the target and not
    as one where it was found, in the scores by confidence. Trackers that can search the whole
    image for a lost target do so unless they are told not to.
    """

    name: str = 'longterm'

    summary = ('precision, recall and F-score where the target leaves and returns (VOT-LT, TLD); '
               're-detection is on unless redetection=false is set')
    tracker_settings = {'redetection': True}
    metrics = _METRICS

    @property
    def folder(self):
        return self.name

    def misfit(self, sequence):
        known = has_truth(sequence.boxes)
        return super().misfit(sequence) or (
            'the target is never absent' if known.all() else
            'only one frame has ground truth' if known.sum() == 1 else '')

    def _score_tracker(self, sequences, variant):
        frames = {name: _Frames(*trials.values()) for name, trials in sequences.items()}
        limits = longterm.thresholds(np.concatenate([one.confidence for one in frames.values()]))
        curves = {name: one.curves(limits) for name, one in frames.items()}
        rows = {name: {**_named(longterm.best_f_score(*curves[name]), ''), **one.detection,
                       'fps': one.fps} for name, one in frames.items()}
        precision, recall = np.mean(list(curves.values()), axis=0)
        tld = mean_values(list(rows.values()))
        overall = {**_named(longterm.best_f_score(precision, recall), ''),
                   **_named(_pooled(frames.values()), '_pooled'),
                   **{key: tld[key] for key in ('tld_f', 'tld_precision', 'tld_recall', 'fps')}}
        return Scores(overall, rows, {'precision_recall': Curve(
            'precision and recall', 'recall', 'precision', recall.tolist(), precision.tolist())})


class _Frames:
    """Overlap, confidence and presence of one run, frame by frame."""

    def __init__(self, result):
        """Take one `Result`."""
        run, first = result.run, result.trial.first
        known = has_truth(result.truth)
        boxes = repeat_missing(run.boxes)
        overlaps = np.nan_to_num(region_overlaps(boxes, result.regions, run.image_size))
        self.overlaps, self.confidence = np.where(known, overlaps, 0), run.confidence
        self.overlaps[first], self.confidence[first] = 0, 0
        self.visible = int(known.sum())
        self.fps = frames_per_second(run.seconds)
        later = np.arange(len(known)) > first
        self.detection = _named(longterm.detection_scores(
            np.where(known, np.nan_to_num(iou(boxes, result.truth)), 0)[later],
            run.present[later], known[later]), None)

    def curves(self, limits):
        """Return precision and recall at confidence thresholds."""
        return longterm.precision_recall(self.overlaps, self.confidence, self.visible, limits)


def _named(values, suffix):
    if suffix is None:
        return dict(zip(('tld_precision', 'tld_recall', 'tld_f'), map(float, values)))
    return dict(zip((f'f_score{suffix}', f'precision{suffix}', f'recall{suffix}'), values))


def _pooled(frames):
    overlaps, confidence = (np.concatenate([getattr(one, part) for one in frames])
                            for part in ('overlaps', 'confidence'))
    limits = np.concatenate([[np.inf], np.unique(confidence)[::-1], [-np.inf]])
    return longterm.best_f_score(*longterm.precision_recall(
        overlaps, confidence, sum(one.visible for one in frames), limits))
