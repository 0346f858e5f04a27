"""`tracking_benchmark bench`: how fast every tracker is on this machine."""
from tracking_nodes.commands import options as shared, run


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'bench', bench, 'measure how fast the trackers are here, in one table',
        'Runs every tracker in a process of its own over one sequence and tells the latency of a '
        'frame, learning included, the memory, the stages, and the least time that the same '
        'arithmetic takes on this device. Writes bench.md and bench.json. Run it with nothing '
        'else going on; what holds elsewhere is the ratios within one table.')
    command.add_argument('--tracker', action='append', default=[], metavar='NAME[:LABEL]',
                         help='tracker of the package, or all (default); repeatable')
    run.add_peers(command)
    command.add_argument('--frames', type=int, default=120, metavar='N',
                         help='frames (default: %(default)s)')
    command.add_argument('--crop-frames', type=int, default=0, metavar='N',
                         help='frames of the same trackers with features of every candidate '
                              'computed alone, as in the papers; seconds each (default: '
                              '%(default)s, which leaves them out)')
    command.add_argument('--background', action='store_true',
                         help='measure those that learn a second time, with --learning background')
    command.add_argument('--rate', type=float, default=0.0, metavar='HZ',
                         help='frames come at this rate, as from a camera (default: as fast as '
                              'they are answered)')
    command.add_argument('--threads', type=int, default=0, metavar='N',
                         help='of PyTorch and OpenCV (default: one for each core)')
    command.add_argument('--out', metavar='DIR', required=True, help='folder of the two files')
    command.add_argument('--sequence', metavar='SEQUENCE_OR_BAG',
                         help='what is tracked (default: a synthetic clip of 640x480)')
    shared.add_tracker_options(command)


def bench(options):
    """Measure, print the table and write the files."""
    import os
    from pathlib import Path
    import sys

    from tqdm import tqdm

    from tracking_nodes.errors import SettingError
    from tracking_nodes.evaluation.bench import as_json, measure_apart, table
    from tracking_nodes.evaluation.surroundings import surroundings
    from tracking_nodes.evaluation.results import write_json, write_text

    shared.check_frames(options)
    if options.crop_frames == 1 or min(options.crop_frames, options.rate, options.threads) < 0:
        raise SettingError(f'--crop-frames {options.crop_frames} --rate {options.rate:g} '
                           f'--threads {options.threads}: none is negative, and one frame is only '
                           'started on')
    threads = options.threads or os.cpu_count() or 1
    sequence = _sequence(options)
    speeds = []
    for contender, frames in tqdm(_rows(options), desc='trackers', unit='tracker'):
        speeds.append(measure_apart(contender, sequence, frames, options.rate, threads))
        # Not through the bar's stream: the table is read again below.
        tqdm.write(f'{speeds[-1].label}: {speeds[-1].fps:.1f} frames per second', sys.stderr)
    folder = Path(options.out)
    write_json(folder / 'bench.json', {
        'sequence': sequence.name, 'rate': options.rate, 'threads': threads,
        'surroundings': surroundings(), 'trackers': as_json(speeds)})
    write_text(folder / 'bench.md', table(speeds) + '\n')
    print(table(speeds))


def _sequence(options):
    """Return the `Sequence` that is tracked."""
    from tracking_nodes.errors import SettingError
    from tracking_nodes.sequences.catalog import open_sequences
    from tracking_nodes.sequences.synthetic import SyntheticSequence

    if options.sequence is None:
        return SyntheticSequence(options.frames, scale=2)
    found = open_sequences(options.sequence)
    if len(found) != 1:
        raise SettingError(f'--sequence {options.sequence} holds {len(found)} sequences; give '
                           'one of them')
    return found[0]


def _rows(options):
    """Return pairs of a `Contender` and its number of frames."""
    from dataclasses import replace
    import sys

    from tracking_nodes.evaluation.contender import ALL, parse_contenders, peer_contenders
    from tracking_nodes.trackers import registry

    runtime = shared.runtime(options)
    own = parse_contenders(options.tracker or [ALL], options.set, runtime)
    peers, missing = peer_contenders(options.peer, runtime)
    for name, words in missing.items():
        sys.stderr.write(f'{name} skipped: {words}\n')
    rows = [(one, options.frames) for one in own]
    if options.background:
        rows += [(replace(one, label=f'{one.label} background',
                          runtime=replace(runtime, learning='background')), options.frames)
                 for one in own if registry.learns(one.tracker, one.values)]
    if options.crop_frames:
        rows += [(replace(one, label=f'{one.label} crop',
                          values={**one.values, 'feature_path': 'crop'}), options.crop_frames)
                 for one in own if _has_setting(one.tracker, 'feature_path')]
    return rows + [(one, options.frames) for one in peers]


def _has_setting(tracker, name):
    from tracking_nodes.parameters import specs
    from tracking_nodes.trackers import registry

    return name in {spec.name for spec in specs(registry.tracker_class(tracker).settings_class)}
