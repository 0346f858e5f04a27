"""A tracker's ablation as a table over seeds."""
import json

import numpy as np
import pytest

from tracking_nodes import cli
from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.ablation import ablation_contenders, ablation_table
from tracking_nodes.evaluation.metrics import score
from tracking_nodes.sequences.bags import write_bag
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.trackers.rman import Rman


def test_every_row_has_its_settings_and_every_seed():
    rows = ablation_contenders('rman', {'pairs': '16'}, Runtime(seed=4), 3)
    assert list(rows) == list(Rman.ablation)
    assert [c.runtime.seed for c in rows['baseline']] == [4, 5, 6]
    assert all(c.values == {'pairs': '16', 'lstm': False, 'activation': 'none'}
               for c in rows['baseline'])


def test_unknown_row_and_tracker_without_ablation_are_refused():
    with pytest.raises(SettingError, match="no ablation row nonsense; known: baseline,"):
        ablation_contenders('rman', {}, Runtime(), 1, ['nonsense'])
    with pytest.raises(SettingError, match='static has no ablation row'):
        ablation_contenders('static', {}, Runtime(), 1)


def test_table_has_mean_and_spread_over_seeds():
    rows = {'baseline': ablation_contenders('rman', {}, Runtime(), 2)['baseline']}
    truth = np.tile([10.0, 10.0, 20.0, 20.0], (4, 1))
    right = score(truth, truth, np.ones(4), (100, 100), 'visible')
    wrong = score(truth + [50, 50, 0, 0], truth, np.ones(4), (100, 100), 'visible')
    table = ablation_table(rows, {'baseline_seed0': {'a': right}, 'baseline_seed1': {'a': wrong}})
    values = right.values['auc'], wrong.values['auc']
    assert f'{np.mean(values):.3f} ± {np.std(values):.3f}' in table.splitlines()[2]


def test_command_runs_the_rows_asked_for(tmp_path, capsys):
    bag = tmp_path / 'clip'
    write_bag(SyntheticSequence(frames=3), bag)
    status = cli.main([
        'ablate', '--tracker', 'rman', '--row', 'baseline', '--seeds', '2', '--out',
        str(tmp_path / 'out'), '--set', 'weights=random', '--set', 'first_iterations=1', '--set',
        'first_negatives=32', '--set', 'first_positives=16', '--set', 'search_size=96', '--set',
        'regression_samples=10', str(bag)])
    assert status == 0
    assert set(json.loads((tmp_path / 'out/summary.json').read_text())) == {
        'baseline_seed0', 'baseline_seed1'}
    assert '| baseline | 2 |' in (tmp_path / 'out/ablation.md').read_text()
    assert '| baseline | 2 |' in capsys.readouterr().out
