"""Where trackers lose hold, and which frames a page shows within its budget."""
import base64

import cv2
from hypothesis import given, strategies
import numpy as np
import pytest
from result_folders import Plain

from tracking_nodes.evaluation.report.dips import find_dips
from tracking_nodes.evaluation.report.embedding import embed_all
from tracking_nodes.evaluation.report.frames import choose_frames, LONGEST_SIDE, thumbnails
from tracking_nodes.sequences.synthetic import SyntheticSequence

OVERLAPS = strategies.lists(strategies.sampled_from([0.0, 0.1, 0.3, 0.49, 0.5, 0.8, np.nan]),
                            min_size=1, max_size=30)


def plain_dips(overlaps):
    """Return {(first, last)} of the stretches below one half, frame by frame."""
    found, first = set(), None
    for index, value in enumerate([*overlaps, 1.0]):
        if value < 0.5 and first is None:
            first = index
        elif not value < 0.5 and first is not None:
            found.add((first, index - 1))
            first = None
    return found


@given(OVERLAPS)
def test_dips_are_all_stretches_below_one_half_the_worst_first(overlaps):
    dips = find_dips(overlaps)
    assert {(dip.first, dip.last) for dip in dips} == plain_dips(overlaps)
    for dip in dips:
        inside = overlaps[dip.first:dip.last + 1]
        assert dip.overlap == min(inside) == overlaps[dip.frame]
        assert dip.frame == dip.first + inside.index(min(inside))
        assert dip.lost == pytest.approx(sum(0.5 - value for value in inside))
    assert [dip.lost for dip in dips] == sorted((dip.lost for dip in dips), reverse=True)


@given(strategies.integers(1, 60), strategies.integers(0, 80), OVERLAPS)
def test_as_many_different_frames_are_chosen_as_allowed(count, limit, overlaps):
    run = np.resize(np.array(overlaps), count)
    chosen = choose_frames(count, [run], limit)
    assert len(chosen) == len(set(chosen)) == min(count, limit)
    assert all(0 <= frame < count for frame in chosen)


def test_the_worst_dips_come_first_and_the_rest_is_spread():
    overlaps = np.ones(1000)
    overlaps[300:310], overlaps[700:702] = 0.2, 0.0
    chosen = choose_frames(1000, [np.ones(1000), overlaps], 40)
    assert chosen[:2] == [300, 700]
    assert np.diff(sorted([*chosen, 0, 999])).max() <= 1000 / 18


@pytest.mark.parametrize('budget', [0, 5_000, 40_000, 10 ** 6])
def test_thumbnails_stay_within_the_budget_and_show_their_frames(budget):
    clip = SyntheticSequence(20, 1, 'clip')
    images = thumbnails(clip, [np.ones(20)], budget)
    assert sum(map(len, images.values())) <= budget
    assert len(images) == 20 if budget == 10 ** 6 else len(images) < 20
    assert list(images) == sorted(images)
    for frame, text in images.items():
        shown = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
        assert max(shown.shape) == LONGEST_SIDE
        assert np.abs(shown.astype(float) - clip.image(frame)).mean() < 8


def test_large_images_are_scaled_down_with_their_aspect():
    class Wide(Plain):

        def images(self):
            for image in super().images():
                yield np.tile(image, (2, 9, 1))

    [text] = thumbnails(Wide('wide', 1), [np.ones(1)], 10 ** 6).values()
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (round(240 * 320 / 1440), 320, 3)


def test_short_sequences_pass_on_what_they_do_not_need(monkeypatch):
    shares = {}

    class Shown:

        def __init__(self, images):
            self.images = images

    def embed(name, stored, sequence, budget):
        shares[name] = budget
        return Shown({0: 'x' * int(min(budget, 100_000 * len(sequence)))})

    monkeypatch.setattr('tracking_nodes.evaluation.report.embedding.embed', embed)
    sequences = [Plain('long', 90), Plain('short', 1), Plain('middle', 9), Plain('other', 5)]
    embed_all({'long': [], 'short': [], 'middle': []}, sequences, 3)
    assert shares == {'short': 1e6, 'middle': 1.45e6, 'long': 2e6}
