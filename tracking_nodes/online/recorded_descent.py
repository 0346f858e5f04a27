"""
Descent on a GPU whose steps are CUDA graphs: recorded once, replayed on every later batch.

A recording holds the addresses of parameters, momentum and batch, so that all of them stay where
they are: values are copied in, and beside the network in use there is one more for background
learning, kept with its recordings.
"""
import torch

from tracking_nodes.nn.graphs import record
from tracking_nodes.online.descent import Descent

# More rates than these are those of somebody who turns a knob; the oldest recording makes room.
_KEPT = 8


class RecordedDescent(Descent):
    """
    A descent with a recording for each rate, each kind of loss, and each shape of a batch.

    Batches are named tuples of tensors, or of None, on the network's device. The loss makes no
    tensor of numbers of the host, draws nothing at random and reads nothing back.
    """

    def __init__(self, network, optimiser, gradient_norm):
        """Take what a `Descent` does."""
        super().__init__(network, optimiser, gradient_norm)
        self._recorded = {}
        for group in optimiser.param_groups:
            if group['momentum']:
                for each in group['params']:
                    # What SGD begins with, where it would make it in its first step.
                    optimiser.state[each].setdefault('momentum_buffer', torch.zeros_like(each))

    def step(self, rate, loss, batch, *how):
        """Take one step as a `Descent` does; every kind of loss is one `how`, hashable."""
        key = rate, how, tuple(each if each is None else (each.shape, each.dtype)
                               for each in batch)
        if key not in self._recorded:
            if len(self._recorded) == _KEPT:
                del self._recorded[next(iter(self._recorded))]
            self._recorded[key] = self._record(rate, loss, batch, how)
        held, graph = self._recorded[key]
        for own, drawn in zip(held, batch):
            if own is not None:
                own.copy_(drawn)
        graph.replay()

    def take(self, other):
        """Go on from another one's values and momentum, which are copied over the own."""
        torch._foreach_copy_(self._tensors(), other._tensors())

    def _record(self, rate, loss, batch, how):
        held = batch._make(each if each is None else each.clone() for each in batch)
        step = super().step
        graph, _ = record(lambda: step(rate, loss, held, *how), self._tensors()[0].device,
                          self._tensors())
        return held, graph

    def _tensors(self):
        """Return all tensors that a step changes, without gradients."""
        states = (self.optimiser.state[each] for each in self.network.parameters())
        return [*(each.detach() for each in self.network.parameters()),
                *(each for state in states for each in state.values() if each is not None)]


class Turns:
    """Two recorded descents that take turns: one is in use, the other learns beside it."""

    def __init__(self):
        """Begin with none."""
        self._both = []

    def beside(self, used):
        """
        Return the one that is not in use, gone on from the values of the one that is.

        What an earlier update that nobody adopted left in it is overwritten, so that there must
        not be one under way.

        :param used: a `RecordedDescent`, which is only read.
        """
        if not self._both:
            self._both = [used, used.copied()]
        one, other = self._both
        spare = one if used is other else other
        spare.take(used)
        return spare
