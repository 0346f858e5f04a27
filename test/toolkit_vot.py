"""The official VOT toolkit's analyses, fed with runs made here, beside the package's numbers."""
from dataclasses import replace

import numpy as np

from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.measures import reset
from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.evaluation.metrics import success_curve
from tracking_nodes.evaluation.protocols.base import Trial
from tracking_nodes.evaluation.results import Result
from tracking_nodes.evaluation.run import FAILED, Run, SKIPPED, STARTED, TRACKED

from vot.analysis.accuracy import SuccessPlot
from vot.analysis.longterm import (_ConfidenceScores, _Thresholds, FScoreCurve, PrecisionRecall,
                                   PrecisionRecallCurve, PrecisionRecallCurves)
from vot.analysis.supervised import (AccuracyRobustness, AverageAccuracyRobustness, EAOCurve,
                                     EAOScore)
from vot.experiment.multirun import MultiRunExperiment
from vot.region import calculate_overlap, Special
from vot.region.shapes import Polygon, Rectangle
from vot.tracker import Trajectory
from vot.utilities.data import Grid

SIZE = (320, 240)


class ToolkitSequence:
    """What the toolkit's analyses ask of a sequence."""

    def __init__(self, name, regions, size):
        self.name, self.size = name, size
        self.regions = [as_region(region) for region in regions]

    def __len__(self):
        return len(self.regions)

    def groundtruth(self):
        return self.regions

    def objects(self):
        return ['object']

    def object(self, name):  # noqa: A003 - the toolkit calls it
        return self.regions if name == 'object' else None


class StoredRuns(MultiRunExperiment):
    """An experiment whose trajectories are in memory."""

    def __init__(self, runs):
        self._runs = runs

    def gather(self, tracker, sequence, objects=None, pad=False):
        return self._runs[sequence.name]


def as_region(values):
    """Return four numbers as the toolkit's rectangle, more as its polygon, NaN as unknown."""
    values = [float(value) for value in values]
    if np.isnan(values).any():
        return Special(0)
    return Rectangle(*values) if len(values) == 4 else Polygon(
        list(zip(values[0::2], values[1::2])))


def as_trajectory(run):
    """Return a `Run` as the toolkit's trajectory; the scores become confidences."""
    trajectory = Trajectory(len(run.boxes))
    for index, (box, event, score) in enumerate(zip(run.answers, run.events, run.scores)):
        if event == TRACKED:
            trajectory.set(index, as_region(box), {'confidence': float(score)})
        else:
            trajectory.set(index, Special(int(event)))
    return trajectory


