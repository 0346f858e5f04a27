"""One-pass, robustness and long-term scores by plain loops over frames, beside the package's."""
from itertools import groupby
from math import hypot
from statistics import mean

import numpy as np

from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.protocols.base import Trial
from tracking_nodes.evaluation.results import Result
from tracking_nodes.evaluation.run import Run

SIZE = (240, 200)
THRESHOLDS = [step / 100 for step in range(51)]


def moving_truth(generator, count):
    """Return (N, 4) of a target that wanders well inside of the image, in whole pixels."""
    corner = [100, 80] + generator.normal(0, 2, (count, 2)).cumsum(axis=0)
    return np.round(np.concatenate([np.clip(corner, 0, 130), generator.uniform(
        40, 60, (count, 2))], axis=1))


def result(generator, truth, trial):
    """Return a `Result` whose boxes wander off and whose score and presence are drawn."""
    count, first = len(truth), trial.first
    away = generator.normal(0, 3, (count, 2)).cumsum(axis=0)
    boxes = np.where(np.isfinite(truth), truth, 50)
    boxes[:, 2:] += generator.integers(-4, 5, (count, 2))
    # Whole and inside of the image, where VOT's pixels have the same overlap as areas.
    boxes[:, :2] = np.clip(boxes[:, :2] + np.round(away), 0, SIZE - boxes[:, 2:])
    boxes[:first], boxes[first] = np.nan, truth[first]
    scores = generator.integers(0, 30, count) / 30
    seconds = generator.uniform(0.005, 0.05, count)
    return Result(Run(boxes, scores, scores > 0.3, seconds, SIZE), truth, {}, trial)


def stored_passes(seed, starts, hidden=True):
    """Return {sequence: {trial: `Result`}} of one tracker, started at some frames."""
    generator, found = np.random.default_rng(seed), {}
    for number, count in enumerate((90, 140)):
        truth = moving_truth(generator, count)
        if hidden:
            truth[40:55] = np.nan
        trials = [Trial(f'{start:02d}' if len(starts) > 1 else '', start, count - 1)
                  for start in starts]
        found[f'sequence{number}'] = {trial.name: result(generator, truth, trial)
                                      for trial in trials}
    return found


def compare_one_pass(seed):
    """Yield (what, ours, theirs) of `ope` for what no toolkit that can be installed has."""
    stored = stored_passes(seed, [0])
    scores = {variant: protocols.get('ope').score({'one': stored}, variant)['one'].overall
              for variant in ('visible', 'pytracking')}
    rows = [_frames(one, 0) for one in _only(stored)]
    lengths = [len(one.truth) for one in _only(stored)]
    for variant, ours in scores.items():
        # pytracking counts absent frames as missed, here they are left out.
        counts = lengths if variant == 'pytracking' else list(map(len, rows))
        shares = [[sum(apart <= limit for _, _, apart in row) / count for limit in THRESHOLDS]
                  for row, count in zip(rows, counts)]
        yield (f'norm_precision, variant {variant}', ours['norm_precision'],
               mean(row[20] for row in shares))
        yield f'norm_auc, variant {variant}', ours['norm_auc'], mean(map(mean, shares))
    ours = scores['visible']
    yield 'cle', ours['cle'], mean(mean(error for _, error, _ in row) for row in rows)
    yield 'mean_overlap', ours['mean_overlap'], mean(
        mean(overlap for overlap, _, _ in row) for row in rows)
    seconds = [one.run.seconds.tolist() for one in _only(stored)]
    yield 'fps', ours['fps'], mean(len(row) / sum(row) for row in seconds)
    for key, limit, patience in (('nt2f', 0.1, 10), ('nt2f_zero', 0, 1)):
        yield key, ours[key], mean(_lasting(one, limit, patience) for one in _only(stored))


