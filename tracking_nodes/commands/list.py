"""`tracking_benchmark list`: what can be run."""
from tracking_nodes.commands.options import add_command


def add(commands):
    """Add the subcommand."""
    command = add_command(commands, 'list', show, 'name the trackers, or the settings of one')
    command.add_argument('tracker', nargs='?', help='list the settings of this tracker')


def show(options):
    """Print trackers, or the settings of one."""
    if options.tracker:
        _show_settings(options.tracker)
    else:
        _show_trackers()


def _show_settings(tracker):
    from tracking_nodes.parameters import specs
    from tracking_nodes.trackers import registry

    for spec in specs(registry.tracker_class(tracker).settings_class):
        limits = ', '.join(str(choice) for choice in spec.choices) or (
            f'{spec.minimum} .. {spec.maximum}'
            if (spec.minimum, spec.maximum) != (None, None) else spec.type.__name__)
        print(f'{spec.name} = {spec.default}  [{limits}]\n    {spec.help}'
              + (f' ({spec.source})' if spec.source else ''))


def _show_trackers():
    from tracking_nodes.evaluation.peers import PEERS
    from tracking_nodes.trackers import registry
    from tracking_nodes.trackers.base import Runtime

    for name in registry.names():
        print(f'{name:8} {registry.summary(name)}')
    for name, peer in PEERS.items():
        missing = peer.missing(Runtime())
        print(f'{name:8} OpenCV: {peer.__doc__}' + (f' Not here: {missing}' if missing else ''))
