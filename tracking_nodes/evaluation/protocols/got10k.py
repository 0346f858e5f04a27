"""GOT-10k's protocol (Huang, Zhao, Huang: GOT-10k, PAMI 2021): one pass, up to three times."""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.evaluation.metrics import (frames_per_second, got10k_overlaps, has_truth,
                                               mean_frame_rate, mean_values, Metric,
                                               success_curve)
from tracking_nodes.evaluation.ope import first_target
from tracking_nodes.evaluation.protocols.base import Curve, Scores, Trial
from tracking_nodes.evaluation.protocols.ope import OnePass

_THRESHOLDS = np.linspace(0, 1, 101)
_FRAMES = 'all frames of all sequences and repetitions together (got10k toolkit)'
_SEQUENCES = 'frames of a sequence, then mean over sequences (papers that report per sequence)'
_METRICS = (
    Metric('ao', 'AO', 'mean IoU, boxes cut at the image, without the first frame and frames in '
           f'which the target is hidden, over {_FRAMES}', 0, 1, True),
    Metric('sr50', 'SR0.5', f'share of the same frames with IoU > 0.5, over {_FRAMES}',
           0, 1, True),
    Metric('sr75', 'SR0.75', f'share of the same frames with IoU > 0.75, over {_FRAMES}',
           0, 1, True),
    Metric('ao_sequences', 'AO (sequences)', f'AO over {_SEQUENCES}', 0, 1, True),
    Metric('sr50_sequences', 'SR0.5 (sequences)', f'SR0.5 over {_SEQUENCES}', 0, 1, True),
    Metric('sr75_sequences', 'SR0.75 (sequences)', f'SR0.75 over {_SEQUENCES}', 0, 1, True),
    Metric('fps', 'fps', 'frames divided by the sum of their seconds', 0, np.inf, True),
    Metric('fps_got10k', 'fps (got10k)', 'mean of 1 / seconds over all frames (got10k toolkit)',
           0, np.inf, True),
)


@dataclass(frozen=True)
class Got10k(OnePass):
    """
    One pass, repeated for trackers that are not deterministic.

    repetitions: at most; two equal ones are enough.
    """

    name: str = 'got10k'
    repetitions: int = 3

    summary = 'one pass, three times unless deterministic: AO, SR0.5, SR0.75 (GOT-10k)'
    metrics = _METRICS

    @property
    def folder(self):
        return self.name

    def misfit(self, sequence):
        return super().misfit(sequence) or (
            '' if has_truth(sequence.boxes).sum() > 1 else
            'only one frame has ground truth')

    def trials(self, sequence):
        first, last = first_target(sequence), len(sequence) - 1
        return [Trial(f'{number:03d}', first, last, None, number - 1)
                for number in range(1, self.repetitions + 1)]

    def enough(self, runs):
        runs = [run.boxes for run in runs.values()]
        return len(runs) >= 2 and all(np.array_equal(runs[0], boxes, equal_nan=True)
                                      for boxes in runs[1:])

    def _score_tracker(self, sequences, variant):
        overlaps = {name: np.concatenate([_overlaps(result) for result in trials.values()])
                    for name, trials in sequences.items()}
        seconds = {name: np.concatenate([result.run.seconds for result in trials.values()])
                   for name, trials in sequences.items()}
        rows = {name: _values(overlaps[name], seconds[name]) for name in sequences}
        means = mean_values(list(rows.values()))
        pooled = np.concatenate(list(overlaps.values()))
        overall = {**_values(pooled, np.concatenate(list(seconds.values()))),
                   **{f'{key}_sequences': means[key] for key in ('ao', 'sr50', 'sr75')}}
        success = success_curve(pooled, _THRESHOLDS)
        return Scores(overall, rows, {'success': Curve(
            'success', 'overlap threshold', 'share of frames', _THRESHOLDS.tolist(),
            success.tolist())})


def _overlaps(result):
    return got10k_overlaps(result.run.boxes, result.truth, result.run.image_size,
                           result.trial.first)


def _values(overlaps, seconds):
    return {'ao': float(overlaps.mean()), 'sr50': float((overlaps > 0.5).mean()),
            'sr75': float((overlaps > 0.75).mean()), 'fps': float(frames_per_second(seconds)),
            'fps_got10k': float(mean_frame_rate(seconds))}
