"""An ablation: every row of a tracker's table; and any table over several seeds."""
import numpy as np

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.contender import Contender, with_seeds
from tracking_nodes.evaluation.report.tables import Column, Spread, Table
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
    Return the `Table` named ablation: mean and standard deviation over the seeds.

    :param groups: {row: list of `Contender`}, as from `with_seeds`.
    :param scores: {label: `Scores`} with every contender's label that has results.
    :param metrics: the `Metric`s that are its columns; fps, where there, is a median.
    """
    columns = [Column('seeds', 0), *(Column(metric.name, 1 if metric.key == 'fps' else 3)
                                     for metric in metrics)]
    rows = []
    for row, members in groups.items():
        found = [scores[member.label].overall for member in members if member.label in scores]
        rows.append((row, [len(found), *(_cell(metric, [values[metric.key] for values in found])
                                         for metric in metrics)]))
    return Table('ablation', 'mean and standard deviation over the seeds', 'row', tuple(columns),
                 rows)


def _cell(metric, values):
    # A metric that means nothing here, as EAO on short sequences, has no number.
    if not values or not np.isfinite(values).all():
        return None
    if metric.key == 'fps':
        return float(np.median(values))
    return Spread(np.mean(values), np.std(values))
