"""Training examples that are drawn by their number, and which sequences they come from."""
from abc import ABC, abstractmethod

import numpy as np
import torch.utils.data

_HELD_OUT = 8           # every eighth sequence is kept for validation


class DrawnByNumber(torch.utils.data.Dataset, ABC):
    """Examples by number: the same seed and number give the same one, in any process."""

    def __init__(self, sources, shares, seed):
        """
        Hold the sources.

        :param sources: objects with `draw(random)`, `random` a `numpy.random.Generator`.
        :param shares: how often each is drawn from, summing to 1.
        :param seed: of all draws.
        """
        self.sources, self.shares, self.seed = sources, shares, seed

    def __getitem__(self, number):
        """Return the example of a number, as `make` has it."""
        random = np.random.default_rng((self.seed, int(number)))
        while True:
            example = self.make(self.draw(random), random)
            if example is not None:
                return example

    def draw(self, random):
        """Return what one of the sources draws."""
        return self.sources[random.choice(len(self.sources), p=self.shares)].draw(random)

    @abstractmethod
    def make(self, drawn, random):
        """
        Return the tensors of an example, or None to draw once more.

        :param drawn: what a source drew.
        :param random: `numpy.random.Generator` of all further draws.
        """

    def loader(self, numbers, batch, workers=0):
        """
        Return batches of examples.

        :param numbers: (N,) integers in their order, an array or a tensor.
        :param batch: examples of a batch; the last may have fewer.
        :param workers: processes that make them, 0 for this one.
        """
        return torch.utils.data.DataLoader(self, batch, sampler=numbers.tolist(),
                                           num_workers=workers)


class DrawnByRules(DrawnByNumber):
    """Examples by number that are made by rules of their own kind."""

    def __init__(self, sources, shares, rules, seed):
        """
        Hold the sources and the rules.

        :param sources: as of `DrawnByNumber`; what they draw, `make` says.
        :param shares: how often each is drawn from, summing to 1.
        :param rules: what `make` goes by.
        :param seed: of all draws.
        """
        super().__init__(sources, shares, seed)
        self.rules = rules


def split(sequences):
    """Return the sequences to train on, and every eighth, held out where others are left."""
    seen = [sequence for index, sequence in enumerate(sequences) if index % _HELD_OUT]
    return (seen, sequences[::_HELD_OUT]) if seen else ([], [])
