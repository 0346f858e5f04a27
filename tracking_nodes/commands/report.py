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
    command.add_argument('--only', action='append', default=[], metavar='SET:PATH',
                         help='only the sequences of this published set, or of this folder, into '
                              'DIR/sets/SET; repeatable, so that one run gives the scores of '
                              'OTB-2013, OTB-50 and OTB-2015, and a table of all of them')
    command.add_argument('--frames-budget', type=float, default=20.0, metavar='MB',
                         help='megabytes that images may take in the page (default: %(default)s)')
    shared.add_variant(command)
    shared.add_sequences(command, '*')
    shared.add_excerpt(command)


def report(options):
    """Score the folder `options.results` and write its plots, tables and page."""
    from tracking_nodes.evaluation.benchmark import write_scores
    from tracking_nodes.evaluation.report.scored import protocols_in
    from tracking_nodes.evaluation.report.subset import open_subset

    protocols, sequences = protocols_in(options.results), shared.open_parts(options)
    subsets = [open_subset(text, options.results, protocols) for text in options.only]
    for subset in subsets or [None]:
        for protocol in protocols:
            if subset is None:
                write_scores(options.results, protocol, options.variant)
            else:
                write_scores(options.results, protocol, options.variant, subset.sequences,
                             subset.out)
        draw(options.results, sequences, options.frames_budget, subset)
    if len(subsets) > 1:
        _tables_over(subsets, protocols)


def draw(folder, sequences, frames_budget=20.0, subset=None):
    """Write the report of a folder, or of a `Subset`, that is scored; print where the page is."""
    from tracking_nodes.evaluation.report.writer import write_report

    print(write_report(folder, sequences, frames_budget, subset))


def _tables_over(subsets, protocols):
    """Write a table over the sets for each protocol that all of them have results of."""
    from tracking_nodes.evaluation.report.across import across, has_report
    from tracking_nodes.evaluation.report.tables import markdown, write_tables

    reports = {subset.name: subset.out for subset in subsets}
    for protocol in protocols:
        if all(has_report(folder, protocol) for folder in reports.values()):
            table = across(protocol.folder or protocol.name, reports, protocol)
            write_tables(subsets[0].out.parent, [table])
            print(f'\n{markdown(table)}')
