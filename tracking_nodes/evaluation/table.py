"""Scores as one table of text."""
import numpy as np

from tracking_nodes.evaluation.confidence import overall_values, pooled_confidence
from tracking_nodes.evaluation.same_sequences import differences

COLUMNS = (('auc', 'AUC', '.3f'), ('dp20', 'DP20', '.3f'), ('os50', 'OS0.5', '.3f'),
           ('cle', 'CLE px', '.1f'), ('fps', 'fps', '.1f'), ('failure_auc', 'failure AUC', '.3f'))
_HEADLINE = 3
# Accuracy and robustness are those of VOT, without which its EAO says little.
_ALWAYS = ('accuracy', 'failures', 'fps', 'failure_auc')


def text_table(scores):
    """
    Return one line per tracker of one-pass evaluation, best AUC first.

    Below them is said of which trackers there is no failure AUC, and why, and which lack sequences
    that others have.

    :param scores: {tracker: {sequence: Score}}.
    """
    rows, reasons = [], []
    for tracker, parts in scores.items():
        means = overall_values(list(parts.values()))
        why = pooled_confidence(list(parts.values())).why_no_auc
        reasons += [f'{tracker} has no failure AUC: {why}'] * bool(why)
        frames = sum(part.frames for part in parts.values())
        rows.append((means['auc'], [tracker, str(len(parts)), str(frames)]
                     + [_number(means[key], form) for key, _, form in COLUMNS]))
    rows = [row for _, row in sorted(rows, key=lambda item: -item[0])]
    return '\n'.join([_aligned([['tracker', 'sequences', 'frames']
                                + [title for _, title, _ in COLUMNS], *rows]), *reasons,
                      *differences(scores)])


def protocol_table(protocol, scores):
    """
    Return one line per tracker with the headline metrics of a protocol, the best first.

    Below them is said which trackers lack sequences that others have.

    :param protocol: a `Protocol`.
    :param scores: {tracker: `Scores`}.
    """
    metrics = headline(protocol)
    first = metrics[0]
    order = sorted(scores, key=lambda tracker: scores[tracker].overall[first.key],
                   reverse=first.higher_is_better)
    table = _aligned([['tracker', 'sequences'] + [metric.name for metric in metrics]] + [
        [tracker, str(len(scores[tracker].sequences))]
        + [_number(scores[tracker].overall[metric.key], '.3f') for metric in metrics]
        for tracker in order])
    return '\n'.join([table, *differences({tracker: one.sequences
                                           for tracker, one in scores.items()})])


def headline(protocol):
    """Return the `Metric`s of a short table: the first three, and those of `_ALWAYS` it has."""
    rest = protocol.metrics[_HEADLINE:]
    return [*protocol.metrics[:_HEADLINE],
            *(metric for metric in rest if metric.key in _ALWAYS)]


def _number(value, form):
    return '-' if np.isnan(value) else format(value, form)


def _aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    return '\n'.join('  '.join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths)))
                     for row in rows)
