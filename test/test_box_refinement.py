"""Box refinement: its parts against loops in float64, its loss, and its weights files."""
import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision.ops import generalized_box_iou_loss

from tracking_nodes.errors import WeightsError
from tracking_nodes.geometry import iou, xyxy_to_xywh
from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.box_refinement import (
    BoxRefinement, enlarged, likeness, load_box_refinement, metadata_of, RefinementShape, Tap,
    taps_of)
from tracking_nodes.nn.box_refinement_loss import box_refinement_loss, overlaps
from tracking_nodes.online.box_regression import decode, encode

TAPS = (Tap('fine', 3, 8, 4.5), Tap('coarse', 5, 16, 8.5))
SMALL = RefinementShape(channels=4, template=7, cells=6, width=8, head=16)


def small_network(seed=0):
    torch.manual_seed(seed)
    network = BoxRefinement('resnet18', TAPS, SMALL)
    for layer in (network.step, network.overlap):
        torch.nn.init.normal_(layer.weight, std=0.5)
    return network.eval()


def random_maps(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(count, 3, 12, 12, generator=generator),
            torch.rand(count, 5, 6, 6, generator=generator)]


def naive_pooled(image, box, stride, offset, cells):
    """Return RoIAlign of one (C, H, W) map, point by point, for boxes inside of it."""
    left, top, right, bottom = (np.asarray(box, np.float64) - offset) / stride
    found = np.zeros((len(image), cells, cells))
    for row, column, down, across in np.ndindex(cells, cells, 2, 2):
        y = top + (bottom - top) * (row + (down + 0.5) / 2) / cells
        x = left + (right - left) * (column + (across + 0.5) / 2) / cells
        y0, x0 = int(np.floor(y)), int(np.floor(x))
        for y1, x1 in ((y0, x0), (y0, x0 + 1), (y0 + 1, x0), (y0 + 1, x0 + 1)):
            share = (1 - abs(y - y1)) * (1 - abs(x - x1))
            found[:, row, column] += share * image[:, y1, x1] / 4
    return found


def test_a_template_holds_what_its_box_and_a_margin_enclose_on_all_taps():
    network, maps = small_network(), random_maps(2)
    boxes = torch.tensor([[36.0, 40, 60, 58], [30, 28, 48, 66]])
    found = network.template(maps, boxes).double().numpy()
    assert found.shape == (2, 8, 7, 7)
    for image, box in enumerate(boxes.numpy()):
        centre, half = (box[:2] + box[2:]) / 2, 1.4 * (box[2:] - box[:2]) / 2
        margin = np.concatenate([centre - half, centre + half])
        expected = np.concatenate([
            naive_pooled(one[image].double().numpy(), margin, tap.stride, tap.offset, 7)
            for one, tap in zip(maps, TAPS)])
        np.testing.assert_allclose(found[image], expected, atol=1e-5)


