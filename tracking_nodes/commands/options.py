"""Options that several subcommands share, and what they turn into."""


def add_command(commands, name, function, summary, description=None):
    """
    Add one subcommand.

    :param commands: what `argparse.ArgumentParser.add_subparsers` returned.
    :param name: the word on the command line.
    :param function: called with the parsed options; returns an exit status, or None for 0.
    :param summary: one line for the list of commands.
    :param description: for its own help; the summary where there is none.
    :return: the subcommand's parser.
    """
    command = commands.add_parser(name, help=summary, description=description or
                                  f'{summary[0].upper()}{summary[1:]}.')
    command.set_defaults(command=function)
    return command


def add_tracker_options(parser):
    """Add what decides how trackers compute: their settings, seed, device and weights."""
    parser.add_argument('--set', action='append', default=[], metavar='[LABEL.]KEY=VALUE',
                        help='setting of all trackers, or of one; repeatable')
    parser.add_argument('--seed', type=int, default=0,
                        help='seed of every random draw (default: %(default)s)')
    parser.add_argument('--device', default='auto',
                        help='auto, cpu or cuda:N (default: %(default)s)')
    parser.add_argument('--half', action='store_true', help='float16 features on a GPU')
    parser.add_argument('--graphs', action='store_true',
                        help='on a GPU, replay the passes of the networks and the steps '
                             'of learning as CUDA graphs')
    parser.add_argument('--learning', default='inline', metavar='MODE',
                        help='inline, or background: updates run beside the frames, so that '
                             'results depend on the machine (default: %(default)s)')
    parser.add_argument('--models', default='', metavar='DIR',
                        help='directory of weights (default: TRACKING_MODELS)')


def add_variant(parser):
    """Add the choice of a `metrics.Variant`."""
    parser.add_argument('--variant', default='visible',
                        choices=('visible', 'otb', 'pysot', 'pytracking', 'got10k'),
                        help='whose reading of success and precision (default: %(default)s, '
                             'which leaves frames without ground truth out)')


def add_sequences(parser, count='+'):
    """Add the sequences or bags, and the topics of bags."""
    parser.add_argument('sequences', nargs=count, metavar='SEQUENCE_OR_BAG',
                        help='sequence folder, folder of sequences, SET:FOLDER of a '
                             'published set ("list" names them), video or bag')
    add_topics(parser)


def add_excerpt(parser):
    """Add which part of the sequences of `add_sequences` is meant; `open_parts` returns it."""
    parser.add_argument('--frames', type=int, metavar='N',
                        help='only the first N frames of each sequence, for a quick look')
    parser.add_argument('--every', type=int, default=1, metavar='N',
                        help='only every Nth frame of each sequence, as from a slower camera')


def add_topics(parser):
    """Add the topics of bags, and the ground truth of those that hold none."""
    parser.add_argument('--image-topic', metavar='TOPIC', help='image topic of bags')
    parser.add_argument('--ground-truth-topic', metavar='TOPIC',
                        help='Detection2DArray topic of bags')
    parser.add_argument('--ground-truth-file', metavar='FILE',
                        help='ground truth of a bag or video that holds none')


def check_frames(options):
    """
    Refuse `--frames` that leave nothing to measure.

    :raises SettingError: less than two.
    """
    from tracking_nodes.errors import SettingError

    if options.frames < 2:
        raise SettingError(f'--frames {options.frames}: the first frame is only started on; give '
                           '2 or more')


def runtime(options):
    """Return the `Runtime` that the options of `add_tracker_options` name."""
    from tracking_nodes.trackers.base import Runtime

    return Runtime(options.device, options.half, options.seed, options.models,
                   options.learning, options.graphs)


def open_parts(options):
    """Return the `Sequence`s of `open_all`, or the part that `add_excerpt` asks for."""
    from tracking_nodes.sequences.excerpt import Excerpt

    sequences = open_all(options)
    if not excerpt(options):
        return sequences
    return [Excerpt(sequence, options.frames, options.every) for sequence in sequences]


def excerpt(options):
    """Return {option: number} of the options of `add_excerpt` that leave frames out."""
    asked = {'frames': options.frames, 'every': options.every if options.every != 1 else None}
    return {option: number for option, number in asked.items() if number is not None}


def open_all(options):
    """Return a list of the `Sequence`s that the options of `add_sequences` name."""
    from tracking_nodes.sequences.catalog import open_sequences

    return [sequence for path in options.sequences
            for sequence in open_sequences(path, options.image_topic, options.ground_truth_topic,
                                           options.ground_truth_file)]
