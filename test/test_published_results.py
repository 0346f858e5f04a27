"""Published raw results: every format read, found by name, put beside one's own."""
import json
import re

import numpy as np
import pytest
from result_folders import Plain
from scipy.io import savemat
from sequence_files import write_otb, write_text

from tracking_nodes.cli import main
from tracking_nodes.errors import SettingError, TrackingError
from tracking_nodes.evaluation import protocols, results
from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.evaluation.published.files import read_published
from tracking_nodes.evaluation.published.find import result_files
from tracking_nodes.evaluation.published.importing import import_results
from tracking_nodes.evaluation.published.otb_types import boxes_of
from tracking_nodes.geometry import polygon_to_box
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.fingerprint import dataset_hash, sequence_fingerprint

BOXES = np.array([[10.5, 20, 30, 40], [11, 21, 30, 40], [12, 22, 31, 41]])


def written(boxes, delimiter=','):
    return '\n'.join(delimiter.join(f'{value:g}' for value in row) for row in boxes) + '\n'


def mat_struct(*runs, kind='rect'):
    cell = np.empty((1, len(runs)), dtype=object)
    for number, boxes in enumerate(runs):
        cell[0, number] = {'res': boxes, 'type': kind, 'len': len(boxes), 'fps': 12.5}
    return {'results': cell}


@pytest.mark.parametrize('text', [written(BOXES), written(BOXES, '\t'), written(BOXES, ' '),
                                  written(BOXES).replace('\n', '\r\n'), written(BOXES, ', ')])
def test_text_has_a_box_per_line_with_any_delimiter(tmp_path, text):
    (tmp_path / 'a.txt').write_bytes(text.encode())
    found, = read_published(tmp_path / 'a.txt', str.isalpha)
    np.testing.assert_array_equal(found.boxes, BOXES)
    assert found.events is None and found.first_pixel is None


def test_text_of_vot_has_codes_and_polygons(tmp_path):
    (tmp_path / 'a.txt').write_text('1\n1,2,5,6\n4,0,8,3,5,9,1,6\n2\n0\n0\n')
    found, = read_published(tmp_path / 'a.txt', str.isalpha)
    assert found.events.tolist() == [1, 3, 3, 2, 0, 0]
    np.testing.assert_array_equal(found.boxes[1:3], [[1, 2, 5, 6], [1, 0, 7, 9]])
    assert np.isnan(found.boxes[[0, 3, 4, 5]]).all()


def test_mat_of_otb_counts_from_one_and_knows_its_speed(tmp_path):
    savemat(tmp_path / 'a.mat', mat_struct(BOXES))
    found, = read_published(tmp_path / 'a.mat', str.isalpha)
    np.testing.assert_array_equal(found.boxes, BOXES)
    assert (found.first_pixel, found.fps) == (1, 12.5)


def test_a_box_that_trackers_of_otb_started_on_comes_back(tmp_path):
    x, y, w, h = 57, 21, 31, 45
    # As their own programs begin: IVT with a template of 32x32, L1 with 12 rows, 15 columns.
    ivt = [[x + w / 2, y + h / 2, w / 32, 0, 0, h / 32]]
    down, right = (h - 1) / 11, (w - 1) / 14
    l1 = [[down, 0, 0, right, y - down, x - right]]
    pixels = [[x, x + w - 1, x + w - 1, x], [y, y, y + h - 1, y + h - 1]]
    for kind, rows, size in (('ivtAff', ivt, [32, 32]), ('L1Aff', l1, [12, 15]),
                             ('4corner', pixels, []), ('affine', pixels, [])):
        content = mat_struct(np.array(rows), kind=kind)
        content['results'][0, 0]['tmplsize'] = np.array(size)
        savemat(tmp_path / 'a.mat', content)
        found, = read_published(tmp_path / 'a.mat', str.isalpha)
        np.testing.assert_allclose(found.boxes, [[x, y, w, h]], err_msg=kind)
        assert found.first_pixel == 1


