"""Cutting and resizing of tensors, against sums written out pixel by pixel and against OpenCV."""
import math

import cv2
import numpy as np
import pytest
import torch

from tracking_nodes.nn import resampling
from tracking_nodes.online import pictures
from tracking_nodes.online.first_views import CHANGES, first_views
from tracking_nodes.online.motion_model import letterboxed
from tracking_nodes.online.regions import cut, sample

# Grey levels that OpenCV's warping may be off by. Up to 4 it rounds places to 1/32 of a pixel,
# half of which is 4 grey levels between black and white, in each of the two directions.
WARPED = 1 if int(cv2.__version__.split('.')[0]) >= 5 else 9


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def axis_weights(corner, step, count, length, averaged):
    """
    Return (count, length) float64, summed up in loops: the share of each pixel in each cell.

    Of averaging, by walking along the cell in pieces that end at whole numbers; of interpolation,
    from the two centres of pixels beside the middle of the cell.
    """
    weights = np.zeros((count, length))
    for cell in range(count):
        begin, end = corner + cell * step, corner + (cell + 1) * step
        if averaged:
            while end - begin > 1e-9:
                upto = min(math.floor(begin + 1e-9) + 1, end)
                pixel = min(max(math.floor(begin + 1e-9), 0), length - 1)
                weights[cell, pixel] += (upto - begin) / step
                begin = upto
        else:
            middle = (begin + end) / 2 - 0.5
            low = math.floor(middle)
            for pixel, share in ((low, low + 1 - middle), (low + 1, middle - low)):
                weights[cell, min(max(pixel, 0), length - 1)] += share
    return weights


def expected(image, corner, step, size, averaged):
    """Return (h, w, 3) float64 of a `size` (w, h), before rounding."""
    columns, rows = (axis_weights(*each, averaged) for each in zip(
        corner, step, size, image.shape[1::-1]))
    return np.einsum('ki,ijc,lj->klc', rows, image.astype(np.float64), columns)


def check(found, exact, tolerance=0.501):
    """Check that a result is the exact one rounded, up to what float32 leaves open."""
    assert found.dtype == torch.uint8 and found.is_contiguous()
    assert found.shape == exact.shape
    assert np.abs(found.numpy() - exact).max() <= tolerance


def nearly(found, wanted, most=1):
    """Check that a tensor differs from an array by no more than so many grey levels."""
    assert isinstance(found, torch.Tensor) and found.dtype == torch.uint8
    assert found.is_contiguous() and found.shape == wanted.shape
    assert np.abs(found.numpy().astype(int) - wanted.astype(int)).max() <= most


@pytest.mark.parametrize('seed', range(30))
def test_squares_are_the_sums_written_out(seed):
    rng = np.random.default_rng(seed)
    image = noise(*rng.integers(1, 50, 2), seed)
    side, size = rng.integers(2, 70), int(rng.integers(1, 40))
    left, top = (int(rng.integers(1 - side, limit)) for limit in image.shape[1::-1])
    # The edge of the piece is repeated, not what lies beside it in the image.
    piece = image[max(top, 0):top + side, max(left, 0):left + side]
    check(resampling.square(torch.from_numpy(image), left, top, side, size), expected(
        piece, (min(left, 0), min(top, 0)), (side / size,) * 2, (size, size), side > size))


@pytest.mark.parametrize('height, width, rows, columns', [
    (48, 64, 24, 32), (48, 64, 31, 41), (48, 64, 48, 64), (48, 64, 47, 64), (30, 40, 75, 100),
    (1, 1, 5, 4), (1, 9, 1, 4), (7, 1, 3, 1), (33, 57, 1, 1)])
def test_whole_images_are_the_sums_written_out(height, width, rows, columns):
    image = noise(height, width)
    check(resampling.resized(torch.from_numpy(image), columns, rows), expected(
        image, (0, 0), (width / columns, height / rows), (columns, rows),
        rows * columns < height * width))


@pytest.mark.parametrize('seed', range(30))
def test_warped_squares_are_the_sums_written_out(seed):
    rng = np.random.default_rng(seed)
    image, size = noise(*rng.integers(1, 60, 2), seed), int(rng.integers(1, 40))
    corner, step = rng.uniform(-60, 90, 2).tolist(), np.exp(rng.uniform(-2, 1, 2)).tolist()
    found = resampling.warped(torch.from_numpy(image), corner, step, size)
    check(found, expected(image, corner, step, (size, size), False), 0.51)
    row = np.array([[first + size * each / 2 for first, each in zip(corner, step)]
                    + [size * each for each in step]])
    many = resampling.crops(torch.from_numpy(image), row.repeat(3, axis=0), size)
    for each in many:
        check(each, expected(image, corner, step, (size, size), False), 0.51)


@pytest.mark.parametrize('seed', range(60))
def test_cutting_and_sampling_are_those_of_opencv(seed):
    rng = np.random.default_rng(seed)
    image, size = noise(*rng.integers(1, 200, 2), seed), int(rng.integers(1, 120))
    # Far beyond the borders on all sides, and far larger than the image.
    centre, side = rng.uniform(-100, 300, 2), float(np.exp(rng.uniform(0, 6.5)))
    given = torch.from_numpy(image)
    wanted, found = cut(image, centre, side, size), cut(given, centre, side, size)
    assert (found.left, found.top, found.scale) == (wanted.left, wanted.top, wanted.scale)
    nearly(found.pixels, wanted.pixels)
    sides = [0.97 * side, side, 1.03 * side]
    for one, other in zip(sample(given, centre, sides, size), sample(image, centre, sides, size)):
        nearly(one, other, WARPED)


