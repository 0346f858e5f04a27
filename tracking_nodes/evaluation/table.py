"""Scores as one table of text."""
from tracking_nodes.evaluation.metrics import mean_values

COLUMNS = (('auc', 'AUC', '.3f'), ('dp20', 'DP20', '.3f'), ('os50', 'OS0.5', '.3f'),
           ('cle', 'CLE px', '.1f'), ('fps', 'fps', '.1f'))
_HEADLINE = 3


def text_table(scores):
    """
    Return one line per tracker of one-pass evaluation, best AUC first.

    :param scores: {tracker: {sequence: Score}}.
    """
    rows = []
    for tracker, parts in scores.items():
        means = mean_values([part.values for part in parts.values()])
        frames = sum(part.frames for part in parts.values())
        rows.append((means['auc'], [tracker, str(len(parts)), str(frames)]
                     + [format(means[key], form) for key, _, form in COLUMNS]))
    rows = [row for _, row in sorted(rows, key=lambda item: -item[0])]
    return _aligned([['tracker', 'sequences', 'frames'] + [title for _, title, _ in COLUMNS],
                     *rows])


def protocol_table(protocol, scores):
    """
    Return one line per tracker with the headline metrics of a protocol, the best first.

    :param protocol: a `Protocol`.
    :param scores: {tracker: `Scores`}.
    """
    metrics = headline(protocol)
    first = metrics[0]
    order = sorted(scores, key=lambda tracker: scores[tracker].overall[first.key],
                   reverse=first.higher_is_better)
    return _aligned([['tracker', 'sequences'] + [metric.name for metric in metrics]] + [
        [tracker, str(len(scores[tracker].sequences))]
        + [f'{scores[tracker].overall[metric.key]:.3f}' for metric in metrics]
        for tracker in order])


def headline(protocol):
    """Return the `Metric`s of a protocol that a short table has: the first three, and fps."""
    rest = protocol.metrics[_HEADLINE:]
    return [*protocol.metrics[:_HEADLINE], *(metric for metric in rest if metric.key == 'fps')]


def _aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    return '\n'.join('  '.join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths)))
                     for row in rows)
