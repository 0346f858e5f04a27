"""A report of every protocol: its numbers against the stored runs, its files, its safety."""
import base64
import gzip
import json
import re

import cv2
import numpy as np
import pytest
from result_folders import Drifter, Plain, run_protocols

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation import metrics, protocols, results
from tracking_nodes.evaluation.report.made import what_was_run
from tracking_nodes.evaluation.report.page import script_json
from tracking_nodes.evaluation.report.scored import protocols_in, read_scored
from tracking_nodes.evaluation.report.speed import speed
from tracking_nodes.evaluation.report.writer import write_report
from tracking_nodes.geometry import iou


# Longer than the lengths that EAO averages over.
LONG = 400


class Backwards(Drifter):
    """Moves the other way."""

    step = -0.1


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return the results and the report of two trackers under every protocol."""
    folder = tmp_path_factory.mktemp('results')
    run_protocols(folder, {'right': Drifter(), 'left': Backwards()},
                  [Plain('plain', 40, ('OCC', 'SV')), Plain('turned', LONG, ('SV',), (), True, 0),
                   Plain('gone.away', 60, ('OV',), range(20, 30))], protocols.names(), 2)
    write_report(folder)
    return folder


@pytest.fixture(scope='module')
def data(folder):
    """Return what the page's scripts read."""
    page = (folder / 'report.html').read_text()
    return json.loads(re.search(r'id="report">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture(scope='module')
def tracks(folder, data):
    """Return {sequence: what the page holds of its frames}."""
    page = (folder / 'report.html').read_text()
    found = re.findall(r'<script type="text/plain" id="tracks-\d+">(.*?)</script>', page)
    return dict(zip(data['sequences'], (json.loads(gzip.decompress(base64.b64decode(text)))
                                        for text in found), strict=True))


def test_every_protocol_of_the_folder_is_scored_and_shown(folder, data):
    assert [protocol.name for protocol in protocols_in(folder)][0] == 'ope'
    assert {scored.name for scored in read_scored(folder)} == set(protocols.names())
    assert set(data['protocols']) == set(protocols.names())
    shown = {name: {plot['name'] for plot in plots} for name, plots in data['plots'].items()}
    assert {'success', 'precision'} <= shown['ope'] & shown['tre'] & shown['sre']
    assert {'eao', 'ar', 'ar_ranks', 'eao_2016_ranking', 'eao_2018_ranking',
            'eao_2019_ranking'} <= shown['vot']
    assert 'precision_recall' in shown['longterm'] and 'success' in shown['got10k']
    assert {'age', 'what_latency_costs'} <= shown['latency']


def test_curves_of_the_page_are_those_of_metrics_json(folder, data):
    for name in ('tre', 'vot', 'longterm'):
        stored = json.loads((folder / name / 'metrics.json').read_text())['trackers']
        for plot in data['plots'][name]:
            for label in ('left', 'right'):
                curve = stored[label]['curves'].get(plot['name'])
                assert curve is None or plot['series'][label] == [curve['x'], curve['y']]
    assert data['plots']['vot'] and data['plots']['tre'][0]['series']['left'][1]


def test_the_reliability_plot_is_that_of_the_scores_and_lies_beside_the_others(folder, data):
    plot = next(plot for plot in data['plots']['ope'] if plot['name'] == 'reliability')
    assert plot['diagonal'] and plot['x_range'] == plot['y_range'] == [0, 1]
    scores, held = [], []
    for name in results.stored(folder)['right']:
        result = results.read_result(folder, 'right', name)
        overlaps = iou(result.run.boxes, result.truth)[1:]
        known = np.isfinite(overlaps)
        scores += result.run.scores[1:][known].tolist()
        held += (overlaps[known] >= 0.5).tolist()
    scores, held = np.array(scores), np.array(held)
    bins = np.minimum(np.floor(scores * 10), 9)
    expected = [(scores[bins == each].mean(), held[bins == each].mean(), (bins == each).mean())
                for each in np.unique(bins)]
    assert len(expected) > 5
    np.testing.assert_allclose(np.transpose(plot['series']['right']),
                               [row[:2] for row in expected], atol=1e-9)
    assert plot['numbers']['right'] == pytest.approx(
        sum(share * abs(mean - kept) for mean, kept, share in expected))
    assert cv2.imread(str(folder / 'reliability.png')).shape[1] > 600
    # Two lines of dots, their legend and the diagonal.
    assert (folder / 'reliability.svg').read_text().count('stroke-dasharray') >= 1


def test_failure_detection_stands_in_the_tables_pooled_and_by_sequence(folder):
    lines = (folder / 'tables' / 'ope_overall.csv').read_text().splitlines()
    rows = [dict(zip(lines[0].split(','), line.split(','))) for line in lines[1:]]
    right = next(row for row in rows if row['tracker'] == 'right')
    # Its score falls while it drifts away and stays, so only what leaves and returns is misjudged.
    assert 0.9 < float(right['failure AUC']) <= 1
    assert int(float(right['losses'])) >= 1 and float(right['delay of lost']) >= 0
    table = (folder / 'tables' / 'ope_failure_auc_by_sequence.csv').read_text().splitlines()
    assert table[0].startswith('sequence,') and len(table) == 1 + 3


def test_attribute_plots_are_means_over_the_sequences_with_the_attribute(folder, data):
    members = {'OCC': ['plain'], 'SV': ['plain', 'turned'], 'OV': ['gone.away']}
    plots = {plot['name']: plot for both in data['attributes']['ope'] for plot in both}
    assert set(plots) == {f'{kind}_{attribute}' for attribute in members
                          for kind in ('success', 'precision')}
    for attribute, names in members.items():
        for label in ('left', 'right'):
            success, precision = [], []
            for name in names:
                result = results.read_result(folder, label, name)
                overlaps, errors = metrics.frame_scores(result.run.boxes, result.truth)
                success.append([sum(overlap > k / 20 for overlap in overlaps) / len(overlaps)
                                for k in range(21)])
                precision.append([sum(error <= k for error in errors) / len(errors)
                                  for k in range(51)])
            for kind, thresholds, curves in (('success', np.arange(21) / 20, success),
                                             ('precision', np.arange(51), precision)):
                x, y = plots[f'{kind}_{attribute}']['series'][label]
                np.testing.assert_allclose(x, thresholds, atol=1e-9)
                np.testing.assert_allclose(y, np.mean(curves, axis=0), atol=1e-4)
            assert plots[f'precision_{attribute}']['numbers'][label] == pytest.approx(
                np.mean(precision, axis=0)[20])


def test_variants_stand_side_by_side(folder):
    lines = (folder / 'tables' / 'variants_auc.csv').read_text().splitlines()
    assert lines[0] == 'tracker,' + ','.join(metrics.VARIANTS)
    rows = {line.split(',')[0]: [float(cell) for cell in line.split(',')[1:]]
            for line in lines[1:]}
    for label, row in rows.items():
        stored = [results.read_result(folder, label, name)
                  for name in results.stored(folder)[label]]
        for variant, value in zip(metrics.VARIANTS, row):
            expected = np.mean([metrics.score(one.run.boxes, one.truth, one.run.seconds,
                                              one.run.image_size, variant).values['auc']
                                for one in stored])
            assert value == pytest.approx(expected, abs=1e-12)
    assert set(rows) == {'left', 'right'} and len(set(rows['left'])) > 1


def test_plots_and_tables_lie_beside_the_results_of_their_protocol(folder):
    for place in ('success', 'precision', 'norm_precision', 'speed', 'attributes/success_SV',
                  'attributes/precision_SV', 'tre/success', 'vot/eao', 'vot/ar',
                  'longterm/precision_recall', 'latency/age'):
        assert cv2.imread(str(folder / f'{place}.png')).shape[1] > 600
        assert '<svg' in (folder / f'{place}.svg').read_text()
    assert '<svg' in (folder / 'overlap' / 'gone.away.svg').read_text()
    names = {path.name for path in (folder / 'tables').iterdir()}
    for name in ('ope_overall', 'ope_attributes', 'ope_auc_by_sequence', 'vot_overall',
                 'vot_accuracy_by_sequence', 'vot_failures_by_sequence', 'speed'):
        assert {f'{name}.md', f'{name}.csv', f'{name}.tex'} <= names


def test_every_frame_of_every_trial_is_in_the_page(folder, tracks):
    result = results.read_result(folder / 'tre', 'left', 'gone.away.segment02')
    held = tracks['gone.away']['protocols']['tre']['segment02']['left']
    for frame, (box, truth) in enumerate(zip(result.run.boxes, result.truth)):
        assert (held['boxes'][frame] is None) == np.isnan(box).any()
        if held['boxes'][frame] is None or np.isnan(truth).any():
            assert held['overlaps'][frame] is None
            continue
        np.testing.assert_allclose(held['boxes'][frame], box, atol=0.051)
        both = max(0, min(box[0] + box[2], truth[0] + truth[2]) - max(box[0], truth[0])) * max(
            0, min(box[1] + box[3], truth[1] + truth[3]) - max(box[1], truth[1]))
        iou = both / (box[2] * box[3] + truth[2] * truth[3] - both)
        assert held['overlaps'][frame] == pytest.approx(iou, abs=6e-4)


def test_reset_based_runs_show_failures_polygons_and_the_gaps_after_them(tracks):
    turned = tracks['turned']
    assert [len(corners) for corners in turned['polygons']] == [8] * LONG
    run = turned['protocols']['vot']['001']['right']
    failed = [frame for frame, event in enumerate(run['events']) if event == 2]
    assert failed
    for frame in failed:
        assert run['overlaps'][frame] == 0
        assert run['overlaps'][frame + 1:frame + 5] == [None] * len(
            run['overlaps'][frame + 1:frame + 5])


def test_speed_is_told_by_percentiles():
    seconds = np.r_[np.zeros(5), np.arange(1, 101) / 1000]
    found = speed(seconds)
    assert found['fps'] == pytest.approx(100 / 5.05)
    assert found['p50'] == pytest.approx(50.5) and found['slowest'] == pytest.approx(100)
    assert found['p90'] == pytest.approx(90.1) and found['p99'] == pytest.approx(99.01)
    assert set(speed(np.zeros(3)).values()) == {None}


def test_what_was_run_names_once_what_all_runs_share():
    records = [('a', name, {'label': 'a', 'sequence': name, 'truth': [], 'fingerprint': mark,
                            'made_by': {'runtime': {'seed': 0}, 'weights': {'x.npz': 'ab12'}}})
               for name, mark in (('one', 'f1'), ('two', 'f2'), ('three', 'f1'))]
    assert what_was_run(records) == {'a': [
        'fingerprint = f1 (one, three)', 'fingerprint = f2 (two)', 'made_by.runtime.seed = 0',
        'made_by.weights.x.npz = ab12']}


def test_json_in_a_script_cannot_end_it_and_reads_back():
    text = {'</script><script>alert(1)</script>': ['<!--', '&amp;', '\u2028', "'\""]}
    written = script_json(text)
    assert not set('<>&\u2028') & set(written) and json.loads(written) == text


def test_frames_of_another_sequence_are_refused(folder):
    with pytest.raises(TrackingError, match='plain has 39 frames, its results 40'):
        write_report(folder, [Plain('plain', 39)])


def test_a_damaged_score_file_is_named(tmp_path):
    (tmp_path / 'metrics.json').write_text('{"trackers": {"a": 3}')
    with pytest.raises(TrackingError, match='metrics.json cannot be read'):
        write_report(tmp_path)
