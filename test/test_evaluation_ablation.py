"""A tracker's ablation as a table over seeds."""
import csv
import json

import pytest

from tracking_nodes import cli
from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.ablation import ablation_contenders, seeds_table
from tracking_nodes.evaluation.contender import Contender, with_seeds
from tracking_nodes.evaluation.metrics import METRICS
from tracking_nodes.evaluation.protocols.base import Scores
from tracking_nodes.evaluation.report.tables import comma_separated, latex, markdown
from tracking_nodes.sequences.bags import write_bag
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.trackers.gstp import Gstp
from tracking_nodes.trackers.rman import Rman


def test_every_row_has_its_settings_and_every_seed():
    rows = ablation_contenders('rman', {'pairs': '16'}, Runtime(seed=4), 3)
    assert list(rows) == list(Rman.ablation)
    assert [c.runtime.seed for c in rows['baseline']] == [4, 5, 6]
    assert all(c.values == {'pairs': '16', 'lstm': False, 'activation': 'none'}
               for c in rows['baseline'])


def test_the_robust_preset_has_an_ablation_of_its_own():
    rows = ablation_contenders('gstp', {'filter_cells': 4}, Runtime(), 1, preset='robust')
    assert list(rows) == list(Gstp.robust_ablation)
    (contender,) = rows['without filter']
    assert contender.values == {'filter_cells': 4, 'preset': 'robust', 'robust_filter': False}
    with pytest.raises(SettingError, match='no ablation row SiamRCNN; known: robust, without'):
        ablation_contenders('gstp', {}, Runtime(), 1, ['SiamRCNN'], 'robust')
    with pytest.raises(SettingError, match='static has no ablation row ; known: none'):
        ablation_contenders('static', {}, Runtime(), 1, preset='robust')


def test_unknown_row_and_tracker_without_ablation_are_refused():
    with pytest.raises(SettingError, match='no ablation row nonsense; known: baseline,'):
        ablation_contenders('rman', {}, Runtime(), 1, ['nonsense'])
    with pytest.raises(SettingError, match='static has no ablation row'):
        ablation_contenders('static', {}, Runtime(), 1)


def test_table_has_mean_and_spread_over_seeds():
    rows = {'baseline': ablation_contenders('rman', {}, Runtime(), 3)['baseline']}
    scores = {'baseline_seed0': Scores({'auc': 0.5, 'fps': 10.0}, {}, {}),
              'baseline_seed1': Scores({'auc': 0.7, 'fps': 30.0}, {}, {}),
              'baseline_seed2': Scores({'auc': 0.9, 'fps': 12.0}, {}, {})}
    metrics = [metric for metric in METRICS if metric.key in ('auc', 'fps')]
    table = seeds_table(rows, scores, metrics)
    _, _, head, _, row = markdown(table).splitlines()
    assert head == '| row | seeds | success AUC | fps |'
    # 0.5, 0.7, 0.9: the mean of the squared deviations is 0.08 / 3.
    assert row == f'| baseline | 3 | 0.700 ± {(0.08 / 3) ** 0.5:.3f} | 12.0 |'
    head, row = csv.reader(comma_separated(table).splitlines())
    assert head == ['row', 'seeds', 'success AUC', 'success AUC deviation', 'fps']
    assert [float(cell) for cell in row[1:]] == pytest.approx([3, 0.7, (0.08 / 3) ** 0.5, 12])
    assert r'baseline & 3 & 0.700 $\pm$ 0.163 & 12.0 \\' in latex(table)
    del scores['baseline_seed2'], scores['baseline_seed1']
    assert '| baseline | 1 | 0.500 ± 0.000 | 10.0 |' in markdown(
        seeds_table(rows, scores, metrics))


def test_peers_take_no_seed():
    found = with_seeds([Contender('still', 'static'), Contender('csrt', 'csrt')], 2)
    assert [one.label for one in found['still']] == ['still_seed0', 'still_seed1']
    assert found['csrt'] == [Contender('csrt', 'csrt')]


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
    assert (tmp_path / 'out/ablation.csv').read_text().startswith('row,seeds,success AUC,')
    assert r'\begin{tabular}' in (tmp_path / 'out/ablation.tex').read_text()


def test_command_runs_the_rows_of_the_robust_preset(tmp_path):
    bag = tmp_path / 'clip'
    write_bag(SyntheticSequence(frames=3), bag)
    assert cli.main([
        'ablate', '--tracker', 'edcf', '--preset', 'robust', '--row', 'robust', '--row',
        'with the filter', '--seeds', '1', '--out', str(tmp_path / 'out'), '--set',
        'weights=random', '--set', 'robust_backbone=random', '--set', 'filter_channels=12',
        str(bag)]) == 0
    table = (tmp_path / 'out/ablation.md').read_text()
    assert '| robust | 1 |' in table and '| with the filter | 1 |' in table
    record, = (tmp_path / 'out').glob('with the filter_seed0/*.json')
    assert json.loads(record.read_text())['made_by']['settings']['robust_filter'] is True