def test_turned_templates_of_otb_become_the_box_around_them():
    random = np.random.default_rng(5)
    middles, angles = random.uniform(50, 90, (6, 2)), random.uniform(-1, 1, 6)
    scales = random.uniform(0.5, 2, (6, 2))
    ivt, l1, ivt_boxes, l1_boxes = [], [], [], []
    for (x, y), angle, (across, down) in zip(middles, angles, scales):
        turn = np.exp(1j * angle)
        # Corner by corner, as complex numbers.
        places = [x + 1j * y + turn * (across * u + 1j * down * v)
                  for u in (-16, 16) for v in (-10, 10)]
        left, top = min(place.real for place in places), min(place.imag for place in places)
        ivt_boxes.append([left, top, max(place.real for place in places) - left,
                          max(place.imag for place in places) - top])
        matrix = [across * turn.real, -down * turn.imag, across * turn.imag, down * turn.real]
        ivt.append([x, y, *matrix])
        places = [x + 1j * y + turn * (across * u + 1j * down * v)
                  for u in (1, 15) for v in (1, 12)]
        columns = [round(place.real) for place in places]
        rows = [round(place.imag) for place in places]
        l1_boxes.append([min(columns), min(rows), np.ptp(columns) + 1, np.ptp(rows) + 1])
        # L1 has rows before columns.
        l1.append([matrix[3], matrix[2], matrix[1], matrix[0], y, x])
    np.testing.assert_allclose(boxes_of(ivt, 'ivtAff', [32, 20], 'x'), ivt_boxes)
    np.testing.assert_allclose(boxes_of(l1, 'L1Aff', [12, 15], 'x'), l1_boxes)


@pytest.mark.parametrize('content, first_pixel', [
    ([{'res': BOXES.tolist(), 'resType': 'rect', 'fps': 5.0}], 1),
    ({'other': [[1, 2, 3, 4]], 'clip': BOXES.tolist()}, None), (BOXES.tolist(), None),
    ({'boxes': BOXES.tolist()}, None)])
def test_json_of_one_video_or_of_many(tmp_path, content, first_pixel):
    (tmp_path / 'a.json').write_text(json.dumps(content))
    found, = read_published(tmp_path / 'a.json', lambda name: name == 'clip')
    np.testing.assert_array_equal(found.boxes, BOXES)
    assert found.first_pixel == first_pixel


@pytest.mark.parametrize('name, content, words', [
    ('a.txt', b'1,2,3,4\n1,2,x,4\n', "a.txt, line 2: '1,2,x,4'"),
    ('a.txt', b'1,2,3,4\n5\n', "line 2: '5' is no box"), ('a.txt', b'', 'a.txt is empty'),
    ('a.txt', b'\xff\xfe\x00', 'cannot be read'), ('a.mat', b'none', 'no result of the OTB'),
    ('a.json', b'{"x": ', 'is not JSON'), ('a.json', b'{"x": [[1, 2, 3, 4]]}', 'it has x'),
    ('a.json', b'[[1, 2, 3]]', r'shape \(1, 3\)'),
    ('a.json', b'{"boxes": [[1, "x", 3, 4]]}', 'does not hold numbers'),
    ('a.json', b'[{"res": [[1, 2, 3, 4]], "resType": "4corner"}]', '4corner'),
    ('a.json', b'[{"res": [[1, 2, 3, 4, 5, 6]], "resType": "LK_Aff"}]', 'LK_Aff'),
    ('a.json', b'[{"res": [[1, 2, 3, 4, 5, 6]], "resType": "ivtAff"}]', 'without the tmplsize')])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TrackingError, match=words):
        read_published(tmp_path / name, lambda video: False)


@pytest.mark.parametrize('path, sequence', [
    ('Jogging-1.txt', 'Jogging.1'), ('jogging_2_STRUCK.mat', 'Jogging.2'),
    ('Car1/Car1_001.txt', 'Car1'), ('baseline/car1/car1_001.txt', 'Car1'), ('Car1.json', 'Car1')])
def test_files_are_found_by_the_names_that_tools_give_them(tmp_path, path, sequence):
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    for name in (file, file.with_name(f'{file.stem}_time.txt'), file.with_name('Car11.txt')):
        name.write_text('1,2,3,4\n')
    assert list(result_files(tmp_path, sequence, 'STRUCK').values()) == [file]
    assert result_files(tmp_path, 'Dog', 'STRUCK') == {}


