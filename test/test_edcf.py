"""EDCF: fusion, scales, online update and options against independent computations."""
import cv2
import numpy as np
import pytest
from small_trackers import clip
import torch

from tracking_nodes.errors import SettingError, WeightsError
from tracking_nodes.geometry import iou, xywh_to_cxcywh
from tracking_nodes.nn.correlation_filter import cosine_window
from tracking_nodes.nn.encoder_decoder import FINE_CELLS, PATCH
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.trackers.edcf import Edcf, EdcfSettings


def make(**values):
    return Edcf(EdcfSettings(**values), Runtime(device='cpu'))


def started(**values):
    images, boxes = clip()
    tracker = make(**values)
    tracker.start(images[0], boxes[0])
    return tracker, images, boxes


def test_the_papers_constants_are_the_defaults_but_for_the_padding():
    settings = EdcfSettings()
    assert (settings.padding, settings.scales, settings.scale_step) == (3.0, 3, 1.02)
    assert (settings.ridge, settings.context_weight) == (1e-4, 0.1)
    assert settings.learning_rate == 0.017 and settings.semantic_weight == 1.0


@pytest.mark.parametrize('values, said', [
    ({'semantic': False, 'fine': False}, 'nothing to track with'),
    ({'template_cells': 5}, 'template_cells = 5 is odd'), ({'scales': 2}, 'scales = 2 is even')])
def test_settings_that_do_not_fit_together_are_refused(values, said):
    with pytest.raises(SettingError, match=said):
        EdcfSettings(**values)


def test_weights_of_another_network_are_refused_by_name():
    with pytest.raises(WeightsError, match='vggm_conv123.safetensors.*encoder of EDCF'):
        make(weights='vggm_conv123.safetensors')


@pytest.mark.parametrize('values', [
    {}, {'semantic': False}, {'fine': False}, {'context_patches': 0}, {'context_patches': 8},
    {'semantic_scales': False}, {'scales': 1}])
def test_every_configuration_follows_the_synthetic_target(values):
    tracker, images, boxes = started(**values)
    found = []
    for image in images[1:]:
        found.append(tracker.locate(image).box)
        tracker.learn()
    assert iou(np.array(found), boxes[1:]).min() > 0.5


def test_the_cosine_window_is_an_option():
    assert (make(cosine_window=False)._fade == 1).all()
    assert torch.equal(make()._fade, cosine_window(FINE_CELLS, FINE_CELLS))


