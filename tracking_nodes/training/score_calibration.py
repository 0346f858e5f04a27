"""
Turn a tracker's response into a score: `python -m tracking_nodes.training.score_calibration ...`.

Follows the targets of annotated sequences, and fits by logistic regression the probability that
the box overlaps the target by half or more, against a box that has all but lost it (overlap below
0.2), given the response's height. Prints the two settings of EDCF that hold the result.
"""
import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.measures.failure import failure_auc, HELD, LOST
from tracking_nodes.geometry import iou
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.trackers.edcf import Edcf, EdcfSettings
from tracking_nodes.training.loop import run_program


def main(arguments=None):
    """Run the command line; `arguments` are those of the process where None."""
    parser = argparse.ArgumentParser(
        prog='python -m tracking_nodes.training.score_calibration',
        description="Calibrate EDCF's score on annotated sequences.")
    parser.add_argument('sequences', type=Path, nargs='+', metavar='PATH',
                        help='annotated sequences, videos, bags or folders of them')
    parser.add_argument('--every', type=int, default=1, metavar='N',
                        help='take every N-th sequence only (default: %(default)s)')
    parser.add_argument('--frames', type=int, default=200,
                        help='of a sequence that are followed (default: %(default)s)')
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE',
                        help='setting of the tracker; repeatable')
    options = parser.parse_args(arguments)
    settings = EdcfSettings.parse(dict(row.split('=', 1) for row in options.set))
    sequences = [sequence for path in options.sequences for sequence in open_sequences(path)]
    heights, overlaps = observe(Edcf(settings, Runtime('cpu')), sequences[::options.every],
                                options.frames)
    middle, slope = fit(heights, overlaps)
    print(f'score_middle = {middle:.3f}, score_slope = {slope:.1f}; area under the ROC curve '
          f'{failure_auc(heights, overlaps):.3f}, {(overlaps >= HELD).sum()} good and '
          f'{(overlaps < LOST).sum()} lost frames')


def observe(tracker, sequences, frames):
    """
    Return the response's height and the overlap of every frame that has ground truth.

    :param tracker: an `Edcf`.
    :param sequences: list of `Sequence`; those without ground truth in frame 0 are left out.
    :param frames: of each that are followed.
    :return: heights (N,) and overlaps (N,).
    """
    heights, overlaps = [], []
    for sequence in tqdm(sequences, unit='sequence'):
        if not np.isfinite(sequence.boxes[0]).all():
            continue
        for index, image in enumerate(sequence.images()):
            if index == frames:
                break
            if index == 0:
                tracker.start(image, sequence.boxes[0])
                continue
            box = tracker.locate(image).box
            tracker.learn()
            if np.isfinite(sequence.boxes[index]).all():
                heights.append(tracker.height)
                overlaps.append(float(iou(box, sequence.boxes[index])))
    return np.array(heights), np.array(overlaps)


def fit(heights, overlaps):
    """
    Return (middle, slope) of the logistic function of height that fits best.

    Both kinds of frame weigh the same, so that 0.5 is where they are equally likely.

    :raises SequenceError: there are no good or no lost frames.
    """
    good, lost = heights[overlaps >= HELD], heights[overlaps < LOST]
    if not len(good) or not len(lost):
        raise SequenceError(f'{len(good)} good and {len(lost)} lost frames: both are needed; give '
                            'harder or more sequences')
    values = torch.from_numpy(np.concatenate([good, lost]))
    signs = torch.cat([torch.ones(len(good)), -torch.ones(len(lost))]).double()
    weights = torch.cat([torch.full((len(part),), 0.5 / len(part)) for part in (good, lost)])
    numbers = torch.tensor([float(values.mean()), 5.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([numbers], max_iter=200, line_search_fn='strong_wolfe')

    def loss():
        optimiser.zero_grad()
        costs = torch.nn.functional.softplus(-signs * numbers[1] * (values - numbers[0]))
        total = (weights.double() * costs).sum()
        total.backward()
        return total

    optimiser.step(loss)
    return tuple(numbers.detach().tolist())


if __name__ == '__main__':
    run_program(main)
