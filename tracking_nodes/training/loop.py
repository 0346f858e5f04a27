"""
What every training command shares: options, epochs, the log, the checkpoint, the finished file.

Beside FILE (.safetensors, half precision) lie FILE's `.jsonl` log, one line per epoch, and a
`.checkpoint.pt` from which `--resume` goes on to the same weights as an uninterrupted run.
"""
from abc import ABC, abstractmethod
import json
import math
import os
from pathlib import Path
import sys
import time

import numpy as np
import safetensors.torch
import torch
from tqdm import tqdm

from tracking_nodes.errors import TrackingError
from tracking_nodes.nn.weights import sha256

_WARM_UP_STEPS = 200


def add_options(parser, epochs):
    """Add the options of all training commands; `epochs` is the default length."""
    parser.add_argument('--out', type=Path, required=True, help='.safetensors file to write')
    parser.add_argument('--models', default='', help='folder with the weights of the teacher')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--epochs', type=int, default=epochs,
                        help='length of the learning-rate schedule (default: %(default)s)')
    parser.add_argument('--minutes', type=float, default=math.inf,
                        help='stop after the epoch in which this time is over; go on by --resume')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--resume', action='store_true', help='go on from the checkpoint')


def run_program(main):
    """
    Call a training command and end the process: status 1 and one line for what a user can repair.

    :param main: the command, which takes its arguments from the process.
    """
    try:
        main()
    except TrackingError as error:
        sys.exit(f'{Path(sys.argv[0]).stem}: {error}')


class Training(ABC):
    """A network, its optimiser and a generator of all draws; all that a checkpoint keeps."""

    def __init__(self, options, network, optimiser, examples, batch):
        """
        Begin, or take up the checkpoint where `options.resume` says so.

        :param options: of the command line, with those of `add_options`.
        :param network: the module in training.
        :param optimiser: of the network's parameters.
        :param examples: number of examples of an epoch.
        :param batch: number of examples of a step.
        """
        self.options, self.epoch = options, 0
        self.network, self.optimiser = network, optimiser
        self.examples, self.batch = examples, batch
        self.steps = max(1, examples // batch)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.log_file = options.out.with_suffix('.jsonl')
        self.checkpoint_file = options.out.with_suffix('.checkpoint.pt')
        options.out.parent.mkdir(parents=True, exist_ok=True)
        if options.resume:
            self._restore()
        else:
            self.log_file.unlink(missing_ok=True)

    @abstractmethod
    def losses(self, batch):
        """
        Return the terms of the loss by name; their sum is minimised.

        :param batch: what `batches` gives for one step.
        """

    def batches(self, order):
        """
        Return an iterable over what the steps of an epoch train on.

        :param order: (examples,) int64, a permutation of the examples' numbers.
        """
        return order[:self.steps * self.batch].split(self.batch)

    def before_step(self):
        """Change the gradients, such as cut their norm, before they are applied."""

    @abstractmethod
    def validate(self):
        """Return numbers by name for the epoch's line of the log."""

    @abstractmethod
    def finished(self):
        """Return the tensors to save, by name, and the file's metadata."""

    @abstractmethod
    def rate(self, done):
        """Return the learning rate when `done` of the schedule, in [0, 1), is over."""

    def run(self):
        """Train to the last epoch, or until the time of the options is over."""
        started = time.monotonic()
        while self.epoch < self.options.epochs:
            self.train_epoch()
            self.save()
            if time.monotonic() - started > 60 * self.options.minutes:
                break
        left = self.options.epochs - self.epoch
        print(f'{self.options.out}: sha256 {sha256(self.options.out)}' if left == 0 else
              f'{left} of {self.options.epochs} epochs left: run again with --resume')

    def train_epoch(self):
        """Go once over the examples, validate, and write one line of the log."""
        started, sums = time.monotonic(), []
        order = torch.randperm(self.examples, generator=self.generator)
        self.network.train()
        with tqdm(self.batches(order), desc=f'epoch {self.epoch + 1}', unit='batch',
                  total=self.steps) as bar:
            for step, batch in enumerate(bar):
                rate = self._set_rate(self.epoch * self.steps + step)
                terms = self.losses(batch)
                self.optimiser.zero_grad(set_to_none=True)
                sum(terms.values()).backward()
                self.before_step()
                self.optimiser.step()
                sums.append({name: term.item() for name, term in terms.items()})
                bar.set_postfix(loss=f'{sum(sums[-1].values()):.3f}')
        self.epoch += 1
        self.network.eval()
        means = {name: float(np.mean([row[name] for row in sums])) for name in sums[0]}
        line = {'epoch': self.epoch, 'loss': sum(means.values()), 'rate': rate,
                'seconds': round(time.monotonic() - started, 1),
                **(means if len(means) > 1 else {}), **self.validate()}
        with open(self.log_file, 'a', encoding='utf-8') as stream:
            stream.write(json.dumps(line) + '\n')

    def save(self):
        """Write the checkpoint and the weights as they are now, each in one step."""
        state = {'epoch': self.epoch, 'network': self.network.state_dict(),
                 'optimiser': self.optimiser.state_dict(),
                 'generator': self.generator.get_state()}
        _in_one_step(self.checkpoint_file, lambda path: torch.save(state, path))
        tensors, metadata = self.finished()
        tensors = {name: tensor.half().contiguous() for name, tensor in tensors.items()}
        metadata = {**metadata, 'epochs': str(self.epoch), 'seed': str(self.options.seed)}
        _in_one_step(self.options.out, lambda path: safetensors.torch.save_file(
            tensors, path, metadata=metadata))

    def _restore(self):
        kept = torch.load(self.checkpoint_file, weights_only=True)
        self.epoch = kept['epoch']
        self.network.load_state_dict(kept['network'])
        self.optimiser.load_state_dict(kept['optimiser'])
        self.generator.set_state(kept['generator'])

    def _set_rate(self, step):
        rate = self.rate(step / (self.options.epochs * self.steps))
        rate *= min(1, (step + 1) / _WARM_UP_STEPS)
        for group in self.optimiser.param_groups:
            group['lr'] = rate
        return rate


def cosine(start, done):
    """Return the rate of a cosine schedule from `start` to zero."""
    return start * (0.5 + 0.5 * math.cos(math.pi * done))


def exponential(start, end, done):
    """Return the rate of an exponential schedule from `start` to `end`."""
    return start * (end / start) ** done


def _in_one_step(path, write):
    """Write a file under another name and rename it: a kill leaves the old one whole."""
    partial = path.with_name(f'.{path.name}.partial')
    write(partial)
    os.replace(partial, path)
