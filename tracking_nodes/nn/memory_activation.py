"""
The network of RMAN: LSTM memory, recurrent memory activation, classifier.

Pu et al., "Learning Recurrent Memory Activation Networks for Visual Tracking", TIP 2020,
section III. The K memory steps do not depend on the candidate: `remember` runs them once and
`represent` adds the last step for each candidate.
"""
from dataclasses import dataclass

import torch
from torch import nn
import torch.nn.functional as functional

ACTIVATIONS = ('none', 'memory', 'average')


@dataclass(frozen=True)
class Memory:
    """
    Unrolled memory of F frames.

    states: (F, K, H), h_{T-K} first. cell: (F, H), the LSTM's cell after the last of them.
    """

    states: torch.Tensor
    cell: torch.Tensor

    def at(self, frames):
        """Return the memories of some frames, (N,) indices, with repetition."""
        return Memory(self.states[frames], self.cell[frames])


@dataclass(frozen=True)
class Representation:
    """
    What the network makes of N samples.

    current: (N, H), h_T. reference: (N, H), a_T of eq. 4, or None without memory. full: (N, H) or
    (N, 2H), h_T^*, the classifier's input.
    """

    current: torch.Tensor
    reference: torch.Tensor | None
    full: torch.Tensor


def activation_weights(current, states):
    """
    Return eq. 1, the cosine similarities of current and memory states.

    :param current: (N, H).
    :param states: (N, K, H).
    :return: (N, K) in [-1, 1].
    """
    return functional.cosine_similarity(current[:, None], states, dim=2)


def combine(weights, states):
    """
    Return the weighted sum of memory states, eq. 2 and eq. 4.

    :param weights: (N, K).
    :param states: (N, K, H).
    :return: (N, H).
    """
    return (weights[:, :, None] * states).sum(dim=1)


class RecurrentMemoryNetwork(nn.Module):
    """
    Memory generator, recurrent memory activation layer and two fully connected layers.

    Without the LSTM a fully connected layer with ReLU stands in its place (the paper's baseline
    and its Baseline + MAL).
    """

    def __init__(self, features, hidden, lstm, activation, generator):
        """
        Make a network with random weights.

        :param features: D, length of a sample's features.
        :param hidden: H, units of the LSTM.
        :param lstm: whether there is an LSTM.
        :param activation: how memory joins in: 'none', 'memory' (eq. 1, 2), 'average' pooling.
        :param generator: torch Generator of all initial weights.
        """
        super().__init__()
        self.hidden, self.activation = hidden, activation
        self.encode = nn.Linear(features, 4 * hidden if lstm else hidden)
        self.recur = nn.Linear(hidden, 4 * hidden, bias=False) if lstm else None
        joined = hidden if activation == 'none' else 2 * hidden
        self.classifier = nn.Sequential(nn.Linear(joined, hidden), nn.ReLU(),
                                        nn.Linear(hidden, 2))
        self._initialise(generator)

    def remember(self, patches):
        """
        Return the memory of sequences of past target patches.

        :param patches: (F, K, D), oldest first.
        :return: a `Memory`.
        """
        inputs = self.encode(patches)
        if self.recur is None:
            states = functional.relu(inputs)
            return Memory(states, states[:, -1])
        hidden = cell = inputs.new_zeros(len(patches), self.hidden)
        states = []
        for step in inputs.unbind(dim=1):
            hidden, cell = self._step(step, hidden, cell)
            states.append(hidden)
        return Memory(torch.stack(states, dim=1), cell)

    def represent(self, samples, memory):
        """
        Return the representation of samples, each with its own memory.

        :param samples: (N, D).
        :param memory: `Memory` of N frames, or of one that all samples share.
        :return: a `Representation`.
        """
        inputs = self.encode(samples)
        if self.recur is None:
            current = functional.relu(inputs)
        else:
            current, _ = self._step(inputs, memory.states[:, -1], memory.cell)
        if self.activation == 'none':
            return Representation(current, None, current)
        weights = activation_weights(current, memory.states)
        reference = combine(weights.softmax(dim=1), memory.states)
        if self.activation == 'average':
            activated = memory.states.mean(dim=1).expand_as(current)
        else:
            activated = combine(weights, memory.states)
        return Representation(current, reference, torch.cat([activated, current], dim=1))

    def forward(self, samples, memory):
        """Return logits (N, 2), background first, of samples (N, D) and their memory."""
        return self.classifier(self.represent(samples, memory).full)

    def _step(self, inputs, hidden, cell):
        gates = inputs + self.recur(hidden)
        enter, forget, new, leave = gates.chunk(4, dim=1)
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        return leave.sigmoid() * cell.tanh(), cell

    def _initialise(self, generator):
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                bound = layer.in_features ** -0.5
                nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        if self.recur is not None:
            # An open forget gate lets the oldest of the K patches still be heard at first.
            nn.init.ones_(self.encode.bias[self.hidden:2 * self.hidden])
