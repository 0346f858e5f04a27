"""An ablation: every row of a tracker's table; and any table over several seeds."""
import numpy as np

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.contender import Contender, with_seeds
from tracking_nodes.trackers import registry


def ablation_contenders(tracker, values, runtime, seeds, rows=(), preset='paper'):
    """
    Return one contender per row of a tracker's ablation and seed.

    :param tracker: name in the registry.
    :param values: settings that all rows share.
    :param runtime: a `Runtime`; its seed is the first.
    :param seeds: how many seeds.
    :param rows: only these rows; empty for all, in the paper's order.
    :param preset: whose mechanisms are left out: those of the paper, or of the robust preset.
    :return: {row: list of `Contender`}.
    :raises SettingError: the tracker has no such row.
    """
    cls = registry.tracker_class(tracker)
    table = cls.robust_ablation if preset == 'robust' else cls.ablation
    unknown = [row for row in rows if row not in table]
    if unknown or not table:
        raise SettingError(f'{tracker} has no ablation row {", ".join(unknown)}; known: '
                           f'{", ".join(table) or "none"}')
    return with_seeds([Contender(row, tracker, {**values, **table[row]}, runtime)
                       for row in rows or table], seeds)


def seeds_table(groups, scores, metrics):
    """
    Return the table in Markdown: mean and standard deviation over the seeds.

    :param groups: {row: list of `Contender`}, as from `with_seeds`.
    :param scores: {label: `Scores`} with every contender's label that has results.
    :param metrics: the `Metric`s that are its columns; fps, where there, is a median.
    """
    lines = [' | '.join(['| row', 'seeds', *(metric.name for metric in metrics)]) + ' |',
             '|---|---|' + '---|' * len(metrics)]
    for row, members in groups.items():
        found = [scores[member.label].overall for member in members if member.label in scores]
        cells = [_cell(metric, [values[metric.key] for values in found]) for metric in metrics]
        lines.append(' | '.join([f'| {row}', str(len(found)), *cells]) + ' |')
    return '\n'.join(lines)


def _cell(metric, values):
    if not values:
        return '-'
    if metric.key == 'fps':
        return f'{np.median(values):.1f}'
    return f'{np.mean(values):.3f} ± {np.std(values):.3f}'
