"""Windows around boxes on one grid: what both feature paths show in them, and where."""
import numpy as np
import pytest
from small_trackers import clip

from tracking_nodes.geometry import xywh_to_cxcywh
from tracking_nodes.online.features import FeatureExtractor, FeatureSettings, square_around
from tracking_nodes.trackers.base import Runtime


def features(path, image, box, **changes):
    settings = FeatureSettings(feature_path=path, feature_channels=16, **changes)
    return FeatureExtractor(settings, Runtime(device='cpu')).frame(image, box)


def test_squares_have_the_centres_and_the_areas_asked_for():
    boxes = np.array([(10.0, 20.0, 40.0, 10.0), (0.0, 0.0, 9.0, 25.0)])
    squares = square_around(boxes, 3.0)
    np.testing.assert_allclose(squares[:, 2:], [(60, 60), (45, 45)])
    np.testing.assert_allclose(xywh_to_cxcywh(squares)[:, :2], xywh_to_cxcywh(boxes)[:, :2])


def test_the_shared_path_has_the_same_grid_for_boxes_and_windows():
    image, box = clip()[0][0], clip()[1][0]
    found = features('shared', image, box, pool_size=6)
    windows = found.windows(box[None], 2.0, 6)
    assert windows.shape == (1, 32, 6, 6)
    np.testing.assert_allclose(windows.flatten(1), found.of(square_around(box[None], 2.0)),
                               rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('path', ['shared', 'crop'])
def test_a_window_moves_with_its_box(path):
    """The same patch of the image is found one cell to the left in a window one cell further."""
    image, box = clip()[0][0], clip()[1][0]
    cells, scale = 16, 3.0
    step = scale * np.sqrt(box[2] * box[3]) / cells
    found = features(path, image, box)
    here, right, down = found.windows(
        box + np.array([(0, 0, 0, 0), (2 * step, 0, 0, 0), (0, 2 * step, 0, 0)]), scale,
        cells).numpy()
    inner = slice(5, 11)
    across, below = here[:, inner, 7:13], here[:, 7:13, inner]
    assert np.corrcoef(right[:, inner, inner].ravel(), across.ravel())[0, 1] > 0.9
    assert np.corrcoef(down[:, inner, inner].ravel(), below.ravel())[0, 1] > 0.9
    assert np.corrcoef(right[:, inner, inner].ravel(),
                       here[:, inner, inner].ravel())[0, 1] < 0.8


def test_crops_are_enlarged_like_candidates():
    image, box = clip()[0][0], clip()[1][0]
    found = features('crop', image, box)
    boxes = box + np.array([(0, 0, 0, 0), (8, 4, 10, 6), (-300, -300, 0, 0)])
    windows = found.windows(boxes, 2.0, 10)
    assert windows.shape == (3, 32, 10, 10) and windows.isfinite().all()
    # The rows of a batch are independent.
    np.testing.assert_allclose(found.windows(boxes[1:2], 2.0, 10)[0], windows[1], rtol=1e-3,
                               atol=1e-3)
