"""`tracking_benchmark report`: score a results folder again and draw it."""
from tracking_nodes.commands import options as shared


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'report', report, 'score a results folder again and draw it',
        'Writes summary.json anew, success and precision plots and report.html. Needs no videos.')
    command.add_argument('results', metavar='DIR', help='results folder of run or compare')
    shared.add_variant(command)


def report(options):
    """Score the folder `options.results` and write its plots and page."""
    from tracking_nodes.evaluation import results
    from tracking_nodes.evaluation.benchmark import score_folder
    from tracking_nodes.evaluation.report import write_report

    results.write_summary(options.results, score_folder(options.results, options.variant),
                          options.variant)
    print(write_report(options.results))
