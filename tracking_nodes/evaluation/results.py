"""
The results folder, written and read.

    DIR/summary.json                  {tracker: {'overall': {...}, 'sequences': {name: {...}}}}
    DIR/metrics.json                  the same with every metric, the curves and the variant
    DIR/<tracker>/<sequence>.txt          x,y,w,h per frame, 0-based pixels
    DIR/<tracker>/<sequence>_score.txt    score in [0, 1] per frame
    DIR/<tracker>/<sequence>_present.txt  1 or 0 per frame: whether the target was believed there
    DIR/<tracker>/<sequence>_time.txt     seconds per frame
    DIR/<tracker>/<sequence>_run.json     what made the files above, and the ground truth

A `_run.json` is written last: where it exists, its sequence is complete. It holds all that is
needed to score again, so a results folder can be read without the videos.
"""
from dataclasses import dataclass
import json
import os
from pathlib import Path

import numpy as np

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation.metrics import mean_values
from tracking_nodes.evaluation.ope import Run

SUMMARY_KEYS = ('auc', 'dp20', 'os50', 'cle', 'fps')
_RECORD = '_run.json'


@dataclass(frozen=True)
class Result:
    """
    One sequence of one tracker, as it lies in a results folder.

    run: a `Run`. truth: (N, 4). record: the content of its `_run.json`.
    """

    run: Run
    truth: np.ndarray
    record: dict


def write_result(folder, tracker, sequence_name, result):
    """Write one `Result` below a results folder; an interruption leaves no half of it."""
    run, stem = result.run, Path(folder) / tracker / sequence_name
    record = {**result.record, 'image_size': list(run.image_size),
              'truth': [None if np.isnan(row).any() else row.tolist() for row in result.truth]}
    lines = {
        '.txt': [','.join(f'{value:.4f}' for value in box) for box in run.boxes],
        '_score.txt': [f'{score:.6f}' for score in run.scores],
        '_present.txt': [str(int(present)) for present in run.present],
        '_time.txt': [f'{seconds:.6f}' for seconds in run.seconds],
        _RECORD: [json.dumps(record)],
    }
    for suffix, rows in lines.items():
        write_text(f'{stem}{suffix}', '\n'.join(rows) + '\n')


def read_result(folder, tracker, sequence_name):
    """
    Read one `Result`.

    :raises TrackingError: a file is missing, damaged, or does not have one line per frame.
    """
    stem = Path(folder) / tracker / sequence_name
    try:
        record = json.loads(Path(f'{stem}{_RECORD}').read_text())
        truth = np.array([[np.nan] * 4 if row is None else row for row in record['truth']])
        boxes = read_boxes(f'{stem}.txt')
        scores, present, seconds = (np.loadtxt(f'{stem}_{what}.txt', ndmin=1)
                                    for what in ('score', 'present', 'time'))
        run = Run(boxes, scores, present > 0, seconds, tuple(record['image_size']))
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise TrackingError(f'results of {sequence_name} in {stem.parent} cannot be read '
                            f'({error}); delete {stem.name}{_RECORD} and run it again') from error
    counts = [len(part) for part in (boxes, scores, present, seconds)]
    if set(counts) != {len(truth)}:
        raise TrackingError(f'{stem}: {len(truth)} frames, but {counts} boxes, scores, present '
                            f'and times; delete {stem.name}{_RECORD} and run it again')
    return Result(run, truth, record)


def read_boxes(path):
    """
    Read x,y,w,h lines, separated by commas, tabs or spaces.

    :return: (N, 4) float64.
    :raises ValueError: a line does not hold four numbers.
    """
    rows = [line.replace(',', ' ').split() for line in Path(path).read_text().splitlines()]
    if any(len(row) != 4 for row in rows):
        bad = next(index for index, row in enumerate(rows) if len(row) != 4)
        raise ValueError(f'{path}, line {bad + 1}: not four numbers')
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def stored(folder):
    """Return {tracker: [sequence, ...]} of all complete results of a folder, sorted."""
    found = {}
    for path in sorted(Path(folder).glob(f'*/*{_RECORD}')):
        found.setdefault(path.parent.name, []).append(path.name[:-len(_RECORD)])
    return found


def forget(folder, tracker):
    """Delete all results of one tracker."""
    for suffix in (_RECORD, '.txt'):
        for path in (Path(folder) / tracker).glob(f'*{suffix}'):
            path.unlink()


def write_summary(folder, scores, variant):
    """
    Write `summary.json` and `metrics.json`.

    :param folder: the results folder.
    :param scores: {tracker: {sequence: Score}}.
    :param variant: key of `metrics.VARIANTS` they were scored with.
    """
    summary, metrics = {}, {}
    for tracker, rows in scores.items():
        full = {name: {**score.values, 'frames': score.frames} for name, score in rows.items()}
        overall = mean_values([score.values for score in rows.values()])
        overall['frames'] = sum(score.frames for score in rows.values())
        summary[tracker] = {'overall': _short(overall),
                            'sequences': {name: _short(row) for name, row in full.items()}}
        metrics[tracker] = {
            'overall': {**overall, **_curves(list(rows.values()))},
            'sequences': {name: {**row, **_curves([rows[name]])} for name, row in full.items()}}
    write_json(Path(folder) / 'metrics.json', {'variant': variant, 'trackers': metrics})
    write_json(Path(folder) / 'summary.json', summary)


def write_json(path, content):
    """Write JSON, NaN and infinity as null, which is all that JSON has for them."""
    write_text(path, json.dumps(_plain(content), indent=2) + '\n')


def write_text(path, text):
    """Write a file in one step, so that a reader never sees half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}')
    partial.write_text(text)
    partial.replace(path)


def _short(row):
    return {key: row[key] for key in (*SUMMARY_KEYS, 'frames')}


def _curves(scores):
    return {'success': np.mean([score.success for score in scores], axis=0).tolist(),
            'precision': np.mean([score.precision for score in scores], axis=0).tolist()}


def _plain(content):
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_plain(value) for value in content]
    if isinstance(content, float) and not np.isfinite(content):
        return None
    return content
