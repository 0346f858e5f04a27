"""One-pass evaluation as a protocol (Wu, Lim, Yang: Online Object Tracking, CVPR 2013)."""
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tracking_nodes.evaluation import confidence
from tracking_nodes.evaluation.metrics import (METRICS, NORMALISED_THRESHOLDS,
                                               PRECISION_THRESHOLDS, score, SUCCESS_THRESHOLDS)
from tracking_nodes.evaluation.ope import first_target, run_pass
from tracking_nodes.evaluation.protocols.base import Curve, Protocol, Scores, Trial


@dataclass(frozen=True)
class OnePass(Protocol):
    """Start on the first ground truth, follow to the end; the mean over sequences counts."""

    name: str = 'ope'

    summary = 'one pass from the first ground truth to the end, no reset (OTB)'
    metrics: ClassVar[tuple] = METRICS + confidence.METRICS

    @property
    def folder(self):
        return ''

    def trials(self, sequence):
        return [Trial('', first_target(sequence), len(sequence) - 1)]

    def _run(self, tracker, sequence, trial, on_frame):
        box = sequence.boxes[trial.first] if trial.box is None else np.array(trial.box)
        return run_pass(tracker, sequence, trial.first, trial.last, box, on_frame)

    def _score_tracker(self, sequences, variant):
        rows = {name: self.score_sequence(trials, variant)
                for name, trials in sequences.items()}
        values = {name: row.values for name, row in rows.items()}
        success, precision = (np.mean([getattr(row, curve) for row in rows.values()], axis=0)
                              for curve in ('success', 'precision'))
        told = confidence.pooled_confidence(list(rows.values()))
        curve = told and told.curve()
        return Scores(confidence.overall_values(list(rows.values())), values, {
            'success': Curve('success', 'overlap threshold', 'share of frames',
                             SUCCESS_THRESHOLDS.tolist(), success.tolist()),
            'precision': Curve('precision', 'centre error threshold, pixels', 'share of frames',
                               PRECISION_THRESHOLDS.tolist(), precision.tolist()),
            **_normalised_precision(list(rows.values())),
            **({'reliability': curve} if curve else {})})

    def score_sequence(self, trials, variant):
        """Return the `Score` of one sequence from {trial name: `Result`}."""
        result, = trials.values()
        return score_result(result, variant)


def score_result(result, variant):
    """Return the `Score` of one `Result` of a single pass, its score per frame judged too."""
    run, told = result.run, confidence.Confidence.of(result)
    scored = score(run.boxes, result.truth, run.seconds, run.image_size, variant)
    return replace(scored, values={**scored.values, **told.values()}, confidence=told)


def _normalised_precision(scores):
    """Return {key: `Curve`} of normalised precision; empty where the `Score`s have none."""
    if any(one.normalised is None for one in scores):
        return {}
    mean = np.mean([one.normalised for one in scores], axis=0)
    return {'norm_precision': Curve(
        'normalised precision', 'centre error threshold, shares of the target', 'share of frames',
        NORMALISED_THRESHOLDS.tolist(), mean.tolist())}
