"""A report says what was run and what was not, and compares only what can be compared."""
import json
import re

import numpy as np
import pytest
from result_folders import displaced, Drifter, Plain, run_protocols, score, store
from test_cli import write_otb

from tracking_nodes.cli import main
from tracking_nodes.evaluation import protocols, results
from tracking_nodes.evaluation.benchmark import run_benchmark
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.evaluation.report.coverage import left_out, survey
from tracking_nodes.evaluation.report.runs import stored_runs
from tracking_nodes.evaluation.report.scored import read_scored
from tracking_nodes.evaluation.report.writer import write_report
from tracking_nodes.evaluation.table import headline, protocol_table
from tracking_nodes.sequences.synthetic import SyntheticSequence

STILL = Contender('still', 'static')


def rows_of(path):
    """Return {first cell: {column: text}} of a CSV file without quotes."""
    head, *lines = (line.split(',') for line in path.read_text().splitlines())
    return {line[0]: dict(zip(head[1:], line[1:])) for line in lines}


def covered_in(folder, name):
    """Return {tracker: `Covered`} of a protocol of a results folder."""
    scored = next(one for one in read_scored(folder) if one.name == name)
    return survey(scored, stored_runs(scored))[0]


@pytest.fixture
def uneven(tmp_path):
    """Return one-pass results: `all` has three sequences, `some` the easier two of them."""
    for index, name in enumerate(('a', 'b.2', 'c')):
        clip = Plain(name, 20)
        store(tmp_path, 'all', clip, displaced(clip.boxes, 10, 19, 8 * index))
        if name != 'c':
            store(tmp_path, 'some', clip, displaced(clip.boxes, 10, 19, 1 + 8 * index))
    score(tmp_path)
    return tmp_path


def test_trackers_with_other_sequences_are_compared_over_those_that_all_have(uneven, caplog):
    page = write_report(uneven).read_text()
    words = ('some lacks 1 of 3 sequences: c', 'over the 2 sequences that all of them have')
    for text in words:
        assert text in page and text in caplog.text
    auc = {label: {name: entry['auc'] for name, entry in json.loads(
        (uneven / 'metrics.json').read_text())['trackers'][label]['sequences'].items()}
        for label in ('all', 'some')}
    rows = rows_of(uneven / 'tables' / 'ope_overall.csv')
    assert {label: row['sequences'] for label, row in rows.items()} == {'all': '2', 'some': '2'}
    for label in rows:
        assert float(rows[label]['success AUC']) == pytest.approx(
            (auc[label]['a'] + auc[label]['b.2']) / 2)
    own = rows_of(uneven / 'tables' / 'ope_each_on_its_own.csv')
    assert (own['all']['sequences'], own['some']['sequences']) == ('3', '2')
    assert float(own['all']['success AUC']) == pytest.approx(np.mean(list(auc['all'].values())))
    # On its own easier sequences the worse tracker is ahead, and nothing calls it the best.
    assert float(own['some']['success AUC']) > float(own['all']['success AUC'])
    assert '**' not in (uneven / 'tables' / 'ope_each_on_its_own.md').read_text()
    data = json.loads(re.search(r'id="report">(.*?)</script>', page, re.DOTALL)[1])
    success = next(plot for plot in data['plots']['ope'] if plot['name'] == 'success')
    assert success['numbers']['all'] == pytest.approx(float(rows['all']['success AUC']))
    assert data['sequences'] == ['a', 'b.2', 'c']
    for suffix in ('md', 'tex'):
        text = (uneven / 'tables' / f'ope_overall.{suffix}').read_text()
        assert 'some lacks 1 of 3 sequences: c' in text
        assert 'the sequences that all trackers have' in text.splitlines()[0]


def test_without_a_common_sequence_nothing_is_called_best(tmp_path, caplog):
    for label, name in (('one', 'a'), ('other', 'b')):
        clip = Plain(name, 20)
        store(tmp_path, label, clip, clip.boxes)
    score(tmp_path)
    page = write_report(tmp_path).read_text()
    assert 'no sequence has results of all trackers' in page
    assert 'no sequence has results of all trackers' in caplog.text
    assert not (tmp_path / 'tables' / 'ope_overall.md').exists()
    assert '**' not in (tmp_path / 'tables' / 'ope_each_on_its_own.md').read_text()


def test_the_same_sequences_need_no_second_table_nor_a_word(uneven):
    write_report(uneven)
    clip = Plain('c', 20)
    store(uneven, 'some', clip, clip.boxes)
    score(uneven)
    assert 'Read with care' not in write_report(uneven).read_text()
    assert not (uneven / 'metrics_common.json').exists()
    assert not (uneven / 'tables' / 'ope_each_on_its_own.csv').exists()


