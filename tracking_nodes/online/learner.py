"""
What learns online: a network, its optimiser and the memory that both are taught from.

It learns in place, or in three steps beside the network in use: `snapshot` in the thread of the
frames, `detach` and `update` of the snapshot in another one, `adopt` between two frames.
"""
import copy

import numpy as np
import torch


class Learner:
    """
    A network that learns by stochastic gradient descent from what it remembers.

    network: in use; adopting another one replaces it whole. memory: what batches are drawn from;
    its `snapshot()` is not changed by later frames. A subclass has the method `update`.
    """

    def __init__(self, network, memory, rng, *, momentum, gradient_norm, weight_decay=0.0):
        """
        Begin with a network that has learned nothing.

        :param network: a torch Module, on its device.
        :param memory: has a method `snapshot`.
        :param rng: numpy Generator of the batches.
        :param momentum: of SGD.
        :param gradient_norm: largest norm of a gradient.
        :param weight_decay: of SGD.
        """
        self.network, self.memory, self._rng = network, memory, rng
        self._gradient_norm = gradient_norm
        # The rate is set by every update.
        self._optimiser = torch.optim.SGD(network.parameters(), lr=0.0, momentum=momentum,
                                          weight_decay=weight_decay, foreach=True)

    def snapshot(self, seed):
        """
        Return a learner of the same network, of what is in memory now, with draws of its own.

        It costs next to nothing; before it learns it has to `detach`.

        :param seed: of its draws, as numpy's `default_rng` takes it.
        """
        taken = copy.copy(self)
        taken.memory = self.memory.snapshot()
        taken._rng = np.random.default_rng(seed)
        return taken

    def detach(self):
        """Go on with a copy of the network and of the optimiser's state."""
        self.network, self._optimiser = copy.deepcopy((self.network, self._optimiser))

    def adopt(self, trained):
        """Go on with the network of another learner, a `snapshot` that has learned since."""
        self.network, self._optimiser = trained.network, trained._optimiser

    def _descend(self, iterations, rate, batch, loss):
        """
        Take steps downhill.

        :param iterations: how many.
        :param rate: of learning.
        :param batch: function that draws one.
        :param loss: function of a batch to a scalar tensor.
        """
        for group in self._optimiser.param_groups:
            group['lr'] = rate
        for _ in range(iterations):
            drawn = batch()
            self._optimiser.zero_grad()
            loss(drawn).backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._gradient_norm)
            self._optimiser.step()
