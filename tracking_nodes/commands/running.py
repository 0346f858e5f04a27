"""What run, compare and ablate share: their options, and running what these say."""
import sys

from tracking_nodes.commands import options as shared
from tracking_nodes.errors import BenchmarkError, SettingError


def add_options(parser):
    """Add what every command that runs trackers has: folder, protocols, division of work."""
    parser.add_argument('--out', required=True, metavar='DIR', help='results folder')
    parser.add_argument('--protocol', action='append', metavar='NAME[:OPTION]',
                        help='rules to run by, or all; repeatable; tracking_benchmark list names '
                             'them (default: ope)')
    parser.add_argument('--repetitions', type=int, metavar='N',
                        help='run a trial at most N times where the protocol wants more')
    parser.add_argument('--trials', type=int, metavar='N',
                        help='only the first N trials of each sequence under each protocol, for '
                             'a quick look: of the 20 starts of tre, the 12 of sre')
    parser.add_argument('--overwrite', action='store_true',
                        help='delete what DIR holds of these trackers and protocols first')
    add_division(parser)
    shared.add_tracker_options(parser)
    shared.add_variant(parser)
    shared.add_sequences(parser)
    shared.add_excerpt(parser)


def add_division(parser):
    """Add how the machine is divided between the runs."""
    parser = parser.add_argument_group(
        'side by side', 'The machine is divided between processes; docs/running.md says more.')
    parser.add_argument('--jobs', type=int, metavar='N',
                        help='runs at a time (default: 1, or as many as the GPUs take)')
    parser.add_argument('--threads', type=int, metavar='N',
                        help='CPU threads of each (default: the cores divided by the jobs)')
    parser.add_argument('--gpus', metavar='ID,ID,...',
                        help='GPUs to spread the jobs over, as CUDA_VISIBLE_DEVICES names them')
    parser.add_argument('--per-gpu', type=int, metavar='N',
                        help='jobs that share a GPU (default: 1)')
    parser.add_argument('--ray', metavar='ADDRESS',
                        help='run through the Ray cluster at HOST:PORT, ray://HOST:PORT or '
                             "'auto', or one started here with 'local'; package, sequences and "
                             'weights have to be at the same paths on its machines')


def run_all(contenders, options):
    """
    Run contenders as the options of `add_options` say, and print a table per protocol.

    :return: exit status, {protocol name: {label: `Scores`}} of all that the folder holds.
    """
    from tqdm.contrib.logging import logging_redirect_tqdm

    from tracking_nodes.evaluation.benchmark import run_benchmark, score_folder
    from tracking_nodes.evaluation.table import protocol_table, text_table

    protocols, status = protocols_of(options), 0
    if options.trials is not None and options.trials < 2:
        raise SettingError(f'--trials {options.trials}: latency-aware evaluation compares two; '
                           'give 2 or more')
    with logging_redirect_tqdm():
        try:
            scores = run_benchmark(
                contenders, shared.open_parts(options), options.out, protocols=protocols,
                executor=executor(options), variant=options.variant,
                overwrite=options.overwrite, repetitions=options.repetitions,
                trials=options.trials, excerpt=shared.excerpt(options))
        except BenchmarkError as error:
            sys.stderr.write(f'tracking_benchmark: {error}\n')
            status, scores = 1, error.scores
    for protocol in protocols:
        if not scores[protocol.name]:
            continue
        if len(protocols) > 1:
            print(f'\n{protocol.name}: {protocol.summary}')
        print(protocol_table(protocol, scores[protocol.name]) if protocol.folder else
              text_table(score_folder(options.out, options.variant)))
    if options.trials is not None or options.repetitions is not None:
        print('With --trials or --repetitions these need not be the scores of the whole protocol; '
              'tracking_benchmark report says what is missing')
    return status, scores


def protocols_of(options):
    """
    Return the `Protocol`s asked for, one-pass evaluation where none is.

    :raises SettingError: unknown name.
    """
    from tracking_nodes.evaluation import protocols

    names = [part for name in options.protocol or ['ope']
             for part in (protocols.names() if name == 'all' else [name])]
    return [protocols.get(name) for name in dict.fromkeys(names)]


def executor(options):
    """Return what performs the jobs, as the options of `add_division` say."""
    from tracking_nodes.evaluation.running.cluster import Cluster
    from tracking_nodes.evaluation.running.here import Here
    from tracking_nodes.evaluation.running.processes import Processes

    gpus = [gpu.strip() for gpu in (options.gpus or '').split(',') if gpu.strip()]
    if gpus and options.ray:
        raise SettingError('--gpus and --ray exclude each other: Ray chooses the GPUs; give '
                           '--per-gpu alone')
    if gpus and options.device not in ('auto', 'cuda'):
        raise SettingError(f'--gpus needs --device auto or cuda, not {options.device!r}: each '
                           'process sees only its own GPU')
    if options.per_gpu and not (gpus or options.ray):
        raise SettingError('--per-gpu divides the GPUs named by --gpus, or those of --ray')
    if options.ray:
        return Cluster(options.ray, options.jobs, options.threads or 1, options.per_gpu or 0)
    if gpus or options.threads or (options.jobs or 1) > 1:
        return Processes(options.jobs, options.threads, gpus, options.per_gpu or 1)
    return Here()
