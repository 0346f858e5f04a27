"""
The Temporal Net of TSN: how much a region overlaps the target that a tuple of regions shows.

Teng et al., "Robust Object Tracking based on Temporal and Spatial Deep Networks", ICCV 2017,
section 3.2. The tuple's part of the first layer does not depend on the candidate: `remember` is
called once per frame, `forward` adds each candidate.
"""
import torch
from torch import nn
import torch.nn.functional as functional


class SimilarityNetwork(nn.Module):
    """Three fully connected layers over the tuple and a candidate, side by side."""

    def __init__(self, features, length, hidden, dropout, generator):
        """
        Make a network with random weights.

        :param features: D, length of a region's features.
        :param length: S, regions of a tuple.
        :param hidden: H, units of the first two layers.
        :param dropout: share of their units that is left out in training.
        :param generator: torch Generator, on the CPU, of all weights.
        """
        super().__init__()
        # One layer in two parts: (tuple, candidate) W = tuple W_1 + candidate W_2.
        self.tuple = nn.Linear(length * features, hidden)
        self.candidate = nn.Linear(features, hidden, bias=False)
        self.second = nn.Linear(hidden, hidden)
        self.third = nn.Linear(hidden, 1)
        self._dropout = dropout
        for layer, inputs in ((self.tuple, (length + 1) * features),
                              (self.candidate, (length + 1) * features),
                              (self.second, hidden), (self.third, hidden)):
            nn.init.uniform_(layer.weight, -inputs ** -0.5, inputs ** -0.5, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def remember(self, tuples):
        """Return (F, H), what the first layer makes of tuples (F, S, D)."""
        return self.tuple(tuples.flatten(1))

    def kept(self, count, generator):
        """
        Draw the units of the first two layers that dropout keeps in training.

        :param count: N, samples.
        :param generator: torch Generator, on the CPU, so that a GPU drops the same units.
        :return: (2, N, H) bool, on the CPU; None where none is dropped.
        """
        if not self._dropout:
            return None
        return torch.stack([torch.rand(count, self.second.in_features, generator=generator)
                            < 1 - self._dropout for _ in range(2)])

    def forward(self, candidates, remembered, kept=None):
        """
        Return the similarities before the sigmoid.

        :param candidates: (N, D).
        :param remembered: (N, H), or (1, H) that all candidates share.
        :param kept: (2, N, H), what `kept` drew; no unit is dropped without.
        :return: (N,).
        """
        of_first, of_second = (None, None) if kept is None else kept
        first = functional.relu(self.candidate(candidates) + remembered)
        second = functional.relu(self.second(self._dropped(first, of_first)))
        return self.third(self._dropped(second, of_second))[:, 0]

    def _dropped(self, units, kept):
        return units if kept is None else units * kept.to(units) / (1 - self._dropout)
