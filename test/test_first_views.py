"""Changed views of the first frame: the target is where the corners say, drawn as a blob."""
import numpy as np
import pytest

from tracking_nodes.online.first_views import Change, CHANGES, first_views

BOX = (130.0, 90.0, 60.0, 40.0)
SCALE, SIZE = 5.0, 288


def drawn(width=320, height=240, box=BOX):
    """Return a grey image with a bright target whose left half alone is green."""
    image = np.full((height, width, 3), 40, np.uint8)
    x, y, across, down = map(int, box)
    image[y:y + down, x:x + across] = 240
    image[y:y + down, x:x + across // 2, (0, 2)] = 40
    return image


def edges(mask):
    """Return left, top, right, bottom of the pixels of a mask, as a box's corners."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def views(change, box=BOX, **size):
    pixels, corners = first_views(drawn(box=box, **size), box, SCALE, SIZE, [change])
    return pixels[0], corners[0]


@pytest.mark.parametrize('change', [*CHANGES, Change(shift=(0.7, -0.4), zoom=1.3, blur=1.0),
                                    Change(shift=(-1.0, 0.5), mirrored=True)], ids=str)
def test_the_target_is_where_the_corners_say(change):
    pixels, corners = views(change)
    target = pixels[..., 1] > 140
    rows, columns = np.nonzero(target)
    middle = np.array([columns.mean(), rows.mean()]) + 0.5
    np.testing.assert_allclose(middle, (corners[:2] + corners[2:]) / 2, atol=1.0)
    if not change.turn:
        np.testing.assert_allclose(edges(target), corners, atol=1.5)
    # As large as the change says, to whole pixels of the piece that is cut out.
    side = np.sqrt((corners[2:] - corners[:2]).prod())
    assert side == pytest.approx(SIZE / (SCALE * change.zoom), rel=0.01)


def test_an_unchanged_view_has_the_target_in_its_middle():
    _, corners = views(Change())
    np.testing.assert_allclose((corners[:2] + corners[2:]) / 2, SIZE / 2, atol=1.5)


@pytest.mark.parametrize('shift', [(0.8, 0.5), (-0.6, 0.9)])
def test_a_shift_moves_the_target_by_its_sides_the_other_way(shift):
    moved, still = views(Change(shift=shift))[1], views(Change())[1]
    np.testing.assert_allclose((moved - still)[:2], -np.array(shift) * SIZE / SCALE, atol=2.0)


@pytest.mark.parametrize('mirrored', [False, True])
def test_only_a_mirrored_view_shows_the_other_side_first(mirrored):
    pixels, corners = views(Change(mirrored=mirrored, shift=(0.5, 0)))
    green = (pixels[..., 1] > 140) & (pixels[..., 0] < 140)
    left, _, right, _ = edges(green)
    middle = (corners[0] + corners[2]) / 2
    assert left == pytest.approx(middle if mirrored else corners[0], abs=2)
    assert right == pytest.approx(corners[2] if mirrored else middle, abs=2)


@pytest.mark.parametrize('turn', [12.0, -12.0, 30.0])
def test_a_turn_turns_the_target_about_its_middle(turn):
    pixels, _ = views(Change(turn=turn))
    rows, columns = np.nonzero(pixels[..., 1] > 140)
    spread = np.cov(np.stack([columns, rows]))
    longest = np.linalg.eigh(spread)[1][:, 1]
    # Anticlockwise in an image, whose rows go down.
    assert np.degrees(np.arctan(-longest[1] / longest[0])) == pytest.approx(turn, abs=0.5)


def test_a_blur_softens_the_edges_only():
    def steepest(blur):
        pixels, _ = views(Change(blur=blur))
        return np.abs(np.diff(pixels[SIZE // 2, :, 1].astype(int))).max()
    assert steepest(2.0) < 0.5 * steepest(0.0)


@pytest.mark.parametrize('box', [(0, 0, 40, 30), (280, 210, 40, 30)])
def test_at_the_border_the_corners_are_right_too(box):
    for change in CHANGES[:4]:
        pixels, corners = views(change, box)
        left, top, right, bottom = np.round(corners).astype(int)
        # The edge of the image is repeated: the target seems to go on beyond it.
        assert (pixels[top + 2:bottom - 2, left + 2:right - 2, 1] > 140).all()


@pytest.mark.parametrize('box', [(100, 100, 1, 1), (-1e4, -1e4, 2e4, 2e4)])
def test_tiny_and_huge_targets_have_views_of_the_size_asked_for(box):
    pixels, corners = first_views(drawn(), np.array(box, float), SCALE, SIZE)
    assert pixels.shape == (len(CHANGES), SIZE, SIZE, 3) and pixels.dtype == np.uint8
    assert np.isfinite(corners).all() and (corners[:, 2:] > corners[:, :2]).all()