def test_cells_are_described_tap_by_tap():
    network = small_network()
    pooled = torch.rand(2, 8, 7, 7, generator=torch.Generator().manual_seed(1))
    found = network.describe(pooled).detach().double().numpy()
    fine, coarse = (layer.weight.detach().double().numpy()[:, :, 0, 0]
                    for layer in network.projections)
    parts = pooled.double().numpy()
    expected = np.concatenate([np.einsum('oc,ncyx->noyx', fine, parts[:, :3]),
                               np.einsum('oc,ncyx->noyx', coarse, parts[:, 3:])], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_likeness_is_the_cosine_of_every_pair_of_cells():
    generator = torch.Generator().manual_seed(2)
    windows = torch.randn(2, 5, 4, 4, generator=generator).double()
    cells = torch.randn(2, 5, 3, 3, generator=generator).double()
    found = likeness(windows, cells)
    assert found.shape == (2, 9, 4, 4)
    for box, row, column, y, x in np.ndindex(2, 3, 3, 4, 4):
        one, other = windows[box, :, y, x].numpy(), cells[box, :, row, column].numpy()
        cosine = one @ other / np.sqrt((one @ one) * (other @ other))
        assert found[box, 3 * row + column, y, x].item() == pytest.approx(cosine, abs=1e-12)


def test_the_mean_of_a_template_leaves_its_margin_out():
    described = torch.ones(1, 8, 7, 7)
    described[:, :, 0], described[:, :, :, 6] = 100, 100
    assert (small_network()._inner(described) == 1).all()


def test_steps_lead_as_those_of_the_box_regression():
    network, maps = small_network(), random_maps(1)
    rough = torch.tensor([[30.0, 30, 60, 54], [40, 36, 70, 80]])
    described = network.describe(network.template(maps, rough[:1]))
    refined, steps, _ = network(maps, described, rough[None])
    assert steps.abs().max() > 0.1
    scaled = steps.detach().double().numpy() / [10, 10, 5, 5]
    before, after = (xyxy_to_xywh(boxes.detach().numpy()) for boxes in (rough, refined))
    np.testing.assert_allclose(decode(*map(torch.from_numpy, (before, scaled))), after, rtol=1e-5)
    np.testing.assert_allclose(encode(before, after), scaled, atol=1e-5)


def test_every_box_is_compared_with_the_template_of_its_own_image():
    network, maps = small_network(), random_maps(2)
    described = network.describe(network.template(
        maps, torch.tensor([[30.0, 30, 60, 54], [36, 30, 60, 50]])))
    boxes = torch.tensor([[[32.0, 32, 58, 50], [20, 28, 60, 60]],
                          [[32.0, 32, 58, 50], [40, 40, 70, 70]]])
    together = network(maps, described, boxes)
    apart = [network([one[[image]] for one in maps], described[[image]], boxes[[image]])
             for image in range(2)]
    for whole, *parts in zip(together, *apart):
        torch.testing.assert_close(whole, torch.cat(parts), rtol=1e-4, atol=1e-5)
    # The same box, compared with another template.
    assert (together[1][0] - together[1][2]).abs().max() > 1e-4


def test_the_shipped_shape_is_small():
    taps = taps_of(load_backbone('resnet18', 'random'), ['layer2', 'layer3'])
    assert [(tap.channels, tap.stride) for tap in taps] == [(128, 8), (256, 16)]
    network = BoxRefinement('resnet18', taps, RefinementShape())
    assert sum(one.numel() for one in network.parameters()) < 1.5e6


def test_enlarging_keeps_centres():
    found = enlarged(torch.tensor([[10.0, 20, 30, 60]]), 2.0)
    assert found.tolist() == [[0, 0, 40, 80]]


def test_overlaps_are_those_of_the_package():
    random = np.random.default_rng(0)
    corners = random.uniform(0, 50, (2, 40, 2))
    boxes, others = (np.concatenate([one, one + random.uniform(5, 40, (40, 2))], axis=1)
                     for one in corners)
    found = overlaps(torch.from_numpy(boxes), torch.from_numpy(others))
    np.testing.assert_allclose(found, iou(xyxy_to_xywh(boxes), xyxy_to_xywh(others)))


def terms_of(network, same):
    maps = random_maps(2)
    truths = torch.tensor([[30.0, 30, 60, 54], [36, 30, 60, 60]])
    rough = torch.stack([truths + 3, truths - 2, truths + 40], dim=1)
    return box_refinement_loss(network, maps, network.template(maps, truths), rough, truths,
                               torch.tensor(same))


def gradients(network, loss):
    """Return the names of the parts of a network that a loss changes."""
    rows = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return {name.split('.')[0] for (name, _), row in zip(network.named_parameters(), rows)
            if row is not None and row.abs().max() > 0}


def test_each_term_changes_its_own_answer_alone():
    network = small_network().train()
    terms = terms_of(network, [1.0, 1.0])
    shared = {'projections', 'trunk', 'head'}
    assert gradients(network, terms['step']) == shared | {'step'}
    terms = terms_of(network, [1.0, 1.0])
    assert gradients(network, terms['box']) == shared | {'step'}
    # The overlap that is reached is a goal; boxes must not move so that it is easier told.
    terms = terms_of(network, [1.0, 1.0])
    assert gradients(network, terms['overlap']) == shared | {'overlap'}


def test_nobody_steps_to_another_object_or_from_beside_the_target():
    network = small_network().train()
    terms = terms_of(network, [0.0, 0.0])
    assert terms['step'] == terms['box'] == 0
    answers = []
    network.register_forward_hook(lambda *values: answers.append(values[-1]))
    terms = terms_of(network, [1.0, 0.0])
    (moved, _, logits), truth = answers[0], torch.tensor([[30.0, 30, 60, 54]]).expand(3, 4)
    # Two of the six boxes lie on the target, one beside it, three on another object.
    torch.testing.assert_close(terms['box'],
                               generalized_box_iou_loss(moved[:2], truth[:2]).mean())
    reached = torch.cat([overlaps(moved[:3], truth), torch.zeros(3)]).detach()
    torch.testing.assert_close(terms['overlap'], binary_cross_entropy_with_logits(logits, reached))


def test_a_file_gives_the_same_answers_without_batch_norms(tmp_path):
    network, path = small_network(), tmp_path / 'refinement.safetensors'
    for layer in network.trunk[1::3]:
        torch.nn.init.uniform_(layer.running_mean, -0.2, 0.2)
        torch.nn.init.uniform_(layer.running_var, 0.2, 2)
    safetensors.torch.save_file(network.file_tensors(), path, metadata_of(network))
    loaded, maps = load_box_refinement(str(path)), random_maps(1)
    assert loaded.backbone == 'resnet18' and loaded.taps == TAPS and loaded.shape == SMALL
    assert not any(one.requires_grad for one in loaded.parameters())
    assert not any(isinstance(one, torch.nn.BatchNorm2d) for one in loaded.modules())
    box = torch.tensor([[30.0, 30, 60, 54]])
    for one, other in zip(*(each(maps, each.describe(each.template(maps, box)), box[None] + 3)
                            for each in (network, loaded))):
        torch.testing.assert_close(one, other)


def test_files_of_other_networks_are_refused_by_name(tmp_path):
    network, path = small_network(), tmp_path / 'other.safetensors'
    safetensors.torch.save_file({'a': torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match='other.safetensors does not say its backbone, shape, '
                                           'taps; give a file of'):
        load_box_refinement(str(path))
    tensors = {**network.file_tensors(), 'step.weight': torch.zeros(4, 3)}
    safetensors.torch.save_file(tensors, path, metadata_of(network))
    with pytest.raises(WeightsError, match=r'other.safetensors: step.weight is \(4, 3\)'):
        load_box_refinement(str(path))
    del tensors['step.weight']
    safetensors.torch.save_file(tensors, path, metadata_of(network))
    with pytest.raises(WeightsError, match='other.safetensors is not of this network: it lacks'):
        load_box_refinement(str(path))


def test_a_cut_file_and_a_missing_one_are_errors_that_name_them(tmp_path):
    network, path = small_network(), tmp_path / 'cut.safetensors'
    safetensors.torch.save_file(network.file_tensors(), path, metadata_of(network))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match='cut.safetensors is not a whole safetensors file'):
        load_box_refinement(str(path))
    with pytest.raises(WeightsError, match='nowhere.safetensors'):
        load_box_refinement('nowhere.safetensors')
