"""What a report shows of protocols beside one-pass evaluation, against the stored runs."""
import csv
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from result_folders import Drifter, Plain, run_protocols

from tracking_nodes.evaluation import metrics, protocols, results
from tracking_nodes.evaluation.report import figures
from tracking_nodes.evaluation.report.plots import Plot
from tracking_nodes.evaluation.report.tracks import frame_overlaps
from tracking_nodes.evaluation.report.writer import write_report
from tracking_nodes.evaluation.run import Run, STARTED, TRACKED

NAMES = ('tre', 'sre', 'vot', 'latency', 'got10k')
MEMBERS = {'OCC': ['plain'], 'SV': ['plain', 'still']}


class Slow(Drifter):
    """Never moves far enough away to fail."""

    step = 0.1


class Backwards(Drifter):
    """Moves the other way, and soon."""

    step = -2.0


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return results and report of two trackers on two sequences with attributes and tags."""
    folder = tmp_path_factory.mktemp('results')
    plain, still = Plain('plain', 40, ('OCC', 'SV')), Plain('still', 130, ('SV',), sway=0)
    still.tags = {'occlusion': np.arange(130) < 60, 'size_change': np.arange(130) > 90}
    run_protocols(folder, {'right': Slow(), 'left': Backwards()}, [plain, still], NAMES, 2)
    write_report(folder)
    return folder


@pytest.fixture(scope='module')
def data(folder):
    """Return what the page's scripts read."""
    page = (folder / 'report.html').read_text()
    return json.loads(re.search(r'id="report">(.*?)</script>', page, re.DOTALL)[1])


def table(folder, name):
    """Return {first cell: {column: number or None}} of a table."""
    head, *rows = csv.reader((folder / 'tables' / f'{name}.csv').read_text().splitlines())
    return {row[0]: {title: float(cell) if cell else None
                     for title, cell in zip(head[1:], row[1:])} for row in rows}


def scores(folder, name):
    return json.loads((folder / name / 'metrics.json').read_text())['trackers']


@pytest.mark.parametrize('name', ['tre', 'sre', 'latency'])
def test_attributes_have_tables_and_plots_under_every_protocol_of_success(folder, data, name):
    stored = scores(folder, name)
    for key, suffix in (('auc', ''), ('dp20', '_dp20'), ('os50', '_os50')):
        rows = table(folder, f'{name}_attributes{suffix}')
        assert set(rows) == {'OCC (1)', 'SV (2)'}
        for attribute, members in MEMBERS.items():
            for label in ('right', 'left'):
                assert rows[f'{attribute} ({len(members)})'][label] == pytest.approx(
                    np.mean([stored[label]['sequences'][one][key] for one in members]))
    plots = {plot['name']: plot for both in data['attributes'][name] for plot in both}
    for attribute, members in MEMBERS.items():
        assert (folder / name / 'attributes' / f'success_{attribute}.svg').exists()
        for kind, key in (('success', 'auc'), ('precision', 'dp20')):
            assert plots[f'{kind}_{attribute}']['numbers']['left'] == pytest.approx(
                np.mean([stored['left']['sequences'][one][key] for one in members]))


@pytest.mark.parametrize('name', ['tre', 'latency'])
def test_variants_stand_side_by_side_under_other_protocols_too(folder, name):
    rows, protocol = table(folder, f'{name}_variants_auc'), protocols.get(name)
    assert set(rows['left']) == set(metrics.VARIANTS)
    for variant in metrics.VARIANTS:
        found = protocol.score(results.StoredResults(folder / name), variant)
        for label in ('left', 'right'):
            assert rows[label][variant] == pytest.approx(found[label].overall['auc'])
    assert (folder / 'tables' / f'{name}_variants_dp20.md').exists()


def test_tags_have_all_that_is_known_of_them(folder):
    stored = scores(folder, 'vot')
    for key, title in (('accuracy_pooled', None), ('lost', None), ('failure_rate', None),
                       ('eao_2019', None), ('accuracy_rank', None), ('failure_rank', None)):
        rows = table(folder, f'vot_{key}_by_tag')
        assert set(rows) == set(stored['left']['tags']) >= {'occlusion', 'size_change', 'empty'}
        for tag, row in rows.items():
            for label, value in row.items():
                assert value == stored[label]['tags'][tag].get(key)


def test_the_curve_of_eao_marks_the_interval_of_each_year_that_it_reaches(folder, data):
    curve = next(plot for plot in data['plots']['vot'] if plot['name'] == 'eao')
    longest = max(max(x) for x, _ in curve['series'].values())
    assert 108 < longest < 291
    assert curve['spans'] == [[108, longest, 'EAO 2015/2016'], [100, longest, 'EAO 2017/2018'],
                              [46, longest, 'EAO 2019']]
    assert all(not plot['spans'] for plot in data['plots']['tre'])


def test_a_span_is_drawn_with_its_words():
    plot = Plot('eao', '', '', '', {'a': ([1, 9], [1, 0])}, spans=((3, 5, 'EAO 2019'),))
    [axes] = figures.draw(plot, ['a']).axes
    assert [text.get_text() for text in axes.texts] == ['EAO 2019'] and len(axes.patches) == 1


def test_overlap_over_time_is_drawn_for_every_sequence_but_of_segments(folder):
    for name in ('vot', 'latency', 'got10k'):
        assert {path.name for path in (folder / name / 'overlap').iterdir()} == {
            'plain.svg', 'still.svg'}
    # Words of a SVG are paths, but for their comments.
    assert '<!-- Overlap on still, vot 001 -->' in (
        folder / 'vot' / 'overlap' / 'still.svg').read_text()
    assert '<!-- Overlap on plain, latency online -->' in (
        folder / 'latency' / 'overlap' / 'plain.svg').read_text()
    assert not (folder / 'tre' / 'overlap').exists()


def test_polygons_of_a_reset_run_are_polygons_on_the_page():
    square = np.array([10.0, 10, 20, 20])
    diamond = np.array([20.0, 10, 30, 20, 20, 30, 10, 20])
    run = Run(np.array([square, square]), np.ones(2), np.ones(2, dtype=bool), np.ones(2), (64, 48),
              np.array([STARTED, TRACKED]), regions=[square, diamond])
    result = SimpleNamespace(run=run, regions=np.array([square, square]),
                             truth=np.array([square, square]))
    exact, half = frame_overlaps(result, regions=True)
    assert exact == 1 and half == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(frame_overlaps(result), [1, 1])
