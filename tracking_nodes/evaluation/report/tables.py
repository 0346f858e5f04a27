"""Tables of numbers as Markdown, CSV and LaTeX, with the best and second best marked."""
import csv
from dataclasses import dataclass
import io

from tracking_nodes.evaluation import results

_LATEX = str.maketrans({'&': r'\&', '%': r'\%', '$': r'\$', '#': r'\#', '_': r'\_', '{': r'\{',
                        '}': r'\}', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}',
                        '\\': r'\textbackslash{}', '<': r'\textless{}', '>': r'\textgreater{}'})
_MARKDOWN = str.maketrans({'|': r'\|', '*': r'\*', '_': r'\_', '`': r'\`', '<': '&lt;',
                           '>': '&gt;', '\n': ' '})


@dataclass(frozen=True)
class Column:
    """Of a table: title, digits behind the point, and whether more is better (None: neither)."""

    title: str
    digits: int = 3
    higher_is_better: bool | None = None


@dataclass(frozen=True)
class Table:
    """
    Rows of numbers under named columns.

    name: of its files. title: what it shows. corner: title of the column of names. columns: tuple
    of `Column`. rows: list of (name, list of numbers or None). across: numbers compete within
    their row, as trackers on one sequence do; otherwise within their column. notes: what has to
    be known to read it rightly, lines of text.
    """

    name: str
    title: str
    corner: str
    columns: tuple
    rows: list
    across: bool = False
    notes: tuple = ()

    def cells(self):
        """Return a list per row of (text, place): place 1 is the best, 2 the second, 0 others."""
        places = ([_places(values, [column.higher_is_better for column in self.columns])
                   for _, values in self.rows] if self.across else
                  list(zip(*(_places([values[index] for _, values in self.rows],
                                     [column.higher_is_better] * len(self.rows))
                             for index, column in enumerate(self.columns)))))
        return [[(_text(value, column.digits), place)
                 for value, column, place in zip(values, self.columns, row)]
                for (_, values), row in zip(self.rows, places)]


def markdown(table):
    """Return a table in Markdown: best bold, second best italic."""
    head = [table.corner, *(column.title for column in table.columns)]
    marks = {0: '{}', 1: '**{}**', 2: '*{}*'}
    lines = [f'{table.title}', '', '| ' + ' | '.join(_plain(cell) for cell in head) + ' |',
             '|---|' + '---:|' * len(table.columns)]
    for (name, _), cells in zip(table.rows, table.cells()):
        lines.append('| ' + ' | '.join([_plain(name), *(marks[place].format(text)
                                                        for text, place in cells)]) + ' |')
    lines += [line for note in table.notes for line in ('', _plain(note))]
    return '\n'.join(lines) + '\n'


def comma_separated(table):
    """Return a table as CSV with all digits; an empty cell where there is no number."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow([table.corner, *(column.title for column in table.columns)])
    for name, values in table.rows:
        writer.writerow([name, *('' if value is None else repr(value) for value in values)])
    return buffer.getvalue()


def latex(table):
    """Return a LaTeX `tabular`: best bold, second best underlined; needs no package."""
    marks = {0: '{}', 1: r'\textbf{{{}}}', 2: r'\underline{{{}}}'}
    lines = [*(f'% {" ".join(words.split())}' for words in (table.title, *table.notes)),
             r'\begin{tabular}{l' + 'r' * len(table.columns) + '}', r'\hline',
             ' & '.join(cell.translate(_LATEX) for cell in
                        [table.corner, *(column.title for column in table.columns)]) + r' \\',
             r'\hline']
    for (name, _), cells in zip(table.rows, table.cells()):
        lines.append(' & '.join([name.translate(_LATEX), *(marks[place].format(text)
                                                           for text, place in cells)]) + r' \\')
    return '\n'.join([*lines, r'\hline', r'\end{tabular}']) + '\n'


def write_tables(folder, tables):
    """Write each table into a folder as NAME.md, NAME.csv and NAME.tex."""
    for table in tables:
        for suffix, form in (('md', markdown), ('csv', comma_separated), ('tex', latex)):
            results.write_text(folder / f'{table.name}.{suffix}', form(table))


def _places(values, higher_is_better):
    """Return 1, 2 or 0 for each value; equal values share a place."""
    if higher_is_better[0] is None:
        return [0] * len(values)
    order = sorted({value for value in values if value is not None}, reverse=higher_is_better[0])
    # With a single competitor nothing is best.
    order = order[:2] if sum(value is not None for value in values) > 1 else []
    return [order.index(value) + 1 if value in order else 0 for value in values]


def _text(value, digits):
    return '-' if value is None else f'{value:.{digits}f}'


def _plain(text):
    return text.translate(_MARKDOWN)
