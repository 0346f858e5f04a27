"""`tracking_benchmark video`: results drawn on the frames."""
from tracking_nodes.commands import options as shared
from tracking_nodes.errors import TrackingError


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'video', video, 'draw results on the frames, as MP4',
        'Writes DIR/video/SEQUENCE.mp4 with ground truth and every tracker that DIR holds.')
    command.add_argument('--results', required=True, metavar='DIR', help='results folder')
    command.add_argument('--tracker', action='append', metavar='LABEL',
                         help='only this tracker; repeatable (default: all)')
    shared.add_sequences(command)


def video(options):
    """Write one video per sequence."""
    from pathlib import Path

    from tracking_nodes.evaluation import results
    from tracking_nodes.evaluation.video import write_video

    stored = results.stored(options.results)
    for sequence in shared.open_all(options):
        labels = [label for label in options.tracker or stored
                  if sequence.name in stored.get(label, ())]
        if not labels:
            raise TrackingError(f'{options.results} holds no results of {sequence.name}; it '
                                f'holds {stored}')
        path = Path(options.results) / 'video' / f'{sequence.name}.mp4'
        write_video(path, sequence, {
            label: results.read_result(options.results, label, sequence.name).run
            for label in labels})
        print(path)
