"""
Compare the virtual clock of latency-aware evaluation with a camera that is really waited for.

    python test/measure_latency.py --tracker nano /path/to/sequence

A thread hands out each image when its time has come on the machine's own clock, and the tracker
takes the newest, as a node does. Both ways must agree up to how evenly the machine computes.
"""
import argparse
import threading
import time

import numpy as np

from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.contender import parse_contenders
from tracking_nodes.evaluation.measures.latency import newest_outputs
from tracking_nodes.evaluation.metrics import score
from tracking_nodes.evaluation.ope import first_target
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.trackers.base import Runtime


def wait_for_camera(tracker, sequence):
    """Return paired boxes (N, 4), ages in seconds (N,) and the number of frames answered."""
    first, images = first_target(sequence), list(sequence.images())
    stamps, newest, arrived = sequence.stamps, [first], threading.Condition()
    began = time.monotonic_ns() - int(stamps[first])

    def send():
        for index in range(first + 1, len(stamps)):
            time.sleep(max(0, (int(stamps[index]) + began - time.monotonic_ns()) / 1e9))
            with arrived:
                newest[0] = index
                arrived.notify()

    camera = threading.Thread(target=send)
    outputs = [(stamps[first], stamps[first], sequence.boxes[first])]
    camera.start()
    tracker.start(images[first], sequence.boxes[first])
    seen = first
    while seen < len(stamps) - 1:
        with arrived:
            arrived.wait_for(lambda: newest[0] > seen)
            seen = newest[0]
        box = tracker.locate(images[seen]).box
        outputs.append((stamps[seen], time.monotonic_ns() - began, box))
        tracker.learn()
    camera.join()
    about, available, boxes = zip(*outputs)
    chosen = newest_outputs(stamps[first:], about, available)
    found = np.full((len(stamps), 4), np.nan)
    found[first:] = np.array(boxes)[chosen]
    return found, (stamps[first:] - np.array(about)[chosen]) / 1e9, len(outputs)


def main():
    """Print both for every tracker and sequence."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--tracker', action='append', required=True)
    parser.add_argument('sequences', nargs='+')
    options = parser.parse_args()
    protocol = protocols.get('latency')
    for contender in parse_contenders(options.tracker, [], Runtime()):
        tracker = contender.create()
        tracker.warm_up()
        for sequence in [one for path in options.sequences for one in open_sequences(path)]:
            run = protocol.run(tracker, sequence, protocol.trials(sequence)[0])
            boxes, ages, answered = wait_for_camera(tracker, sequence)
            virtual, real = (score(part, sequence.boxes, run.seconds, run.image_size).values['auc']
                             for part in (run.boxes, boxes))
            print(f'{contender.label} {sequence.name}: AUC virtual {virtual:.3f} real {real:.3f}, '
                  f'mean age {1e3 * np.nanmean(run.ages):.1f} / {1e3 * ages.mean():.1f} ms, '
                  f'answered {(run.seconds > 0).sum()} / {answered}')


if __name__ == '__main__':
    main()
