"""The sample memory: what stays, what leaves, and from which frames a batch is drawn."""
from collections import Counter

import numpy as np
import torch

from tracking_nodes.online.sample_memory import FrameSamples, SampleMemory


def frame(number, positives=6, negatives=9):
    """Return samples whose features tell their frame, kind and row."""
    def rows(kind, count):
        return torch.tensor([[number, kind, row] for row in range(count)],
                            dtype=torch.float32).reshape(-1, 3)
    return FrameSamples(rows(1, positives), rows(0, negatives), torch.full((2,), float(number)))


def memory(frames, long=8, short=3, first_kept=4):
    filled = SampleMemory(frame(0), long, short, first_kept)
    for number in range(1, frames):
        filled.add(frame(number))
    return filled


def drawn_frames(kept, draws=200, seed=0):
    """Return how often each frame was drawn for positives and for negatives."""
    rng = np.random.default_rng(seed)
    batches = [kept.draw(rng, 8, 8, 4) for _ in range(draws)]
    return tuple(Counter(torch.cat([getattr(batch, kind)[:, 0] for batch in batches]).tolist())
                 for kind in ('positives', 'negatives'))


def test_a_batch_says_of_which_frame_each_sample_is():
    batch = memory(6).draw(np.random.default_rng(0), 32, 16, 8)
    assert batch.positives.shape == (32, 3) and batch.negatives.shape == (16, 3)
    assert (batch.positives[:, 1] == 1).all() and (batch.negatives[:, 1] == 0).all()
    for samples, frames in ((batch.positives, batch.positive_frame),
                            (batch.negatives, batch.negative_frame)):
        contexts = batch.contexts[frames]
        assert torch.equal(contexts[:, 0], samples[:, 0])
    # A context is there once, however many samples of its frame were drawn.
    numbers = [float(context[0]) for context in batch.contexts]
    assert len(set(numbers)) == len(numbers)


def test_each_half_comes_from_at_most_so_many_frames_in_equal_shares():
    batch = memory(9).draw(np.random.default_rng(1), 30, 20, 3)
    for frames, count in ((batch.positive_frame, 30), (batch.negative_frame, 20)):
        shares = Counter(frames.tolist()).values()
        assert len(shares) <= 3 and sum(shares) == count
        # A frame drawn twice has two shares.
        assert all(share % (count // 3) <= len(shares) for share in shares)


def test_positives_come_from_all_frames_negatives_from_the_first_and_latest():
    positives, negatives = drawn_frames(memory(9, long=8, short=3))
    assert set(positives) == set(range(9))
    assert set(negatives) == {0, 6, 7, 8}
    # Later frames are equally likely, and the first, the only certain one, at least as much.
    for counts in (positives, negatives):
        later = [count for number, count in counts.items() if number > 0]
        assert max(later) < 1.5 * min(later)
        assert counts[0] > 0.7 * max(later)


def test_a_full_memory_loses_its_oldest_frame_but_never_the_first():
    kept = memory(40, long=5, short=2)
    assert len(kept) == 6
    positives, negatives = drawn_frames(kept)
    assert set(positives) == {0, 35, 36, 37, 38, 39}
    assert set(negatives) == {0, 38, 39}


def test_of_the_first_frame_some_samples_stay_once_another_comes():
    kept = memory(1, first_kept=4)
    assert len(kept) == 1
    rng = np.random.default_rng(0)
    rows = torch.cat([kept.draw(rng, 16, 16, 2).positives for _ in range(30)])[:, 2]
    assert set(rows.tolist()) == set(range(6))
    kept.add(frame(1))
    batches = [kept.draw(rng, 16, 16, 2) for _ in range(60)]
    for kind in ('positives', 'negatives'):
        rows = torch.cat([getattr(batch, kind) for batch in batches])
        assert set(rows[rows[:, 0] == 0][:, 2].tolist()) == set(range(4))
        assert set(rows[rows[:, 0] == 1][:, 2].tolist()) > set(range(4))


def test_what_stays_of_the_first_frame_does_not_hold_the_rest_in_memory():
    first = frame(0, positives=1000, negatives=1000)
    kept = SampleMemory(first, 5, 5, 10)
    kept.add(frame(1))
    batch = kept.draw(np.random.default_rng(0), 4, 4, 2)
    assert batch.positives.untyped_storage().nbytes() == 4 * 3 * 4
    first.positives.fill_(-1)
    rng = np.random.default_rng(0)
    assert all((kept.draw(rng, 4, 4, 2).positives >= 0).all() for _ in range(20))


def test_frames_without_samples_of_a_kind_are_passed_over():
    kept = SampleMemory(frame(0), 8, 8, 4)
    kept.add(frame(1, positives=0))
    kept.add(frame(2, negatives=0))
    positives, negatives = drawn_frames(kept, draws=30)
    assert set(positives) == {0, 2} and set(negatives) == {0, 1}


def test_the_same_generator_draws_the_same_batch():
    one, other = (memory(7).draw(np.random.default_rng(3), 8, 8, 4) for _ in range(2))
    assert torch.equal(one.positives, other.positives)
    assert torch.equal(one.negatives, other.negatives)
    different = memory(7).draw(np.random.default_rng(4), 8, 8, 4)
    assert not torch.equal(one.negatives, different.negatives)
