"""
The sample memory of online learning: features of positive and negative boxes of past frames.

Positives are kept long, negatives short, as in MDNet's long- and short-term memories; the first
frame, the only one whose labels are certain, stays for ever.
"""
from collections import deque
import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from tracking_nodes.nn.device import to_device
from tracking_nodes.parameters import setting, Settings


@dataclass(frozen=True)
class MemorySettings(Settings):
    """How much is remembered."""

    long_memory: int = setting(
        100, 'frames whose positives are kept', minimum=1, maximum=1000, source='MDNet')
    short_memory: int = setting(
        20, 'frames whose negatives are kept', minimum=1, maximum=1000, source='MDNet')
    first_kept: int = setting(
        500, 'samples of the first frame that stay in memory, per class', minimum=1,
        maximum=20000, source='the only labels that are certain')


@dataclass(frozen=True)
class FrameSamples:
    """
    What one frame taught.

    positives: (P, D). negatives: (M, D). context: what else the tracker wants to know of the
    frame, the same object for all its samples (RMAN: features of the K past target patches).
    """

    positives: torch.Tensor
    negatives: torch.Tensor
    context: torch.Tensor | None = None


class Batch(NamedTuple):
    """
    Samples drawn from a few frames.

    positives: (N, D). negatives: (M, D). contexts: (F, ...), one per frame drawn, or None.
    positive_frame: (N,) and negative_frame: (M,) index of each sample's frame in `contexts`.
    kept: what else a learner draws for a step (TSN: the units that dropout keeps), or None.
    """

    positives: torch.Tensor
    negatives: torch.Tensor
    contexts: torch.Tensor | None
    positive_frame: torch.Tensor
    negative_frame: torch.Tensor
    kept: torch.Tensor | None = None


class FrameMemory:
    """Bounded memory of what frames taught; the first one stays for ever."""

    def __init__(self, first, limit):
        """
        Start with the first frame.

        :param first: what it taught.
        :param limit: number of later frames that are kept.
        """
        self._first, self._later = first, deque(maxlen=limit)

    def __len__(self):
        return 1 + len(self._later)

    def add(self, taught):
        """Take in one frame; the oldest later frame leaves when the memory is full."""
        self._later.append(taught)

    def snapshot(self):
        """Return a memory of the same frames, which later ones do not change."""
        taken = copy.copy(self)
        taken._later = self._later.copy()
        return taken


class SampleMemory(FrameMemory):
    """Bounded memory of `FrameSamples`."""

    def __init__(self, first, long, short, first_kept):
        """
        Start with the first frame.

        :param first: `FrameSamples` of the first frame, used whole until a second one comes.
        :param long: number of later frames whose positives are kept.
        :param short: number of latest frames whose negatives are used.
        :param first_kept: how many positives and negatives of the first frame stay for ever.
        """
        super().__init__(first, long)
        self._short = short
        self._first_kept = first_kept

    def add(self, samples):
        """Take in one frame; the oldest later frame leaves when the memory is full."""
        if not self._later:
            kept = self._first_kept
            # A copy, or the slice would hold the whole first batch in memory.
            self._first = FrameSamples(self._first.positives[:kept].clone(),
                                       self._first.negatives[:kept].clone(),
                                       self._first.context)
        super().add(samples)

    def draw(self, rng, positives, negatives, frames, recent=False, padded=False):
        """
        Draw a batch, each half from at most so many frames.

        Few frames per batch keep what is computed once per frame affordable.

        :param rng: a numpy Generator.
        :param positives: how many, from all frames; a multiple of `frames`.
        :param negatives: how many, from the first and the latest frames.
        :param frames: how many frames each half is drawn from, with repetition.
        :param recent: whether positives, too, are from the first and the latest frames only, as
            in MDNet's short-term update.
        :param padded: whether there are always 2 `frames` contexts, the last one repeated; no
            index points to a repetition.
        :return: a `Batch`.
        """
        stored = [self._first, *self._later]
        latest = [0, *range(max(1, len(stored) - self._short), len(stored))]
        long = latest if recent else range(len(stored))
        chosen, samples, rows, index = {}, [], [], []
        for kind, count, pool in (('positives', positives, long),
                                  ('negatives', negatives, latest)):
            usable = [index for index in pool if len(getattr(stored[index], kind))]
            # The first frame, the only certain one, is always among them.
            picked = np.append(rng.choice(usable, frames - 1), usable[0])
            share = np.diff(np.linspace(0, count, frames + 1).astype(int))
            for frame, number in zip(picked.tolist(), share.tolist()):
                samples.append(getattr(stored[frame], kind))
                rows.append(rng.integers(0, len(samples[-1]), number))
                index += [chosen.setdefault(frame, len(chosen))] * number
        # All numbers in one go: a GPU gets them without a wait.
        *rows, positive_frame, negative_frame = to_device(
            np.concatenate([*rows, index]), self._first.positives.device).split(
                [*map(len, rows), positives, negatives])
        parts = [each[own] for each, own in zip(samples, rows)]
        contexts = [stored[frame].context for frame in chosen]
        if padded:
            contexts += contexts[-1:] * (2 * frames - len(contexts))
        return Batch(torch.cat(parts[:frames]), torch.cat(parts[frames:]),
                     None if contexts[0] is None else torch.stack(contexts),
                     positive_frame, negative_frame)
