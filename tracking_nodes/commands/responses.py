"""`tracking_benchmark responses`: response maps of a tracker's configurations, side by side."""
from tracking_nodes.commands import options as shared
from tracking_nodes.errors import SettingError, TrackingError


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'responses', responses, 'draw response maps on the same search image',
        'Leads the configurations of a correlation tracker (rows of its ablation) to one frame of '
        'each sequence along the ground truth, and draws what each answers there.')
    command.add_argument('--tracker', default='edcf', help='tracker (default: %(default)s)')
    command.add_argument('--row', action='append', metavar='ROW',
                         help='row of the ablation; repeatable (default: SiamFC, EDSiam, EDCF)')
    command.add_argument('--frame', type=int, default=30, metavar='N',
                         help='frame to draw, the first is 0 (default: %(default)s)')
    command.add_argument('--out', required=True, metavar='FILE', help='.png, .svg or .pdf file')
    shared.add_tracker_options(command)
    shared.add_sequences(command)


def responses(options):
    """Write the figure."""
    from pathlib import Path

    from tracking_nodes.evaluation import results
    from tracking_nodes.evaluation.contender import parse_contenders
    from tracking_nodes.evaluation.response_figure import maps_on_frame, response_figure
    from tracking_nodes.trackers import registry

    cls = registry.tracker_class(options.tracker)
    if not hasattr(cls, 'search_view'):
        raise SettingError(f'{options.tracker} has no response map; edcf has')
    if Path(options.out).suffix not in ('.png', '.svg', '.pdf'):
        raise TrackingError(f'--out {options.out} is no .png, .svg or .pdf file')
    runtime = shared.runtime(options)
    base = parse_contenders([options.tracker], options.set, runtime)[0].values
    trackers = {}
    for row in options.row or ('SiamFC', 'EDSiam', 'EDCF'):
        if row not in cls.ablation:
            raise SettingError(f'{options.tracker} has no row {row!r}; known: '
                               f'{", ".join(cls.ablation)}')
        # Without what may be put around a tracker: the responses are its own.
        values = {**base, **cls.ablation[row], 'preset': 'paper', 'redetection': False}
        trackers[row] = registry.create(options.tracker, values, runtime)
    rows = {}
    for sequence in shared.open_all(options):
        found = {row: maps_on_frame(tracker, sequence, options.frame)
                 for row, tracker in trackers.items()}
        patch = next(iter(found.values()))[0]
        rows[sequence.name] = patch, {row: response for row, (_, response) in found.items()}
    with results.in_one_step(options.out) as partial:
        response_figure(rows).savefig(partial, format=Path(options.out).suffix[1:] or 'png',
                                      dpi=150)
    print(options.out)
