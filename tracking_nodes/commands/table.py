"""`tracking_benchmark table`: one table over several reports."""
from tracking_nodes.commands import options as shared
from tracking_nodes.errors import SettingError


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'table', table, 'put several reports into one table: trackers x sets',
        'Writes FILE.md, FILE.csv and FILE.tex with a row per tracker and, for each report, the '
        'metrics asked for. Every folder needs its report first.')
    command.add_argument('reports', nargs='+', metavar='[NAME=]DIR',
                         help='folder with a report: a results folder, or DIR/sets/SET of report '
                              '--only; with the name its columns get (default: that of the '
                              'folder)')
    command.add_argument('--out', required=True, metavar='FILE', help='path without suffix')
    command.add_argument('--protocol', default='ope', metavar='NAME[:OPTION]',
                         help='whose scores (default: %(default)s)')
    command.add_argument('--metric', action='append', default=[], metavar='KEY',
                         help='as in metrics.json, such as auc or dp20; repeatable (default: '
                              'those of the table that run prints)')


def table(options):
    """Write the table and print it."""
    from pathlib import Path

    from tracking_nodes.evaluation import protocols
    from tracking_nodes.evaluation.report.across import across
    from tracking_nodes.evaluation.report.tables import markdown, write_tables

    reports = {}
    for text in options.reports:
        name, equals, folder = text.partition('=')
        folder = Path(folder if equals else text)
        name = name if equals else folder.resolve().name
        if name in reports:
            raise SettingError(f'two reports are named {name!r}; name them apart, as in '
                               f'OTHER={folder}')
        reports[name] = folder
    out = Path(options.out)
    made = across(out.name, reports, protocols.get(options.protocol), options.metric)
    write_tables(out.parent, [made])
    print(markdown(made))
