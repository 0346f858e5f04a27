"""From stored reset-based runs to VOT's numbers, curves and ranks."""
from dataclasses import dataclass, replace

import numpy as np

from tracking_nodes.evaluation.measures import ranking, reset
from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.evaluation.metrics import frames_per_second, Metric
from tracking_nodes.evaluation.protocols.base import Curve, Scores
from tracking_nodes.sequences.sequence import PRACTICAL

_RANKS = ('accuracy_rank', 'accuracy_rank_practical', 'failure_rank')
_YEARS = {'2016': ('VOT2015 and VOT2016', reset.EAO_INTERVALS['vot2016']),
          '2018': ('VOT2017 and VOT2018', reset.EAO_INTERVALS['vot2018']),
          '2019': ('VOT2019', reset.EAO_INTERVALS['vot2019'])}
METRICS = (
    *(Metric(f'eao_{year}', f'EAO {year}', 'expected average overlap over '
             f'{low}..{high} frames ({name}), as the MATLAB toolkit and pysot-toolkit have it',
             0, 1, True) for year, (name, (low, high)) in _YEARS.items()),
    *(Metric(f'eao_{year}_toolkit', f'EAO {year} (vot-toolkit)', 'expected average overlap over '
             f'{low}..{high} frames ({name}), as the Python toolkit has it', 0, 1, True)
      for year, (name, (low, high)) in _YEARS.items()),
    Metric('accuracy', 'A', 'mean overlap of tracked frames but the ten from each start; mean '
           'over repetitions, weighted by the length of sequences (vot-toolkit)', 0, 1, True),
    Metric('accuracy_pooled', 'A (pooled)', 'the same, averaged over repetitions in each frame, '
           'then over the frames of all sequences (MATLAB toolkit, pysot-toolkit)', 0, 1, True),
    Metric('failures', 'R', 'failures per sequence: mean over repetitions, weighted by the length '
           'of sequences (vot-toolkit)', 0, np.inf, False),
    Metric('lost', 'lost number', 'failures on all sequences, mean over repetitions '
           '(pysot-toolkit)', 0, np.inf, False),
    Metric('failure_rate', 'failures / 100 frames', 'failures per hundred frames of all '
           'sequences (pysot-toolkit calls it robustness)', 0, 100, False),
    Metric('reliability', 'reliability', 'exp(-30 F / N), F failures in N frames: the x of an '
           'AR plot', 0, 1, True),
    Metric('accuracy_rank', 'A rank', 'mean over tags, or over sequences where there are none, of '
           "the accuracy rank; trackers that Wilcoxon's signed-rank test cannot tell apart share "
           'it', 1, np.inf, False),
    Metric('accuracy_rank_practical', 'A rank (practical)', 'the same, but trackers share it as '
           'well whose mean difference in overlap, in thresholds of each frame, is below 1 '
           '(VOT2014 to VOT2016); needs practical.value beside the ground truth', 1, np.inf,
           False),
    Metric('failure_rank', 'R rank', 'the same of failures, by the rank-sum test', 1, np.inf,
           False),
    Metric('fps', 'fps', 'frames the tracker worked on, divided by their seconds', 0, np.inf,
           True),
)


@dataclass(frozen=True)
class Measured:
    """
    One tracker on one sequence, ready to be scored.

    toolkit, matlab: lists of `Outcome` by either way of counting pixels. tags: {name: (N,) bool}.
    seconds: of all frames of all runs. practical: (N,) differences of overlap that annotators do
    not see, NaN where that is not known.
    """

    toolkit: list
    matlab: list
    tags: dict
    seconds: np.ndarray
    practical: np.ndarray

    def __len__(self):
        return len(self.toolkit[0].events)


def measure(results):
    """Return what is `Measured` of the `Result`s of one sequence."""
    results = list(results)
    toolkit, matlab = ([reset.Outcome(region_overlaps(one.run.answers, one.regions,
                                                      one.run.image_size, rule), one.run.events)
                        for one in results] for rule in ('toolkit', 'pysot'))
    tags = dict(results[0].tags)
    if tags and 'empty' not in tags:
        tags['empty'] = ~np.any(list(tags.values()), axis=0)
    practical = results[0].values.get(PRACTICAL, np.full(len(results[0].truth), np.nan))
    return Measured(toolkit, matlab, tags, np.concatenate([one.run.seconds for one in results]),
                    practical)


def with_ranks(scores, trackers):
    """
    Return scores with AR ranks, which only several trackers together have.

    :param scores: {tracker: `Scores`}.
    :param trackers: {tracker: {sequence: `Measured`}} they were made of.
    """
    found = {}
    for name, ranked in _rank_trackers(trackers).items():
        means = {key: float(np.mean([values[key] for values in ranked.values()]))
                 for key in _RANKS}
        tags = {tag: {**values, **ranked.get(tag, {})}
                for tag, values in scores[name].tags.items()}
        found[name] = replace(scores[name], overall={**scores[name].overall, **means}, tags=tags)
    return found or scores


