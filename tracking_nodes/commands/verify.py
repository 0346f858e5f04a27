"""`tracking_benchmark verify`: check a dataset folder before a long run."""
from tracking_nodes.commands.options import add_command


def add(commands):
    """Add the subcommand."""
    command = add_command(
        commands, 'verify', verify, 'check a dataset folder before a long run',
        'Reads every ground-truth file and decodes every image, compares their numbers and sizes '
        'and the boxes, and prints a line per finding with file and line. Ends with the hash of '
        'the dataset that reports name. Exit status 1 where there is an error.')
    command.add_argument('datasets', nargs='+', metavar='DATASET',
                         help='dataset folder, sequence, video or bag; SET:FOLDER for a '
                              'published set ("list" names them)')
    command.add_argument('--quick', action='store_true',
                         help='decode only the first, the middle and the last image of each')
    command.add_argument('--jobs', type=int, default=1, metavar='N',
                         help='sequences to check side by side (default: %(default)s)')


def verify(options):
    """Print what is found and the dataset's hash; return 1 where there is an error."""
    from functools import partial
    from itertools import chain

    from tqdm import tqdm

    from tracking_nodes.sequences.fingerprint import dataset_hash
    from tracking_nodes.sequences.verification import check_listing, check_sequence

    listed = [check_listing(path) for path in options.datasets]
    sequences = [sequence for found, _ in listed for sequence in found]
    counts = dict.fromkeys(('error', 'warning', 'note'), 0)
    with _mapping(options.jobs) as run:
        checked = run(partial(check_sequence, quick=options.quick), sequences)
        progress = tqdm(checked, total=len(sequences), unit='sequence', disable=None)
        for findings in chain((findings for _, findings in listed), progress):
            for finding in findings:
                counts[finding.severity] += 1
                tqdm.write(str(finding))
    print(f'sequences {len(sequences)}, errors {counts["error"]}, warnings {counts["warning"]}, '
          f'notes {counts["note"]}')
    if counts['error']:
        return 1
    print(f'frames {sum(map(len, sequences))}, dataset hash {dataset_hash(sequences)}')
    return 0


def _mapping(jobs):
    """Return a context manager of `map`, over several processes where more than one is asked."""
    from concurrent.futures import ProcessPoolExecutor
    from contextlib import contextmanager, nullcontext
    from multiprocessing import get_context

    if jobs <= 1:
        return nullcontext(map)

    @contextmanager
    def pool():
        # OpenCV's threads do not survive a fork.
        with ProcessPoolExecutor(jobs, get_context('spawn')) as executor:
            yield executor.map

    return pool()
