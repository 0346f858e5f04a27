"""
What trackers say of themselves in one-pass evaluation, and whether it is true.

The frames that count have ground truth and come after that of the start. The overlap is the IoU
of boxes, whatever the `metrics.Variant`; a missing box repeats the one before.
"""
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tracking_nodes.evaluation.measures.calibration import calibration_error, reliability
from tracking_nodes.evaluation.measures.failure import (failure_auc, find_losses, HELD,
                                                        loss_delays, LOST)
from tracking_nodes.evaluation.metrics import has_truth, mean_values, Metric, repeat_missing
from tracking_nodes.evaluation.protocols.base import Curve
from tracking_nodes.geometry import iou
from tracking_nodes.trackers.presence import Presence, State, Thresholds

# The node's own, so that the delay is that of its topic.
THRESHOLDS = Thresholds()
METRICS = (
    Metric('failure_auc', 'failure AUC', 'area under the ROC curve of the score telling frames '
           f'with IoU < {LOST} from frames with IoU >= {HELD}, over the frames of all sequences '
           'together, without the first of each; equal scores count half. By presence, 1 or 0, '
           'for a tracker without a score that ever denies it', 0, 1, True),
    Metric('failure_auc_sequences', 'failure AUC (sequences)', 'the same over the frames of a '
           'sequence, then mean over the sequences that have frames of both kinds', 0, 1, True),
    Metric('calibration_error', 'calibration error', 'expected calibration error: mean over all '
           'frames of the difference, in ten bins of the score, between the mean score and the '
           f'share of frames with IoU >= {HELD}', 0, 1, False),
    Metric('losses', 'losses', f'losses in all sequences: from the first of '
           f'{THRESHOLDS.lost_after} frames in a row with IoU < {LOST} to the next frame with '
           f'IoU >= {HELD} or the end', 0, np.inf, False),
    Metric('losses_missed', 'losses missed', 'losses during which the state of the node, with its '
           'default thresholds, is never `lost`', 0, np.inf, False),
    Metric('lost_delay', 'delay of lost', 'mean over the other losses of the frames from the '
           'first of the loss to the first with the state `lost`', 0, np.inf, False),
    Metric('lost_while_held', 'lost while held', f'share of frames with IoU >= {HELD} in which '
           'the state is `lost`', 0, 1, False),
)


@dataclass(frozen=True)
class Confidence:
    """
    What a tracker said of itself in the M frames that count of one sequence or several.

    scores: (M,) in [0, 1]; presence, 1 or 0, where the tracker has none. overlaps: (M,) IoU.
    lost: (M,) bool, whether a node would say `lost`. delays: as from `loss_delays`. scored:
    whether the tracker has a score.
    """

    scores: np.ndarray
    overlaps: np.ndarray
    lost: np.ndarray
    delays: list
    scored: bool

    @classmethod
    def of(cls, result):
        """Return that of one `Result` of a single pass."""
        run, first = result.run, result.trial.first
        overlaps = np.minimum(iou(repeat_missing(run.boxes), result.truth), 1)
        overlaps[~has_truth(result.truth)] = np.nan
        # A box is given in the first frame, so nothing of it is the tracker's own.
        overlaps[:first + 1] = np.nan
        lost = _lost_frames(result)
        counted = np.isfinite(overlaps)
        return cls(run.confidence[counted], overlaps[counted], lost[counted],
                   loss_delays(find_losses(overlaps, THRESHOLDS.lost_after), lost), run.scored)

    @classmethod
    def pooled(cls, parts):
        """Return that of all frames of several sequences of a tracker together."""
        scores, overlaps, lost = (np.concatenate([getattr(part, name) for part in parts])
                                  for name in ('scores', 'overlaps', 'lost'))
        return cls(scores, overlaps, lost, [delay for part in parts for delay in part.delays],
                   all(part.scored for part in parts))

    @property
    def why_no_auc(self):
        """Why there is no failure AUC, in words, or ''."""
        if not self.scored and self.scores.all():
            return 'it has no score and never says that the target is absent'
        if not (self.overlaps < LOST).any():
            return f'no frame of {len(self.overlaps)} has IoU < {LOST}'
        if not (self.overlaps >= HELD).any():
            return f'no frame of {len(self.overlaps)} has IoU >= {HELD}'
        return ''

    def values(self):
        """Return {key: value} of `METRICS`, but of the mean over sequences."""
        held = self.overlaps >= HELD
        seen = [delay for delay in self.delays if delay is not None]
        return {
            'failure_auc': (float('nan') if self.why_no_auc else
                            failure_auc(self.scores, self.overlaps)),
            'calibration_error': (calibration_error(self.scores, self.overlaps) if self.scored
                                  else float('nan')),
            'losses': float(len(self.delays)),
            'losses_missed': float(len(self.delays) - len(seen)),
            'lost_delay': float(np.mean(seen)) if seen else float('nan'),
            'lost_while_held': float(self.lost[held].mean()) if held.any() else float('nan')}

    def curve(self):
        """Return the reliability `Curve`, or None of a tracker without a score."""
        if not self.scored or not len(self.scores):
            return None
        means, shares, _ = reliability(self.scores, self.overlaps)
        return Curve('reliability', 'score', f'share of frames with IoU >= {HELD}',
                     means.tolist(), shares.tolist())


def overall_values(scores):
    """
    Return what counts over all sequences: means, and the frames together where a score is judged.

    :param scores: list of `Score`, one per sequence.
    :return: {key: value}.
    """
    means = mean_values([score.values for score in scores])
    told = pooled_confidence(scores)
    if told is None:
        return means
    return {**means, **told.values(), 'failure_auc_sequences': means['failure_auc']}


def pooled_confidence(scores):
    """Return the `Confidence` of a list of `Score`s together, or None where none has any."""
    parts = [score.confidence for score in scores if score.confidence is not None]
    return Confidence.pooled(parts) if parts else None


def _lost_frames(result):
    """Return (N,) bool: in which frames a node that gives these answers says `lost`."""
    run, first = result.run, result.trial.first
    presence, lost = Presence(), np.zeros(len(run.boxes), dtype=bool)
    presence.begin()
    scores, fresh = run.confidence, _fresh_answers(result)
    for frame in range(first + 1, len(lost)):
        if fresh[frame]:
            presence.update(SimpleNamespace(score=scores[frame], present=run.present[frame]),
                            THRESHOLDS)
        lost[frame] = presence.state is State.LOST
    return lost


def _fresh_answers(result):
    """Return (N,) bool: the frames whose answer is about another image than the one before."""
    if result.run.ages is None or result.stamps is None:
        return np.ones(len(result.truth), dtype=bool)
    about = (result.stamps - result.stamps[0]) / 1e9 - result.run.ages
    # Ages are written in microseconds.
    return np.concatenate([[True], ~(np.abs(np.diff(about)) < 1e-5)])
