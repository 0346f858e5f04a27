"""`tracking_benchmark ablate`: the rows of an ablation over several seeds."""
from tracking_nodes.commands import options as shared, running


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'ablate', ablate, "run the rows of a paper's ablation, or of the robust "
        "preset's, over several seeds",
        'Runs each row of the ablation that the tracker names, with as many seeds as asked for, '
        'and prints mean and standard deviation over the seeds; writes ablation.md, .csv and .tex '
        'into the folder of each protocol.')
    command.add_argument('--tracker', required=True, metavar='NAME', help='tracker to ablate')
    command.add_argument('--preset', choices=('paper', 'robust'), default='paper',
                         help="whose ablation: the paper's, or the robust preset's with one of "
                              'its mechanisms less in each row (default: %(default)s)')
    command.add_argument('--seeds', type=int, default=3, metavar='N',
                         help='how many seeds, from --seed on (default: %(default)s)')
    command.add_argument('--row', action='append', default=[], metavar='ROW',
                         help='only this row; repeatable (default: all)')
    running.add_options(command)


def ablate(options):
    """Run the rows, print their table and write it as `ablation.*`, one per protocol."""
    from pathlib import Path

    from tracking_nodes.evaluation.ablation import ablation_contenders, seeds_table
    from tracking_nodes.evaluation.contender import parse_contenders
    from tracking_nodes.evaluation.report.tables import markdown, write_tables
    from tracking_nodes.evaluation.table import headline

    [base] = parse_contenders([options.tracker], options.set, shared.runtime(options))
    rows = ablation_contenders(base.tracker, base.values, base.runtime, options.seeds,
                               options.row, options.preset)
    status, scores = running.run_all([one for row in rows.values() for one in row], options)
    for protocol in running.protocols_of(options):
        table = seeds_table(rows, scores[protocol.name], headline(protocol))
        write_tables(Path(options.out, protocol.folder), [table])
        print(markdown(table))
    return status
