"""The search over the whole image: places, sizes of the detector's image, the template's life."""
import cv2
import numpy as np
import pytest
from small_trackers import clip
import torch

from tracking_nodes.errors import NotStartedError, WeightsError
from tracking_nodes.geometry import iou
from tracking_nodes.online.global_search import GlobalSearch, GlobalSearchSettings
from tracking_nodes.trackers.base import Runtime

CPU = Runtime(device='cpu')


def make(**values):
    values = {'detector_weights': 'random:resnet18', 'detector_longest': 320, **values}
    return GlobalSearch(GlobalSearchSettings(**values), CPU)


def spy(search):
    """Let a search answer with one box, and keep the size of the image the detector was given."""
    seen = []

    def detect(features, template, size, proposals):
        seen.append(size)
        return torch.tensor([[10.0, 20.0, 50.0, 40.0]]), torch.tensor([0.75])

    search._network.detect = detect
    return seen


@pytest.mark.parametrize('side, longest, limit', [
    (20, 800, 800),      # enlarged to 64 pixels would be 2048: the limit holds
    (40, 1024, 2000),    # enlarged to 64
    (100, 640, 2000),    # left as it is
    (320, 512, 2000),    # shrunk to 256
])
def test_the_detectors_image_shows_the_target_at_the_size_it_was_trained_for(side, longest, limit):
    image = np.zeros((480, 640, 3), np.uint8)
    search = make(detector_longest=limit)
    search.start(image, np.array([100.0, 80.0, side, side]))
    seen = spy(search)
    search.search(image)
    assert seen == [(longest * 480 // 640, longest)]


def test_boxes_are_in_pixels_of_the_image_even_when_its_resolution_changes():
    search = make()
    search.start(np.zeros((240, 320, 3), np.uint8), np.array([100.0, 80.0, 64, 64]))
    spy(search)
    for factor in (1, 2):
        found = search.search(np.zeros((240 * factor, 320 * factor, 3), np.uint8))
        np.testing.assert_allclose(found.boxes, [[10 * factor, 20 * factor, 40 * factor,
                                                  20 * factor]])
        assert found.scores == pytest.approx([0.75])


def test_nothing_is_searched_for_before_a_start_or_after_a_reset():
    search = make()
    images, boxes = clip()
    with pytest.raises(NotStartedError, match='no target to search for'):
        search.search(images[0])
    search.start(images[0], boxes[0])
    search.search(images[0])
    search.reset()
    with pytest.raises(NotStartedError):
        search.search(images[0])


def test_the_template_is_computed_once():
    search = make()
    images, boxes = clip()
    search.start(images[0], boxes[0])
    calls = []
    template = search._network.template
    search._network.template = lambda *given: calls.append(1) or template(*given)
    first, again = search.search(images[1]), search.search(images[1])
    assert not calls
    np.testing.assert_array_equal(first.boxes, again.boxes)
    np.testing.assert_array_equal(first.scores, again.scores)


def test_missing_weights_are_named():
    with pytest.raises(WeightsError, match='nowhere.safetensors'):
        make(detector_weights='nowhere.safetensors')


@pytest.mark.parametrize('place', [(20, 30), (200, 140)])
def test_shipped_weights_find_a_target_that_jumped_across_the_image(place):
    random = np.random.default_rng(4)
    coarse = random.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    target = cv2.resize(coarse, (64, 80), interpolation=cv2.INTER_NEAREST)
    background = cv2.resize(random.integers(90, 150, (6, 8, 3), dtype=np.uint8), (320, 240))

    def picture(x, y):
        image = background.copy()
        image[y:y + 80, x:x + 64] = target
        return image

    search = make(detector_weights='')
    search.start(picture(110, 60), np.array([110.0, 60, 64, 80]))
    found = search.search(picture(*place))
    assert iou(found.boxes[0], np.array([*place, 64, 80])) > 0.5 and found.scores[0] > 0.5
    absent = search.search(background).scores
    assert not len(absent) or absent[0] < found.scores[0] - 0.2
