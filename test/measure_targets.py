"""
Say what each further target of a node costs its trackers, with and without passes in common.

    OMP_NUM_THREADS=1 python test/measure_targets.py --tracker edcf --targets 1 2 4

Targets lie around the one of a synthetic clip of 640x480. Times are processor time of a frame, so
that other work on the machine counts little: of looking (the frozen network), and of all the rest,
locating and learning inline. Decoding and publishing are not in it: `measure_node.py` has them.
"""
import argparse
import resource
import time

import numpy as np

from tracking_nodes.evaluation.contender import parse_contenders
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.trackers.together import look_together

# Of the starts, in sides of the target.
SHIFTS = np.array([(0, 0), (0.1, 0), (0, 0.1), (-0.1, 0), (0, -0.1), (0.1, 0.1), (-0.1, -0.1),
                   (0.1, -0.1)])


def measure(trackers, clip, together):
    """
    Return the median milliseconds of processor time of looking and of the rest, per frame.

    :param trackers: as many as there are targets.
    :param clip: a `Sequence`.
    :param together: whether they look in one pass.
    """
    images, box = list(clip.images()), clip.boxes[0]
    for tracker, shift in zip(trackers, SHIFTS):
        tracker.start(images[0], box + np.concatenate([shift, [0, 0]]) * np.tile(box[2:], 2))
    looking, rest = [], []
    for image in images[1:]:
        begin = time.process_time()
        if together:
            look_together(trackers, image)
        else:
            for tracker in trackers:
                looker, sent = tracker.looker, tracker.sent(image)
                tracker.expect(image, sent)
                looker.foresee(sent, looker.see(looker.views(sent)))
        middle = time.process_time()
        for tracker in trackers:
            tracker.locate(image)
            tracker.learn()
        looking.append(middle - begin)
        rest.append(time.process_time() - middle)
    return 1e3 * np.median(looking), 1e3 * np.median(rest)


def main():
    """Print one row for each number of targets."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--tracker', required=True)
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE')
    parser.add_argument('--targets', type=int, nargs='+', default=[1, 2, 4])
    parser.add_argument('--frames', type=int, default=12)
    options = parser.parse_args()
    contender, = parse_contenders([options.tracker], options.set, Runtime(device='cpu'))
    clip, trackers = SyntheticSequence(options.frames, scale=2), []
    head = (options.tracker, 'looking alone ms', 'in one pass', 'locate and learn', 'frame',
            'memory MB')
    print(f'| {" | ".join(head)} |\n' + '|---' * len(head) + '|')
    for count in options.targets:
        trackers += [contender.create() for _ in range(count - len(trackers))]
        alone, _ = measure(trackers[:count], clip, False)
        together, rest = measure(trackers[:count], clip, True)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f'| {count} | {alone:.1f} | {together if count > 1 else alone:.1f} | {rest:.1f} | '
              f'{rest + (together if count > 1 else alone):.1f} | {memory:.0f} |', flush=True)


if __name__ == '__main__':
    main()
