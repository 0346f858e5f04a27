"""Reports of several published sets from one run, and one table over several reports."""
import csv
import json

import numpy as np
import pytest
from result_folders import displaced, Drifter, Plain, run_protocols, score, store

from tracking_nodes.cli import main
from tracking_nodes.sequences.layouts.otb_lists import OTB_2013, OTB_2015, OTB_50

# In OTB-2013 alone, in OTB-50 alone, and in both.
OLD = sorted(set(OTB_2013) - set(OTB_50))[0]
NEW = sorted(set(OTB_50) - set(OTB_2013))[0]
BOTH = sorted(set(OTB_50) & set(OTB_2013))[0]
TWO_TARGETS = ('Jogging', 'Skating2')


@pytest.fixture(scope='module')
def otb(tmp_path_factory):
    """Return a folder with all videos of OTB-2015, of which nothing but the names is read."""
    folder = tmp_path_factory.mktemp('otb')
    for name in OTB_2015:
        (folder / name / 'img').mkdir(parents=True)
        (folder / name / 'img' / '0001.jpg').touch()
        for suffix in ('.1', '.2') if name in TWO_TARGETS else ('',):
            (folder / name / f'groundtruth_rect{suffix}.txt').write_text('1,1,9,9\n')
    return folder


@pytest.fixture
def out(tmp_path):
    """Return one-pass results of two trackers on four targets of OTB-2015."""
    for tracker, worse in (('good', 2), ('bad', 9)):
        for index, name in enumerate((OLD, NEW, BOTH, 'Jogging.2')):
            clip = Plain(name, 20)
            store(tmp_path, tracker, clip, displaced(clip.boxes, 5, 19, worse + index))
    score(tmp_path)
    return tmp_path


def auc(folder):
    """Return {tracker: {sequence: AUC}} of a folder's scores."""
    content = json.loads((folder / 'metrics.json').read_text())['trackers']
    return {label: {name: row['auc'] for name, row in entry['sequences'].items()}
            for label, entry in content.items()}


def test_one_run_gives_the_report_of_each_set(out, otb, capsys, caplog):
    before = {path: path.read_bytes() for path in out.rglob('*') if path.is_file()}
    assert main(['report', '--only', f'otb2013:{otb}', '--only', f'otb50:{otb}', str(out)]) == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    every = auc(out)
    for name, members in (('otb2013', [OLD, BOTH, 'Jogging.2']), ('otb50', [NEW, BOTH])):
        folder = out / 'sets' / name
        assert auc(folder) == {label: {one: rows[one] for one in members}
                               for label, rows in every.items()}
        page = (folder / 'report.html').read_text()
        assert f'Tracking benchmark: {name}' in page
        missing = {'otb2013': '48 of the 51', 'otb50': '48 of the 50'}[name]
        assert f'no tracker has results of {missing} sequences of {name}' in page
        assert 'these are not the scores of the whole set' in caplog.text
        assert (folder / 'success.svg').exists() and (folder / 'tables' / 'speed.md').exists()
    head, *rows = csv.reader((out / 'sets' / 'ope.csv').read_text().splitlines())
    assert head[:4] == ['tracker', 'otb2013 success AUC', 'otb2013 precision at 20 px',
                        'otb2013 OS0.5']
    assert [row[0] for row in rows] == ['good', 'bad']
    for row in rows:
        cell = float(row[head.index('otb50 success AUC')])
        assert cell == pytest.approx(np.mean([every[row[0]][one] for one in (NEW, BOTH)]))
    assert 'otb2013: 3 sequences' in (out / 'sets' / 'ope.md').read_text()
    assert 'otb50 success AUC' in capsys.readouterr().out


def test_a_set_none_of_whose_sequences_was_run_is_refused(out, tmp_path, capsys):
    (tmp_path / 'other' / 'nobody' / 'img').mkdir(parents=True)
    (tmp_path / 'other' / 'nobody' / 'img' / '0001.jpg').touch()
    (tmp_path / 'other' / 'nobody' / 'groundtruth_rect.txt').write_text('1,1,9,9\n')
    assert main(['report', '--only', str(tmp_path / 'other'), str(out)]) == 1
    assert 'holds no results of any of the 1 sequences of' in capsys.readouterr().err
    assert not (out / 'sets').exists()


def test_a_table_over_reports_has_the_metrics_asked_for_side_by_side(out, tmp_path, capsys):
    other = tmp_path / 'other'
    for label in ('good', 'third'):
        clip = Plain('clip', 20)
        store(other, label, clip, clip.boxes)
    run_protocols(other, {'good': Drifter()}, [Plain('clip', 40)], ['sre'], 2)
    score(other)
    table = ['table', '--out', str(tmp_path / 'tables' / 'one'), f'OTB_5={out}', str(other)]
    assert main(table) == 1
    assert 'has no report of ope; make it with' in capsys.readouterr().err
    for folder in (out, other):
        assert main(['report', str(folder)]) == 0
    assert main([*table, '--metric', 'dp20', '--metric', 'auc']) == 0
    head, *rows = csv.reader((tmp_path / 'tables' / 'one.csv').read_text().splitlines())
    assert head == ['tracker', 'OTB_5 precision at 20 px', 'OTB_5 success AUC',
                    'other precision at 20 px', 'other success AUC']
    cells = {row[0]: row[1:] for row in rows}
    assert set(cells) == {'good', 'bad', 'third'}
    assert cells['third'][:2] == ['', ''] and cells['bad'][2:] == ['', '']
    assert float(cells['third'][3]) == pytest.approx(20 / 21)
    text = (tmp_path / 'tables' / 'one.tex').read_text()
    assert r' & \multicolumn{2}{c}{OTB\_5} & \multicolumn{2}{c}{other} \\' in text
    assert r'tracker & precision at 20 px & success AUC & precision' in text
    assert (tmp_path / 'tables' / 'one.md').exists()
    assert main([*table[:3], '--protocol', 'sre', str(other)]) == 0
    # What the report has to say of the numbers goes with them.
    assert '2 of the 12 trials' in (tmp_path / 'tables' / 'one.md').read_text()
    assert main([*table, '--metric', 'eao']) == 1
    assert "has no metric 'eao'; known: auc," in capsys.readouterr().err
    assert main([*table, f'OTB_5={other}']) == 1
    assert "two reports are named 'OTB_5'" in capsys.readouterr().err
