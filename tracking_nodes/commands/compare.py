"""`tracking_benchmark compare`: trackers beside OpenCV's, and a report at the end."""
from tracking_nodes.commands import options as shared, running
from tracking_nodes.commands.report import draw
from tracking_nodes.commands.run import add_trackers, run_contenders


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'compare', compare, "run trackers beside OpenCV's and print one table",
        "Like run, with OpenCV's trackers through the same harness, and a report at the end. "
        'Nano and ViT need their models in the folder peers of the weights directory '
        '(--models or TRACKING_MODELS); what is missing is skipped by name.')
    add_trackers(command)
    command.add_argument('--peer', action='append', metavar='NAME', help='only this one of '
                         'csrt, kcf, mil, nano and vit; repeatable (default: all)')
    running.add_options(command)


def compare(options):
    """Run trackers and peers, print their tables and write the report."""
    from tracking_nodes.evaluation.peers import PEERS

    status = run_contenders(options, options.peer or list(PEERS))
    draw(options.out, shared.open_parts(options))
    return status
