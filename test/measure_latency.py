"""
Compare the virtual clock of latency-aware evaluation with a camera that is really waited for.

    python test/measure_latency.py --tracker nano /path/to/sequence

Both ways must agree up to how evenly the machine computes and, where a bag or a folder holds
encoded images, up to the time of decoding, which only the real camera counts.
"""
import argparse

import numpy as np

from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.contender import parse_contenders
from tracking_nodes.evaluation.metrics import score
from tracking_nodes.evaluation.run import SKIPPED
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.trackers.base import Runtime


def main():
    """Print both for every tracker and sequence."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--tracker', action='append', required=True)
    parser.add_argument('sequences', nargs='+')
    options = parser.parse_args()
    for contender in parse_contenders(options.tracker, [], Runtime()):
        tracker = contender.create()
        tracker.warm_up()
        for sequence in [one for path in options.sequences for one in open_sequences(path)]:
            words = []
            for name in ('latency', 'latency:wall'):
                protocol = protocols.get(name)
                run = protocol.run(tracker, sequence, protocol.trials(sequence)[0])
                auc = score(run.boxes, sequence.boxes, run.seconds, run.image_size).values['auc']
                words.append(f'{name} AUC {auc:.3f}, mean age {1e3 * np.nanmean(run.ages):.1f} '
                             f'ms, answered {(run.events != SKIPPED).sum()}')
            print(f'{contender.label} {sequence.name}: {"; ".join(words)}')


if __name__ == '__main__':
    main()