def test_imported_boxes_count_from_zero_and_keep_their_source(tmp_path):
    clip = Plain('clip', 3, ('OCC',))
    savemat(tmp_path / 'clip_OLD.mat', mat_struct(BOXES))
    done, refused = import_results(tmp_path, [clip, Plain('other', 3)], tmp_path / 'out', 'OLD',
                                   protocols.get('ope'))
    assert done == ['clip'] and 'no results in' in refused['other']
    stored = results.read_result(tmp_path / 'out', 'OLD', 'clip')
    np.testing.assert_allclose(stored.run.boxes, BOXES - [1, 1, 0, 0])
    np.testing.assert_array_equal(stored.truth, clip.boxes)
    np.testing.assert_allclose(stored.run.seconds, 1 / 12.5)
    assert not stored.run.scored and stored.run.present.all()
    assert not (tmp_path / 'out' / 'OLD' / 'clip_score.txt').exists()
    assert stored.record['made_with']['file'] == 'clip_OLD.mat'
    assert stored.record['attributes'] == ['OCC']
    # As runs have them, so that a report can tell whether all were on the same data.
    assert stored.record['made_with']['dataset'] == dataset_hash([clip, Plain('other', 3)])
    assert stored.record['fingerprint'] == sequence_fingerprint(clip)
    assert stored.record['fingerprint'] != sequence_fingerprint(Plain('clip', 4))


def test_a_sequence_that_cannot_be_read_does_not_keep_others_from_being_imported(tmp_path):
    for name in ('Good', 'Bad'):
        write_otb(tmp_path / 'otb' / name)
        write_text(tmp_path / 'results' / f'{name}.txt', ['1,2,3,4'] * 3)
    write_text(tmp_path / 'otb' / 'Bad' / 'groundtruth_rect.txt', ['1,2,x,4'])
    done, refused = import_results(tmp_path / 'results', open_sequences(tmp_path / 'otb'),
                                   tmp_path / 'out', 'x', protocols.get('ope'))
    assert done == ['Good'] and "line 1: '1,2,x,4'" in refused['Bad']


def test_repetitions_of_reset_based_results_become_trials(tmp_path):
    clip = Plain('clip', 6)
    (tmp_path / 'clip').mkdir()
    for number in (1, 2):
        (tmp_path / 'clip' / f'clip_00{number}.txt').write_text('1\n1,2,5,6\n2\n0\n0\n0\n')
    done, refused = import_results(tmp_path, [clip], tmp_path / 'out', 'x', protocols.get('vot'))
    assert (done, refused) == (['clip'], {})
    found = results.StoredResults(tmp_path / 'out' / 'vot')['x']['clip']
    assert set(found) == {'001', '002'}
    run = found['002'].run
    assert run.events.tolist() == [1, 3, 2, 0, 0, 0]
    np.testing.assert_allclose(run.boxes[:2], [clip.boxes[0], [1, 2, 5, 6]], atol=1e-4)


def test_polygons_are_scored_as_polygons(tmp_path):
    clip, vot = Plain('clip', 30), protocols.get('vot')
    lines = ['1'] + ['20,10,30,20.123456789,20,30,10,20'] * 28 + ['9,9,23,23']
    (tmp_path / 'clip').mkdir()
    (tmp_path / 'clip' / 'clip_001.txt').write_text('\n'.join(lines))
    diamond = np.array([float(word) for word in lines[1].split(',')])
    clip.polygons = np.tile(diamond, (30, 1))
    clip.boxes = polygon_to_box(clip.polygons)
    assert import_results(tmp_path, [clip], tmp_path / 'out', 'x', vot) == (['clip'], {})
    run = results.read_result(tmp_path / 'out' / 'vot', 'x', 'clip.001').run
    np.testing.assert_array_equal(run.regions[5], diamond)
    np.testing.assert_array_equal(run.regions[29], [9, 9, 23, 23])
    np.testing.assert_allclose(run.boxes[5], polygon_to_box(diamond), atol=1e-4)
    scores = vot.score(results.StoredResults(tmp_path / 'out' / 'vot'))['x']
    # All but the last are the very diamond; the box around it has twice its area.
    last = region_overlaps([run.regions[29]], clip.polygons[29:], run.image_size)[0]
    assert 0.4 < last < 0.8
    assert scores.overall['accuracy'] == pytest.approx((19 + last) / 20)
    # Counted from 1, both coordinates of every corner move.
    import_results(tmp_path, [clip], tmp_path / 'out', 'x', vot, first_pixel=1)
    moved = results.read_result(tmp_path / 'out' / 'vot', 'x', 'clip.001').run
    np.testing.assert_array_equal(moved.regions[5], diamond - 1)
    # Boxes that take their place leave no polygon behind.
    (tmp_path / 'clip' / 'clip_001.txt').write_text('1\n' + '9,9,23,23\n' * 29)
    import_results(tmp_path, [clip], tmp_path / 'out', 'x', vot)
    assert results.read_result(tmp_path / 'out' / 'vot', 'x', 'clip.001').run.regions is None
    import_results(tmp_path, [clip], tmp_path / 'out', 'x', vot, first_pixel=1)
    results.forget_one(tmp_path / 'out' / 'vot', 'x', 'clip.001')
    assert list((tmp_path / 'out' / 'vot' / 'x').iterdir()) == []