def score_tracker(sequences, skip):
    """
    Return the `Scores` of one tracker, without ranks.

    :param sequences: {sequence: `Measured`}.
    :param skip: frames from a failure to the next start.
    """
    rows, lengths = list(sequences.values()), np.array([len(one) for one in sequences.values()])
    failed = np.array([reset.failures(one.toolkit).mean() for one in rows])
    values = {name: _score_sequence(one) for name, one in sequences.items()}
    toolkit = reset.toolkit_curve([one.toolkit for one in rows])
    matlab = reset.matlab_curve([one.matlab for one in rows], skip=skip)
    pooled = np.concatenate([reset.accuracy_by_frame(one.matlab) for one in rows])
    mean_failures = float(np.average(failed, weights=lengths))
    accuracy = float(np.average([row['accuracy'] for row in values.values()], weights=lengths))
    overall = {
        **{f'eao_{year}': reset.matlab_eao(matlab, limits)
           for year, (_, limits) in _YEARS.items()},
        **{f'eao_{year}_toolkit': reset.toolkit_eao(toolkit, limits)
           for year, (_, limits) in _YEARS.items()},
        'accuracy': accuracy, 'accuracy_pooled': _mean(pooled), 'failures': mean_failures,
        'lost': float(failed.sum()), 'failure_rate': float(100 * failed.sum() / lengths.sum()),
        'reliability': reset.reliability(mean_failures, lengths.mean()),
        **dict.fromkeys(_RANKS, np.nan),
        'fps': frames_per_second(np.concatenate([one.seconds for one in rows]))}
    curves = {
        'eao': Curve('expected average overlap', 'sequence length, frames', 'expected overlap',
                     list(range(1, len(matlab) + 1)), matlab.tolist()),
        'ar': Curve('accuracy and robustness', 'reliability', 'accuracy',
                    [overall['reliability']], [accuracy])}
    return Scores(overall, values, curves, _score_tags(rows, skip))


def _score_sequence(one):
    failed = float(reset.failures(one.toolkit).mean())
    return {'accuracy': reset.accuracy(one.toolkit),
            'accuracy_pooled': _mean(reset.accuracy_by_frame(one.matlab)),
            'failures': failed, 'lost': failed, 'failure_rate': 100 * failed / len(one),
            'reliability': reset.reliability(failed, len(one)),
            'fps': frames_per_second(one.seconds)}


def _score_tags(rows, skip):
    """Return {tag: {key: value}} over the frames that have it, as the MATLAB toolkit has it."""
    found = {}
    for tag in sorted({tag for one in rows for tag in one.tags}):
        members = [one for one in rows if one.tags.get(tag, np.zeros(1)).any()]
        if not members:
            continue
        parts = [(one, one.tags[tag]) for one in members]
        lost = sum(_frames_of(one, frames)[1].mean() for one, frames in parts)
        curve = reset.matlab_curve([one.matlab for one in members],
                                   [frames for _, frames in parts], skip)
        found[tag] = {
            **{f'eao_{year}': reset.matlab_eao(curve, limits)
               for year, (_, limits) in _YEARS.items()},
            'accuracy_pooled': _mean(np.concatenate([_frames_of(*part)[0] for part in parts])),
            'lost': float(lost),
            'failure_rate': float(100 * lost / sum(frames.sum() for _, frames in parts))}
    return found


def _rank_trackers(trackers):
    """
    Return {tracker: {selection: {key: rank}}} by `_RANKS`, empty for a single tracker.

    A selection is a tag, or a sequence where none has tags; only what all trackers ran counts.
    """
    if len(trackers) < 2:
        return {}
    common = sorted(set.intersection(*(set(sequences) for sequences in trackers.values())))
    some = next(iter(trackers.values()))
    tags = sorted({tag for name in common for tag, frames in some[name].tags.items()
                   if frames.any()})
    selections = {tag: [(name, some[name].tags[tag]) for name in common
                        if some[name].tags.get(tag, np.zeros(1)).any()] for tag in tags}
    if not tags:
        selections = {f'sequence {name}': [(name, np.ones(len(some[name]), dtype=bool))]
                      for name in common}
    ranked = {name: {} for name in trackers}
    for selection, parts in selections.items():
        frames, failed = zip(*(_selected(sequences, parts) for sequences in trackers.values()))
        practical = np.concatenate([some[name].practical[chosen] for name, chosen in parts])
        for name, row in zip(trackers, zip(*_ranks(frames, failed, practical))):
            ranked[name][selection] = dict(zip(_RANKS, map(float, row)))
    return ranked


def _ranks(frames, failed, practical):
    """Return the ranks of all trackers in the order of `_RANKS`."""
    accuracy = [_mean(row) for row in frames]
    differ = ranking.difference_matrix(frames, ranking.accuracy_differs)
    seen = ranking.difference_matrix(
        frames, lambda *pair: ranking.practically_differs(*pair, practical))
    known = (practical > 0).any()
    return (ranking.ranks(accuracy, differ, True),
            ranking.ranks(accuracy, differ & seen, True) if known else [np.nan] * len(frames),
            ranking.ranks([row.mean() for row in failed], ranking.difference_matrix(
                failed, ranking.failures_differ), False))


def _selected(sequences, parts):
    """Return overlaps (N,) and failures (K,) of one tracker in all frames selected."""
    rows = [_frames_of(sequences[name], frames) for name, frames in parts]
    return np.concatenate([row[0] for row in rows]), np.concatenate([row[1] for row in rows])


def _frames_of(one, frames):
    """
    Return overlaps (N,) averaged over runs and failures (R,) in some frames of a sequence.

    As in the MATLAB toolkit the frames are cut out first, so the burn-in of a start goes on over
    a gap.
    """
    parts = [reset.Outcome(run.overlaps[frames], run.events[frames]) for run in one.matlab]
    return reset.accuracy_by_frame(parts), reset.failures(parts)


def _mean(values):
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else 0.0
