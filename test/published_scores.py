"""Published scores beside those recomputed from the published boxes in TRACKING_DATA/reference."""
from dataclasses import dataclass
import json
import re

import numpy as np

from tracking_nodes.evaluation import metrics, protocols
from tracking_nodes.evaluation.protocols.base import Trial
from tracking_nodes.evaluation.results import Result
from tracking_nodes.evaluation.run import Run, TRACKED
from tracking_nodes.geometry import polygon_to_box

OTB_SETS = {'OTB-2013': 'cvpr13', 'OTB-50': 'tb50', 'OTB-2015': 'tb100'}
# Sequences that were not scored against the ground truth at hand: for Tiger1 it began five frames
# earlier, and the last frame of Board and Twinnings had a box that is missing here.
OTHER_GROUND_TRUTH = {'STRUCK': {'board', 'tiger1', 'twinnings'}, 'MEEM': {'tiger1'}}
VOT2018_EAO = {'NanoTrack': 0.311, 'SiamAPN': 0.248}


def otb_sequences(folder, tracker):
    """
    Return {sequence: (boxes (N, 4), truth (N, 4))} of one tracker's published one-pass boxes.

    Names are those of the official score files in small letters; pixels count from 0.
    """
    truths, found = _otb_truths(folder), {}
    for path in sorted((folder / tracker).glob('*.json')):
        boxes = np.array(json.loads(path.read_text())[0]['res'], dtype=np.float64)
        truth = truths[path.stem.lower()]
        count = min(len(boxes), len(truth))
        found[path.stem.lower()] = boxes[:count] - [1, 1, 0, 0], truth[:count] - [1, 1, 0, 0]
    return found


def _otb_truths(folder):
    """Return {sequence: (N, 4)}, counting pixels from 1."""
    return {(key.replace('_', '-') if '_' in key else entry['name']).lower():
            np.array(entry['gt_rect'], dtype=np.float64)
            for key, entry in json.loads((folder / 'OTB2015.json').read_text()).items()}


def otb_mean_overlaps(folder, tracker):
    """
    Yield (sequence, recomputed, published) mean overlap as the official toolkit has it.

    It divides by the boxes of ground truth that it calls valid, also where results are fewer:
    STRUCK has 329 boxes of ClifBar's 472 frames.
    """
    frames, truths = _otb_frames(folder, tracker), _otb_truths(folder)
    scores = json.loads((folder / tracker / 'scores_tb100' / 'ALL.json').read_text())
    for name, published in zip(scores['seqs'], scores['overlapScores'], strict=True):
        if name.lower() in frames:
            overlaps, _ = frames[name.lower()]
            valid = (truths[name.lower()] > 0).all(axis=1).sum()
            yield name.lower(), float(overlaps[overlaps >= 0].sum() / valid), published


@dataclass(frozen=True)
class PublishedScore:
    """
    One score file of the official toolkit and what comes out here.

    group: one of `OTB_SETS`. attribute: 'ALL' or one of the eleven. published, recomputed:
    dictionaries of `auc`, `dp20`, `success` (21,) and `precision` (51,). disputed: whether a
    sequence of `OTHER_GROUND_TRUTH` is in it.
    """

    group: str
    attribute: str
    published: dict
    recomputed: dict
    disputed: bool


def otb_scores(folder, tracker):
    """Yield a `PublishedScore` of every score file whose sequences are all there."""
    frames = _otb_frames(folder, tracker)
    for group, suffix in OTB_SETS.items():
        for path in sorted((folder / tracker / f'scores_{suffix}').glob('*.json')):
            scores = json.loads(path.read_text())
            names = [name.lower() for name in scores['seqs']]
            if not set(names) <= set(frames):
                continue
            success = np.mean([metrics.success_curve(frames[name][0]) for name in names], axis=0)
            precision = np.mean([metrics.precision_curve(frames[name][1]) for name in names],
                                axis=0)
            yield PublishedScore(group, path.stem,
                                 _curves(scores['successRateList'], scores['precisionList']),
                                 _curves(success, precision),
                                 bool(set(names) & OTHER_GROUND_TRUTH[tracker]))


def _otb_frames(folder, tracker):
    return {name: metrics.frame_scores(boxes, truth, 'otb')
            for name, (boxes, truth) in otb_sequences(folder, tracker).items()}


def _curves(success, precision):
    return {'auc': float(np.mean(success)), 'dp20': float(precision[20]),
            'success': np.array(success), 'precision': np.array(precision)}


def vot2018_runs(folder, tracker):
    """Return {sequence: (polygons (N, 8), [`Run`, ...], (width, height))} of raw VOT results."""
    found = {}
    for name, entry in json.loads((folder / 'VOT2018.json').read_text()).items():
        size = entry['width'], entry['height']
        files = sorted((folder / tracker / 'baseline' / name).glob(f'{name}_*.txt'))
        found[name] = (np.array(entry['gt_rect'], dtype=np.float64),
                       [_read_vot_run(file, size) for file in files], size)
    return found


def _read_vot_run(file, size):
    rows = [[float(word) for word in re.split(',', line)]
            for line in file.read_text().splitlines()]
    boxes = np.array([row if len(row) == 4 else [np.nan] * 4 for row in rows])
    events = np.array([TRACKED if len(row) == 4 else row[0] for row in rows], dtype=np.int8)
    count = len(rows)
    return Run(boxes, np.ones(count), np.ones(count, dtype=bool), np.full(count, 0.01), size,
               events)


def vot2018_scores(folder, tracker):
    """Return the `Scores` of the protocol `vot` over a tracker's raw VOT2018 results."""
    stored = {}
    for name, (polygons, runs, _) in vot2018_runs(folder, tracker).items():
        trials = [Trial(f'{number:03d}', 0, len(polygons) - 1, None, number)
                  for number in range(len(runs))]
        stored[name] = {trial.name: Result(run, polygon_to_box(polygons), {}, trial, polygons)
                        for trial, run in zip(trials, runs)}
    return protocols.get('vot').score({tracker: stored})[tracker]
