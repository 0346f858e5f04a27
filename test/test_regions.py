"""Square pieces of an image, against naive cutting pixel by pixel."""
import numpy as np
import pytest

from tracking_nodes.online.regions import cut, sample


def noise(height=60, width=90, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def naive(image, left, top, side):
    """Return the square with the nearest pixel of the image wherever it lies outside."""
    height, width = image.shape[:2]
    piece = np.empty((side, side, 3), np.uint8)
    for row in range(side):
        for column in range(side):
            piece[row, column] = image[min(max(top + row, 0), height - 1),
                                       min(max(left + column, 0), width - 1)]
    return piece


@pytest.mark.parametrize('centre', [(45, 30), (3, 30), (45, 58), (-4, -6), (92, 63)])
def test_an_unscaled_piece_holds_the_pixels_of_the_image(centre):
    image = noise()
    region = cut(image, centre, 24, 24)
    assert (region.left, region.top, region.scale) == (centre[0] - 12, centre[1] - 12, 1.0)
    np.testing.assert_array_equal(region.pixels, naive(image, region.left, region.top, 24))


def test_a_piece_beyond_the_image_shows_its_edge():
    image = noise()
    region = cut(image, (500, 30), 16, 16)
    np.testing.assert_array_equal(region.pixels, naive(image, region.left, region.top, 16))
    np.testing.assert_array_equal(region.pixels[:, -1], image[22:38, -1])


def test_a_piece_larger_than_the_image():
    image = noise(10, 12)
    region = cut(image, (6, 5), 200, 200)
    np.testing.assert_array_equal(region.pixels, naive(image, -94, -95, 200))


def test_shrinking_averages_the_area():
    image = noise()
    region = cut(image, (40, 30), 48, 12)
    blocks = naive(image, region.left, region.top, 48).reshape(12, 4, 12, 4, 3)
    assert region.scale == 0.25
    np.testing.assert_allclose(region.pixels, blocks.mean(axis=(1, 3)), atol=0.51)


@pytest.mark.parametrize('side, size', [(50, 100), (50, 120), (64, 30)])
def test_a_point_of_the_image_is_found_at_its_place_in_the_piece(side, size):
    """The grey value of a ramp is its own coordinate, centres of pixels at a half."""
    across = np.broadcast_to((np.arange(120) * 2 + 1)[:, None], (90, 120, 1))
    down = np.broadcast_to((np.arange(90) * 2 + 1)[:, None, None], (90, 120, 1))
    image = np.concatenate([across, down, down], axis=2).astype(np.uint8)
    region = cut(image, (61.3, 44.8), side, size)
    points = np.array([[45.5, 30.5], [60.0, 45.25], [80.0, 60.0]])
    for point, (x, y) in zip(points, region.from_image(points)):
        # The value at a pixel's centre, moved by the slope to the exact place.
        column, row = int(x), int(y)
        slope = np.array([x - (column + 0.5), y - (row + 0.5)]) * 2 / region.scale
        seen = region.pixels[row, column, :2] + slope
        np.testing.assert_allclose(seen, 2 * point, atol=1.5)


def test_corners_are_converted_as_points_are():
    region = cut(noise(), (45, 30), 30, 60)
    corners = np.array([[[30.0, 15.0, 60.0, 45.0], [40.0, 20.0, 41.0, 22.0]]])
    found = region.from_image(corners)
    assert found.shape == corners.shape
    np.testing.assert_allclose(found[0, 0], [0, 0, 60, 60])
    np.testing.assert_allclose(found[..., :2], region.from_image(corners[..., :2]))
    np.testing.assert_allclose(found[..., 2:], region.from_image(corners[..., 2:]))


def test_the_image_is_left_alone_and_tiny_sides_are_cut_too():
    image = noise()
    before = image.copy()
    region = cut(image, (20, 20), 0.2, 8)
    assert region.pixels.shape == (8, 8, 3) and region.scale == 4
    region.pixels[:] = 0
    np.testing.assert_array_equal(image, before)


def test_an_unscaled_piece_is_no_view_of_the_image():
    image = noise()
    region = cut(image, (45, 30), 24, 24)
    before = region.pixels.copy()
    image[:] = 0
    np.testing.assert_array_equal(region.pixels, before)


@pytest.mark.parametrize('side', [30.5, 100.0, 333.3])
def test_sampled_squares_show_a_ramp_at_the_right_place(side):
    rows, columns = np.mgrid[0:240, 0:320].astype(np.float64)
    image = np.stack([columns * 0.7, rows, 0 * rows], axis=-1).round().astype(np.uint8)
    size, centre = 64, np.array([150.3, 120.8])
    square, = sample(image, centre, [side], size)
    # Pixel k of the square has its centre at (k + 0.5) steps from the square's corner.
    places = centre[:, None] - side / 2 + (np.arange(size) + 0.5) * side / size - 0.5
    inside = (places > 1) & (places < np.array([[318], [238]]))
    assert np.abs(square[32, :, 0] - 0.7 * places[0])[inside[0]].max() < 1.5
    assert np.abs(square[:, 32, 1] - places[1])[inside[1]].max() < 1.5


def test_sampling_averages_what_shrinks_and_repeats_the_edge():
    board = (np.indices((240, 320)).sum(axis=0) % 2 * 255).astype(np.uint8)
    board = np.repeat(board[..., None], 3, axis=2)
    grey, = sample(board, (160, 120), [200], 50)
    assert np.abs(grey.astype(int) - 127).max() <= 2
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, 0] = 200
    left, = sample(image, (-30, 10), [10], 10)
    assert (left == 200).all()


def test_one_point_at_several_scales_stays_one_point():
    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    for small, side in zip(sample(image, (50, 50), [40, 60, 300], 101), (40, 60, 300)):
        alone, = sample(image, (50, 50), [side], 101)
        if side < 202:
            assert np.abs(alone.astype(int) - small.astype(int)).mean() < 40


def test_a_square_far_larger_than_the_image_needs_no_more_memory_than_it():
    image = np.full((30, 40, 3), 7, np.uint8)
    image[:, 20:] = 9
    square, = sample(image, (20, 15), [1e7], 25)
    assert square.shape == (25, 25, 3) and set(np.unique(square)) <= {7, 8, 9}


@pytest.mark.parametrize('shape', [(2,), (4,), (5, 2), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize('centre, side, size', [((45, 30), 24, 24), ((-30, 90), 57, 288),
                                                ((61.3, 44.8), 200, 31)])
def test_what_is_taken_to_the_image_and_back_is_the_same(shape, centre, side, size):
    region = cut(noise(), centre, side, size)
    points = np.random.default_rng(1).uniform(-50, 400, shape)
    np.testing.assert_allclose(region.to_image(region.from_image(points)), points)
    np.testing.assert_allclose(region.from_image(region.to_image(points)), points)
    # Its own corners are those of the square that was cut out.
    np.testing.assert_allclose(region.to_image([0, 0, size, size]), [
        region.left, region.top, region.left + side, region.top + side])
