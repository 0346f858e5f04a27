"""
The results folder, written and read.

    DIR/summary.json                  {tracker: {'overall': {...}, 'sequences': {name: {...}}}}
    DIR/metrics.json                  the same with every metric, the curves and the variant
    DIR/<tracker>/<sequence>.txt          x,y,w,h per frame, 0-based pixels
    DIR/<tracker>/<sequence>_score.txt    score in [0, 1] per frame; not of trackers without one
    DIR/<tracker>/<sequence>_present.txt  1 or 0 per frame: whether the target was believed there
    DIR/<tracker>/<sequence>_time.txt     seconds per frame
    DIR/<tracker>/<sequence>_event.txt    only of reset-based runs: 0 skipped, 1 started, 2 failed,
                                          3 tracked
    DIR/<tracker>/<sequence>_age.txt      only of latency-aware runs: age of the answer, seconds
    DIR/<tracker>/<sequence>_region.txt   only of imported runs with polygons: x,y,w,h or corners
                                          x1,y1,x2,y2,... per frame
    DIR/<tracker>/<sequence>_run.json     what made the files above, and the ground truth

This is one-pass evaluation. Every other protocol has the same in DIR/<protocol>/, without a
summary, and where it runs a sequence several times the files are named <sequence>.<trial>.

A `_run.json` is written last: where it exists, its run is complete. It holds all that is needed
to score again, so a results folder can be read without the videos.
"""
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
import fcntl
import json
import os
from pathlib import Path

import numpy as np

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation import confidence
from tracking_nodes.evaluation.protocols.base import Trial
from tracking_nodes.evaluation.run import Run
from tracking_nodes.sequences.fingerprint import sequence_fingerprint

SUMMARY_KEYS = ('auc', 'dp20', 'os50', 'cle', 'fps')
_RECORD = '_run.json'
_PARTIAL = '.partial'


@dataclass(frozen=True)
class Result:
    """
    One run of one tracker, as it lies in a results folder.

    run: a `Run`. truth: (N, 4). record: the content of its `_run.json`. trial: the `Trial` it
    was. polygons: (N, 2n) corners of the ground truth, or None. tags: {name: (N,) bool}, the
    frames that have it. stamps: (N,) int64 ns of the frames, or None. values: {name: (N,)
    float64}, as `Sequence.values`.
    """

    run: Run
    truth: np.ndarray
    record: dict
    trial: Trial = Trial()
    polygons: np.ndarray | None = None
    tags: dict = field(default_factory=dict)
    stamps: np.ndarray | None = None
    values: dict = field(default_factory=dict)

    @classmethod
    def of(cls, run, sequence, record, trial=Trial()):
        """Return the result of a run over a `Sequence`."""
        return cls(run, sequence.boxes, record, trial, sequence.polygons, sequence.tags,
                   sequence.stamps, sequence.values)

    @property
    def regions(self):
        """The ground truth as VOT has it: polygons where there are any, else boxes."""
        return self.truth if self.polygons is None else self.polygons


class StoredResults(Mapping):
    """
    {tracker: {sequence: {trial name: `Result`}}} of a folder, read one tracker at a time.

    A tracker is read each time it is asked for, so that only one is in memory.
    """

    def __init__(self, folder, only=None):
        """
        Look what there is; a folder that does not exist holds nothing.

        :param only: names of the sequences that count; None for all.
        """
        self.folder, self._files = Path(folder), stored(folder, only)

    def __getitem__(self, tracker):
        found = {}
        for name in self._files[tracker]:
            result = read_result(self.folder, tracker, name)
            sequence = result.record.get('sequence', name)
            found.setdefault(sequence, {})[result.trial.name] = result
        return found

    def __iter__(self):
        return iter(self._files)

    def __len__(self):
        return len(self._files)


def describe(label, sequence, made_by, made_with, dataset):
    """
    Return the record of a result that was not run here: what it was made of, and on which data.

    :param label: name of the tracker.
    :param sequence: the `Sequence`.
    :param made_by: dictionary, where the boxes come from.
    :param made_with: dictionary, what else is known.
    :param dataset: `dataset_hash` of all sequences given.
    """
    return {'label': label, 'sequence': sequence.name, 'attributes': list(sequence.attributes),
            'fingerprint': sequence_fingerprint(sequence), 'made_by': made_by,
            'made_with': {**made_with, 'dataset': dataset}}


def file_name(sequence_name, trial):
    """Return the name under which a trial's files lie in a tracker's folder."""
    return f'{sequence_name}.{trial.name}' if trial.name else sequence_name


