"""The clip: the same window of the last frames, resized as seldom as possible."""
import numpy as np
import pytest

from tracking_nodes.geometry import area_side
from tracking_nodes.online import clip as module
from tracking_nodes.online.clip import Clip, KEPT
from tracking_nodes.online.regions import sample

SCALE, SIZE = 4.0, 64
BOX = np.array([100.0, 80.0, 30.0, 40.0])


def frames(number, height=200, width=260):
    """Return smooth images, each of its own colours."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width] / 12
    waves = rng.uniform(0.3, 1, (number, 3, 3))
    return [np.stack([127 + 90 * np.sin(x * across + y * down + phase)
                      for across, down, phase in channels], axis=2).astype(np.uint8)
            for channels in waves]


@pytest.fixture
def resized(monkeypatch):
    """Return a list that grows by one with every image that is resized."""
    calls = []

    def counted(image, *args):
        calls.append(int(image[0, 0, 0]))
        return sample(image, *args)
    monkeypatch.setattr(module, 'sample', counted)
    return calls


def test_the_window_is_that_part_of_every_frame():
    images = frames(6)
    clip = Clip(images[0], BOX, 4, SCALE, SIZE)
    for number, image in enumerate(images[1:], start=1):
        clip.add(image)
        box = BOX + [3 * number, -2 * number, 0, 0]
        region = clip.window(box)
        assert region.pixels.shape == (4, SIZE, SIZE, 3)
        side = SIZE / region.scale
        assert side == pytest.approx(SCALE * area_side(BOX))
        middle = np.array([region.left, region.top]) + side / 2
        # On the grid of whole pixels after resizing.
        assert np.abs((middle - box[:2] - box[2:] / 2) * region.scale).max() <= 1
        shown = [images[max(number - age, 0)] for age in (3, 2, 1, 0)]
        for pixels, source in zip(region.pixels, shown):
            expected, = sample(source, middle, [side], SIZE)
            assert np.abs(pixels.astype(int) - expected).mean() < 1.5


def test_points_of_the_image_are_found_in_the_window():
    image = np.zeros((200, 260, 3), np.uint8)
    image[90:94, 120:124] = 255
    region = Clip(image, BOX, 4, SCALE, SIZE).window(BOX)
    rows, columns = np.nonzero(region.pixels[0, :, :, 0] > 127)
    found = [columns.mean() + 0.5, rows.mean() + 0.5]
    np.testing.assert_allclose(found, region.from_image([122, 92]), atol=0.5)


def test_each_frame_is_resized_once_while_the_target_moves_on(resized):
    images = frames(12)
    clip = Clip(images[0], BOX, 4, SCALE, SIZE)
    clip.window(BOX)
    assert len(resized) == 1
    for number, image in enumerate(images[1:], start=1):
        clip.add(image)
        # A twelfth of the window a frame: over three frames less than what is kept around it.
        clip.window(BOX + [number * SCALE * area_side(BOX) / 12, 0, 0, 0])
    assert len(resized) == len(images)


def test_small_changes_of_size_resize_nothing_and_large_ones_every_frame_once(resized):
    images = frames(5)
    clip = Clip(images[0], BOX, 4, SCALE, SIZE)
    for image in images[1:]:
        clip.add(image)
        clip.window(BOX)
    assert len(resized) == 5
    assert clip.window(BOX * [1, 1, 1.05, 1.05]).scale == clip.window(BOX).scale
    assert len(resized) == 5
    larger = BOX * [1, 1, 1.2, 1.2]
    assert clip.window(larger).scale == pytest.approx(SIZE / (SCALE * area_side(larger)))
    assert len(resized) == 9


def test_frames_are_resized_again_where_the_window_leaves_what_is_kept(resized):
    images = frames(5)
    clip = Clip(images[0], BOX, 4, SCALE, SIZE)
    for image in images[1:]:
        clip.add(image)
        clip.window(BOX)
    before = len(resized)
    reach = (KEPT - 1) / 2 * SCALE * area_side(BOX)
    clip.window(BOX + [0.9 * reach, 0, 0, 0])
    assert len(resized) == before
    clip.window(BOX + [1.1 * reach, 0, 0, 0])
    assert len(resized) == before + 4


def test_the_first_frame_fills_the_clip_and_is_resized_once(resized):
    image, = frames(1)
    clip = Clip(image, BOX, 4, SCALE, SIZE)
    pixels = clip.window(BOX).pixels
    assert (pixels == pixels[0]).all()
    clip.window(BOX * [1, 1, 2, 2])
    assert len(resized) == 2


def test_a_caller_may_overwrite_its_image():
    image, = frames(1)
    clip = Clip(image, BOX, 4, SCALE, SIZE)
    far = BOX + [90, 60, 0, 0]
    expected = Clip(image.copy(), BOX, 4, SCALE, SIZE).window(far).pixels
    image[:] = 0
    np.testing.assert_array_equal(clip.window(far).pixels, expected)


@pytest.mark.parametrize('box', [
    (0, 0, 1, 1), (-500, -400, 30, 30), (1e4, 1e4, 50, 20), (-1e4, -1e4, 2e4, 2e4),
    (100, 0, 60, 1e5)])
def test_windows_beside_and_beyond_the_image(box):
    image, = frames(1)
    clip = Clip(image, BOX, 4, SCALE, SIZE)
    clip.add(image)
    region = clip.window(np.array(box, dtype=float))
    assert region.pixels.shape == (4, SIZE, SIZE, 3)
    assert (region.pixels == region.pixels[0]).all()
