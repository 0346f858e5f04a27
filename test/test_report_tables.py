"""Tables of a report: which value is best, and the three forms they are written in."""
import csv
import io

import pytest

from tracking_nodes.evaluation.report.tables import (
    Column, comma_separated, latex, markdown, Table, write_tables)


def places(table):
    return [[place for _, place in row] for row in table.cells()]


@pytest.fixture
def table():
    return Table('overall', 'What was | scored', 'tracker',
                 (Column('AUC', 3, True), Column('CLE_px', 1, False), Column('frames', 0)),
                 [('one_a', [0.5, 8.0, 7]), ('two & b', [0.25, None, 7]),
                  ('three', [1 / 3, 12.25, 7])])


def test_best_and_second_best_compete_within_a_column(table):
    assert places(table) == [[1, 1, 0], [0, 0, 0], [2, 2, 0]]


def test_best_and_second_best_compete_within_a_row_across_trackers():
    columns = tuple(Column(name, 3, True) for name in 'abcd')
    table = Table('', '', 'sequence', columns, [('x', [0.1, 0.4, 0.4, 0.3]),
                                                ('y', [None, 0.9, None, None])], across=True)
    assert places(table) == [[0, 1, 1, 2], [0, 0, 0, 0]]


def test_markdown_is_one_line_per_row_with_marks_and_without_markup_of_names(table):
    assert markdown(table).splitlines() == [
        'What was | scored', '', r'| tracker | AUC | CLE\_px | frames |',
        '|---|---:|---:|---:|', r'| one\_a | **0.500** | **8.0** | 7 |',
        '| two & b | 0.250 | - | 7 |', '| three | *0.333* | *12.2* | 7 |']


def test_csv_keeps_all_digits_and_leaves_unknown_cells_empty(table):
    rows = list(csv.reader(io.StringIO(comma_separated(table))))
    assert rows[0] == ['tracker', 'AUC', 'CLE_px', 'frames']
    assert rows[2] == ['two & b', '0.25', '', '7']
    assert float(rows[3][1]) == 1 / 3


def test_latex_escapes_names_and_marks(table):
    text = latex(table)
    assert r'tracker & AUC & CLE\_px & frames \\' in text
    assert r'one\_a & \textbf{0.500} & \textbf{8.0} & 7 \\' in text
    assert r'two \& b & 0.250 & - & 7 \\' in text
    assert r'three & \underline{0.333} & \underline{12.2} & 7 \\' in text
    assert text.count(r'\begin{tabular}{lrrr}') == text.count(r'\end{tabular}') == 1
    # Beside escaped ones no special character is left but the & of the columns.
    assert text.splitlines()[0] == '% What was | scored'


def test_each_table_is_written_in_three_forms(table, tmp_path):
    write_tables(tmp_path / 'tables', [table])
    assert {path.name: path.read_text() for path in (tmp_path / 'tables').iterdir()} == {
        'overall.md': markdown(table), 'overall.csv': comma_separated(table),
        'overall.tex': latex(table)}