def test_trials_are_counted_against_those_that_the_protocol_wants(tmp_path):
    run_protocols(tmp_path, {'right': Drifter()}, [Plain('plain', 40)],
                  ['ope', 'tre', 'sre', 'vot', 'got10k', 'latency'], 2)
    counts = {name: covered_in(tmp_path, name)['right'].count()
              for name in ('ope', 'tre', 'sre', 'vot', 'got10k', 'latency')}
    # Two equal runs are enough for GOT-10k, three for VOT.
    assert counts == {'ope': (1, 1), 'tre': (2, 20), 'sre': (2, 12), 'vot': (2, 15),
                      'got10k': (2, 2), 'latency': (2, 2)}
    page = write_report(tmp_path).read_text()
    assert 'right: 2 of the 12 trials that the protocol wants; these are not yet its' in page
    assert rows_of(tmp_path / 'tables' / 'sre_overall.csv')['right']['trials'] == '2'
    assert rows_of(tmp_path / 'tables' / 'sre_overall.csv')['right']['of'] == '12'
    assert 'trials' not in rows_of(tmp_path / 'tables' / 'ope_overall.csv')['right']


def test_limits_are_recorded_shown_and_do_not_keep_the_rest_from_being_run(tmp_path):
    sre, clips = protocols.get('sre'), [SyntheticSequence(5, 0, 'clip')]
    run_benchmark([STILL], clips, tmp_path, protocols=[sre], trials=2, repetitions=1)
    [record] = {json.dumps(json.loads(path.read_text())['limits'])
                for path in tmp_path.glob('sre/still/*_run.json')}
    assert json.loads(record) == {'repetitions': 1, 'trials': 2}
    assert left_out(covered_in(tmp_path, 'sre')) == [
        'still: 2 of the 12 trials that the protocol wants (--trials 2, --repetitions 1); these '
        'are not yet its scores']
    before = {path: path.read_bytes() for path in tmp_path.glob('sre/still/*')}
    run_benchmark([STILL], clips, tmp_path, protocols=[sre])
    assert all(path.read_bytes() == content for path, content in before.items())
    # What was begun with a limit and went on without is whole.
    assert left_out(covered_in(tmp_path, 'sre')) == []
    assert covered_in(tmp_path, 'sre')['still'].count() == (12, 12)


def test_the_command_records_frames_and_every_and_the_page_names_all(tmp_path, capsys):
    write_otb(tmp_path / 'data', SyntheticSequence(12, 0, 'clip0'))
    out = tmp_path / 'out'
    assert main(['run', '--tracker', 'static', '--device', 'cpu', '--seed', '7', '--protocol',
                 'ope', '--protocol', 'sre', '--trials', '3', '--frames', '5', '--every', '2',
                 '--out', str(out), str(tmp_path / 'data')]) == 0
    assert 'need not be the scores of the whole protocol' in capsys.readouterr().out
    record = json.loads((out / 'static' / 'clip0_run.json').read_text())
    assert record['limits'] == {'trials': 3, 'frames': 5, 'every': 2}
    assert main(['report', str(out)]) == 0
    page = (out / 'report.html').read_text()
    made_with = record['made_with']
    for words in ('static: not all frames of the sequences (--every 2, --frames 5)',
                  'static: 3 of the 12 trials that the protocol wants (--trials 3)',
                  'made_by.runtime.seed = 7', 'made_by.runtime.device = cpu',
                  f'made_with.device = {made_with["device"]}',
                  f'made_with.dataset = {made_with["dataset"]}',
                  f'made_with.python = {made_with["python"]}',
                  f'made_with.numpy = {made_with["numpy"]}',
                  f'made_with.scipy = {made_with["scipy"]}',
                  f'made_with.rosbags = {made_with["rosbags"]}'):
        assert words in page
    assert re.fullmatch('[0-9a-f]{12,64}', made_with['dataset'])


def test_the_page_names_weights_by_hash_and_no_value_of_single_frames(tmp_path):
    clip = Plain('clip', 20)
    clip.tags = {'occlusion': np.arange(20) > 3}
    clip.values = {'practical': np.full(20, 0.123456)}
    store(tmp_path, 'one', clip, clip.boxes)
    path = tmp_path / 'one' / 'clip_run.json'
    record = json.loads(path.read_text())
    record['made_with']['weights'] = {'net.pth': 'ab12' * 16}
    path.write_text(json.dumps(record))
    score(tmp_path)
    page = write_report(tmp_path).read_text()
    assert f'made_with.weights.net.pth = {"ab12" * 16}' in page
    for nothing in (r'stamps', 'tags.occlusion', '0.123456'):
        assert nothing not in re.search('What was run.*?</section>', page, re.DOTALL)[0]


def test_a_table_in_the_terminal_says_which_tracker_lacks_what(uneven):
    protocol = protocols.get('ope')
    text = protocol_table(protocol, protocol.score(results.StoredResults(uneven)))
    assert text.splitlines()[-1] == 'some lacks 1 of 3 sequences: c'


def test_the_headline_of_vot_has_accuracy_and_robustness_beside_eao():
    keys = [metric.key for metric in headline(protocols.get('vot'))]
    assert keys[0].startswith('eao_') and {'accuracy', 'failures'} <= set(keys)
