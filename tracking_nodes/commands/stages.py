"""`tracking_benchmark stages`: where the time of a frame goes."""
from tracking_nodes.commands import options as shared


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'stages', stages, 'say where the time of a frame goes, stage by stage',
        'Runs trackers over the first frames of the sequences and prints a table: milliseconds '
        'per frame of each stage, learning spread over all frames. Run it with nothing else '
        'going on; ratios within one table are what holds elsewhere.')
    command.add_argument('--tracker', action='append', required=True, metavar='NAME[:LABEL]',
                         help='tracker of the package; repeatable')
    command.add_argument('--frames', type=int, default=40, metavar='N',
                         help='frames of each sequence (default: %(default)s)')
    shared.add_tracker_options(command)
    shared.add_sequences(command)


def stages(options):
    """Measure and print the table."""
    from tracking_nodes.evaluation.contender import parse_contenders
    from tracking_nodes.evaluation.stage_times import measure_stages, stages_table

    shared.check_frames(options)
    sequences = shared.open_all(options)
    contenders = parse_contenders(options.tracker, options.set, shared.runtime(options))
    print(stages_table({contender.label: measure_stages(contender, sequences, options.frames)
                        for contender in contenders}))