def wandering_target(generator, count):
    """Return polygons (N, 8) of a target that wanders, and boxes (N, 4) of a tracker near it."""
    middle = np.array([160, 120]) + np.cumsum(generator.normal(0, 3, (count, 2)), axis=0)
    angle = np.cumsum(generator.normal(0, 0.05, count))
    half = np.exp(np.cumsum(generator.normal(0, 0.01, (count, 2)), axis=0)) * [30, 20]
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])[None] * half[:, None]
    turn = np.stack([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    polygons = np.einsum('ijn,nkj->nki', turn, corners) + middle[:, None]
    guess = middle + np.cumsum(generator.normal(0, 2.5, (count, 2)), axis=0)
    size = 2 * half * np.exp(generator.normal(0, 0.1, (count, 2)))
    return polygons.reshape(count, 8), np.concatenate([guess - size / 2, size], axis=1)


def supervised_run(generator, polygons, boxes, size=SIZE):
    """Return a run with restarts, by the toolkit's own overlap and its loop."""
    count = len(boxes)
    boxes, events = boxes.copy(), np.full(count, SKIPPED, np.int8)
    boxes[:, :2] += generator.normal(0, 3, (count, 2)).cumsum(axis=0)
    index, offset = 0, 0.0
    while index < count:
        events[index] = STARTED
        offset = polygons[index].reshape(4, 2).mean(0) - boxes[index, :2] - boxes[index, 2:] / 2
        index += 1
        while index < count:
            boxes[index, :2] += offset
            if calculate_overlap(as_region(boxes[index]), as_region(polygons[index]), size) <= 0:
                events[index] = FAILED
                index += 5
                break
            events[index] = TRACKED
            index += 1
    return Run(boxes, generator.uniform(0, 1, count), np.ones(count, dtype=bool),
               np.full(count, 0.01), size, events)


def supervised_runs(seed, lengths=(130, 400, 90), repetitions=3):
    """Return {sequence: (polygons, [`Run`, ...])} of made-up reset-based runs."""
    generator = np.random.default_rng(seed)
    found = {}
    for number, count in enumerate(lengths):
        polygons, boxes = wandering_target(generator, count)
        found[f'sequence{number}'] = polygons, [supervised_run(generator, polygons, boxes)
                                                for _ in range(repetitions)]
    return found


def with_turned_answers(runs, seed):
    """Return runs as of `supervised_runs`, in which two of three answers are turned boxes."""
    generator = np.random.default_rng(seed)
    return {name: (polygons, [replace(run, regions=[
        _turned(box, generator.normal(0, 0.3)) if index % 3 else box
        for index, box in enumerate(run.boxes)]) for run in rows])
        for name, (polygons, rows) in runs.items()}


def _turned(box, angle):
    """Return the corners (8,) of a box (4,) turned around its middle, in radians."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * box[2:] / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (corners @ turn.T + box[:2] + box[2:] / 2).ravel()


def compare_overlaps(seed=0, count=2000):
    """Yield (what, ours, theirs) for the overlap of boxes and polygons, in and off the image."""
    generator = np.random.default_rng(seed)
    boxes = np.concatenate([generator.uniform(-40, 340, (count, 2)),
                            generator.uniform(1, 90, (count, 2))], axis=1)
    middles = boxes[:, :2] + boxes[:, 2:] / 2 + generator.normal(0, 15, (count, 2))
    turns = generator.uniform(0, 7, (count, 1)) + np.arange(4) * np.pi / 2
    reach = generator.uniform(5, 45, (count, 4))
    polygons = np.stack([middles[:, :1] + reach * np.cos(turns),
                         middles[:, 1:] + reach * np.sin(turns)], axis=-1).reshape(count, 8)
    # Halves are where rounding rules differ.
    boxes[::3], polygons[::3] = np.round(boxes[::3] * 2) / 2, np.round(polygons[::3] * 2) / 2
    others = boxes + generator.normal(0, 8, boxes.shape) * [1, 1, 0, 0]
    # As many pairs that meet as pairs that do not.
    moved = polygons + np.repeat(generator.normal(0, 12, (count, 2)), 4, axis=0).reshape(count, 8)
    turned = np.roll(polygons, 2, axis=1) + generator.normal(0, 4, polygons.shape)
    for what, predicted, regions in (
            ('overlap of a box with a polygon', boxes, polygons),
            ('overlap of a polygon with a box', polygons, others),
            ('overlap of two polygons', np.concatenate([moved, turned]),
             np.concatenate([polygons, polygons])),
            ('overlap of two boxes', boxes, others)):
        theirs = [calculate_overlap(as_region(one), as_region(other), SIZE)
                  for one, other in zip(predicted, regions)]
        yield what, region_overlaps(predicted, regions, SIZE), np.array(theirs)


def compare_supervised(runs, size=SIZE):
    """
    Yield (what, ours, theirs) for accuracy, robustness and EAO.

    :param runs: {sequence: (ground truth (N, 4) or (N, 8), [`Run`, ...])}.
    :param size: (width, height) of the images, or {sequence: (width, height)}.
    """
    sizes = size if isinstance(size, dict) else dict.fromkeys(runs, size)
    sequences = [ToolkitSequence(name, regions, sizes[name])
                 for name, (regions, _) in runs.items()]
    experiment = StoredRuns({name: [as_trajectory(run) for run in rows]
                             for name, (_, rows) in runs.items()})
    protocol = protocols.get('vot')
    scores = protocol.score({'one': {name: _results(regions, rows)
                                     for name, (regions, rows) in runs.items()}})['one']
    parts = Grid(len(sequences), 1)
    for index, sequence in enumerate(sequences):
        parts[index, 0] = AccuracyRobustness().subcompute(experiment, None, sequence, [])
    ours = [[scores.sequences[one.name][key] for one in sequences]
            for key in ('accuracy', 'failures', 'reliability')]
    theirs = list(zip(*parts))
    yield 'accuracy of each sequence', ours[0], theirs[0]
    yield 'failures of each sequence', ours[1], theirs[1]
    yield 'AR plot, reliability of each sequence', ours[2], [point[0] for point in theirs[2]]
    accuracy, failed, point, _ = AverageAccuracyRobustness().aggregate(None, sequences, parts)
    yield 'accuracy', scores.overall['accuracy'], accuracy
    yield 'failures (robustness)', scores.overall['failures'], failed
    yield 'AR plot, reliability', scores.overall['reliability'], point[0]
    curve, = EAOCurve().subcompute(experiment, None, sequences, [])
    outcomes = [[reset.Outcome(region_overlaps(run.answers, regions, sizes[name]), run.events)
                 for run in rows] for name, (regions, rows) in runs.items()]
    yield 'EAO curve', reset.toolkit_curve(outcomes), np.array(curve)
    grid = Grid(1, 1)
    grid[0, 0] = (curve,)
    for year in ('2016', '2018', '2019'):
        low, high = reset.EAO_INTERVALS[f'vot{year}']
        theirs = EAOScore(low=low, high=high).compute(None, [], [], [grid])[0, 0][0]
        yield f'EAO {year}', scores.overall[f'eao_{year}_toolkit'], theirs


def compare_unsupervised(seed=0, lengths=(300, 150, 220)):
    """Yield (what, ours, theirs) for long-term precision, recall, F and the success plot."""
    generator = np.random.default_rng(seed)
    truths, runs = {}, {}
    for number, count in enumerate(lengths):
        _, boxes = wandering_target(generator, count)
        truth = boxes + generator.normal(0, 6, boxes.shape)
        truth[:, 2:] = np.maximum(truth[:, 2:], 5)
        boxes[0] = truth[0]
        truth[count // 3:count // 2] = np.nan
        events = np.full(count, TRACKED, np.int8)
        events[0] = STARTED
        scores = generator.uniform(0, 1, count)
        scores[0] = 1
        truths[f'sequence{number}'] = truth
        runs[f'sequence{number}'] = Run(boxes, scores, scores > 0.5, np.full(count, 0.01), SIZE,
                                        events)
    sequences = [ToolkitSequence(name, truth, SIZE) for name, truth in truths.items()]
    experiment = StoredRuns({name: [as_trajectory(run)] for name, run in runs.items()})
    scores = protocols.get('longterm').score({'one': {
        name: _results(truths[name], [run]) for name, run in runs.items()}})['one']
    curve, (precision, recall, f_score) = _toolkit_precision_recall(experiment, sequences)
    yield 'long-term recall curve', scores.curves['precision_recall'].x, curve[:, 0]
    yield 'long-term precision curve', scores.curves['precision_recall'].y, curve[:, 1]
    for key, theirs in (('precision', precision), ('recall', recall), ('f_score', f_score)):
        yield f'long-term {key}', scores.overall[key], theirs
    for sequence in sequences[:1]:
        run = runs[sequence.name]
        overlaps = region_overlaps(run.boxes, truths[sequence.name], SIZE)[1:]
        points, = SuccessPlot(burnin=1).subcompute(experiment, None, sequence, [])
        ours = success_curve(overlaps[~np.isnan(overlaps)], np.linspace(0, 1, 100)[:-1])
        yield 'success plot, 100 thresholds', ours, np.array(points)[:-1, 1]


def _toolkit_precision_recall(experiment, sequences):
    """Return the toolkit's mean curve (K, 2) and its precision, recall and F-score."""
    confidences = Grid(len(sequences), 1)
    for index, sequence in enumerate(sequences):
        confidences[index, 0] = _ConfidenceScores().subcompute(experiment, None, sequence, [])
    limits = Grid(1, 1)
    limits[0, 0] = _Thresholds().aggregate(None, sequences, confidences)
    curves = Grid(len(sequences), 1)
    for index, sequence in enumerate(sequences):
        curves[index, 0] = PrecisionRecallCurves().subcompute(experiment, None, sequence, limits)
    mean = Grid(1, 1)
    mean[0, 0] = PrecisionRecallCurve().aggregate(None, sequences, curves)
    f_curve = FScoreCurve().compute(experiment, [None], sequences, [mean])
    joined = PrecisionRecall().compute(experiment, [None], sequences, [mean, f_curve])
    return np.array(mean[0, 0][0]), joined[0, 0]


def _results(regions, runs):
    """Return {trial name: `Result`} of the runs of one sequence."""
    polygons = regions if regions.shape[1] == 8 else None
    truth = regions if polygons is None else np.concatenate(
        [regions[:, :2], np.ptp(regions.reshape(-1, 4, 2), axis=1)], axis=1)
    found = {}
    for number, run in enumerate(runs, 1):
        trial = Trial(f'{number:03d}', 0, len(run.boxes) - 1, None, number - 1)
        found[trial.name] = Result(run, truth, {}, trial, polygons)
    return found
