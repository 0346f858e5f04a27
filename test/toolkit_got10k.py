"""The official got10k toolkit's reports, over results written here, beside the package's."""
from got10k import experiments
import numpy as np

from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.protocols.base import Trial
from tracking_nodes.evaluation.results import Result
from tracking_nodes.evaluation.run import Run

SIZE = (240, 200)
TRACKER = 'one'


class Sequences:
    """What the toolkit's reports ask of a data set."""

    def __init__(self, truths, covers=None):
        self.seq_names, self.truths, self.covers = list(truths), truths, covers

    def __len__(self):
        return len(self.seq_names)

    def __getitem__(self, key):
        name = key if isinstance(key, str) else self.seq_names[key]
        if self.covers is None:
            return [], self.truths[name]
        return [], self.truths[name], {'cover': self.covers[name], 'resolution': str(SIZE)}


def runs_near(truths, seed, repetitions=1):
    """Return {sequence: [`Run`, ...]} of a tracker that starts on the truth and wanders."""
    generator = np.random.default_rng(seed)
    found = {}
    for name, truth in truths.items():
        found[name] = []
        for _ in range(repetitions):
            noise = generator.normal(0, 4, truth.shape).cumsum(axis=0) * [1, 1, 0, 0]
            boxes = truth + noise + generator.normal(0, 5, truth.shape).clip(-9, 9)
            boxes[0] = truth[0]
            count = len(boxes)
            found[name].append(Run(boxes, np.ones(count), np.ones(count, dtype=bool),
                                   generator.uniform(0.005, 0.05, count), SIZE))
    return found


def moving_targets(seed, lengths=(150, 60, 240)):
    """Return {sequence: (N, 4)} of targets that wander, now and then across the image's edge."""
    generator = np.random.default_rng(seed)
    return {f'sequence{number}': np.concatenate(
        [100 + generator.normal(0, 5, (count, 2)).cumsum(axis=0),
         generator.uniform(20, 60, (count, 2))], axis=1) for number, count in enumerate(lengths)}


def published_runs(sequences):
    """
    Return truths and runs in the form used here.

    :param sequences: {sequence: (boxes (N, 4), truth (N, 4))}.
    """
    truths = {name: truth.copy() for name, (_, truth) in sequences.items()}
    return truths, {name: [Run(boxes, np.ones(len(boxes)), np.ones(len(boxes), dtype=bool),
                               np.full(len(boxes), 0.05), SIZE)]
                    for name, (boxes, _) in sequences.items()}


def compare_otb(truths, runs, folder):
    """
    Yield (what, ours, theirs) of ExperimentOTB.

    :param truths: {sequence: (N, 4)}.
    :param runs: {sequence: [`Run`]}, one each.
    :param folder: where to write the toolkit's results.
    """
    yield from _compare_pass(experiments.ExperimentOTB, 'OTB', 'got10k', truths, runs, folder)


def compare_uav123(truths, runs, folder):
    """Yield (what, ours, theirs) of ExperimentUAV123, with frames in which the target is gone."""
    gone = {name: truth.copy() for name, truth in truths.items()}
    for truth in gone.values():
        truth[len(truth) // 2:len(truth) // 2 + 9] = np.nan
    yield from _compare_pass(experiments.ExperimentUAV123, 'UAV123', 'visible', gone, runs, folder)


def _compare_pass(kind, name, variant, truths, runs, folder):
    experiment = _experiment(kind, Sequences(truths), folder / name, nbins_iou=21, nbins_ce=51)
    for sequence, (run,) in runs.items():
        _write(folder / name / TRACKER / f'{sequence}.txt', run.boxes)
        _write(folder / name / TRACKER / 'times' / f'{sequence}_time.txt', run.seconds)
    theirs = experiment.report([TRACKER])[TRACKER]
    ours = protocols.get('ope').score(_stored(truths, runs), variant)[TRACKER]
    for curve in ('success', 'precision'):
        yield f'{name}: {curve} curve', ours.curves[curve].y, theirs['overall'][f'{curve}_curve']
    for key, their_key in (('auc', 'success_score'), ('dp20', 'precision_score'),
                           ('os50', 'success_rate'), ('fps_got10k', 'speed_fps')):
        yield f'{name}: {key}', ours.overall[key], theirs['overall'][their_key]
        yield f'{name}: {key} of each sequence', [ours.sequences[one][key] for one in truths], [
            theirs['seq_wise'][one][their_key] for one in truths]


def compare_got10k(seed, folder):
    """Yield (what, ours, theirs) of ExperimentGOT10k, with hidden frames and repetitions."""
    truths = moving_targets(seed)
    runs = runs_near(truths, seed + 1, repetitions=3)
    generator = np.random.default_rng(seed)
    covers = {name: generator.integers(0, 3, len(truth)) for name, truth in truths.items()}
    experiment = _experiment(experiments.ExperimentGOT10k, Sequences(truths, covers), folder,
                             subset='val', nbins_iou=101, repetitions=3)
    for name, rows in runs.items():
        for number, run in enumerate(rows, 1):
            _write(folder / TRACKER / name / f'{name}_{number:03d}.txt', run.boxes)
        _write(folder / TRACKER / name / f'{name}_time.txt',
               np.stack([run.seconds for run in rows], axis=1))
    # Before the toolkit's report, which cuts the ground truth at the image in place.
    seen = {name: np.where(covers[name][:, None] > 0, truth, np.nan)
            for name, truth in truths.items()}
    theirs = experiment.report([TRACKER])[TRACKER]
    ours = protocols.get('got10k').score(_stored(seen, runs))[TRACKER]
    for key, their_key in (('ao', 'ao'), ('sr50', 'sr'), ('fps_got10k', 'speed_fps')):
        yield f'GOT-10k: {key}', ours.overall[key], theirs['overall'][their_key]
        yield f'GOT-10k: {key} of each sequence', [ours.sequences[one][key] for one in truths], [
            theirs['seq_wise'][one][their_key] for one in truths]
    curve = theirs['overall']['succ_curve']
    yield 'GOT-10k: success curve', ours.curves['success'].y, curve
    yield 'GOT-10k: sr75', ours.overall['sr75'], curve[75]


def _experiment(kind, dataset, folder, **values):
    """Return an experiment of the toolkit without the data set that its constructor asks for."""
    experiment = kind.__new__(kind)
    vars(experiment).update(dataset=dataset, result_dir=str(folder), report_dir=str(folder),
                            plot_curves=lambda *_: None, **values)
    return experiment


def _write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, values, fmt='%.17g', delimiter=',')


def _stored(truths, runs):
    found = {}
    for name, rows in runs.items():
        trials = [Trial(f'{number:03d}', 0, len(run.boxes) - 1)
                  for number, run in enumerate(rows)]
        found[name] = {trial.name: Result(run, truths[name], {}, trial)
                       for trial, run in zip(trials, rows)}
    return {TRACKER: found}
