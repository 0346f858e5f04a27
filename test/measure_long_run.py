"""
Say whether a tracker grows slower or larger on a long sequence.

    python test/measure_long_run.py --tracker cstnet --set backbone=vggm --frames 3000 VIDEO

Runs locate and learn over a sequence and prints, for every stretch of frames, the median time of
a frame and the memory of the process at its end. A target that is lost or absent is searched on.
"""
import argparse
from itertools import islice
import os
from pathlib import Path
import time

import numpy as np
import torch

from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.trackers.registry import create, names


def resident_megabytes():
    """Return the memory of this process that is in RAM."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def stretches(tracker, sequence, frames, length):
    """Yield (last frame, median seconds of a frame, its 99th percentile, megabytes)."""
    seconds = []
    images = islice(sequence.images(), frames)
    tracker.start(next(images), sequence.boxes[0])
    for index, image in enumerate(images, start=1):
        begin = time.perf_counter()
        tracker.locate(image)
        tracker.learn()
        seconds.append(time.perf_counter() - begin)
        if index % length == 0 or index == frames - 1:
            yield index, np.median(seconds), np.percentile(seconds, 99), resident_megabytes()
            seconds = []


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('sequence', metavar='SEQUENCE')
    parser.add_argument('--tracker', choices=names(), required=True)
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE')
    parser.add_argument('--frames', type=int, default=3000)
    parser.add_argument('--stretch', type=int, default=250, help='frames of a row of the table')
    parser.add_argument('--threads', type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sequence, = open_sequences(options.sequence)
    tracker = create(options.tracker, dict(row.split('=', 1) for row in options.set),
                     Runtime('cpu'))
    print('| up to frame | ms a frame, median | 99 % | MB |\n|---|---|---|---|')
    for index, middle, slow, megabytes in stretches(tracker, sequence, options.frames,
                                                    options.stretch):
        print(f'| {index} | {1e3 * middle:.1f} | {1e3 * slow:.1f} | {megabytes:.0f} |', flush=True)


if __name__ == '__main__':
    main()
