"""`tracking_benchmark failures`: where trackers fall behind the best peer, in pictures."""
import sys

from tracking_nodes.commands import options as shared
from tracking_nodes.errors import SettingError


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'failures', failures, 'show where trackers fall behind the best peer',
        'For each sequence on which a tracker of a results folder has a success AUC more than '
        '--margin below that of the best peer in the same folder: finds the frame where it goes '
        'wrong and draws a strip of pictures around it, with ground truth (white), tracker and '
        'peer, overlap and score. A tracker is lost from the last frame with IoU >= 0.5 before '
        'ten frames in a row with IoU < 0.2; otherwise it drifts, from the frame where the '
        'difference to the peer begins to stay. Writes DIR/failures/failures.md, a strip per '
        'failure, and notes.yaml, where cause and remedy are yours to write; later runs keep '
        'them and show them in the table.')
    command.add_argument('results', metavar='DIR', help='results folder of compare')
    command.add_argument('--tracker', action='append', metavar='LABEL',
                         help='only this tracker; repeatable (default: all but the peers)')
    command.add_argument('--peer', action='append', metavar='LABEL',
                         help="measure against this one; repeatable (default: OpenCV's trackers)")
    command.add_argument('--margin', type=float, default=0.05, metavar='AUC',
                         help='how far below the best peer counts (default: %(default)s)')
    command.add_argument('--step', type=int, default=5, metavar='N',
                         help='frames between the pictures of a strip (default: %(default)s)')
    shared.add_sequences(command)
    shared.add_excerpt(command)


def failures(options):
    """Write strips, index and notes, and print the table."""
    from pathlib import Path

    from tracking_nodes.evaluation.failure_notes import write_failures
    from tracking_nodes.evaluation.failures import find_failures

    if not 0 <= options.margin < 1 or options.step < 1:
        raise SettingError(f'--margin {options.margin} --step {options.step}: give a margin of 0 '
                           'or more and below 1, and a step of 1 frame or more')
    stored, peers = _stored(options)
    sequences = {sequence.name: sequence for sequence in shared.open_parts(options)}
    found = find_failures(stored, peers, options.margin)
    for name in sorted({failure.sequence for failure in found} - set(sequences)):
        sys.stderr.write(f'{name}: no strip, it is not among the sequences given\n')
    path = write_failures(Path(options.results) / 'failures', found, sequences, stored,
                          options.step)
    for failure in found:
        print(f'{failure.sequence}: {failure.tracker} {failure.auc:.3f}, {failure.peer} '
              f'{failure.peer_auc:.3f}; {failure.kind} from frame {failure.frame}')
    print(path)


def _stored(options):
    """
    Return {label: {sequence: `Result`}} of the trackers and peers asked for, and the peers.

    :raises SettingError: a label has no results, or there is no tracker or no peer.
    """
    from tracking_nodes.evaluation.peers import PEERS
    from tracking_nodes.evaluation.results import StoredResults

    stored = {label: {name: trials[''] for name, trials in rows.items()}
              for label, rows in StoredResults(options.results).items()}
    for label in [*(options.tracker or ()), *(options.peer or ())]:
        if label not in stored:
            raise SettingError(f'{options.results} has no one-pass results of {label!r}; it has '
                               f'{", ".join(stored) or "none"}')
    peers = options.peer or [
        label for label, rows in stored.items()
        if any(one.record.get('made_by', {}).get('tracker') in PEERS for one in rows.values())]
    trackers = [label for label in options.tracker or stored if label not in peers]
    if not peers or not trackers:
        raise SettingError(f'{options.results} has the trackers {", ".join(trackers) or "none"} '
                           f'and the peers {", ".join(peers) or "none"}; run compare into it, or '
                           'name peers with --peer')
    return {label: stored[label] for label in [*trackers, *peers]}, peers
