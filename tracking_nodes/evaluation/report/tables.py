"""Tables of numbers as Markdown, CSV and LaTeX, with the best and second best marked."""
import csv
from dataclasses import dataclass
import io
import itertools

from tracking_nodes.evaluation import results

_LATEX = str.maketrans({'&': r'\&', '%': r'\%', '$': r'\$', '#': r'\#', '_': r'\_', '{': r'\{',
                        '}': r'\}', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}',
                        '\\': r'\textbackslash{}', '<': r'\textless{}', '>': r'\textgreater{}'})
_MARKDOWN = str.maketrans({'|': r'\|', '*': r'\*', '_': r'\_', '`': r'\`', '<': '&lt;',
                           '>': '&gt;', '\n': ' '})


class Spread(float):
    """A mean with the deviation of what it is the mean of; it competes as the mean."""

    def __new__(cls, mean, deviation):
        """Join the two numbers."""
        made = super().__new__(cls, mean)
        made.deviation = float(deviation)
        return made


@dataclass(frozen=True)
class Column:
    """
    Of a table: title, digits behind the point, and whether more is better (None: neither).

    group: title above those of several columns that follow each other, '' for none.
    """

    title: str
    digits: int = 3
    higher_is_better: bool | None = None
    group: str = ''

    @property
    def heading(self):
        """The title with that of the group."""
        return f'{self.group} {self.title}'.strip()


@dataclass(frozen=True)
class Table:
    """
    Rows of numbers under named columns.

    name: of its files. title: what it shows. corner: title of the column of names. columns: tuple
    of `Column`. rows: list of (name, list of numbers, `Spread`s or None). across: numbers compete
    within their row, as trackers on one sequence do; otherwise within their column. notes: what
    has to be known to read it rightly, lines of text.
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
    head = [table.corner, *(column.heading for column in table.columns)]
    marks = {0: '{}', 1: '**{}**', 2: '*{}*'}
    lines = [f'{table.title}', '', '| ' + ' | '.join(_plain(cell) for cell in head) + ' |',
             '|---|' + '---:|' * len(table.columns)]
    for (name, _), cells in zip(table.rows, table.cells()):
        lines.append('| ' + ' | '.join([_plain(name), *(marks[place].format(text)
                                                        for text, place in cells)]) + ' |')
    lines += [line for note in table.notes for line in ('', _plain(note))]
    return '\n'.join(lines) + '\n'


def comma_separated(table):
    """
    Return a table as CSV with all digits; an empty cell where there is no number.

    Deviations have a column of their own behind that of the means.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    spread = [any(isinstance(values[index], Spread) for _, values in table.rows)
              for index in range(len(table.columns))]
    writer.writerow([table.corner, *(
        title for column, wide in zip(table.columns, spread)
        for title in [column.heading, f'{column.heading} deviation'][:1 + wide])])
    for name, values in table.rows:
        writer.writerow([name, *(cell for value, wide in zip(values, spread)
                                 for cell in _digits(value)[:1 + wide])])
    return buffer.getvalue()


def latex(table):
    """Return a LaTeX `tabular`: best bold, second best underlined; needs no package."""
    marks = {0: '{}', 1: r'\textbf{{{}}}', 2: r'\underline{{{}}}'}
    lines = [*(f'% {" ".join(words.split())}' for words in (table.title, *table.notes)),
             r'\begin{tabular}{l' + 'r' * len(table.columns) + '}', r'\hline', *_groups(table),
             ' & '.join(cell.translate(_LATEX) for cell in
                        [table.corner, *(column.title for column in table.columns)]) + r' \\',
             r'\hline']
    for (name, _), cells in zip(table.rows, table.cells()):
        lines.append(' & '.join([name.translate(_LATEX), *(
            marks[place].format(text.replace('±', r'$\pm$')) for text, place in cells)]) + r' \\')
    return '\n'.join([*lines, r'\hline', r'\end{tabular}']) + '\n'


def _groups(table):
    """Return the line of LaTeX above the titles, where columns have groups."""
    runs = [(group, len(list(members)))
            for group, members in itertools.groupby(column.group for column in table.columns)]
    cells = [rf'\multicolumn{{{count}}}{{c}}{{{group.translate(_LATEX)}}}'
             for group, count in runs]
    return [' & '.join(['', *cells]) + r' \\'] if any(group for group, _ in runs) else []


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
    if value is None:
        return '-'
    text = f'{value:.{digits}f}'
    return f'{text} ± {value.deviation:.{digits}f}' if isinstance(value, Spread) else text


def _digits(value):
    """Return a number and its deviation with all digits, each '' where there is none."""
    if value is None:
        return '', ''
    if isinstance(value, Spread):
        return repr(float(value)), repr(value.deviation)
    return repr(value), ''


def _plain(text):
    return text.translate(_MARKDOWN)
