"""Ground-truth files: separators, line ends, forms, and errors that name the line."""
import logging

import numpy as np
import pytest

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.ground_truth import fit_to_video, read_boxes, read_rows

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


def test_origin_moves_corners_and_not_sizes(tmp_path):
    boxes, polygons = read_boxes(write(tmp_path, '1,1,10,20\n5,6,7,8'), origin=1)
    np.testing.assert_array_equal(boxes, [[0, 0, 10, 20], [4, 5, 7, 8]])
    assert polygons is None


def test_corner_form(tmp_path):
    boxes, _ = read_boxes(write(tmp_path, '142,125,232,164\nNaN,NaN,NaN,NaN'), form='xyxy')
    np.testing.assert_array_equal(boxes, [[142, 125, 90, 39], [np.nan] * 4])


def test_polygons_come_with_the_box_around_them(tmp_path):
    boxes, polygons = read_boxes(write(tmp_path, '5,0,10,5,5,10,0,5\n' + ','.join(['NaN'] * 8)))
    np.testing.assert_array_equal(boxes, [[0, 0, 10, 10], [np.nan] * 4])
    np.testing.assert_array_equal(polygons, [[5, 0, 10, 5, 5, 10, 0, 5], [np.nan] * 8])


@pytest.mark.parametrize('content, words', [
    ('1,2,3,4\n1,2,x,4\n', "line 2: '1,2,x,4' is not a list of numbers"),
    ('1,2,3,4\n1,2,3\n', 'line 2: expected 4 finite numbers'),
    ('1,2,3,4\n\n1,2,3,4\n', "line 2: '' is not a list of numbers"),
    ('1,2,3,inf\n', 'line 1: expected 4 finite numbers'),
    ('1,2,3\n', 'has 3 numbers a line'),
    ('', 'is empty'), ('\n \n', 'is empty'),
    (b'\xff\xfe\x00\x01', 'cannot be read')])
def test_errors_name_file_and_line(tmp_path, content, words):
    file = write(tmp_path, content)
    with pytest.raises(SequenceError, match=words) as raised:
        read_boxes(file)
    assert str(file) in str(raised.value)


def test_missing_file(tmp_path):
    with pytest.raises(SequenceError, match='missing.txt cannot be read'):
        read_boxes(tmp_path / 'missing.txt')


def test_longer_ground_truth_is_cut_with_a_warning(caplog):
    boxes = np.arange(40.0).reshape(10, 4)
    with caplog.at_level(logging.WARNING):
        kept = fit_to_video(boxes, 7, 'truth.txt')
    np.testing.assert_array_equal(kept, boxes[:7])
    assert 'truth.txt has 10 lines for 7 frames' in caplog.text


def test_shorter_ground_truth_says_how_many_frames_count():
    assert fit_to_video(np.ones((5, 4)), 9, 'truth.txt').shape == (5, 4)


def test_one_line_is_the_start_of_the_whole_video():
    kept = fit_to_video(np.ones((1, 4)), 3, 'truth.txt')
    np.testing.assert_array_equal(kept, [[1] * 4, [np.nan] * 4, [np.nan] * 4])
