"""What examples are drawn from, and the options of the commands that train on them."""
import argparse
from pathlib import Path

import torch

from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.stills import read_stills
from tracking_nodes.training.drawing import split
from tracking_nodes.training.loop import add_options


def parser_of(name, description, unit, *, count, batch, frames, epochs):
    """
    Return the parser of a training command with the options that all of them have.

    :param name: of its module.
    :param description: one sentence.
    :param unit: what its examples are called, such as 'pairs'; the option for their number, whose
        value is `options.examples`.
    :param count: examples of an epoch, unless said otherwise, as the following.
    :param batch: examples of a step.
    :param frames: frames kept in memory of one sequence.
    :param epochs: length of the training.
    """
    parser = argparse.ArgumentParser(
        prog=f'python -m tracking_nodes.training.{name}', description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--sequences', type=Path, nargs='*', default=[], metavar='PATH',
                        help='annotated sequences, videos, bags or folders of them')
    parser.add_argument('--stills', type=Path, metavar='DIR',
                        help='folder with masked/ and stills/ for synthetic clips')
    parser.add_argument('--synthetic', type=float, default=0.5,
                        help=f'share of {unit} from synthetic clips where both are given')
    parser.add_argument(f'--{unit}', dest='examples', type=int, default=count,
                        help=f'{unit} of an epoch')
    parser.add_argument('--batch', type=int, default=batch, help=f'{unit} of a step')
    parser.add_argument('--frames', type=int, default=frames,
                        help='frames kept in memory of one sequence')
    parser.add_argument('--workers', type=int, default=0, help=f'processes that make {unit}')
    add_options(parser, epochs)
    return parser


def parsed(parser, arguments):
    """Return the options; ends with a message where there is nothing to train on."""
    options = parser.parse_args(arguments)
    if not options.sequences and options.stills is None:
        parser.error('give --sequences, --stills or both')
    torch.set_num_threads(options.threads)
    return options


def sequences_of(options):
    """Return the sequences to train on, and those held out: lists of `Sequence`."""
    return split([one for path in options.sequences for one in open_sequences(path)])


def sources_of(options, sequences, from_sequences, from_stills):
    """
    Return what examples are drawn from, and how often each.

    :param options: of `parser_of`.
    :param sequences: list of `Sequence` to train on; may be empty.
    :param from_sequences: makes a source, an object with `draw(random)`, of such a list.
    :param from_stills: makes a source of `Stills`.
    :return: list of sources, list of shares, summing to 1.
    """
    sources, shares = [], []
    if sequences:
        sources.append(from_sequences(sequences))
        shares.append(1 - options.synthetic if options.stills else 1.0)
    if options.stills:
        sources.append(from_stills(read_stills(options.stills)))
        shares.append(1 - sum(shares))
    return sources, shares
