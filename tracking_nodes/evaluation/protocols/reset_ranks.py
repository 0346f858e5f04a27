"""AR ranks of reset-based runs: over tags or sequences, and over all frames together."""
from dataclasses import dataclass, replace

import numpy as np

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.measures import ranking
from tracking_nodes.evaluation.metrics import Metric
from tracking_nodes.evaluation.protocols.reset_measured import frames_of, known_mean

_RANKS = ('accuracy_rank', 'accuracy_rank_practical', 'failure_rank')
METRICS = (
    Metric('accuracy_rank', 'A rank', 'mean over tags, or over sequences where there are none, of '
           "the accuracy rank; trackers that Wilcoxon's signed-rank test cannot tell apart share "
           'it', 1, np.inf, False),
    Metric('accuracy_rank_practical', 'A rank (practical)', 'the same, but trackers share it as '
           'well whose mean difference in overlap, in thresholds of each frame, is below 1 '
           '(VOT2014 to VOT2016); needs practical.value beside the ground truth', 1, np.inf,
           False),
    Metric('failure_rank', 'R rank', 'the same of failures, by the rank-sum test', 1, np.inf,
           False),
    Metric('accuracy_rank_pooled', 'A rank (pooled)', 'accuracy rank over the frames of all '
           'sequences together', 1, np.inf, False),
    Metric('accuracy_rank_practical_pooled', 'A rank (practical, pooled)', 'the same with '
           'practical difference', 1, np.inf, False),
    Metric('failure_rank_pooled', 'R rank (pooled)', 'failure rank over the runs of all sequences '
           'together', 1, np.inf, False),
)
NO_RANKS = {metric.key: np.nan for metric in METRICS}


@dataclass(frozen=True)
class Ranking:
    """
    How trackers are ranked.

    adaptation: key of `ranking.ADAPTATIONS`, how those share ranks that may be equal. rule:
    'matlab' or 'older', which overlaps of `Measured` count. repetitions: how many runs of a
    sequence there ought to be; as in the MATLAB toolkit the mean number of failures stands for
    those that a deterministic tracker was spared.
    """

    adaptation: str = 'mean'
    rule: str = 'matlab'
    repetitions: int = 15

    @classmethod
    def of(cls, option, repetitions):
        """
        Return the ranking that the option of a protocol asks for.

        :param option: '', an adaptation, 'older', or 'older+' and an adaptation.
        :param repetitions: of the protocol.
        :raises SettingError: it is something else.
        """
        older = option.split('+')[0] == 'older'
        adaptation = option[len('older'):].removeprefix('+') if older else option
        adaptation = adaptation or 'mean'
        if adaptation not in ranking.ADAPTATIONS:
            raise SettingError(f'no ranking {option!r}; known: {", ".join(ranking.ADAPTATIONS)}, '
                               "'older', and 'older+' before one of them")
        return cls(adaptation, 'older' if older else 'matlab', repetitions)


def with_ranks(scores, trackers, how):
    """
    Return scores with AR ranks, which only several trackers together have.

    :param scores: {tracker: `Scores`}.
    :param trackers: {tracker: {sequence: `Measured`}} they were made of.
    :param how: `Ranking`.
    """
    common = sorted(set.intersection(*(set(sequences) for sequences in trackers.values()))
                    if trackers else ())
    if len(trackers) < 2 or not common:
        return scores
    some = next(iter(trackers.values()))
    whole = [(name, np.ones(len(some[name]), dtype=bool)) for name in common]
    ranked = {selection: _rank(trackers, parts, how)
              for selection, parts in _selections(some, whole).items()}
    pooled = _rank(trackers, whole, how)
    return {name: _with(one, {selection: rows[name] for selection, rows in ranked.items()},
                        pooled[name]) for name, one in scores.items()}


def _with(scores, ranked, pooled):
    """Return the `Scores` of one tracker with {selection: {key: rank}} and {key: rank}."""
    means = {key: float(np.mean([row[key] for row in ranked.values()])) for key in _RANKS}
    overall = {**scores.overall, **means,
               **{f'{key}_pooled': rank for key, rank in pooled.items()}}
    return replace(scores, overall=overall, tags={
        tag: {**values, **ranked.get(tag, {})} for tag, values in scores.tags.items()})


def _selections(some, whole):
    """
    Return {selection: [(sequence, (N,) bool)]}, the frames that trackers are ranked by.

    A selection is a tag, or a sequence where none has tags.

    :param some: {sequence: `Measured`} of any tracker.
    :param whole: all frames of each sequence that all trackers ran.
    """
    tags = sorted({tag for name, _ in whole for tag, frames in some[name].tags.items()
                   if frames.any()})
    if not tags:
        return {f'sequence {name}': [(name, frames)] for name, frames in whole}
    return {tag: [(name, some[name].tags[tag]) for name, _ in whole
                  if some[name].tags.get(tag, np.zeros(1)).any()] for tag in tags}


def _rank(trackers, parts, how):
    """Return {tracker: {key of `_RANKS`: rank}} over the frames of one selection."""
    frames, failed = zip(*(_selected(sequences, parts, how) for sequences in trackers.values()))
    some = next(iter(trackers.values()))
    practical = np.concatenate([some[name].practical[chosen] for name, chosen in parts])
    accuracy = [known_mean(row) for row in frames]
    differ = ranking.difference_matrix(frames, ranking.accuracy_differs)
    seen = ranking.difference_matrix(
        frames, lambda *pair: ranking.practically_differs(*pair, practical))
    fewer = ranking.difference_matrix(failed, ranking.failures_differ)
    rows = (ranking.ranks(accuracy, differ, True, how.adaptation),
            ranking.ranks(accuracy, differ & seen, True, how.adaptation)
            if (practical > 0).any() else [np.nan] * len(frames),
            ranking.ranks([row.mean() for row in failed], fewer, False, how.adaptation))
    return {name: dict(zip(_RANKS, map(float, values)))
            for name, values in zip(trackers, zip(*rows))}


def _selected(sequences, parts, how):
    """Return overlaps (N,) and failures (K,) of one tracker in all frames selected."""
    rows = [frames_of(getattr(sequences[name], how.rule), frames) for name, frames in parts]
    failed = [np.concatenate([row, np.full(max(how.repetitions - len(row), 0), row.mean())])
              for _, row in rows]
    return np.concatenate([row for row, _ in rows]), np.concatenate(failed)
