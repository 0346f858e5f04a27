"""The ridge filter against loops in float64, scikit-learn and targets whose place is known."""
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from small_trackers import held_bytes
import torch

from tracking_nodes.online.peak import best_peaks
from tracking_nodes.online.ridge_filter import FilterSettings, RidgeFilter

STRIDE, OFFSET = 16, 0.5
# Left, top, right, bottom in pixels of a search region.
TARGET = np.array([112.0, 96.0, 176.0, 144.0])
CELLS = (1, 2, 3, 4)


def maps_of(seed, channels=3, side=12):
    return torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(seed))


def windows(maps, cells):
    """
    Return what the filter sees at each value of its response, and where that is.

    :return: (P, D) float64, and (P, 2) x, y in pixels of the middles of the cells seen.
    """
    array, margin = maps[0].double().numpy(), cells // 2
    channels, height, width = array.shape
    rows, middles = [], []
    for top in range(-margin, height + margin - cells + 1):
        for left in range(-margin, width + margin - cells + 1):
            row = [array[channel, y, x] if 0 <= y < height and 0 <= x < width else 0.0
                   for channel in range(channels)
                   for y in range(top, top + cells) for x in range(left, left + cells)]
            rows.append(row)
            middles.append([OFFSET + STRIDE * np.mean(range(first, first + cells))
                            for first in (left, top)])
    return np.array(rows), np.array(middles)


class Frame:
    """One frame of the regression, as the settings say in words."""

    def __init__(self, maps, corners, settings, weights=None):
        self.inputs, middles = windows(maps, settings.filter_cells)
        width, height = corners[2] - corners[0], corners[3] - corners[1]
        distance = np.linalg.norm(middles - (corners[:2] + corners[2:]) / 2, axis=1)
        sigma = settings.filter_label * np.sqrt(width * height)
        self.labels = np.exp(-distance ** 2 / (2 * sigma ** 2))
        self.weights = settings.filter_background + self.labels
        if weights is not None:
            answers = self.inputs @ weights
            for cell, label in enumerate(self.labels):
                if label < 0.1 and answers[cell] > 0:
                    self.weights[cell] += settings.filter_distractors * answers[cell]


def regressed(frames, shares, ridge):
    """Return the weights (D,) of the regression over frames that have shares of the weight."""
    inputs = np.concatenate([frame.inputs for frame in frames])
    labels = np.concatenate([frame.labels for frame in frames])
    weights = np.concatenate([share * frame.weights for frame, share in zip(frames, shares)])
    penalty = ridge * (weights[:, None] * inputs ** 2).sum(axis=0).mean() + 1e-6
    model = Ridge(alpha=penalty, fit_intercept=False, solver='svd')
    return model.fit(inputs, labels, sample_weight=weights).coef_


def started(settings, *pairs):
    """Return a filter that has learned some maps with their corners as views of one frame."""
    found = RidgeFilter(settings, STRIDE, OFFSET)
    found.start([maps for maps, _ in pairs], [corners for _, corners in pairs])
    return found


def assert_close(tensor, expected):
    np.testing.assert_allclose(tensor.double().numpy(), expected, rtol=2e-3,
                               atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize('cells', CELLS)
def test_the_first_frame_is_a_weighted_ridge_regression_over_all_cells_of_all_views(cells):
    settings = FilterSettings(filter_cells=cells)
    pairs = [(maps_of(1), TARGET), (maps_of(2), TARGET + [20, 9, 28, 11])]
    found = started(settings, *pairs)
    frames = [Frame(*pair, settings) for pair in pairs]
    assert_close(found.weights, regressed(frames, [0.5, 0.5], settings.filter_ridge))


@pytest.mark.parametrize('changes', [
    {'filter_label': 0.7}, {'filter_background': 2.0}, {'filter_ridge': 0.5}])
def test_each_setting_of_the_regression_counts(changes):
    settings = replace(FilterSettings(), **changes)
    found, plain = (started(each, (maps_of(1), TARGET)).weights
                    for each in (settings, FilterSettings()))
    assert_close(found, regressed([Frame(maps_of(1), TARGET, settings)], [1.0],
                                  settings.filter_ridge))
    assert (found - plain).abs().max() > 0.01 * plain.abs().max()


@pytest.mark.parametrize('cells', CELLS)
def test_a_response_is_the_product_of_each_window_with_the_weights(cells):
    settings = FilterSettings(filter_cells=cells)
    found, maps = started(settings, (maps_of(1), TARGET)), maps_of(2)
    response = found.respond(maps)
    assert response.shape == ((12, 12) if cells % 2 else (13, 13))
    inputs, middles = windows(maps, cells)
    assert_close(response.flatten(), inputs @ found.weights.double().numpy())
    # Each value lies where the middle of its window does.
    places = np.argwhere(np.ones(response.shape)).astype(float)
    np.testing.assert_allclose(found.positions(places), middles)
    np.testing.assert_allclose(found.places(middles), places, atol=1e-9)


@pytest.mark.parametrize('first, forgetting, distractors', [
    (0.25, 0.1, 0.0), (0.0, 0.3, 0.0), (1.0, 0.3, 0.0), (0.5, 0.0, 0.0), (0.25, 0.1, 3.0)])
def test_later_frames_count_by_their_age_and_the_first_keeps_its_share(
        first, forgetting, distractors):
    settings = FilterSettings(filter_first=first, filter_forgetting=forgetting,
                              filter_distractors=distractors)
    found = started(settings, (maps_of(0), TARGET))
    frames, shares = [Frame(maps_of(0), TARGET, settings)], [1.0]
    # Frames that stand for 1, 5 and 2.
    for seed, count in ((1, 1), (2, 5), (3, 2)):
        corners = TARGET + 7 * seed
        frames.append(Frame(maps_of(seed), corners, settings, found.weights.double().numpy()))
        kept = (1 - forgetting) ** count
        shares = [share * kept for share in shares] + [1 - kept]
        found.adopt(found.learned(maps_of(seed), corners, count))
        counted = [share * (1 - first) for share in shares]
        counted[0] += first
        assert_close(found.weights, regressed(frames, counted, settings.filter_ridge))


def test_what_looked_like_the_target_elsewhere_is_answered_less_than_without_distractors():
    answers = {}
    for weight in (0.0, 20.0):
        settings = FilterSettings(filter_distractors=weight, filter_first=0.0)
        first, later = (scene(seed, {(6, 9): 3.0}) for seed in (1, 2))
        found = started(settings, (first, around(6, 9)))
        # A twin, less bright, beside the target.
        twin = scene(3, {(6, 9): 3.0, (12, 3): 2.0})
        found.adopt(found.learned(twin, around(6, 9), 20))
        response = found.respond(later + scene(4, {(12, 3): 2.0}))
        answers[weight] = float(response[12, 3] / response[6, 9])
    assert answers[20.0] < answers[0.0] - 0.01


PATTERN = torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(9))


