"""
What learns online: a network, its optimiser and the memory that both are taught from.

It learns in place, or in three steps beside the network in use: `snapshot` in the thread of the
frames, `detach` and `update` of the snapshot in another one, `adopt` between two frames.
"""
import copy

import numpy as np
import torch

from tracking_nodes.nn.graphs import replays
from tracking_nodes.online.descent import Descent
from tracking_nodes.online.recorded_descent import RecordedDescent, Turns


class Learner:
    """
    A network that learns by stochastic gradient descent from what it remembers.

    network: in use; adopting another one replaces it whole. memory: what batches are drawn from;
    its `snapshot()` is not changed by later frames. replays: whether steps are replayed, which
    asks for batches of the same shapes. A subclass has the method `update`.
    """

    def __init__(self, network, memory, rng, *, momentum, gradient_norm, weight_decay=0.0,
                 graphs=False):
        """
        Begin with a network that has learned nothing.

        :param network: a torch Module, on its device.
        :param memory: has a method `snapshot`.
        :param rng: numpy Generator of the batches.
        :param momentum: of SGD.
        :param gradient_norm: largest norm of a gradient.
        :param weight_decay: of SGD.
        :param graphs: whether a GPU replays steps as CUDA graphs.
        """
        self.memory, self._rng = memory, rng
        # The rate is set by every step.
        optimiser = torch.optim.SGD(network.parameters(), lr=0.0, momentum=momentum,
                                    weight_decay=weight_decay, foreach=True)
        self.replays = replays(next(network.parameters()).device, graphs)
        self._descent = (RecordedDescent if self.replays else Descent)(network, optimiser,
                                                                       gradient_norm)
        self._turns = Turns()

    @property
    def network(self):
        """Return the network in use."""
        return self._descent.network

    def snapshot(self, seed):
        """
        Return a learner of the same network, of what is in memory now, with draws of its own.

        It costs next to nothing; before it learns it has to `detach`. Only one at a time may
        learn where steps are replayed.

        :param seed: of its draws, as numpy's `default_rng` takes it.
        """
        taken = copy.copy(self)
        taken.memory = self.memory.snapshot()
        taken._rng = np.random.default_rng(seed)
        return taken

    def detach(self):
        """Go on with a copy of the network and of the optimiser's state."""
        self._descent = (self._turns.beside(self._descent) if self.replays else
                         self._descent.copied())

    def adopt(self, trained):
        """Go on with the network of another learner, a `snapshot` that has learned since."""
        self._descent = trained._descent

    def _descend(self, iterations, rate, batch, loss, *how):
        """
        Take steps downhill.

        :param iterations: how many.
        :param rate: of learning.
        :param batch: function that draws one, a named tuple of tensors.
        :param loss: function of a batch, and of `how`, to a scalar tensor.
        :param how: further arguments of the loss.
        """
        for _ in range(iterations):
            self._descent.step(rate, loss, batch(), *how)
