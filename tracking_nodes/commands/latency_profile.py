"""`tracking_benchmark profile`: measure the latencies of this machine for `latency:PROFILE`."""
from tracking_nodes.commands import options as shared


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'profile', profile, "measure trackers' latencies here, for evaluation elsewhere",
        'Runs the trackers over the first frames of the sequences and writes mean and standard '
        'deviation of every stage to a YAML file. `run --protocol latency:FILE` then says on any '
        'machine what this one would score. Run it with nothing else going on.')
    command.add_argument('--tracker', action='append', required=True, metavar='NAME[:LABEL]',
                         help="tracker of the package or of OpenCV's; repeatable")
    command.add_argument('--out', required=True, metavar='FILE', help='the .yaml file to write')
    command.add_argument('--describe', required=True, metavar='TEXT',
                         help='the device in words: its name, power mode, threads')
    command.add_argument('--frames', type=int, default=100, metavar='N',
                         help='frames of each sequence (default: %(default)s)')
    command.add_argument('--camera-ms', type=float, default=0.0, metavar='MS',
                         help='from the stamp of an image to its arrival, to be measured apart '
                              '(default: %(default)s)')
    shared.add_tracker_options(command)
    shared.add_sequences(command)


def profile(options):
    """Measure, write the file and name it."""
    from pathlib import Path

    from tracking_nodes.errors import SettingError
    from tracking_nodes.evaluation.contender import parse_contenders
    from tracking_nodes.evaluation.latency_profile import Duration, Profile, write_profile
    from tracking_nodes.evaluation.stage_times import measure_row

    shared.check_frames(options)
    if not 0 <= options.camera_ms < float('inf'):
        raise SettingError(f'--camera-ms {options.camera_ms} is not a time of 0 ms or more')
    path = Path(options.out)
    if path.suffix != '.yaml':
        raise SettingError(f'--out {path}: a profile is a .yaml file')
    sequences = shared.open_all(options)
    contenders = parse_contenders(options.tracker, options.set, shared.runtime(options))
    rows = tuple(measure_row(contender, sequences, options.frames) for contender in contenders)
    write_profile(path, Profile(path.stem, options.describe, Duration(options.camera_ms), rows))
    for row in rows:
        print(f'{row.tracker}: ' + ', '.join(
            f'{stage} {duration.mean:.1f} ± {duration.std:.1f} ms'
            for stage, duration in row.stages.items()))
    print(path)
