"""The command `tracking_benchmark`: trackers on bags and sequences, without ROS."""
import argparse
import logging
import sys

from tracking_nodes.errors import TrackingError


def main(arguments=None):
    """Run one subcommand and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ['convert']:
        from tracking_nodes.sequences import convert

        return convert.main(arguments[1:])
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    try:
        return options.command(options) or 0
    except TrackingError as error:
        sys.stderr.write(f'tracking_benchmark: {error}\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write('\ntracking_benchmark: interrupted; what is done is kept, and the same '
                         'command goes on from there\n')
        return 130


def _parser():
    parser = argparse.ArgumentParser(
        prog='tracking_benchmark',
        description='Run single-object trackers on bags and sequences, score and show them.',
        epilog='tracking_benchmark COMMAND --help says more of a command.')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    command = _command(commands, 'list', _list, 'name the trackers, or the settings of one')
    command.add_argument('tracker', nargs='?', help='list the settings of this tracker')

    command = _command(
        commands, 'run', _run, 'run trackers over sequences or bags',
        'One pass over each sequence, started on its first ground truth and never reset. Writes '
        'DIR/summary.json and boxes, scores and times per frame. Run again to go on where it was '
        'interrupted.')
    command.add_argument('--tracker', action='append', required=True, metavar='NAME[:LABEL]',
                         help='tracker, under another name where a label is given; repeatable')
    _add_run_options(command)

    command = _command(
        commands, 'compare', _compare, "run trackers beside OpenCV's and print one table",
        "Like run, with OpenCV's trackers through the same harness, and a report at the end. "
        'Nano and ViT need their models in the folder peers of the weights directory '
        '(--models or TRACKING_MODELS); what is missing is skipped by name.')
    command.add_argument('--tracker', action='append', default=[], metavar='NAME[:LABEL]',
                         help='tracker to compare, as in run; repeatable')
    command.add_argument('--peer', action='append', metavar='NAME', help='only this one of '
                         'csrt, kcf, mil, nano and vit; repeatable (default: all)')
    _add_run_options(command)

    command = _command(
        commands, 'ablate', _ablate, "run the rows of a paper's ablation over several seeds",
        'Runs each row of the ablation that the tracker names, with as many seeds as asked for, '
        'and prints mean and standard deviation over the seeds.')
    command.add_argument('--tracker', required=True, metavar='NAME', help='tracker to ablate')
    command.add_argument('--seeds', type=int, default=3, metavar='N',
                         help='how many seeds, from --seed on (default: %(default)s)')
    command.add_argument('--row', action='append', default=[], metavar='ROW',
                         help='only this row; repeatable (default: all)')
    _add_run_options(command)

    command = _command(commands, 'report', _report, 'score a results folder again and draw it',
                       'Writes summary.json anew, success and precision plots and report.html. '
                       'Needs no videos.')
    command.add_argument('results', metavar='DIR', help='results folder of run or compare')
    _add_variant(command)

    command = _command(commands, 'video', _video, 'draw results on the frames, as MP4',
                       'Writes DIR/video/SEQUENCE.mp4 with ground truth and every tracker that '
                       'DIR holds.')
    command.add_argument('--results', required=True, metavar='DIR', help='results folder')
    command.add_argument('--tracker', action='append', metavar='LABEL',
                         help='only this tracker; repeatable (default: all)')
    _add_sequences(command)

    # Only to be listed: `main` hands its arguments on as they are.
    commands.add_parser('convert', help='write sequences as bags, as dataset_to_bag does')
    return parser


def _command(commands, name, function, summary, description=None):
    command = commands.add_parser(name, help=summary, description=description or
                                  f'{summary[0].upper()}{summary[1:]}.')
    command.set_defaults(command=function)
    return command


def _add_run_options(parser):
    parser.add_argument('--out', required=True, metavar='DIR', help='results folder')
    parser.add_argument('--set', action='append', default=[], metavar='[LABEL.]KEY=VALUE',
                        help='setting of all trackers, or of one; repeatable')
    parser.add_argument('--seed', type=int, default=0,
                        help='seed of every random draw (default: %(default)s)')
    parser.add_argument('--device', default='auto',
                        help='auto, cpu or cuda:N (default: %(default)s)')
    parser.add_argument('--half', action='store_true', help='float16 features on a GPU')
    parser.add_argument('--models', default='', metavar='DIR',
                        help='directory of weights (default: TRACKING_MODELS)')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='sequences to run side by side (default: %(default)s)')
    parser.add_argument('--overwrite', action='store_true',
                        help='delete what DIR holds of these trackers first')
    _add_variant(parser)
    _add_sequences(parser)


def _add_variant(parser):
    parser.add_argument('--variant', default='visible',
                        choices=('visible', 'otb', 'pysot', 'pytracking', 'got10k'),
                        help='whose reading of success and precision (default: %(default)s, '
                             'which leaves frames without ground truth out)')


def _add_sequences(parser):
    parser.add_argument('sequences', nargs='+', metavar='SEQUENCE_OR_BAG',
                        help='sequence folder, folder of sequences, video or bag')
    parser.add_argument('--image-topic', metavar='TOPIC', help='image topic of bags')
    parser.add_argument('--ground-truth-topic', metavar='TOPIC',
                        help='Detection2DArray topic of bags')
    parser.add_argument('--ground-truth-file', metavar='FILE',
                        help='ground truth of a bag or video that holds none')


def _list(options):
    from tracking_nodes.evaluation.peers import PEERS
    from tracking_nodes.parameters import specs
    from tracking_nodes.trackers import registry
    from tracking_nodes.trackers.base import Runtime

    if options.tracker:
        for spec in specs(registry.tracker_class(options.tracker).settings_class):
            limits = ', '.join(str(choice) for choice in spec.choices) or (
                f'{spec.minimum} .. {spec.maximum}'
                if (spec.minimum, spec.maximum) != (None, None) else spec.type.__name__)
            print(f'{spec.name} = {spec.default}  [{limits}]\n    {spec.help}'
                  + (f' ({spec.source})' if spec.source else ''))
        return
    for name in registry.names():
        print(f'{name:8} {registry.summary(name)}')
    for name, peer in PEERS.items():
        missing = peer.missing(Runtime())
        print(f'{name:8} OpenCV: {peer.__doc__}' + (f' Not here: {missing}' if missing else ''))


def _run(options):
    from tracking_nodes.evaluation.contender import parse_contenders

    _benchmark(parse_contenders(options.tracker, options.set, _runtime(options)), options)


def _compare(options):
    from tracking_nodes.errors import SettingError
    from tracking_nodes.evaluation.contender import Contender, parse_contenders
    from tracking_nodes.evaluation.peers import PEERS

    runtime = _runtime(options)
    contenders = parse_contenders(options.tracker, options.set, runtime)
    for name in options.peer or PEERS:
        if name not in PEERS:
            raise SettingError(f'no peer {name!r}; known: {", ".join(PEERS)}')
        missing = PEERS[name].missing(runtime)
        if missing:
            sys.stderr.write(f'{name} skipped: {missing}\n')
        else:
            contenders.append(Contender(name, name, {}, runtime))
    _benchmark(contenders, options)
    options.results = options.out
    _report(options)


def _ablate(options):
    from pathlib import Path

    from tracking_nodes.evaluation.ablation import ablation_contenders, ablation_table
    from tracking_nodes.evaluation.contender import parse_contenders

    [base] = parse_contenders([options.tracker], options.set, _runtime(options))
    rows = ablation_contenders(base.tracker, base.values, base.runtime, options.seeds,
                               options.row)
    scores = _benchmark([contender for row in rows.values() for contender in row], options)
    table = ablation_table(rows, scores)
    Path(options.out, 'ablation.md').write_text(table + '\n')
    print(table)


def _report(options):
    from tracking_nodes.evaluation import results
    from tracking_nodes.evaluation.benchmark import score_folder
    from tracking_nodes.evaluation.report import write_report

    results.write_summary(options.results, score_folder(options.results, options.variant),
                          options.variant)
    print(write_report(options.results))


def _video(options):
    from pathlib import Path

    from tracking_nodes.evaluation import results
    from tracking_nodes.evaluation.video import write_video

    stored = results.stored(options.results)
    for sequence in _open(options):
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


def _benchmark(contenders, options):
    from tqdm.contrib.logging import logging_redirect_tqdm

    from tracking_nodes.evaluation.benchmark import run_benchmark
    from tracking_nodes.evaluation.table import text_table

    with logging_redirect_tqdm():
        scores = run_benchmark(contenders, _open(options), options.out, jobs=options.jobs,
                               variant=options.variant, overwrite=options.overwrite)
    print(text_table(scores))
    return scores


def _runtime(options):
    from tracking_nodes.trackers.base import Runtime

    return Runtime(options.device, options.half, options.seed, options.models)


def _open(options):
    from tracking_nodes.sequences.catalog import open_sequences

    return [sequence for path in options.sequences
            for sequence in open_sequences(path, options.image_topic, options.ground_truth_topic,
                                           options.ground_truth_file)]


if __name__ == '__main__':
    sys.exit(main())
