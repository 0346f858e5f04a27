"""Scores as one table of text."""
from tracking_nodes.evaluation.metrics import mean_values

COLUMNS = (('auc', 'AUC', '.3f'), ('dp20', 'DP20', '.3f'), ('os50', 'OS0.5', '.3f'),
           ('cle', 'CLE px', '.1f'), ('fps', 'fps', '.1f'))


def text_table(scores):
    """
    Return one line per tracker, best AUC first.

    :param scores: {tracker: {sequence: Score}}.
    """
    rows = []
    for tracker, parts in scores.items():
        means = mean_values([part.values for part in parts.values()])
        frames = sum(part.frames for part in parts.values())
        rows.append((means['auc'], [tracker, str(len(parts)), str(frames)]
                     + [format(means[key], form) for key, _, form in COLUMNS]))
    rows = [row for _, row in sorted(rows, key=lambda item: -item[0])]
    head = ['tracker', 'sequences', 'frames'] + [title for _, title, _ in COLUMNS]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return '\n'.join('  '.join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths)))
                     for row in [head, *rows])
