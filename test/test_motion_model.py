"""GSTP's motion model: what its network is shown, and how candidates are scored by its answer."""
import math

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from tracking_nodes.errors import SettingError, WeightsError
from tracking_nodes.nn.plain import he_initialise
from tracking_nodes.online import motion_model as module
from tracking_nodes.online.motion_model import (
    Distribution, Letterbox, letterboxed, load_motion_network, MotionModel, MotionNetwork,
    MotionSettings)
from tracking_nodes.trackers.base import Runtime

SIZE = 96, 64           # width and height of the network's image


def picture(width=240, height=160, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def weights(tmp_path):
    """Return a weights file of a narrow network for three past positions."""
    network = MotionNetwork(3, 2, SIZE)
    network.hrnet = network.hrnet.folded()
    he_initialise(network, 0)
    file = tmp_path / 'motion.safetensors'
    safetensors.torch.save_file(network.state_dict(), file, metadata=network.metadata())
    return str(file)


def model(weights, history=3, **values):
    return MotionModel(MotionSettings(motion_weights=weights, motion_history=history, **values),
                       Runtime('cpu'))


@pytest.fixture
def shown(monkeypatch, weights):
    """Return a model and the (image, positions) that its network is shown, all in order."""
    kept, forward = [], MotionNetwork.forward

    def recorded(network, images, positions):
        kept.append((images[0].permute(1, 2, 0).numpy(), positions[0].numpy()))
        return forward(network, images, positions)
    monkeypatch.setattr(MotionNetwork, 'forward', recorded)
    return model(weights), kept


def mapped(point, width, height):
    """Return a point of an image of this size in pixels of the network's image."""
    factor = min(SIZE[0] / width, SIZE[1] / height)
    return [value * factor + (side - factor * length) / 2
            for value, side, length in zip(point, SIZE, (width, height))]


@pytest.mark.parametrize('width, height', [(384, 256), (384, 128), (96, 128), (24, 16)])
def test_a_letterbox_shows_the_whole_image_in_its_shape(width, height):
    image = np.full((height, width, 3), 255, np.uint8)
    pixels, letterbox = letterboxed(image, *SIZE)
    assert pixels.shape == (64, 96, 3)
    corners = letterbox.from_image([[0, 0], [width, height]])
    np.testing.assert_allclose(corners, [mapped((0, 0), width, height),
                                         mapped((width, height), width, height)])
    (left, top), (right, bottom) = corners.astype(int)
    inside = np.zeros((64, 96), bool)
    inside[top:bottom, left:right] = True
    assert (pixels[inside] == 255).all() and not (pixels[~inside] == 255).any()


def test_what_is_beside_the_image_is_about_zero_for_the_network():
    pixels, _ = letterboxed(np.full((10, 100, 3), 255, np.uint8), *SIZE)
    network = MotionNetwork(1, 2, SIZE)
    shown = network.normalise(torch.from_numpy(pixels).permute(2, 0, 1)[None].float())[0]
    assert shown[:, 0].abs().max() < 0.02 and shown[:, 32].min() > 1


def test_points_are_mapped_to_where_they_are_seen():
    image = np.zeros((240, 400, 3), np.uint8)
    cv2.circle(image, (290, 70), 12, (255, 255, 255), -1)
    pixels, letterbox = letterboxed(image, *SIZE)
    bright = pixels[..., 0].astype(float)
    bright[:3], bright[-3:] = 0, 0
    rows, columns = np.mgrid[:64, :96] + 0.5
    seen = [(bright * axis).sum() / bright.sum() for axis in (columns, rows)]
    np.testing.assert_allclose(letterbox.from_image([290.5, 70.5]), seen, atol=0.1)


def test_the_network_is_shown_the_image_and_the_path_in_order(shown):
    each, kept = shown
    images = [picture(seed=seed) for seed in range(5)]
    path = [(100.0, 90.0), (110.0, 95.0), None, (130.0, 90.0), (141.0, 92.0)]
    each.start(images[0], path[0])
    for image, position in zip(images[1:], path[1:]):
        each.predict(image)
        each.see(position)
    for number, (pixels, positions) in enumerate(kept, start=1):
        np.testing.assert_array_equal(pixels, letterboxed(images[number], *SIZE)[0])
        wanted = [(math.nan,) * 2 if point is None else mapped(point, 240, 160)
                  for point in path[max(number - 3, 0):number]]
        np.testing.assert_allclose(positions, wanted, rtol=1e-5)


def test_less_history_than_the_weights_know_is_all_that_is_shown(weights, shown):
    _, kept = shown
    each = model(weights, history=1)
    each.start(picture(), (50.0, 60.0))
    each.see((70.0, 80.0))
    each.predict(picture())
    np.testing.assert_allclose(kept[0][1], [mapped((70, 80), 240, 160)], rtol=1e-5)


def test_the_network_sees_normalised_colours_and_then_the_trajectory():
    network = MotionNetwork(3, 2, SIZE)
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 255
    network.hrnet = nn.Identity()
    kept = []
    network.hrnet.register_forward_hook(lambda _, inputs, result: kept.append(result))
    network(image, torch.tensor([[[20.5, 10.5], [30.5, 12.5]]]))
    maps, = kept[0].double()
    for channel, mean, spread in zip(range(3), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)):
        wanted = (image[0, 2 - channel].double() / 255 - mean) / spread
        torch.testing.assert_close(maps[channel], wanted, rtol=1e-4, atol=1e-4)
    assert maps.shape == (6, 64, 96) and not maps[3].any()
    assert maps[4, 10, 20] == 1 and maps[5, 12, 30] == 1
    # One standard deviation is three pixels.
    assert maps[5, 12, 33].item() == pytest.approx(math.exp(-0.5), rel=1e-5)


