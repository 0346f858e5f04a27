"""Ground-truth files: separators, line ends, forms, and errors that name the line."""
import logging

import numpy as np
import pytest

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.ground_truth import (fit_to_video, GroundTruth, read_flags,
                                                   read_ground_truth, read_rows)

ROWS = [[1.0, 2.0, 30.0, 40.0], [1.5, 2.25, 31.0, 41.125]]


def write(folder, content):
    """Write bytes to a file and return its path."""
    file = folder / 'truth.txt'
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


@pytest.mark.parametrize('separator', [',', '\t', ' ', ', ', ';', ' \t '])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('last', [True, False])
def test_separators_and_line_ends(tmp_path, separator, end, last):
    lines = [separator.join(str(value) for value in row) for row in ROWS]
    file = write(tmp_path, end.join(lines) + (end if last else ''))
    np.testing.assert_array_equal(read_rows(file), ROWS)


def test_byte_order_mark_and_blanks_around(tmp_path):
    file = write(tmp_path, b'\xef\xbb\xbf 1,2,30,40 \n1.5\t2.25\t31\t41.125,\n\n\n')
    np.testing.assert_array_equal(read_rows(file), ROWS)


def test_a_nan_makes_the_frame_absent(tmp_path):
    rows = read_rows(write(tmp_path, 'NaN,NaN,NaN,NaN\n1,nan,3,4\n1,2,3,4'))
    assert np.isnan(rows[:2]).all() and (rows[2] == [1, 2, 3, 4]).all()


@pytest.mark.parametrize('line', [',,,', ';;;', 'NaN', 'nan,', ' , , , ', 'NaN,NaN,NaN,NaN'])
@pytest.mark.parametrize('before', [[], ['1,2,3,4']])
def test_lines_that_stand_for_absence(tmp_path, line, before):
    rows = read_rows(write(tmp_path, '\n'.join([*before, line, '5,6,7,8', line])))
    assert rows.shape == (len(before) + 3, 4)
    assert np.isnan(rows[[-3, -1]]).all() and rows[-2].tolist() == [5, 6, 7, 8]


def test_a_file_of_nothing_but_absence(tmp_path):
    assert np.isnan(read_ground_truth(write(tmp_path, ',,,\n,,,\n')).boxes).all()
    with pytest.raises(SequenceError, match='line 3: expected 4 finite numbers .* as in line 2'):
        read_rows(write(tmp_path, 'NaN\n1,2,3,4\n1,2\n'))


def test_origin_moves_corners_and_not_sizes(tmp_path):
    truth = read_ground_truth(write(tmp_path, '1,1,10,20\n5,6,7,8'), origin=1)
    np.testing.assert_array_equal(truth.boxes, [[0, 0, 10, 20], [4, 5, 7, 8]])
    assert truth.polygons is None


def test_corner_form(tmp_path):
    truth = read_ground_truth(write(tmp_path, '142,125,232,164\nNaN,NaN,NaN,NaN'), form='xyxy')
    np.testing.assert_array_equal(truth.boxes, [[142, 125, 90, 39], [np.nan] * 4])


def test_polygons_come_with_the_box_around_them(tmp_path):
    truth = read_ground_truth(write(tmp_path, '5,0,10,5,5,10,0,5\n' + ','.join(['NaN'] * 8)))
    np.testing.assert_array_equal(truth.boxes, [[0, 0, 10, 10], [np.nan] * 4])
    np.testing.assert_array_equal(truth.polygons, [[5, 0, 10, 5, 5, 10, 0, 5], [np.nan] * 8])


@pytest.mark.parametrize('content, words', [
    ('1,2,3,4\n1,2,x,4\n', "line 2: '1,2,x,4' is not a list of numbers"),
    ('1,2,3,4\n1,2,3\n', 'line 2: expected 4 finite numbers'),
    ('1,2,3,4\n\n1,2,3,4\n', "line 2: '' is not a list of numbers"),
    ('1,2,3,inf\n', 'line 1: expected 4 finite numbers'),
    ('1,2,3\n', 'line 1: expected the four numbers of a box or .* found 3'),
    ('', 'is empty'), ('\n \n', 'is empty'),
    (b'\xff\xfe\x00\x01', 'cannot be read')])
def test_errors_name_file_and_line(tmp_path, content, words):
    file = write(tmp_path, content)
    with pytest.raises(SequenceError, match=words) as raised:
        read_ground_truth(file)
    assert str(file) in str(raised.value)


def test_missing_file(tmp_path):
    with pytest.raises(SequenceError, match='missing.txt cannot be read'):
        read_ground_truth(tmp_path / 'missing.txt')


def truth_of(boxes, **known):
    """Return the ground truth of a file with one line per box."""
    return GroundTruth(np.array(boxes, float), file='truth.txt',
                       lines=np.arange(1, len(boxes) + 1), **known)


def test_longer_ground_truth_is_cut_with_a_warning(caplog):
    boxes = np.arange(40.0).reshape(10, 4)
    with caplog.at_level(logging.WARNING):
        kept = fit_to_video(truth_of(boxes, tags={'occlusion': np.arange(10) > 4}), 7)
    np.testing.assert_array_equal(kept.boxes, boxes[:7])
    assert kept.tags['occlusion'].tolist() == [False] * 5 + [True] * 2
    assert kept.where(6) == 'truth.txt:7'
    assert 'truth.txt has 10 lines for 7 frames' in caplog.text


def test_shorter_ground_truth_says_how_many_frames_count(caplog):
    with caplog.at_level(logging.INFO):
        assert fit_to_video(truth_of(np.ones((5, 4))), 9).boxes.shape == (5, 4)
    assert 'truth.txt has 5 lines for 9 frames: the last 4 frames are left out' in caplog.text


def test_one_line_is_the_start_of_the_whole_video():
    kept = fit_to_video(truth_of([[1, 1, 1, 1]], polygons=np.ones((1, 8))), 3)
    np.testing.assert_array_equal(kept.boxes, [[1] * 4, [np.nan] * 4, [np.nan] * 4])
    np.testing.assert_array_equal(kept.polygons, [[1] * 8, [np.nan] * 8, [np.nan] * 8])
    assert kept.lines.tolist() == [1, 0, 0]


def test_parts_and_absence_keep_lines_and_polygons_together():
    truth = truth_of(np.arange(16).reshape(4, 4), polygons=np.arange(32.0).reshape(4, 8))
    part = truth.part(1, 3).without(np.array([False, True]))
    np.testing.assert_array_equal(part.boxes, [[4, 5, 6, 7], [np.nan] * 4])
    np.testing.assert_array_equal(part.polygons, [np.arange(8, 16), [np.nan] * 8])
    assert part.lines.tolist() == [2, 3] and np.isfinite(truth.boxes).all()


@pytest.mark.parametrize('content', ['0\n1\n1\n', '0,1,1', '0 1 1\n', '0\r1\r1'])
def test_flags_one_a_line_or_all_in_one(tmp_path, content):
    assert read_flags(write(tmp_path, content), 3).tolist() == [0, 1, 1]


def test_flags_of_another_number_of_frames(tmp_path):
    file = write(tmp_path, '0\n1\n')
    assert read_flags(file, 4, short=True).tolist() == [0, 1, 0, 0]
    with pytest.raises(SequenceError, match='truth.txt, line 2: expected 4 labels, .* found 2'):
        read_flags(file, 4)
    with pytest.raises(SequenceError, match='truth.txt, line 2: expected 1 labels, .* found 2'):
        read_flags(file, 1, short=True)
