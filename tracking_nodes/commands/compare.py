"""`tracking_benchmark compare`: trackers beside OpenCV's, and a report at the end."""
import sys

from tracking_nodes.commands import options as shared
from tracking_nodes.commands.report import draw
from tracking_nodes.commands.run import benchmark
from tracking_nodes.errors import SettingError


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'compare', compare, "run trackers beside OpenCV's and print one table",
        "Like run, with OpenCV's trackers through the same harness, and a report at the end. "
        'Nano and ViT need their models in the folder peers of the weights directory '
        '(--models or TRACKING_MODELS); what is missing is skipped by name.')
    command.add_argument('--tracker', action='append', default=[], metavar='NAME[:LABEL]',
                         help='tracker to compare, as in run; repeatable')
    command.add_argument('--peer', action='append', metavar='NAME', help='only this one of '
                         'csrt, kcf, mil, nano and vit; repeatable (default: all)')
    shared.add_run_options(command)


def compare(options):
    """Run trackers and peers, print their table and write the report."""
    from tracking_nodes.evaluation.contender import Contender, parse_contenders
    from tracking_nodes.evaluation.peers import PEERS

    runtime = shared.runtime(options)
    contenders = parse_contenders(options.tracker, options.set, runtime)
    for name in options.peer or PEERS:
        if name not in PEERS:
            raise SettingError(f'no peer {name!r}; known: {", ".join(PEERS)}')
        missing = PEERS[name].missing(runtime)
        if missing:
            sys.stderr.write(f'{name} skipped: {missing}\n')
        else:
            contenders.append(Contender(name, name, {}, runtime))
    benchmark(contenders, options)
    draw(options.out, shared.open_all(options))
