"""`tracking_benchmark`: run, compare and report trackers on bags and sequences, without ROS."""
import argparse
import logging
import sys

from tracking_nodes.errors import TrackingError


def main(arguments=None):
    """Run one subcommand and return its exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    try:
        options.command(options)
    except TrackingError as error:
        sys.stderr.write(f'tracking_benchmark: {error}\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write('\ntracking_benchmark: interrupted; what is done is kept, and the same '
                         'command goes on from there\n')
        return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog='tracking_benchmark', description=__doc__,
        epilog='tracking_benchmark COMMAND --help says more of each command.')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    run = commands.add_parser(
        'run', help='run trackers over sequences or bags',
        description='Run trackers over sequences or bags, one pass without reset. Run again to '
                    'go on where it was interrupted.')
    run.set_defaults(command=_run)
    run.add_argument('--tracker', action='append', required=True, metavar='NAME[:LABEL]',
                     help='tracker to run, under another name if a label is given; repeatable')
    _add_run_options(run)
    return parser


def _add_run_options(parser):
    parser.add_argument('--out', required=True, metavar='DIR', help='results folder')
    parser.add_argument('--set', action='append', default=[], metavar='[LABEL.]KEY=VALUE',
                        help='setting of all trackers, or of one; repeatable')
    parser.add_argument('--seed', type=int, default=0,
                        help='seed of every random draw (default: %(default)s)')
    parser.add_argument('--device', default='auto',
                        help='auto, cpu or cuda:N (default: %(default)s)')
    parser.add_argument('--half', action='store_true', help='float16 features on a GPU')
    parser.add_argument('--models', default='', metavar='DIR', help='directory of weights')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='sequences to run side by side (default: %(default)s)')
    parser.add_argument('--variant', default='visible',
                        help='reading of success and precision: visible, otb, pysot, pytracking '
                             'or got10k (default: %(default)s)')
    parser.add_argument('--overwrite', action='store_true',
                        help='delete what DIR holds of these trackers first')
    _add_sequences(parser)


def _add_sequences(parser):
    parser.add_argument('sequences', nargs='+', metavar='SEQUENCE_OR_BAG',
                        help='sequence folder, folder of sequences, video or bag')
    parser.add_argument('--image-topic', metavar='TOPIC', help='image topic of bags')
    parser.add_argument('--ground-truth-topic', metavar='TOPIC',
                        help='Detection2DArray topic of bags')
    parser.add_argument('--ground-truth-file', metavar='FILE', help='x,y,w,h line per frame')


def _open(options):
    from tracking_nodes.sequences.catalog import open_sequences

    return [sequence for path in options.sequences
            for sequence in open_sequences(path, options.image_topic, options.ground_truth_topic,
                                           options.ground_truth_file)]


def _run(options):
    from tracking_nodes.evaluation.benchmark import run_benchmark
    from tracking_nodes.evaluation.contender import parse_contenders
    from tracking_nodes.evaluation.table import text_table
    from tracking_nodes.trackers.base import Runtime

    runtime = Runtime(options.device, options.half, options.seed, options.models)
    contenders = parse_contenders(options.tracker, options.set, runtime)
    scores = run_benchmark(contenders, _open(options), options.out, jobs=options.jobs,
                           variant=options.variant, overwrite=options.overwrite)
    print(text_table(scores))


if __name__ == '__main__':
    sys.exit(main())