def scene(seed, targets):
    """Return maps (1, 4, 18, 18) of noise with 3x3 cells of a pattern; {(row, column): gain}."""
    maps = 0.3 * maps_of(seed, 4, 18)
    for (row, column), gain in targets.items():
        maps[0, :, row - 1:row + 2, column - 1:column + 2] += gain * PATTERN
    return maps


def around(row, column):
    """Return the corners of a target of three cells around one."""
    x, y = OFFSET + STRIDE * column, OFFSET + STRIDE * row
    return np.array([x - 24, y - 24, x + 24, y + 24])


@pytest.mark.parametrize('cells', CELLS)
@pytest.mark.parametrize('row, column', [(9, 8), (4, 13), (15, 2)])
def test_the_highest_response_lies_on_the_target(cells, row, column):
    found = started(FilterSettings(filter_cells=cells), (scene(1, {(8, 8): 3.0}), around(8, 8)))
    places, _ = best_peaks(found.respond(scene(2, {(row, column): 3.0})), 1, 2)
    position, = found.positions(places.numpy())
    expected = around(row, column)
    np.testing.assert_allclose(position, (expected[:2] + expected[2:]) / 2, atol=0.6 * STRIDE)


def test_learning_leaves_the_filter_alone_until_it_is_adopted():
    found, maps = started(FilterSettings(), (maps_of(1), TARGET)), maps_of(2)
    before = found.respond(maps)
    learned = found.learned(maps, TARGET + 30, 5)
    assert torch.equal(found.respond(maps), before)
    found.adopt(learned)
    assert not torch.equal(found.respond(maps), before)


def test_a_new_start_forgets_the_target_before():
    settings, maps = FilterSettings(), maps_of(3)
    found = started(settings, (maps_of(1), TARGET))
    found.adopt(found.learned(maps_of(2), TARGET, 5))
    found.start([maps], [TARGET])
    assert torch.equal(found.weights, started(settings, (maps, TARGET)).weights)
    found.reset()
    assert found.weights is None


def test_the_memory_of_the_filter_does_not_grow():
    found, held = started(FilterSettings(), (maps_of(0), TARGET)), []
    for seed in range(1, 6):
        found.adopt(found.learned(maps_of(seed), TARGET, 1))
        held.append(held_bytes())
    assert held[1:] == held[1:2] * 4


def test_maps_without_texture_are_answered_with_numbers():
    flat = torch.zeros(1, 3, 12, 12)
    found = started(FilterSettings(), (flat, TARGET))
    found.adopt(found.learned(flat, TARGET, 5))
    assert (found.respond(flat) == 0).all() and found.respond(maps_of(1)).isfinite().all()


@pytest.mark.parametrize('corners', [[-4e4, -9e4, -3e4, -8e4], [143.5, 119.5, 144.5, 120.5],
                                     [-4e4, -4e4, 4e4, 4e4]])
def test_targets_outside_tiny_or_larger_than_the_region_are_learned_without_harm(corners):
    found = started(FilterSettings(), (maps_of(1), np.array(corners)))
    found.adopt(found.learned(maps_of(2), np.array(corners), 1))
    assert found.respond(maps_of(3)).isfinite().all()
