"""The sample clip: the same every time, and its boxes where the target is drawn."""
import cv2
import numpy as np

from tracking_nodes.sequences.synthetic import HEIGHT, SyntheticSequence, WIDTH


def test_same_seed_gives_the_same_clip_and_another_does_not():
    first, again = (list(SyntheticSequence(frames=4, seed=3).images()) for _ in range(2))
    other = list(SyntheticSequence(frames=4, seed=4).images())
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first[0].shape == (HEIGHT, WIDTH, 3) and first[0].dtype == np.uint8


def test_target_stays_inside_moves_and_changes_its_size():
    clip = SyntheticSequence()
    corners = clip.boxes[:, :2] + clip.boxes[:, 2:]
    assert (clip.boxes[:, :2] > 0).all() and (corners < [WIDTH, HEIGHT]).all()
    assert np.ptp(clip.boxes[:, :2], axis=0).min() > 100
    assert clip.boxes[:, 2].max() / clip.boxes[:, 2].min() > 1.5
    assert (np.diff(clip.stamps) > 0).all()


def test_boxes_are_where_the_target_is():
    clip = SyntheticSequence(frames=60)
    images = list(clip.images())
    x, y, width, height = clip.boxes[0].round().astype(int)
    template = images[0][y:y + height, x:x + width]
    for index in (10, 20):
        scale = clip.boxes[index, 2] / clip.boxes[0, 2]
        scaled = cv2.resize(template, None, fx=scale, fy=scale)
        match = cv2.matchTemplate(images[index], scaled, cv2.TM_CCOEFF_NORMED)
        _, score, _, (left, top) = cv2.minMaxLoc(match)
        assert score > 0.7
        np.testing.assert_allclose([left, top], clip.boxes[index, :2], atol=1.5)
