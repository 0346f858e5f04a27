"""The box refiner of trackers: its template's life, its numbers, what it gains on real data."""
import numpy as np
import pytest
import safetensors.torch
import torch

from tracking_nodes.errors import NotStartedError, SettingError
from tracking_nodes.geometry import iou, xyxy_to_xywh
from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.box_refinement import (
    BoxRefinement, metadata_of, RefinementShape, taps_of)
from tracking_nodes.online.box_refiner import BoxRefiner
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.training.drawing import split
from tracking_nodes.training.pairs import SequenceViews
from tracking_nodes.training.region_pairs import RegionPairs, RegionRules
from tracking_nodes.training.rough_boxes import rough_boxes, SPREADS

CPU = Runtime(device='cpu')
TARGET = np.array([110.0, 120, 170, 168])
ROUGH = np.array([[104.0, 118, 160, 170], [90, 110, 150, 180], [200, 200, 250, 240]])


@pytest.fixture
def weights(tmp_path):
    """Return a file of random weights whose answers differ from box to box."""
    torch.manual_seed(0)
    network = BoxRefinement('resnet18', taps_of(load_backbone('resnet18', 'random'),
                                                ['layer2', 'layer3']), RefinementShape())
    for layer in (network.step, network.overlap):
        torch.nn.init.normal_(layer.weight, std=0.3)
    path = tmp_path / 'refinement.safetensors'
    safetensors.torch.save_file(network.file_tensors(), path, metadata_of(network))
    return str(path)


def maps_of(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(1, 128, 36, 36, generator=generator),
            torch.rand(1, 256, 18, 18, generator=generator)]


def test_each_box_is_refined_as_if_alone_and_always_alike(weights):
    refiner = BoxRefiner(weights, CPU)
    refiner.start(maps_of(0), TARGET)
    corners, overlaps = refiner.refine(maps_of(1), ROUGH)
    assert corners.shape == (3, 4) and corners.dtype == np.float64
    assert overlaps.shape == (3,) and overlaps.dtype == np.float64
    assert (overlaps > 0).all() and (overlaps < 1).all() and len(set(overlaps)) == 3
    assert np.abs(corners - ROUGH).max() > 0.1
    again = BoxRefiner(weights, CPU)
    again.start(maps_of(0), TARGET[None])
    for expected, got in zip((corners, overlaps), again.refine(maps_of(1), ROUGH)):
        np.testing.assert_array_equal(expected, got)
    for row in range(3):
        alone, overlap = refiner.refine(maps_of(1), ROUGH[[row]])
        np.testing.assert_allclose(alone[0], corners[row], atol=1e-3)
        assert overlap[0] == pytest.approx(overlaps[row], abs=1e-5)


def test_the_template_is_the_only_state(weights):
    refiner = BoxRefiner(weights, CPU)
    with pytest.raises(NotStartedError, match='call start'):
        refiner.refine(maps_of(1), ROUGH)
    refiner.start(maps_of(0), TARGET)
    first = refiner.refine(maps_of(1), ROUGH)
    refiner.refine(maps_of(2), ROUGH + 9)
    for one, other in zip(first, refiner.refine(maps_of(1), ROUGH)):
        np.testing.assert_array_equal(one, other)
    refiner.start(maps_of(3), TARGET)
    assert not np.array_equal(refiner.refine(maps_of(1), ROUGH)[0], first[0])
    refiner.reset()
    with pytest.raises(NotStartedError, match='call start'):
        refiner.refine(maps_of(1), ROUGH)


def test_no_box_and_boxes_without_area_do_no_harm(weights):
    refiner = BoxRefiner(weights, CPU)
    refiner.start(maps_of(0), TARGET)
    corners, overlaps = refiner.refine(maps_of(1), np.zeros((0, 4)))
    assert corners.shape == (0, 4) and overlaps.shape == (0,)
    given = np.array([[50.0, 50, 50, 50], [-900, -900, -800, -850]])
    corners, overlaps = refiner.refine(maps_of(1), given)
    assert np.isfinite(corners).all() and np.isfinite(overlaps).all()
    assert (given == [[50, 50, 50, 50], [-900, -900, -800, -850]]).all()


def test_maps_of_another_backbone_are_refused_with_the_right_one(weights):
    refiner = BoxRefiner(weights, CPU)
    assert refiner.backbone == 'resnet18' and refiner.taps == ('layer2', 'layer3')
    with pytest.raises(SettingError, match=r'of \[256\] channels.*layer2\+layer3 of resnet18'):
        refiner.start(maps_of(0)[1:], TARGET)


def test_the_shipped_weights_make_rough_boxes_of_held_out_targets_better(tracking_data):
    _, held = split(open_sequences(tracking_data / 'train' / 'video'))
    views = SequenceViews(held[2:8], most=6)
    pairs = RegionPairs([views], [1.0], RegionRules(foreign=0.3), seed=5)
    backbone = load_backbone('resnet18', 'gstp_siamrcnn_resnet18.safetensors')
    refiner, generator = BoxRefiner('', CPU), torch.Generator().manual_seed(0)
    before, after, on, off = [], [], [], []
    for number in range(40):
        template, box, search, truth, same = pairs[number]
        first, second = (backbone(image[None].float(), refiner.taps)
                         for image in (template, search))
        refiner.start(first, box.numpy())
        rough = rough_boxes(truth[None], SPREADS, generator)[0].numpy()
        refined, overlaps = refiner.refine(second, rough)
        if same:
            usual, truth = slice(SPREADS[0].count), xyxy_to_xywh(truth.numpy())
            before.append(iou(xyxy_to_xywh(rough[usual]), truth))
            after.append(iou(xyxy_to_xywh(refined[usual]), truth))
            on.append(overlaps[usual].mean())
        else:
            off.append(overlaps.mean())
    assert np.mean(after) > np.mean(before) + 0.08
    assert np.mean(np.array(after) > 0.7) > 1.5 * np.mean(np.array(before) > 0.7)
    assert np.mean(on) > np.mean(off) + 0.3
