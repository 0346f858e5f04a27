"""`tracking_benchmark run`: trackers over sequences into a results folder."""
from tracking_nodes.commands import options as shared


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'run', run, 'run trackers over sequences or bags',
        'One pass over each sequence, started on its first ground truth and never reset. Writes '
        'DIR/summary.json and boxes, scores and times per frame. Run again to go on where it was '
        'interrupted.')
    command.add_argument('--tracker', action='append', required=True, metavar='NAME[:LABEL]',
                         help='tracker, under another name where a label is given; repeatable')
    shared.add_run_options(command)


def run(options):
    """Run the trackers and print their table."""
    from tracking_nodes.evaluation.contender import parse_contenders

    benchmark(parse_contenders(options.tracker, options.set, shared.runtime(options)), options)


def benchmark(contenders, options):
    """
    Run contenders as the options of `add_run_options` say and print their table.

    :return: {label: {sequence name: Score}} of all that the folder holds.
    """
    from tqdm.contrib.logging import logging_redirect_tqdm

    from tracking_nodes.evaluation.benchmark import run_benchmark
    from tracking_nodes.evaluation.table import text_table

    with logging_redirect_tqdm():
        scores = run_benchmark(contenders, shared.open_all(options), options.out,
                               jobs=options.jobs, variant=options.variant,
                               overwrite=options.overwrite)
    print(text_table(scores))
    return scores
