"""`tracking_benchmark list`: what can be run."""
from tracking_nodes.commands.options import add_command


def add(commands):
    """Add the subcommand."""
    command = add_command(commands, 'list', show,
                          'name trackers, datasets and protocols, or the settings of a tracker')
    command.add_argument('tracker', nargs='?', help='list the settings of this tracker')


def show(options):
    """Print what can be run, or the settings of one tracker."""
    if options.tracker:
        _show_settings(options.tracker)
    else:
        _show_trackers()
        _show_datasets()
        _show_protocols()


def _show_settings(tracker):
    from tracking_nodes.parameters import specs
    from tracking_nodes.trackers import registry

    for spec in specs(registry.tracker_class(tracker).settings_class):
        limits = ', '.join(str(choice) for choice in spec.choices) or (
            f'{spec.minimum} .. {spec.maximum}'
            if (spec.minimum, spec.maximum) != (None, None) else spec.kind.__name__)
        print(f'{spec.name} = {spec.default}  [{limits}]\n    {spec.meaning}'
              + (f' ({spec.source})' if spec.source else ''))


def _show_trackers():
    from tracking_nodes.evaluation.peers import PEERS
    from tracking_nodes.trackers import registry
    from tracking_nodes.trackers.base import Runtime

    print('Trackers (--tracker NAME, for OpenCV --peer NAME)')
    for name in registry.names():
        print(f'  {name:13} {registry.summary(name)}')
    for name, peer in PEERS.items():
        missing = peer.missing(Runtime())
        print(f'  {name:13} OpenCV: {peer.__doc__}' + (f' Not here: {missing}' if missing else ''))


def _show_datasets():
    from tracking_nodes.sequences.layouts import LAYOUTS
    from tracking_nodes.sequences.named_sets import NAMED_SETS

    print('\nDatasets (a folder of one of these layouts, or of several)')
    for layout in LAYOUTS:
        print(f'  {layout.name:13} {layout.summary}')
    print(f'  {"bag":13} rosbag2 (folder, .mcap, .db3), ROS 1 bag; images and Detection2DArray')
    print('\nPublished sets (SET:FOLDER, all of it or an error)')
    for name, named in NAMED_SETS.items():
        print(f'  {name:13} {named.summary}')


def _show_protocols():
    from tracking_nodes.evaluation import protocols

    print('\nProtocols')
    for name in protocols.names():
        print(f'  {name:13} {protocols.summary(name)}')
