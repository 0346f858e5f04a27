"""`tracking_benchmark vot-trackers`: tell a VOT workspace how to run the trackers."""
from tracking_nodes.commands import options as shared


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'vot-trackers', vot_trackers, 'put trackers into a workspace of the VOT toolkit',
        'Writes trackers.ini of the workspace, so that `vot evaluate` runs these trackers through '
        'TraX. Other trackers in it are kept. docs/official_toolkits.md shows the whole way.')
    command.add_argument('workspace', metavar='WORKSPACE', help='folder of the VOT workspace')
    command.add_argument('--tracker', action='append', required=True, metavar='NAME[:LABEL]',
                         help="tracker of the package or of OpenCV's; repeatable")
    shared.add_tracker_options(command)


def vot_trackers(options):
    """Write the file and name it."""
    from tracking_nodes.clients.vot_workspace import write_trackers
    from tracking_nodes.evaluation.contender import parse_contenders

    contenders = parse_contenders(options.tracker, options.set, shared.runtime(options))
    for contender in contenders:
        # What the toolkit would only notice when it runs, as a tracker that does not answer.
        contender.create()
    print(write_trackers(options.workspace, contenders))
