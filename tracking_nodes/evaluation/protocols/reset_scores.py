"""From reset-based runs of one tracker to VOT's numbers and curves."""
import numpy as np

from tracking_nodes.evaluation.measures import reset
from tracking_nodes.evaluation.measures.lengths import likely_lengths
from tracking_nodes.evaluation.metrics import frames_per_second, Metric
from tracking_nodes.evaluation.protocols import reset_ranks
from tracking_nodes.evaluation.protocols.base import Curve, Scores
from tracking_nodes.evaluation.protocols.reset_measured import frames_of, known_mean

_YEARS = {'2016': ('VOT2016', reset.EAO_INTERVALS['vot2016']),
          '2018': ('VOT2017 and VOT2018', reset.EAO_INTERVALS['vot2018']),
          '2019': ('VOT2019', reset.EAO_INTERVALS['vot2019'])}
METRICS = (
    *(Metric(f'eao_{year}', f'EAO {year}', 'expected average overlap over '
             f'{low}..{high} frames ({name}), as the MATLAB toolkit and pysot-toolkit have it',
             0, 1, True) for year, (name, (low, high)) in _YEARS.items()),
    *(Metric(f'eao_{year}_toolkit', f'EAO {year} (vot-toolkit)', 'expected average overlap over '
             f'{low}..{high} frames ({name}), as the Python toolkit has it', 0, 1, True)
      for year, (name, (low, high)) in _YEARS.items()),
    Metric('eao_lengths', 'EAO (lengths)', 'expected average overlap, as the MATLAB toolkit has '
           'it, over the interval that it derives from the lengths of the sequences: half of '
           'their estimated density about its peak', 0, 1, True),
    Metric('eao_lengths_older', 'EAO (lengths, to VOT2015)', 'the same with the overlap of '
           'VOT2013 to VOT2015: older pixel rule, not cut at the image', 0, 1, True),
    Metric('eao_2015', 'EAO 2015', 'expected average overlap over 108..371 frames with that older '
           'overlap (VOT2015)', 0, 1, True),
    Metric('accuracy', 'A', 'mean overlap of tracked frames but the ten from each start; mean '
           'over repetitions, weighted by the length of sequences (vot-toolkit)', 0, 1, True),
    Metric('accuracy_pooled', 'A (pooled)', 'the same, averaged over repetitions in each frame, '
           'then over the frames of all sequences (MATLAB toolkit, pysot-toolkit)', 0, 1, True),
    Metric('accuracy_pooled_older', 'A (pooled, to VOT2015)', 'the same with the overlap of '
           'VOT2013 to VOT2015', 0, 1, True),
    Metric('failures', 'R', 'failures per sequence: mean over repetitions, weighted by the length '
           'of sequences (vot-toolkit)', 0, np.inf, False),
    Metric('lost', 'lost number', 'failures on all sequences, mean over repetitions '
           '(pysot-toolkit)', 0, np.inf, False),
    Metric('failure_rate', 'failures / 100 frames', 'failures per hundred frames of all '
           'sequences (pysot-toolkit calls it robustness)', 0, 100, False),
    Metric('reliability', 'reliability', 'exp(-30 F / N), F failures in N frames: the x of an '
           'AR plot', 0, 1, True),
    *reset_ranks.METRICS,
    Metric('fps', 'fps', 'frames the tracker worked on, divided by their seconds', 0, np.inf,
           True),
)


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
    likely = likely_lengths(lengths)
    matlab, as_matlab = _score_matlab(
        rows, [np.ones(len(one), dtype=bool) for one in rows], skip, likely)
    mean_failures = float(np.average(failed, weights=lengths))
    accuracy = float(np.average([row['accuracy'] for row in values.values()], weights=lengths))
    overall = {
        **as_matlab,
        **{f'eao_{year}_toolkit': reset.toolkit_eao(toolkit, limits)
           for year, (_, limits) in _YEARS.items()},
        'accuracy': accuracy, 'failures': mean_failures, 'lost': float(failed.sum()),
        'failure_rate': float(100 * failed.sum() / lengths.sum()),
        'reliability': reset.reliability(mean_failures, lengths.mean()),
        **reset_ranks.NO_RANKS,
        'fps': frames_per_second(np.concatenate([one.seconds for one in rows]))}
    curves = {
        'eao': Curve('expected average overlap', 'sequence length, frames', 'expected overlap',
                     list(range(1, len(matlab) + 1)), matlab.tolist()),
        'ar': Curve('accuracy and robustness', 'reliability', 'accuracy',
                    [overall['reliability']], [accuracy])}
    return Scores(overall, values, curves, _score_tags(rows, skip, likely))


def _score_matlab(rows, frames, skip, likely):
    """
    Return expected overlap curve and numbers by key, as the MATLAB toolkit has them.

    :param rows: list of `Measured`.
    :param frames: list of (N,) bool, the frames of each that count.
    :param skip: frames from a failure to the next start.
    :param likely: interval of `likely_lengths`.
    """
    curve, older_curve = (reset.matlab_curve([getattr(one, rule) for one in rows], frames, skip)
                          for rule in ('matlab', 'older'))
    return curve, {
        **{f'eao_{year}': reset.matlab_eao(curve, limits)
           for year, (_, limits) in _YEARS.items()},
        'eao_lengths': reset.matlab_eao(curve, likely) if likely else np.nan,
        'eao_lengths_older': reset.matlab_eao(older_curve, likely) if likely else np.nan,
        'eao_2015': reset.matlab_eao(older_curve, reset.EAO_INTERVALS['vot2015']),
        **_pooled_accuracy(rows, frames)}


def _pooled_accuracy(rows, frames):
    return {key: known_mean(np.concatenate([frames_of(getattr(one, rule), chosen)[0]
                                            for one, chosen in zip(rows, frames)]))
            for key, rule in (('accuracy_pooled', 'matlab'), ('accuracy_pooled_older', 'older'))}


def _score_sequence(one):
    failed = float(reset.failures(one.toolkit).mean())
    return {'accuracy': reset.accuracy(one.toolkit),
            **_pooled_accuracy([one], [np.ones(len(one), dtype=bool)]),
            'failures': failed, 'lost': failed, 'failure_rate': 100 * failed / len(one),
            'reliability': reset.reliability(failed, len(one)),
            'fps': frames_per_second(one.seconds)}


def _score_tags(rows, skip, likely):
    """Return {tag: {key: value}} over the frames that have it, as the MATLAB toolkit has it."""
    found = {}
    for tag in sorted({tag for one in rows for tag, has in one.tags.items() if has.any()}):
        # A sequence without the tag weighs nothing, and the curve is as long as it all the same.
        frames = [one.tags.get(tag, np.zeros(len(one), dtype=bool)) for one in rows]
        lost = sum(frames_of(one.matlab, chosen)[1].mean() for one, chosen in zip(rows, frames))
        found[tag] = {
            **_score_matlab(rows, frames, skip, likely)[1], 'lost': float(lost),
            'failure_rate': float(100 * lost / sum(chosen.sum() for chosen in frames))}
    return found