def compare_robustness(seed):
    """Yield (what, ours, theirs) of `tre` and `sre`, whose frames of all passes count."""
    for name, starts in (('tre', [0, 17, 60]), ('sre', [0])):
        stored = stored_passes(seed, starts)
        if name == 'sre':
            stored = {sequence: {kind: result(np.random.default_rng(place), one.truth, Trial(
                kind, 0, len(one.truth) - 1)) for place, kind in enumerate(('left', 'scale_8'))}
                for sequence, (one,) in zip(stored, (row.values() for row in stored.values()))}
        ours = protocols.get(name).score({'one': stored})['one'].overall
        rows = [[frame for one in trials.values() for frame in _frames(one, one.trial.first)]
                for trials in stored.values()]
        for key, value in {
                'auc': lambda row: mean(mean(overlap > step / 20 for step in range(21))
                                        for overlap, _, _ in row),
                'dp20': lambda row: mean(error <= 20 for _, error, _ in row),
                'os50': lambda row: mean(overlap > 0.5 for overlap, _, _ in row),
                'cle': lambda row: mean(error for _, error, _ in row),
                'mean_overlap': lambda row: mean(overlap for overlap, _, _ in row)}.items():
            yield f'{name}: {key}', ours[key], mean(map(value, rows))


def compare_long_term(seed):
    """Yield (what, ours, theirs) of pooled F and of the F-score of presence (TLD)."""
    stored = stored_passes(seed, [0])
    ours = protocols.get('longterm').score({'one': stored})['one'].overall
    results = list(_only(stored))
    frames = [(_overlap(one, index) if index else 0.0, one.run.scores[index] if index else 0.0)
              for one in results for index in range(len(one.truth))]
    visible = sum(_known(one, index) for one in results for index in range(len(one.truth)))
    best = (0.0, 0.0, 0.0)
    for limit in sorted({score for _, score in frames}, reverse=True):
        sure = [overlap for overlap, score in frames if score >= limit]
        precision, recall = mean(sure), sum(sure) / visible
        f_score = 2 * precision * recall / (precision + recall) if sum(sure) else 0
        best = max(best, (f_score, precision, recall), key=lambda row: row[0])
    for key, value in zip(('f_score', 'precision', 'recall'), best):
        yield f'{key}_pooled', ours[f'{key}_pooled'], value
    rows = []
    for one in results:
        later = range(1, len(one.truth))
        right = sum(one.run.present[index] and _overlap(one, index) > 0.5 for index in later)
        said = sum(one.run.present[index] for index in later)
        there = sum(_known(one, index) for index in later)
        rows.append((2 * right / (said + there), right / said, right / there))
    for key, values in zip(('tld_f', 'tld_precision', 'tld_recall'), zip(*rows)):
        yield key, ours[key], mean(map(float, values))


def _only(stored):
    return [one for trials in stored.values() for one in trials.values()]


def _known(one, index):
    return not np.isnan(one.truth[index]).any()


def _overlap(one, index):
    """Return the IoU of one frame, 0 where the target is gone."""
    if not _known(one, index):
        return 0.0
    (x, y, w, h), (u, v, p, q) = one.run.boxes[index].tolist(), one.truth[index].tolist()
    common = max(0, min(x + w, u + p) - max(x, u)) * max(0, min(y + h, v + q) - max(y, v))
    return common / (w * h + p * q - common)


def _frames(one, first):
    """Return [(IoU, centre error, the same in sizes of the target)] of frames that count."""
    found = []
    for index in range(first, len(one.truth)):
        if _known(one, index):
            (x, y, w, h), (u, v, p, q) = one.run.boxes[index].tolist(), one.truth[index].tolist()
            across, down = x + w / 2 - u - p / 2, y + h / 2 - v - q / 2
            found.append((_overlap(one, index), hypot(across, down), hypot(across / p, down / q)))
    return found


def _lasting(one, limit, patience):
    """Return the share of frames before the first row of lost ones that is long enough."""
    lost = [_known(one, index) and _overlap(one, index) <= limit
            for index in range(len(one.truth))]
    index = 0
    for is_lost, group in groupby(lost):
        length = len(list(group))
        if is_lost and length >= patience:
            return index / len(lost)
        index += length
    return 1.0
