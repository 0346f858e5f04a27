"""`tracking_benchmark video`: results drawn on the frames."""
from tracking_nodes.commands import options as shared
from tracking_nodes.errors import TrackingError


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'video', video, 'draw results on the frames, as MP4',
        'Writes DIR/video/SEQUENCE.mp4 with ground truth and every tracker that DIR holds; of '
        'another protocol than one-pass evaluation DIR/PROTOCOL/video/SEQUENCE.TRIAL.mp4.')
    command.add_argument('--results', required=True, metavar='DIR', help='results folder')
    command.add_argument('--tracker', action='append', metavar='LABEL',
                         help='only this tracker; repeatable (default: all)')
    command.add_argument('--protocol', default='ope', metavar='NAME[:OPTION]',
                         help='whose results (default: %(default)s)')
    command.add_argument('--trial', metavar='NAME',
                         help='which trial of a protocol that has several, as it stands behind '
                              "the sequence in the files' names (default: its first)")
    shared.add_sequences(command)
    shared.add_excerpt(command)


def video(options):
    """Write one video per sequence."""
    from pathlib import Path

    from tracking_nodes.evaluation import protocols, results
    from tracking_nodes.evaluation.video import write_video

    protocol = protocols.get(options.protocol)
    folder = Path(options.results) / protocol.folder
    stored = results.stored(folder)
    for sequence in shared.open_parts(options):
        name = results.file_name(sequence.name, _trial(protocol, sequence, options.trial))
        labels = [label for label in options.tracker or stored if name in stored.get(label, ())]
        if not labels:
            raise TrackingError(f'{folder} holds no results of {name}; it holds {stored}')
        path = folder / 'video' / f'{name}.mp4'
        write_video(path, sequence, {label: results.read_result(folder, label, name).run
                                     for label in labels})
        print(path)


def _trial(protocol, sequence, wanted):
    """
    Return the `Trial` that is asked for, or the first.

    :raises TrackingError: the protocol has no such trial of this sequence, or does not fit it.
    """
    reason = protocol.misfit(sequence)
    if reason:
        raise TrackingError(f'{protocol.name} does not fit {sequence.name}: {reason}')
    trials = {trial.name: trial for trial in protocol.trials(sequence)}
    if wanted is None:
        return next(iter(trials.values()))
    if wanted not in trials:
        raise TrackingError(f'{protocol.name} has no trial {wanted!r} of {sequence.name}; it has '
                            f'{", ".join(filter(None, trials)) or "one without a name"}')
    return trials[wanted]