@pytest.mark.parametrize('width, height', [(256, 192), (20, 90), (101, 7)])
@pytest.mark.parametrize('shape', [(120, 160), (480, 640), (1, 1), (3, 200)])
def test_letterboxes_are_those_of_opencv(shape, width, height):
    image = noise(*shape)
    (wanted, place), (found, other) = (
        letterboxed(each, width, height) for each in (image, torch.from_numpy(image)))
    nearly(found, wanted)
    np.testing.assert_array_equal(other.from_image([3, 4]), place.from_image([3, 4]))


@pytest.mark.parametrize('box', [(60, 50, 40, 30), (-20, 90, 50, 50), (150, 2, 3, 9)])
def test_first_views_are_those_of_opencv(box):
    image = noise(120, 160)
    wanted, found = (first_views(each, np.array(box, float), 5.0, 96)
                     for each in (image, torch.from_numpy(image)))
    np.testing.assert_array_equal(found[1], wanted[1])
    for change, one, other in zip(CHANGES, found[0], wanted[0]):
        # What is turned or blurred was rounded before, perhaps to other sides.
        nearly(one, other, 1 + WARPED if change.turn else 1 + bool(change.blur))


def test_a_turn_and_a_blur_do_not_mirror_or_shift():
    """On an image whose pixels all differ; `first_views` turns both ways by the same."""
    image = cv2.GaussianBlur(noise(40, 60), (0, 0), 1.5)
    for degrees in (90, 30, -135):
        nearly(resampling.turned(torch.from_numpy(image), (22.0, 17.5), degrees),
               pictures.turned(image, (22.0, 17.5), degrees),
               WARPED)
    for deviation in (0.8, 2.0, 4.0):
        nearly(resampling.blurred(torch.from_numpy(image), deviation),
               pictures.blurred(image, deviation))


def test_autocast_changes_nothing():
    """The global search cuts inside of it; in bfloat16 there were 8 bits for 256 grey levels."""
    image = torch.from_numpy(noise(90, 120))
    calls = [lambda: resampling.square(image, -5, 10, 80, 33),
             lambda: resampling.square(image, -5, 10, 40, 96),
             lambda: resampling.resized(image, 50, 31),
             lambda: resampling.warped(image, (3.3, -4.0), (0.7, 0.9), 64),
             lambda: resampling.crops(image, np.array([[50.0, 40.0, 61.0, 43.0]]), 75),
             lambda: resampling.turned(image, (30.0, 30.0), 12.0),
             lambda: resampling.blurred(image, 2.0)]
    for call in calls:
        plain = call()
        with torch.autocast('cpu', torch.bfloat16):
            assert torch.equal(call(), plain)


def test_nothing_is_sent_beside_the_image_but_the_boxes_of_crops(monkeypatch):
    image, sent = torch.from_numpy(noise(90, 120)), []

    def counted(array, device):
        sent.append(array.shape)
        return torch.from_numpy(array)

    def refused(*_, **__):
        raise AssertionError('a copy from the host')

    boxes = np.array([[50.0, 40.0, 61.0, 43.0]] * 5)
    monkeypatch.setattr(resampling, 'to_device', counted)
    for name in ('tensor', 'as_tensor', 'from_numpy'):
        with monkeypatch.context() as patch:
            patch.setattr(torch, name, refused)
            cut(image, (50, 40), 80, 33)
            sample(image, (50, 40), [50, 300], 40)
            letterboxed(image, 64, 64)
            first_views(image, np.array([30.0, 30.0, 20.0, 20.0]), 4.0, 64)
    assert not sent
    resampling.crops(image, boxes, 20)
    assert sent == [(5, 4)]


def test_results_have_memory_of_their_own():
    image = torch.from_numpy(noise(60, 90))
    results = [cut(image, (45, 30), 24, 24).pixels, resampling.resized(image, 90, 60),
               pictures.kept(image), resampling.mirrored(image)]
    before = [each.clone() for each in results]
    image.zero_()
    assert all(map(torch.equal, results, before)) and all(each.any() for each in before)


def test_pieces_are_put_together_as_what_they_are():
    arrays = [noise(5, 6, seed) for seed in range(3)]
    tensors = [torch.from_numpy(each) for each in arrays]
    for together in (pictures.stacked, pictures.joined):
        wanted, found = together(*arrays), together(*tensors)
        assert isinstance(wanted, np.ndarray) and isinstance(found, torch.Tensor)
        np.testing.assert_array_equal(found.numpy(), wanted)
    assert wanted.shape == (15, 6, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU here')
@pytest.mark.parametrize('seed', range(10))
def test_a_gpu_cuts_as_the_cpu_does(seed):
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(noise(200, 300, seed))
    centre, side = rng.uniform(-100, 400, 2), float(np.exp(rng.uniform(1, 6.5)))
    for call in (lambda given: cut(given, centre, side, 96).pixels,
                 lambda given: sample(given, centre, [side], 96)[0],
                 lambda given: letterboxed(given, 128, 64)[0],
                 lambda given: pictures.crops(given, np.array([[*centre, side, side]]), 75)):
        found = call(image.cuda())
        assert found.is_cuda
        nearly(found.cpu(), call(image).numpy())