def test_the_unmoved_target_is_answered_in_the_middle_by_both_branches():
    tracker, images, _ = started(scales=1)
    for name, response in tracker.responses(images[0]).items():
        row, column = divmod(int(response[0].argmax()), FINE_CELLS)
        assert abs(row - FINE_CELLS // 2) <= 1 and abs(column - FINE_CELLS // 2) <= 1, name


def test_the_fused_response_is_the_sum_of_eq_16():
    tracker, images, _ = started(semantic_weight=0.7)
    found = tracker.responses(images[1])
    expected = found['fine'].numpy() + 0.7 * found['semantic'].numpy()
    assert np.allclose(found['fused'].numpy(), expected, atol=1e-6)


def test_semantic_cells_lie_where_their_pixels_are():
    tracker = make()
    response = torch.zeros(1, 17, 17)
    response[0, 8 + 3, 8 - 2] = 1                   # 24 pixels down, 16 to the left
    placed = tracker._on_fine_cells(response)[0]
    row, column = divmod(int(placed.argmax()), FINE_CELLS)
    assert (row - 62, column - 62) == (12, -8)      # in cells of two pixels
    assert placed[62 + 12 + 2, 62 - 8].item() == pytest.approx(0.5)     # bilinear in between


def test_the_filter_is_updated_by_eq_17_and_18():
    tracker, images, _ = started(learning_rate=0.4)
    before = tracker._filter.clone()
    tracker.locate(images[1])
    ratio = float(tracker._answer / tracker._first_answer)
    new = tracker._new_filter(images[1])
    assert tracker.learn() is True
    rate = 0.4 * min(max(ratio, 0), 1)
    assert torch.allclose(tracker._filter, rate * new + (1 - rate) * before, atol=1e-7)


def test_without_the_semantic_branch_the_rate_is_alpha():
    tracker, images, _ = started(semantic=False, learning_rate=0.4)
    before = tracker._filter.clone()
    tracker.locate(images[1])
    new = tracker._new_filter(images[1])
    tracker.learn()
    assert torch.allclose(tracker._filter, 0.4 * new + 0.6 * before, atol=1e-7)


def test_edsiam_has_nothing_to_learn():
    tracker, images, _ = started(fine=False)
    tracker.locate(images[1])
    assert tracker.learn() is False


def test_contexts_are_what_lies_a_target_further_in_the_image(monkeypatch):
    """Moving the image by the distance brings a context to the middle, up to border effects."""
    tracker, images, boxes = started(context_patches=4, cosine_window=True)
    side = tracker._side()
    distance = tracker.settings.context_cells * 2 * side / PATCH
    maps = []
    for offset in ((0, 0), (0, -distance)):
        tracker._centre = xywh_to_cxcywh(boxes[0])[:2] + offset
        first = tracker._encoder.first(tracker._patches(images[0], [1.0], PATCH))
        maps.append((tracker._encoder.fine(first)[0] * tracker._fade).detach())
    tracker._centre = xywh_to_cxcywh(boxes[0])[:2]
    seen = {}

    def spy(target, label, ridge, contexts, weight):
        seen.update(target=target, contexts=contexts)
        return torch.zeros(1)

    monkeypatch.setattr('tracking_nodes.trackers.edcf.solve_filter', spy)
    tracker._new_filter(images[0])
    assert seen['contexts'].shape == (4, 8, FINE_CELLS, FINE_CELLS)
    for found, expected in ((seen['target'], maps[0]), (seen['contexts'][0], maps[1])):
        assert (found - expected).abs().mean() < 0.1 * expected.abs().mean()


def test_a_larger_target_is_found_at_a_larger_scale():
    tracker, images, boxes = started(scale_damping=1.0, scale_penalty=1.0, scale_step=1.1)
    centre = xywh_to_cxcywh(boxes[0])[:2]
    matrix = np.array([[1.1, 0, -0.1 * centre[0]], [0, 1.1, -0.1 * centre[1]]])
    grown = cv2.warpAffine(images[0], matrix, images[0].shape[1::-1])
    box = tracker.locate(grown).box
    assert box[2] / boxes[0][2] == pytest.approx(1.1, abs=0.01)
    assert np.abs(xywh_to_cxcywh(box)[:2] - centre).max() < 2


def test_bfloat16_finds_the_same_place():
    images, boxes = clip()
    found = []
    for precision in ('float32', 'bfloat16'):
        tracker = make(precision=precision)
        tracker.start(images[0], boxes[0])
        found.append(tracker.locate(images[1]).box)
    assert np.abs(found[0] - found[1]).max() < 1


@pytest.fixture
def dcfnet_file(tmp_path):
    """Write weights under the names and in the shapes of DCFNet's published param.pth."""
    random = torch.Generator().manual_seed(0)
    shapes = {'feature.0.weight': (32, 3, 3, 3), 'feature.0.bias': (32,),
              'feature.2.weight': (32, 32, 3, 3), 'feature.2.bias': (32,)}
    file = tmp_path / 'param.pth'
    torch.save({name: 0.1 * torch.randn(shape, generator=random)
                for name, shape in shapes.items()}, file)
    return str(file)


def test_dcfnets_layout_is_a_fine_grained_branch(dcfnet_file):
    tracker, images, boxes = started(weights=dcfnet_file, semantic=False)
    assert tracker._new_filter(images[0]).shape == (32, 128, 65)
    found = []
    for image in images[1:]:
        found.append(tracker.locate(image).box)
        tracker.learn()
    assert iou(np.array(found), boxes[1:]).min() > 0.5


def test_dcfnets_cells_show_what_the_encoders_do(dcfnet_file):
    """A bright point of the patch has its maximum at the same cell of both."""
    patch = torch.zeros(1, 3, PATCH, PATCH)
    patch[:, :, 100:102, 160:162] = 255
    first = make(weights=dcfnet_file, semantic=False, precision='float32')._encoder.first(patch)
    row, column = divmod(int(first[0, 0].argmax()), first.shape[-1])
    assert first.shape[-2:] == (FINE_CELLS, FINE_CELLS)
    # conv1's cell c has its centre at pixel 2 c + 3.
    assert abs(2 * row + 3 - 100.5) <= 1.5 and abs(2 * column + 3 - 160.5) <= 1.5


def test_dcfnet_has_no_semantic_branch(dcfnet_file):
    with pytest.raises(SettingError, match='no semantic branch; set semantic = false'):
        make(weights=dcfnet_file)


def test_the_score_is_the_calibrated_height():
    tracker, images, _ = started(score_middle=0.4, score_slope=7.0)
    location = tracker.locate(images[1])
    assert location.score == pytest.approx(1 / (1 + np.exp(7.0 * (0.4 - tracker.height))))
    assert location.present == (location.score >= 0.5)


def test_a_picture_without_the_target_scores_lower():
    tracker, images, _ = started()
    seen = tracker.locate(images[1]).score
    noise = np.random.default_rng(0).integers(0, 256, images[1].shape, dtype=np.uint8)
    assert tracker.locate(noise).score < 0.5 < seen