def write_result(folder, tracker, name, result):
    """
    Write one `Result` below a protocol's folder; an interruption leaves no half of it.

    :param folder: the results folder, or that of a protocol in it.
    :param tracker: label of the tracker.
    :param name: as from `file_name`.
    :param result: a `Result`.
    """
    run, stem = result.run, Path(folder) / tracker / name
    record = {**result.record, 'image_size': list(run.image_size),
              'truth': _rows(result.truth), 'trial': asdict(result.trial), 'scored': run.scored}
    if result.polygons is not None:
        record['polygons'] = _rows(result.polygons)
    if result.tags:
        record['tags'] = {tag: np.flatnonzero(frames).tolist()
                          for tag, frames in result.tags.items()}
    if result.values:
        record['values'] = {name: _plain(numbers.tolist())
                            for name, numbers in result.values.items()}
    if result.stamps is not None:
        record['stamps'] = result.stamps.tolist()
    lines = {
        '.txt': [','.join(f'{value:.4f}' for value in box) for box in run.boxes],
        '_present.txt': [str(int(present)) for present in run.present],
        '_time.txt': [f'{seconds:.6f}' for seconds in run.seconds],
    }
    if run.scored:
        lines['_score.txt'] = [f'{score:.6f}' for score in run.scores]
    else:
        # Of an earlier result of the same name.
        Path(f'{stem}_score.txt').unlink(missing_ok=True)
    if run.events is not None:
        lines['_event.txt'] = [str(event) for event in run.events]
    if run.regions is not None:
        lines['_region.txt'] = [','.join(repr(float(value)) for value in region)
                                for region in run.regions]
    else:
        Path(f'{stem}_region.txt').unlink(missing_ok=True)
    if run.ages is not None:
        lines['_age.txt'] = [f'{age:.6f}' for age in run.ages]
    for suffix, rows in {**lines, _RECORD: [json.dumps(record)]}.items():
        write_text(f'{stem}{suffix}', '\n'.join(rows) + '\n')


def read_result(folder, tracker, name):
    """
    Read one `Result`.

    :raises TrackingError: a file is missing, damaged, or does not have one line per frame.
    """
    stem = Path(folder) / tracker / name
    try:
        record = json.loads(Path(f'{stem}{_RECORD}').read_text())
        truth = _array(record['truth'], 4)
        boxes = read_boxes(f'{stem}.txt')
        present, seconds = (np.loadtxt(f'{stem}_{what}.txt', ndmin=1)
                            for what in ('present', 'time'))
        scores = (np.loadtxt(f'{stem}_score.txt', ndmin=1) if record.get('scored', True)
                  else np.full(len(boxes), np.nan))
        events, ages = (_optional(Path(f'{stem}_{what}.txt')) for what in ('event', 'age'))
        run = Run(boxes, scores, present > 0, seconds, tuple(record['image_size']),
                  None if events is None else events.astype(np.int8), ages,
                  _regions(Path(f'{stem}_region.txt')))
        trial = _trial(record.get('trial', {}))
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise TrackingError(f'results of {name} in {stem.parent} cannot be read '
                            f'({error}); delete {stem.name}{_RECORD} and run it again') from error
    counts = [len(part) for part in (boxes, scores, present, seconds, events, ages, run.regions)
              if part is not None]
    if set(counts) != {len(truth)}:
        raise TrackingError(f'{stem}: {len(truth)} frames, but {counts} boxes, scores, present '
                            f'and times; delete {stem.name}{_RECORD} and run it again')
    polygons, stamps = record.get('polygons'), record.get('stamps')
    return Result(run, truth, record, trial, polygons and _array(polygons),
                  {tag: np.isin(np.arange(len(truth)), frames)
                   for tag, frames in record.get('tags', {}).items()},
                  stamps and np.array(stamps, dtype=np.int64),
                  {name: np.array(numbers, dtype=np.float64)
                   for name, numbers in record.get('values', {}).items()})


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


def stored(folder, only=None):
    """
    Return {tracker: [name, ...]} of all complete results of a folder, sorted.

    A name is that of the sequence in one-pass evaluation, else as from `file_name`.

    :param only: names of the sequences that count; None for all.
    """
    found = {}
    for path in sorted(Path(folder).glob(f'*/*{_RECORD}')):
        name = path.name[:-len(_RECORD)]
        if only is None or _sequence_of(path, name) in only:
            found.setdefault(path.parent.name, []).append(name)
    return found


def forget(folder, tracker):
    """Delete all results of one tracker in a protocol's folder."""
    for suffix in (_RECORD, '.txt'):
        for path in (Path(folder) / tracker).glob(f'*{suffix}'):
            path.unlink()


def forget_one(folder, tracker, name):
    """
    Delete one result, if it is there: its record first, so that no half of it counts.

    :param folder: the results folder, or that of a protocol in it.
    :param tracker: label of the tracker.
    :param name: as from `file_name`.
    """
    for suffix in (_RECORD, '.txt', '_score.txt', '_present.txt', '_time.txt', '_event.txt',
                   '_age.txt', '_region.txt'):
        (Path(folder) / tracker / f'{name}{suffix}').unlink(missing_ok=True)


