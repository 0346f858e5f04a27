"""A paper's ablation: every row of a tracker's table, over several seeds."""
from dataclasses import replace

import numpy as np

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.evaluation.metrics import mean_values
from tracking_nodes.trackers import registry

COLUMNS = (('auc', 'AUC'), ('dp20', 'DP20'), ('os50', 'OS0.5'))


def ablation_contenders(tracker, values, runtime, seeds, rows=()):
    """
    Return one contender per row of a tracker's ablation and seed.

    :param tracker: name in the registry.
    :param values: settings that all rows share.
    :param runtime: a `Runtime`; its seed is the first.
    :param seeds: how many seeds.
    :param rows: only these rows; empty for all, in the paper's order.
    :return: {row: list of `Contender`}.
    :raises SettingError: the tracker has no such row.
    """
    table = registry.tracker_class(tracker).ablation
    unknown = [row for row in rows if row not in table]
    if unknown or not table:
        raise SettingError(f'{tracker} has no ablation row {", ".join(unknown)}; known: '
                           f'{", ".join(table) or "none"}')
    return {row: [Contender(f'{row}_seed{seed}', tracker, {**values, **table[row]},
                            replace(runtime, seed=seed))
                  for seed in range(runtime.seed, runtime.seed + seeds)]
            for row in rows or table}


def ablation_table(contenders, scores):
    """
    Return the table in Markdown: mean and standard deviation over the seeds.

    :param contenders: as from `ablation_contenders`.
    :param scores: {label: {sequence: Score}} with every contender's label.
    """
    lines = ['| row | seeds | ' + ' | '.join(title for _, title in COLUMNS) + ' | fps |',
             '|---|---|' + '---|' * (len(COLUMNS) + 1)]
    for row, members in contenders.items():
        means = [mean_values([score.values for score in scores[member.label].values()])
                 for member in members]
        cells = [f'{np.mean(column):.3f} ± {np.std(column):.3f}' for column in
                 ([mean[key] for mean in means] for key, _ in COLUMNS)]
        fps = np.median([mean['fps'] for mean in means])
        lines.append(f'| {row} | {len(members)} | ' + ' | '.join(cells) + f' | {fps:.1f} |')
    return '\n'.join(lines)
