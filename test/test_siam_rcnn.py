"""SiamRCNN: each part against a float64 computation of its own, and its weights files."""
import json

import numpy as np
import pytest
import safetensors.torch
import torch

from tracking_nodes.errors import WeightsError
from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.siam_rcnn import (
    ANCHOR_RATIOS, ANCHOR_SIDES, depthwise_correlation, load_siam_rcnn, metadata_of, Shape,
    SiamRcnn)
from tracking_nodes.nn.weights import read_metadata

SMALL = Shape(fusion=8, head=16, blocks=2, template=3)


@pytest.fixture(scope='module')
def network():
    return small_network()


def small_network(seed=0):
    torch.manual_seed(seed)
    network = SiamRcnn(load_backbone('resnet18', 'random', seed=seed), SMALL)
    for layer, spread in ((network.rpn_class, 0.3), (network.rpn_box, 0.1),
                          (network.roi_class, 0.3), (network.roi_box, 0.1)):
        torch.nn.init.normal_(layer.weight, std=spread)
    return network.eval().requires_grad_(False)


def random_maps(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_correlation_is_each_channel_with_its_own_kernel():
    features, templates = random_maps(2, 3, 5, 6).double(), random_maps(2, 3, 3, 3).double()
    padded = np.pad(features.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = np.zeros(features.shape)
    for index in np.ndindex(*features.shape):
        image, channel, y, x = index
        window = padded[image, channel, y:y + 3, x:x + 3]
        expected[index] = (window * templates[image, channel].numpy()).sum() / 9
    torch.testing.assert_close(depthwise_correlation(features, templates),
                               torch.from_numpy(expected))


def test_anchors_stand_on_the_centres_of_the_cells_in_every_side_and_ratio(network):
    logits, steps, anchors = network.propose(random_maps(1, 8, 2, 3))
    count = len(ANCHOR_SIDES) * len(ANCHOR_RATIOS)
    assert logits.shape == (1, 6 * count, 2) and steps.shape == (1, 6 * count, 4)
    rows = anchors.view(2, 3, count, 4)
    centres = (rows[..., :2] + rows[..., 2:]) / 2
    for y, x in np.ndindex(2, 3):
        expected = torch.tensor([x, y]) * network.stride + network.offset
        assert (centres[y, x] - expected).abs().max() <= 0.5
    width, height = (rows[..., 2:] - rows[..., :2])[0, 0].T
    for ratio, side in ((r, s) for r in ANCHOR_RATIOS for s in ANCHOR_SIDES):
        near = (width * height - side ** 2).abs() < 0.05 * side ** 2
        assert (near & ((height / width - ratio).abs() < 0.1 * ratio)).sum() == 1


def test_rpn_answers_of_an_anchor_come_from_its_own_cell(network):
    maps = random_maps(1, 8, 3, 4)
    logits, steps, anchors = network.propose(maps)
    count = len(anchors) // 12
    changed = maps.clone()
    changed[0, :, 1, 2] += 1
    others = network.propose(changed)
    moved = (others[0] - logits).abs().sum(dim=2)[0] > 0
    assert set((moved.nonzero()[:, 0] // count).tolist()) == {1 * 4 + 2}
    weight, bias = network.rpn_box.weight[:, :, 0, 0], network.rpn_box.bias
    by_hand = (weight @ maps[0, :, 1, 2] + bias).view(count, 4)
    torch.testing.assert_close(steps[0, 6 * count:7 * count], by_hand)


def test_steps_decode_as_in_faster_rcnn(network):
    box, step = np.array([10., 20, 50, 100]), np.array([.1, -.2, .3, -.4])
    width, height = 40, 80
    centre = np.array([30 + .1 * width, 60 - .2 * height])
    half = np.array([width * np.exp(.3), height * np.exp(-.4)]) / 2
    decoded = network.rpn_coder.decode_single(torch.from_numpy(step)[None],
                                              torch.from_numpy(box)[None])
    torch.testing.assert_close(decoded[0], torch.from_numpy(np.concatenate(
        [centre - half, centre + half])))


def test_proposals_are_the_best_that_do_not_overlap(network):
    anchors = torch.tensor([[0., 0, 40, 40], [1, 0, 41, 40], [60, 60, 90, 90], [0, 0, 1, 1]])
    logits = torch.zeros(1, 4, 2)
    logits[0, :, 1] = torch.tensor([1., 2, 0.5, 3])
    found, = network.proposals(logits, torch.zeros(1, 4, 4), anchors, (80, 80), 4, 4, 0.7)
    # The smallest is dropped, the first is under the second, the third is cut to the image.
    assert found.tolist() == [[1, 0, 41, 40], [60, 60, 80, 80]]


def test_template_is_pooled_where_the_box_is(network):
    features = torch.zeros(1, 256, 12, 12)
    features[0, 0] = torch.arange(12.)[None]
    left = network.offset + 16 * 2
    box = torch.tensor([[left, 40, left + 16 * 3, 88]])
    row = network.template(features, box)[0, 0, 1]
    # Columns are worth their number: box from 2 to 5, three cells, means at 2.5, 3.5, 4.5.
    torch.testing.assert_close(row, torch.tensor([2.5, 3.5, 4.5]))


def test_detection_says_its_best_first_and_inside_of_the_image(network):
    size = (96, 128)
    features = random_maps(1, 256, 6, 8, seed=3)
    template = network.template(features, torch.tensor([[20., 20, 60, 60]]))
    boxes, scores = network.detect(features, template, size, proposals=10)
    assert 0 < len(boxes) <= 10 and (scores.diff() <= 0).all()
    assert boxes.min() >= 0 and (boxes[:, 2] <= 128).all() and (boxes[:, 3] <= 96).all()


def test_a_file_gives_the_same_answers(tmp_path, network):
    path = tmp_path / 'siam.safetensors'
    safetensors.torch.save_file(network.file_tensors(), path, metadata_of(network, 'resnet18'))
    loaded = load_siam_rcnn(str(path))
    images = 255 * random_maps(1, 3, 64, 64, seed=5)
    boxes = torch.tensor([[8., 8, 40, 40]])
    for first, second in zip(*(one.detect(one.features(images), one.template(
            one.features(images), boxes), (64, 64)) for one in (network, loaded))):
        torch.testing.assert_close(first, second)
    assert json.loads(read_metadata(path)['shape'])['fusion'] == 8


def test_files_of_other_networks_are_refused_by_name(tmp_path, network):
    path = tmp_path / 'other.safetensors'
    safetensors.torch.save_file({'a': torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match='other.safetensors does not say its backbone'):
        load_siam_rcnn(str(path))
    tensors = {**network.file_tensors(), 'roi_box.weight': torch.zeros(4, 3)}
    safetensors.torch.save_file(tensors, path, metadata_of(network, 'resnet18'))
    with pytest.raises(WeightsError, match='other.safetensors: roi_box.weight is'):
        load_siam_rcnn(str(path))


@pytest.mark.parametrize('name, channels, head', [
    ('resnet18', 256, 256), ('resnet50', 1024, 2048)])
def test_random_weights_have_the_shape_of_the_backbone(name, channels, head):
    network, again = (load_siam_rcnn(f'random:{name}', seed=2) for _ in range(2))
    assert network.backbone.channels[network.tap] == channels
    assert network.roi_class.in_features == head
    torch.testing.assert_close(network.rpn_box.weight, again.rpn_box.weight, rtol=0, atol=0)
