"""Features of candidates: both paths see what lies in the box, the projection is numpy's PCA."""
import numpy as np
import pytest
import torch

from tracking_nodes.geometry import xywh_to_cxcywh
from tracking_nodes.online import features as module
from tracking_nodes.online.features import FeatureExtractor, FeatureSettings, Projection
from tracking_nodes.trackers.base import Runtime

CPU = Runtime(device='cpu')
SMALL = {'weights': 'random', 'search_size': 160, 'feature_channels': 16}
BOX = np.array([84.0, 84.0, 32.0, 32.0])


def extractor(**changes):
    return FeatureExtractor(FeatureSettings.parse({**SMALL, **changes}), CPU)


def noise(height=200, width=200, seed=0):
    """Return an image of smooth random texture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3))
    return np.kron(coarse, np.ones((4, 4, 1))).astype(np.uint8)


def blob(centre, size=200, radius=5.0):
    """Return a dark image with a bright spot; pixel centres lie at a half."""
    y, x = np.mgrid[:size, :size] + 0.5
    spot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius ** 2))
    return np.repeat((110 + 140 * spot)[..., None], 3, axis=2).astype(np.uint8)


@pytest.fixture(scope='module', params=['shared', 'crop'])
def small(request):
    return extractor(feature_path=request.param)


def test_both_paths_return_one_row_per_box(small):
    boxes = BOX + np.random.default_rng(0).normal(0, 5, (70, 4))
    frame = small.frame(noise(), BOX)
    features = frame.of(boxes)
    assert features.shape == (70, 2 * 16 * 3 * 3)
    assert features.dtype == torch.float32 and torch.isfinite(features).all()
    assert not features.requires_grad
    for row in (0, 64, 69):
        torch.testing.assert_close(frame.of(boxes[row:row + 1])[0], features[row],
                                   atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('path', ['shared', 'crop'])
@pytest.mark.parametrize('taps, channels, pool', [('conv3', 8, 3), ('conv1+conv2+conv3', 8, 2),
                                                  ('conv3', 0, 1)])
def test_length_follows_taps_channels_and_cells(path, taps, channels, pool):
    made = extractor(feature_path=path, taps=taps, feature_channels=channels, pool_size=pool)
    width = channels * len(taps.split('+')) or 512
    assert made.frame(noise(), BOX).of(BOX[None]).shape == (1, width * pool * pool)


def test_shared_features_move_with_the_content_stride_by_stride():
    """A translation by the stride of the deepest layer moves all features exactly."""
    # 160 pixels around the box onto 160: nothing is resized.
    made = extractor(search_scale=5.0)
    stride = max(made.backbone.stride[tap] for tap in made.taps)
    image, boxes = noise(), np.stack([BOX, BOX + (3.3, -4.1, 5, 2)])
    first = made.frame(image, BOX)
    for shift in ((stride, 0), (0, -stride), (-stride, stride)):
        moved = made.frame(np.roll(image, shift[::-1], axis=(0, 1)), BOX, first.projection)
        torch.testing.assert_close(moved.of(boxes + (*shift, 0, 0)), first.of(boxes),
                                   atol=2e-3, rtol=2e-3)
        assert not torch.allclose(moved.of(boxes), first.of(boxes), atol=0.5)


def centre_seen(made, image):
    """Return where boxes swept across an image answer, along each axis: a centre of mass."""
    shifts = np.arange(-40.0, 41.0, 4.0)
    frame, seen = made.frame(image, BOX), []
    for axis in (0, 1):
        boxes = np.tile(BOX, (len(shifts), 1))
        boxes[:, axis] += shifts
        answer = frame.of(boxes).sum(dim=1).double().numpy()
        answer -= answer.min()
        seen.append((answer * xywh_to_cxcywh(boxes)[:, axis]).sum() / answer.sum())
    return seen


@pytest.mark.parametrize('changes, spots', [
    ({'feature_path': 'crop'}, 2),
    ({'search_scale': 5.0}, 8),
    ({'search_scale': 5.0, 'search_size': 256}, 8),
    ({'search_scale': 6.0, 'search_size': 144}, 8)])
@pytest.mark.parametrize('tap', ['conv2', 'conv3'])
def test_a_box_answers_most_where_it_is_centred_on_the_content(tap, changes, spots):
    """Both paths, whatever the resizing, see a spot where it is."""
    made = extractor(taps=tap, pool_size=1, feature_channels=0, **changes)
    for layer in made.backbone.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.weight.fill_(1.0 / layer.weight[0].numel())
    # A cell is so many pixels of the image wide; the spot is put at each phase of it.
    settings = made.settings
    if settings.feature_path == 'crop':
        scale = settings.crop_size * (1 - 2 * settings.crop_padding) / BOX[2]
    else:
        scale = settings.search_size / (settings.search_scale * BOX[2])
    stride = made.backbone.stride[tap] / scale
    places = 100 + stride * (np.arange(spots) / spots - 0.5)
    errors = np.array([centre_seen(made, blob((place, place))) - place for place in places])
    # Maxima and interpolation between cells pull to and fro with the phase, not to one side.
    assert np.abs(errors).max() < 0.25 * stride
    np.testing.assert_allclose(errors.mean(axis=0), 0, atol=0.05 * stride)


def naive_crop(image, box, out, padding):
    """Return the padded box resized to out x out, bilinear, pixel by pixel in float64."""
    centre_x, centre_y, width, height = xywh_to_cxcywh(box)
    width, height = width / (1 - 2 * padding), height / (1 - 2 * padding)
    crop = np.empty((out, out, 3))
    for row in range(out):
        for column in range(out):
            x = centre_x + width * ((column + 0.5) / out - 0.5) - 0.5
            y = centre_y + height * ((row + 0.5) / out - 0.5) - 0.5
            left, top = int(np.floor(x)), int(np.floor(y))
            value = 0.0
            for corner_y, weight_y in ((top, top + 1 - y), (top + 1, y - top)):
                for corner_x, weight_x in ((left, left + 1 - x), (left + 1, x - left)):
                    value = value + weight_x * weight_y * image[
                        min(max(corner_y, 0), len(image) - 1),
                        min(max(corner_x, 0), image.shape[1] - 1)].astype(float)
            crop[row, column] = value
    return crop


@pytest.mark.parametrize('box', [(60.3, 71.8, 60.0, 45.5), (-20.0, 170.2, 61.0, 50.0)])
def test_a_crop_holds_the_pixels_of_its_box(box, monkeypatch):
    made = extractor(feature_path='crop')
    frame = made.frame(noise(), BOX)
    seen, maps = [], made.maps

    def recorded(pixels):
        seen.append(pixels.copy())
        return maps(pixels)
    monkeypatch.setattr(made, 'maps', recorded)
    frame.of(np.array([box]))
    expected = naive_crop(noise(), np.array(box), 107, made.settings.crop_padding)
    # OpenCV counts places in 32nds of a pixel, and neighbours differ by up to 255.
    difference = np.abs(seen[0][0] - expected)
    assert difference.max() < 10 and difference.mean() < 1


def test_crops_are_batched_without_trace():
    made = extractor(feature_path='crop', taps='conv2')
    frame = made.frame(noise(), BOX)
    boxes = BOX + np.random.default_rng(1).normal(0, 4, (66, 4))
    whole = frame.of(boxes)
    frame.BATCH = 7
    torch.testing.assert_close(frame.of(boxes), whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('keep', [3, 0])
def test_the_projection_is_the_principal_components_of_numpy(keep):
    rng = np.random.default_rng(0)
    layers = [rng.normal(2, 1, (300, 8)) @ rng.normal(0, 1, (8, 8)) for _ in range(2)]
    fitted = Projection.fit([torch.from_numpy(layer).float() for layer in layers], keep, 3.0)
    fresh = [rng.normal(1, 1, (5, 8)) for _ in layers]
    maps = fitted.of_maps([torch.from_numpy(layer.T.reshape(1, 8, 5, 1)).float()
                           for layer in fresh])
    for layer, rows, found in zip(layers, fresh, maps):
        centred = layer - layer.mean(axis=0)
        basis = np.linalg.svd(centred, full_matrices=False)[2][:keep] if keep else np.eye(8)
        gain = 3.0 / np.sqrt(np.mean((centred @ basis.T) ** 2))
        expected = gain * (rows - layer.mean(axis=0)) @ basis.T
        found = found[0, :, :, 0].T.numpy()
        # The sign of a component is free.
        signs = np.sign((found * expected).sum(axis=0)) if keep else np.ones(8)
        np.testing.assert_allclose(found * signs, expected, rtol=1e-3, atol=1e-4)


def test_projected_maps_have_the_scale_asked_for_in_the_first_frame():
    for rms in (1.0, 3.0):
        made = extractor(feature_rms=rms)
        image = noise()
        maps = made.maps(image[None, 20:180, 20:180].copy())
        cells = [layer[0].flatten(1).T for layer in maps]
        for layer in Projection.fit(cells, 16, rms).of_maps(maps):
            assert layer.shape[1] == 16
            assert float(layer.square().mean().sqrt()) == pytest.approx(rms, rel=1e-3)
            np.testing.assert_allclose(layer.mean(dim=(0, 2, 3)), 0, atol=1e-3 * rms)


def test_the_projection_of_the_first_frame_is_kept(small):
    first = small.frame(noise(), BOX)
    second = small.frame(noise(seed=1), BOX, first.projection)
    assert second.projection is first.projection
    again = small.frame(noise(), BOX, first.projection)
    torch.testing.assert_close(again.of(BOX[None]), first.of(BOX[None]))
    own = small.frame(noise(seed=1), BOX)
    assert not torch.allclose(own.of(BOX[None]), second.of(BOX[None]), atol=0.1)


def test_an_image_without_any_texture_gives_finite_features(small):
    flat = np.full((120, 160, 3), 128, np.uint8)
    assert torch.isfinite(small.frame(flat, BOX).of(BOX[None])).all()


def test_pixels_go_to_the_device_once_a_frame_and_boxes_as_four_numbers(monkeypatch):
    made, sent = extractor(), []

    def counted(array, device):
        sent.append(array)
        return torch.from_numpy(array)

    monkeypatch.setattr(module, 'to_device', counted)
    frame = made.frame(noise(), BOX)
    frame.of(BOX + np.random.default_rng(0).normal(0, 5, (300, 4)))
    frame.windows(BOX[None], 2.0, 9)
    assert [array.shape for array in sent] == [(1, 160, 160, 3), (300, 4), (1, 4)]


def test_the_image_is_left_alone(small):
    image = noise()
    small.frame(image, BOX).of(BOX[None])
    np.testing.assert_array_equal(image, noise())