@pytest.mark.parametrize('suffix', ['mat', 'json'])
def test_runs_of_robustness_evaluation_come_from_one_file(tmp_path, suffix):
    clip, tre = Plain('clip', 40), protocols.get('tre')
    trials = tre.trials(clip)
    runs = [clip.boxes[trial.first:] + [1, 1, 0, 0] for trial in trials]
    if suffix == 'mat':
        savemat(tmp_path / 'clip_x.mat', mat_struct(*runs))
    else:
        (tmp_path / 'clip.json').write_text(json.dumps([{'res': run.tolist()} for run in runs]))
    assert import_results(tmp_path, [clip], tmp_path / 'out', 'x', tre) == (['clip'], {})
    found = results.StoredResults(tmp_path / 'out' / 'tre')['x']['clip']
    assert set(found) == {trial.name for trial in trials} and len(found) == 20
    last = found[trials[-1].name].run
    assert np.isnan(last.boxes[:trials[-1].first]).all() and trials[-1].first == 20
    np.testing.assert_allclose(last.boxes[20:], clip.boxes[20:], atol=1e-4)
    for other in ('ope', 'sre'):
        done, refused = import_results(tmp_path, [clip], tmp_path / 'no', 'x',
                                       protocols.get(other))
        assert done == [] and '20 runs in' in refused['clip'] and other in refused['clip']


@pytest.mark.parametrize('protocol, text, words', [
    ('ope', '1\n1,2,5,6\n2\n', 'give --protocol vot'), ('vot', written(BOXES), 'never started'),
    ('ope', written(BOXES[:2]), 'has 2 frames, clip has 3')])
def test_results_that_do_not_fit_are_refused_with_the_reason(tmp_path, protocol, text, words):
    (tmp_path / 'clip.txt').write_text(text)
    done, refused = import_results(tmp_path, [Plain('clip', 3)], tmp_path / 'out', 'x',
                                   protocols.get(protocol))
    assert done == [] and words in refused['clip']
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('boxes, times', [
    ('clip.txt', 'clip_time.txt'), ('clip/clip_001.txt', 'clip/clip_time.txt'),
    ('clip/clip_001.txt', 'clip/clip_001_time.value'), ('clip.txt', 'times/clip_time.txt')])
def test_times_beside_the_boxes_are_read(tmp_path, boxes, times):
    write_text(tmp_path / 'in' / boxes, written(BOXES).splitlines())
    write_text(tmp_path / 'in' / times, ['0.5', '0.1', '.2'])
    assert import_results(tmp_path / 'in', [Plain('clip', 3)], tmp_path / 'out', 'x',
                          protocols.get('ope')) == (['clip'], {})
    run = results.read_result(tmp_path / 'out', 'x', 'clip').run
    assert run.seconds.tolist() == [0.5, 0.1, 0.2] and not run.scored