def test_the_distribution_is_the_bounded_answer_of_the_network(weights, monkeypatch):
    monkeypatch.setattr(module, 'convolution_type', lambda *arguments: torch.float32)
    each = model(weights)
    each.start(picture(), (100.0, 90.0))
    found = each.predict(picture(seed=1))
    assert found.values.shape == (16, 24) and found.values.dtype == np.float32
    network = load_motion_network(weights)
    pixels = torch.from_numpy(letterboxed(picture(seed=1), *SIZE)[0]).permute(2, 0, 1)[None]
    raw = network(pixels.float(), torch.tensor([[mapped((100, 90), 240, 160)]]))[0]
    assert raw.min() < 0 and raw.max() > 1, 'the test needs values out of bounds'
    np.testing.assert_allclose(found.values, raw.clamp(0, 1).numpy(), atol=1e-4)


def test_the_path_outlasts_a_change_of_resolution(shown):
    each, kept = shown
    each.start(picture(), (100.0, 90.0))
    each.predict(picture())
    each.see((104.0, 92.0))
    each.predict(cv2.resize(picture(), (480, 320)))
    each.see((216.0, 188.0))
    each.predict(cv2.resize(picture(), (480, 320)))
    wanted = [mapped(point, 240, 160) for point in ((100, 90), (104, 92), (108, 94))]
    np.testing.assert_allclose(kept[-1][1], wanted, rtol=1e-5)


def test_a_new_start_forgets_the_path_and_others_keep_theirs(weights):
    one, other = model(weights), model(weights)
    for each in (one, other):
        each.start(picture(), (100.0, 90.0))
    one.see((200.0, 50.0))
    before = other.predict(picture())
    assert not np.array_equal(one.predict(picture()).values, before.values)
    one.reset()
    one.start(picture(), (100.0, 90.0))
    np.testing.assert_array_equal(one.predict(picture()).values, before.values)


def distribution(values):
    """Return one of an image of four times as many pixels as there are cells."""
    return Distribution(np.asarray(values, np.float32), Letterbox(np.ones(2), np.zeros(2)))


