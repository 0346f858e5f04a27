"""
Compare learning in the background with learning inline where the camera does not wait.

    python test/measure_background.py --profile two_cores_x86 --tracker rman --frames 120 \
      --set backbone=resnet18 --seeds 2 SEQUENCE...

What a stage takes comes from the profile, which holds rows of both ways of learning, so the
answers do not depend on this machine. With --given the start takes no time: a node carries a
target through the images that it kept meanwhile, and short clips would be over before the start.
Prints one row for each way and seed, and the mean and deviation over the seeds: AUC, share of the
frames that were answered, age of the answers, and how many updates there were and were skipped. A
trial of the protocol on its own: the one-pass evaluation beside it, which `tracking_benchmark run
--protocol latency:...` has too, is left out.
"""
import argparse
from dataclasses import replace

import numpy as np

from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.contender import parse_contenders
from tracking_nodes.evaluation.latency_profile import Duration
from tracking_nodes.evaluation.metrics import score
from tracking_nodes.evaluation.run import SKIPPED
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.excerpt import Excerpt
from tracking_nodes.trackers.base import LEARNING, Runtime

HEAD = ('learning', 'seed', 'AUC', 'answered', 'age ms', 'updates', 'skipped')


def measure(contender, sequences, protocol):
    """Return AUC, share answered, age in ms, updates and skipped ones over the sequences."""
    tracker, rows = contender.create(), []
    for sequence in sequences:
        run = protocol.run(tracker, sequence, protocol.trials(sequence)[0])
        auc = score(run.boxes, sequence.boxes, run.seconds, run.image_size).values['auc']
        progress = tracker.progress
        rows.append((auc, (run.events != SKIPPED).mean(), 1e3 * np.nanmean(run.ages),
                     progress.updates, progress.skipped))
        print(f'  {contender.runtime.learning} {contender.runtime.seed} {sequence.name}: '
              f'AUC {auc:.3f}', flush=True)
    rows = np.array(rows)
    return [*rows[:, :3].mean(axis=0), *rows[:, 3:].sum(axis=0)]


def without_start(profile):
    """Return the profile with starts that take no time."""
    return replace(profile, rows=tuple(
        replace(row, stages={**row.stages, 'start': Duration(0.0)}) for row in profile.rows))


def main():
    """Run both ways of learning and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('sequences', nargs='+')
    parser.add_argument('--tracker', required=True)
    parser.add_argument('--profile', required=True)
    parser.add_argument('--frames', type=int, default=120)
    parser.add_argument('--given', action='store_true', help='the start takes no time')
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE')
    options = parser.parse_args()
    sequences = [Excerpt(one, options.frames) for path in options.sequences
                 for one in open_sequences(path)]
    protocol = protocols.get(f'latency:{options.profile}')
    if options.given:
        protocol = replace(protocol, profile=without_start(protocol.profile))
    contender, = parse_contenders([options.tracker], options.set, Runtime(device='cpu'))
    lines = [f'| {" | ".join(HEAD)} |', '|---' * len(HEAD) + '|']
    for learning in LEARNING:
        rows = []
        for seed in range(options.seeds):
            runtime = replace(contender.runtime, learning=learning, seed=seed)
            rows.append(measure(replace(contender, runtime=runtime), sequences, protocol))
            lines.append(_line(learning, str(seed), rows[-1]))
        mean, deviation = np.mean(rows, axis=0), np.std(rows, axis=0)
        lines.append(_line(learning, 'all', mean, f' ± {deviation[0]:.3f}'))
    print('\n'.join(lines))


def _line(learning, seed, row, spread=''):
    auc, answered, age, updates, skipped = row
    return (f'| {learning} | {seed} | {auc:.3f}{spread} | {answered:.3f} | {age:.1f} | '
            f'{updates:.0f} | {skipped:.0f} |')


if __name__ == '__main__':
    main()
