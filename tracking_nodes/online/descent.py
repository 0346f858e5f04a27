"""Stochastic gradient descent of a network, step by step."""
import copy

import torch


class Descent:
    """
    A network on its way downhill.

    network: what learns. optimiser: its SGD, whose rate every step sets.
    """

    def __init__(self, network, optimiser, gradient_norm):
        """
        Take a network and its optimiser.

        :param network: a torch Module, on its device.
        :param optimiser: a `torch.optim.SGD` of its parameters.
        :param gradient_norm: largest norm of a gradient.
        """
        self.network, self.optimiser = network, optimiser
        self._gradient_norm = gradient_norm

    def copied(self):
        """Return a descent from the same values and momentum that goes its own way."""
        return type(self)(*copy.deepcopy((self.network, self.optimiser)), self._gradient_norm)

    def step(self, rate, loss, batch, *how):
        """
        Take one step.

        :param rate: of learning.
        :param loss: function of a batch, and of `how`, to a scalar tensor.
        :param batch: what the loss is of.
        :param how: further arguments of the loss.
        """
        for group in self.optimiser.param_groups:
            group['lr'] = rate
        self.optimiser.zero_grad()
        loss(batch, *how).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._gradient_norm)
        self.optimiser.step()