def test_between_cells_the_distribution_is_interpolated():
    values = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    each = Distribution(values, Letterbox(np.array([0.5, 0.25]), np.array([2.0, 1.0])))
    points = np.random.default_rng(1).uniform((-10, -10), (70, 100), (50, 2))
    for (x, y), found in zip(points, each.at(points)):
        column = min(max((0.5 * x + 2) / 4 - 0.5, 0), 6)
        row = min(max((0.25 * y + 1) / 4 - 0.5, 0), 4)
        wanted = 0.0
        for i in range(5):
            for j in range(7):
                wanted += (max(0, 1 - abs(row - i)) * max(0, 1 - abs(column - j))
                           * float(values[i, j]))
        assert found == pytest.approx(wanted, rel=1e-9)


def boxes_at(*centres):
    return np.array([(x - 3.0, y - 2.0, 6.0, 4.0) for x, y in centres])


CENTRES = boxes_at((10, 14), (50, 30), (70, 12), (33, 41))
SCORES = np.array([0.9, 0.8, 0.3, 0.55])


@pytest.mark.parametrize('weight', [0.0, 0.7, 2.0, 10.0])
def test_the_odds_of_candidates_fall_with_their_distance_from_the_best_fit(weights, weight):
    each = model(weights, motion_weight=weight)
    where = distribution(np.random.default_rng(2).random((16, 24)))
    fits = [float(where.at(np.array([(x + w / 2, y + h / 2)]))[0]) for x, y, w, h in CENTRES]
    found = each.rescored(CENTRES, SCORES, where)
    for score, fit, result in zip(SCORES.tolist(), fits, found):
        odds = score / (1 - score) / math.exp(weight * (max(fits) - fit))
        assert result == pytest.approx(odds / (1 + odds), rel=1e-12)
    assert (found <= SCORES).all() and found[np.argmax(fits)] == SCORES[np.argmax(fits)]


@pytest.mark.parametrize('values', [np.zeros((16, 24)), np.full((16, 24), 0.4)])
def test_a_distribution_that_says_nothing_changes_nothing(weights, values):
    found = model(weights).rescored(CENTRES, SCORES, distribution(values))
    np.testing.assert_allclose(found, SCORES, rtol=1e-6)
    assert found.argsort().tolist() == SCORES.argsort().tolist()


def test_a_look_alike_away_from_the_path_loses_to_the_target(weights):
    values = np.zeros((16, 24))
    values[7, 12] = 0.9             # the centre of the second candidate
    found = model(weights).rescored(CENTRES, SCORES, distribution(values))
    assert found.argmax() == 1 and found[1] == SCORES[1]


def test_scores_stay_in_their_range_and_none_are_none(weights):
    each, where = model(weights), distribution(np.random.default_rng(2).random((16, 24)))
    found = each.rescored(CENTRES, np.array([0.0, 1.0, 1.0, 0.0]), where)
    assert found.tolist() == [0, 1, 1, 0]
    assert each.rescored(np.empty((0, 4)), np.empty(0), where).shape == (0,)


def test_more_history_than_the_weights_know_is_refused(weights):
    with pytest.raises(SettingError, match='motion_history = 4, .* 3 past positions'):
        model(weights, history=4)


def test_random_weights_follow_the_seed_and_take_any_history():
    networks = [load_motion_network('random', seed=seed, history=12) for seed in (3, 3, 4)]
    first, same, other = (network.state_dict()['hrnet.head.weight'] for network in networks)
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert networks[0].history == 12 and networks[0].size == module.SIZE
    assert not any(parameter.requires_grad for parameter in networks[0].parameters())
    assert MotionModel(MotionSettings(motion_weights='random', motion_history=12),
                       Runtime('cpu')).settings.motion_history == 12


def test_a_file_that_does_not_say_what_it_is_of_is_refused(tmp_path, weights):
    file = tmp_path / 'bare.safetensors'
    safetensors.torch.save_file(safetensors.torch.load_file(weights), file)
    with pytest.raises(WeightsError, match='bare.safetensors does not state history'):
        model(str(file))
    stated = {**MotionNetwork(5, 2, SIZE).metadata()}
    safetensors.torch.save_file(safetensors.torch.load_file(weights), file, metadata=stated)
    with pytest.raises(WeightsError, match=r'hrnet.stem.0.conv.weight is \(4, 6, 3, 3\)'):
        model(str(file))