def remove_partial_files(folder):
    """Delete what writers that were killed have left below a results folder."""
    for path in Path(folder).rglob(f'.*{_PARTIAL}*'):
        # A writer that lives may be done with it by now.
        with suppress(FileNotFoundError), path.open('rb') as file:
            if _held(file):
                path.unlink()


def write_summary(folder, scores, variant):
    """
    Write `summary.json` and `metrics.json` of one-pass evaluation.

    :param folder: the results folder.
    :param scores: {tracker: {sequence: Score}}.
    :param variant: key of `metrics.VARIANTS` they were scored with.
    """
    summary, metrics = {}, {}
    for tracker, rows in scores.items():
        full = {name: {**score.values, 'frames': score.frames, **_reason(score.confidence)}
                for name, score in rows.items()}
        told = confidence.pooled_confidence(list(rows.values()))
        overall = {**confidence.overall_values(list(rows.values())),
                   'frames': sum(score.frames for score in rows.values()), **_reason(told)}
        curve = told and told.curve()
        summary[tracker] = {'overall': _short(overall),
                            'sequences': {name: _short(row) for name, row in full.items()}}
        metrics[tracker] = {
            'overall': {**overall, **_curves(list(rows.values()))},
            'sequences': {name: {**row, **_curves([rows[name]])} for name, row in full.items()},
            'curves': {'reliability': asdict(curve)} if curve else {}}
    write_json(Path(folder) / 'metrics.json', {'variant': variant, 'trackers': metrics})
    write_json(Path(folder) / 'summary.json', summary)


def write_scores(folder, protocol, scores, variant, name='metrics.json'):
    """
    Write `metrics.json`, or a file of another name, of a protocol into its folder.

    :param folder: the results folder.
    :param protocol: the `Protocol`.
    :param scores: {tracker: `Scores`}, as from `protocol.score`.
    :param variant: key of `metrics.VARIANTS` they were scored with.
    """
    write_json(Path(folder) / protocol.folder / name, {
        'protocol': protocol.name, 'options': protocol.options(), 'variant': variant,
        'metrics': [asdict(metric) for metric in protocol.metrics],
        'trackers': {tracker: one.as_dict() for tracker, one in scores.items()}})


def write_json(path, content):
    """Write JSON, NaN and infinity as null, which is all that JSON has for them."""
    write_text(path, json.dumps(_plain(content), indent=2) + '\n')


def write_text(path, text):
    """Write a file in one step, so that a reader never sees half of it, not after a crash."""
    with in_one_step(path) as partial:
        partial.write_text(text)


@contextmanager
def in_one_step(path, suffix=''):
    """
    Yield the path to write a file to, which becomes `path` at the end, and nothing after an error.

    Until then it is locked, so that a benchmark that begins in the folder leaves it alone.

    :param path: of the file; its folder is made when missing.
    :param suffix: that the path to write to has to have, as '.mp4'.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}{_PARTIAL}{suffix}')
    with partial.open('wb') as file:
        try:
            _held(file)
            yield partial
            os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _held(file):
    """Take an open file for this process, and return whether no other has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sequence_of(path, name):
    """Return the sequence of a record; only the record tells where its name ends."""
    if '.' not in name:
        return name
    try:
        return json.loads(path.read_text()).get('sequence', name)
    except (OSError, ValueError) as error:
        raise TrackingError(f'{path} cannot be read ({error}); delete it and run it again'
                            ) from error


def _rows(values):
    return [None if np.isnan(row).any() else row.tolist() for row in values]


def _array(rows, width=None):
    width = width or max(len(row) for row in rows if row is not None)
    return np.array([[np.nan] * width if row is None else row for row in rows],
                    dtype=np.float64).reshape(-1, width)


def _trial(content):
    box = content.get('box')
    return Trial(**{**content, 'box': None if box is None else tuple(box)})


def _regions(path):
    if not path.exists():
        return None
    return [np.array(line.split(','), dtype=np.float64) for line in path.read_text().splitlines()]


def _optional(path):
    return np.loadtxt(path, ndmin=1) if path.exists() else None


def _short(row):
    return {key: row[key] for key in (*SUMMARY_KEYS, 'frames')}


def _reason(told):
    return {'failure_auc_missing': told.why_no_auc} if told and told.why_no_auc else {}


def _curves(scores):
    return {key: np.mean([getattr(score, key) for score in scores], axis=0).tolist()
            for key in ('success', 'precision', 'normalised')}


def _plain(content):
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_plain(value) for value in content]
    if isinstance(content, (float, np.floating)):
        return float(content) if np.isfinite(content) else None
    return content