def test_times_have_a_column_per_repetition(tmp_path):
    for number in (1, 2):
        write_text(tmp_path / 'clip' / f'clip_00{number}.txt', ['1', '1,2,5,6', '2'])
    write_text(tmp_path / 'clip' / 'clip_time.txt', ['.1,.4', '.2,.5', '.3,.6'])
    vot = protocols.get('vot')
    import_results(tmp_path, [Plain('clip', 3)], tmp_path / 'out', 'x', vot)
    found = results.StoredResults(tmp_path / 'out' / 'vot')['x']['clip']
    # Without an answer there is no time.
    assert found['001'].run.seconds.tolist() == [0.1, 0.2, 0]
    assert found['002'].run.seconds.tolist() == [0.4, 0.5, 0]


@pytest.mark.parametrize('name', ['clip_001_confidence.value', 'clip_confidence.txt',
                                  'clip.value'])
def test_confidences_beside_the_boxes_are_scores(tmp_path, name):
    write_text(tmp_path / 'clip' / 'clip_001.txt', ['1', '1,2,5,6', '1,2,5,6', '1,2,5,6'])
    write_text(tmp_path / 'clip' / name, ['', '.25', '0.5', '1'])
    clip = Plain('clip', 4)
    for protocol in ('longterm', 'ope'):
        assert import_results(tmp_path, [clip], tmp_path / 'out', 'x',
                              protocols.get(protocol)) == (['clip'], {})
    for folder in ('out/longterm', 'out'):
        run = results.read_result(tmp_path / folder, 'x', 'clip').run
        assert run.scored and run.scores.tolist() == [1, 0.25, 0.5, 1] and run.events is None
        np.testing.assert_allclose(run.boxes[0], clip.boxes[0], atol=1e-4)


@pytest.mark.parametrize('name, lines, words', [
    ('clip_time.txt', ['1', '2'], r'clip_time.txt has 2 lines with 2 numbers for 3 frames'),
    ('clip_time.txt', ['1', 'x', '2'], "clip_time.txt, line 2: 'x' is no number"),
    ('clip.value', ['1', '', '1'], r'box in frame 1 \(from 0\), but no confidence')])
def test_times_and_confidences_that_do_not_fit_are_named(tmp_path, name, lines, words):
    write_text(tmp_path / 'clip.txt', written(BOXES).splitlines())
    write_text(tmp_path / name, lines)
    done, refused = import_results(tmp_path, [Plain('clip', 3)], tmp_path / 'out', 'x',
                                   protocols.get('ope'))
    assert done == [] and re.search(words, refused['clip'])


def test_confidences_that_are_no_probabilities_are_left_out(tmp_path, caplog):
    write_text(tmp_path / 'clip.txt', written(BOXES).splitlines())
    write_text(tmp_path / 'clip.value', ['3', '-2', '7'])
    import_results(tmp_path, [Plain('clip', 3)], tmp_path / 'out', 'x', protocols.get('ope'))
    assert 'go from -2 to 7: they are left out' in caplog.text
    assert not results.read_result(tmp_path / 'out', 'x', 'clip').run.scored


def test_a_label_must_name_a_folder_and_the_source_exist(tmp_path):
    with pytest.raises(SettingError, match='cannot name a folder'):
        import_results(tmp_path, [], tmp_path, '../x', protocols.get('ope'))
    with pytest.raises(TrackingError, match='nowhere does not exist'):
        import_results(tmp_path / 'nowhere', [], tmp_path, 'x', protocols.get('ope'))


def test_published_boxes_of_struck_score_as_published(tracking_data, tmp_path, capsys):
    source, out = tracking_data / 'reference' / 'otb' / 'STRUCK', tmp_path / 'out'
    names = ('Crossing', 'Jogging', 'David')
    assert main(['import', '--from', str(source), '--label', 'STRUCK', '--out', str(out),
                 '--variant', 'otb', *(str(tracking_data / 'dev' / 'otb' / name)
                                       for name in names)]) == 0
    assert 'STRUCK' in capsys.readouterr().out
    rows = json.loads((out / 'metrics.json').read_text())['trackers']['STRUCK']['sequences']
    official = json.loads((source / 'scores_tb100' / 'ALL.json').read_text())
    published = dict(zip(official['seqs'], official['overlapScores']))
    assert set(rows) == {'Crossing', 'David', 'Jogging.1', 'Jogging.2'}
    for name, row in rows.items():
        # The toolkit takes the first box for given; here it is scored as written, which it is.
        assert row['mean_overlap'] == pytest.approx(
            published[name.replace('.', '-')], abs=1e-3)
