"""`tracking_benchmark run`: trackers over sequences into a results folder."""
from tracking_nodes.commands import options as shared, running


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'run', run, 'run trackers over sequences or bags',
        'Runs every tracker over every sequence under every protocol; by default one pass, '
        'started on the first ground truth and never reset. Writes boxes, scores and times per '
        'frame, summary.json and metrics.json. Run again to go on where it was interrupted, even '
        'by kill -9. A run that fails does not stop the others.')
    add_trackers(command)
    add_peers(command)
    running.add_options(command)


def add_trackers(parser):
    """Add the choice of trackers and of seeds."""
    parser.add_argument('--tracker', action='append', default=[], metavar='NAME[:LABEL]',
                        help='tracker, under another name where a label is given, or all; '
                             'repeatable')
    parser.add_argument('--seeds', type=int, default=1, metavar='N',
                        help='seeds of each tracker, from --seed on (default: %(default)s)')


def add_peers(parser):
    """Add the choice of OpenCV's trackers."""
    parser.add_argument('--peer', action='append', default=[], metavar='NAME',
                        help="OpenCV's csrt, kcf, mil, nano or vit beside them; repeatable")


def run(options):
    """Run the trackers and print their tables."""
    return run_contenders(options, options.peer)


def run_contenders(options, peers):
    """
    Run the trackers of the options and some of OpenCV's, and print their tables.

    :param options: of `add_trackers` and `running.add_options`.
    :param peers: names of OpenCV's trackers; what cannot run here is skipped by name.
    :return: exit status.
    """
    from tracking_nodes.evaluation.ablation import seeds_table
    from tracking_nodes.evaluation.contender import with_seeds
    from tracking_nodes.evaluation.report.tables import markdown
    from tracking_nodes.evaluation.table import headline

    contenders = contenders_of(options, peers)
    if options.seeds < 2:
        return running.run_all(contenders, options)[0]
    groups = with_seeds(contenders, options.seeds)
    status, scores = running.run_all([one for group in groups.values() for one in group], options)
    for protocol in running.protocols_of(options):
        print(f'\n{protocol.name} over the seeds\n'
              + markdown(seeds_table(groups, scores[protocol.name], headline(protocol))))
    return status


def contenders_of(options, peers):
    """
    Return the `Contender`s that the options name; those of OpenCV's that cannot run are said.

    :param options: of `add_trackers` and `options.add_tracker_options`.
    :param peers: names of OpenCV's trackers.
    :raises SettingError: there is none.
    """
    import sys

    from tracking_nodes.errors import SettingError
    from tracking_nodes.evaluation.contender import parse_contenders, peer_contenders

    runtime = shared.runtime(options)
    found, missing = peer_contenders(peers, runtime)
    for name, words in missing.items():
        sys.stderr.write(f'{name} skipped: {words}\n')
    contenders = parse_contenders(options.tracker, options.set, runtime) + found
    if not contenders:
        raise SettingError('no tracker to run; give --tracker NAME or --peer NAME')
    return contenders
