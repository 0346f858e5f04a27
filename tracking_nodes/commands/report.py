"""`tracking_benchmark report`: score a results folder again and draw it."""
from tracking_nodes.commands import options as shared


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'report', report, 'score a results folder again and draw it',
        'Writes summary.json anew, plots, tables (DIR/tables) and report.html, one page that '
        'needs no other file. Needs no videos; with them the page shows the frames where '
        'trackers lost most, with all boxes.')
    command.add_argument('results', metavar='DIR', help='results folder of run or compare')
    command.add_argument('--frames-budget', type=float, default=20.0, metavar='MB',
                         help='megabytes that images may take in the page (default: %(default)s)')
    shared.add_variant(command)
    shared.add_sequences(command, '*')
    shared.add_excerpt(command)


def report(options):
    """Score the folder `options.results` and write its plots, tables and page."""
    from tracking_nodes.evaluation.benchmark import write_scores
    from tracking_nodes.evaluation.report.scored import protocols_in

    for protocol in protocols_in(options.results):
        write_scores(options.results, protocol, options.variant)
    draw(options.results, shared.open_parts(options), options.frames_budget)


def draw(folder, sequences, frames_budget=20.0):
    """Write the report of a folder that is scored, and print where the page is."""
    from tracking_nodes.evaluation.report.writer import write_report

    print(write_report(folder, sequences, frames_budget))
