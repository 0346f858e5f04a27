"""Labels and eq. 6 to 8 of TSN against loops, and that the Spatial Net finds what it learned."""
from dataclasses import dataclass
import math

import numpy as np
import pytest
import torch

from tracking_nodes.geometry import cxcywh_to_xywh, xywh_to_cxcywh
from tracking_nodes.online.response_learning import (
    gaussian_labels, importances, refine, SpatialLearner, SpatialSettings)

SCALE, CELLS = 4.0, 24


def centres_of_cells(box):
    """Return the image coordinates of all cells of a window, x (n,) and y (n,)."""
    side = SCALE * math.sqrt(box[2] * box[3])
    along = [(cell + 0.5) * side / CELLS - side / 2 for cell in range(CELLS)]
    return ([box[0] + box[2] / 2 + each for each in along],
            [box[1] + box[3] / 2 + each for each in along])


def test_labels_are_gaussians_as_wide_as_the_target():
    target = np.array([100.0, 50.0, 40.0, 20.0])
    windows = np.array([(100.0, 50.0, 40.0, 20.0), (110.0, 35.0, 50.0, 24.0)])
    labels = gaussian_labels(windows, target, SCALE, CELLS, 0.2)
    for window, label in zip(windows, labels):
        xs, ys = centres_of_cells(window)
        for row, y in enumerate(ys):
            for column, x in enumerate(xs):
                expected = math.exp(-(((x - 120) / (0.2 * 40)) ** 2
                                      + ((y - 60) / (0.2 * 20)) ** 2) / 2)
                assert label[row, column] == pytest.approx(expected, rel=1e-9)


def test_refining_takes_boxes_to_the_largest_response():
    """Eq. 7: each box to its own window's maximum, whatever the window's scale."""
    boxes = np.array([(100.0, 50.0, 40.0, 20.0), (90.0, 60.0, 48.0, 24.0)])
    target = np.array([113.0, 44.0, 40.0, 20.0])
    responses = torch.from_numpy(gaussian_labels(boxes, target, SCALE, CELLS, 0.3))
    refined = refine(torch.from_numpy(boxes), responses, SCALE).numpy()
    np.testing.assert_array_equal(refined[:, 2:], boxes[:, 2:])
    for box, centre, response in zip(boxes, xywh_to_cxcywh(refined)[:, :2], responses):
        xs, ys = centres_of_cells(box)
        row, column = divmod(int(response.argmax()), CELLS)
        cell = xs[1] - xs[0]
        assert abs(centre[0] - xs[column]) <= cell / 2 and abs(centre[1] - ys[row]) <= cell / 2
        # To a small part of a cell, since a Gaussian is nearly a parabola.
        np.testing.assert_allclose(centre, (133, 54), atol=0.12 * cell)


def test_importances_are_products_that_sum_to_one():
    similarities = torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64)
    peaks = torch.tensor([0.4, 0.8, 0.7], dtype=torch.float64)
    products = [s * p for s, p in zip(similarities, peaks)]
    np.testing.assert_allclose(importances(similarities, peaks),
                               [each / sum(products) for each in products])
    # No candidate that either net believes in: all alike.
    np.testing.assert_allclose(importances(torch.zeros(4), torch.ones(4)), np.full(4, 0.25))


@dataclass
class Field:
    """A plane of smooth random features, in place of a frame."""

    seed: int = 0

    def windows(self, boxes, scale, cells):
        rng = np.random.default_rng(self.seed)
        waves, phases = rng.uniform(-0.25, 0.25, (8, 2)), rng.uniform(0, 6, 8)
        rows = xywh_to_cxcywh(boxes)
        along = (np.arange(cells) + 0.5) / cells - 0.5
        found = []
        for x, y, width, height in rows:
            side = scale * math.sqrt(width * height)
            across, down = np.meshgrid(x + along * side, y + along * side)
            found.append([3 * np.sin(u * across + v * down + phase)
                          for (u, v), phase in zip(waves, phases)])
        return torch.from_numpy(np.array(found)).float()


TARGET = np.array([60.0, 40.0, 30.0, 20.0])


def learner(**changes):
    settings = SpatialSettings(spatial_scale=3.0, spatial_cells=CELLS, spatial_first_channels=8,
                               spatial_second_channels=8, **changes)
    return SpatialLearner(Field(), TARGET, settings, np.random.default_rng(0),
                          torch.Generator().manual_seed(0))


def test_a_learned_target_is_found_from_boxes_beside_it():
    spatial = learner()
    boxes = TARGET + np.array([(0, 0, 0, 0), (15, -9, 0, 0), (-8, 14, 2, 1)])
    responses = spatial.respond(Field(), boxes)
    assert responses.shape == (3, CELLS, CELLS) and responses.max() > 0.5
    found = xywh_to_cxcywh(refine(torch.from_numpy(boxes), responses, 3.0))[:, :2]
    assert np.abs(found.numpy() - (75, 50)).max() < 4
    responses = learner(spatial_first_iterations=1).respond(Field(), boxes)
    untrained = xywh_to_cxcywh(refine(torch.from_numpy(boxes), responses, 3.0))[:, :2]
    assert np.abs(untrained.numpy() - (75, 50)).max() > 4


def test_an_update_without_momentum_is_eq_6():
    spatial = learner(spatial_momentum=0.0, spatial_rate=0.01, spatial_decay=0.3,
                      spatial_gradient_norm=1e9)
    before = [each.detach().clone() for each in spatial.network.parameters()]
    batch = spatial._batch()
    spatial._batch = lambda: batch
    windows, labels = batch
    error = (spatial.network(windows) - labels).square().sum() / len(windows)
    penalty = sum(each.square().sum() for each in spatial.network.parameters())
    gradients = torch.autograd.grad(error + 0.3 * penalty, list(spatial.network.parameters()))
    spatial.update()
    for old, gradient, new in zip(before, gradients, spatial.network.parameters()):
        torch.testing.assert_close(new.detach(), old - 0.01 * gradient)


def test_a_batch_holds_the_first_frame_the_latest_and_others():
    spatial = learner(spatial_batch=4, spatial_memory=3)
    windows, _ = spatial._batch()
    first = spatial.memory._first[0]
    assert len(windows) == 4 and all(any(torch.equal(w, f) for f in first) for w in windows)
    for step in range(1, 6):
        spatial.collect(Field(), cxcywh_to_xywh(np.array([75.0 + step, 50.0, 30.0, 20.0])))
    windows, labels = spatial._batch()
    assert len(windows) == len(labels) == 4
    assert all(any(torch.equal(w, f) for f in first) for w in windows[:2])
    assert torch.equal(windows[2], spatial.memory._later[-1][0][0])
    assert any(torch.equal(windows[3], later[0][0]) for later in spatial.memory._later)
    assert len(spatial.memory._later) == 3


def test_windows_of_the_first_frame_show_the_target_in_different_places():
    spatial = learner(spatial_samples=12)
    windows, labels = spatial.memory._first
    assert len(windows) == len(labels) == 12
    places = {int(label.argmax()) for label in labels}
    assert len(places) > 6
    # The target's centre is in all of them, but for the width of a cell.
    assert labels.amax(dim=(1, 2)).min() > 0.5


def test_a_snapshot_keeps_its_windows_and_learns_apart():
    spatial = learner(spatial_memory=3)
    spatial.collect(Field(), TARGET)
    before = [each.detach().clone() for each in spatial.network.parameters()]
    taken = spatial.snapshot(5)
    expected = taken.memory.draw(np.random.default_rng(2), 4)
    for _ in range(3):
        spatial.collect(Field(1), TARGET)
    assert (len(taken.memory), len(spatial.memory)) == (2, 4)
    assert all(map(torch.equal, taken.memory.draw(np.random.default_rng(2), 4), expected))
    taken.detach()
    taken.update()
    assert all(map(torch.equal, spatial.network.parameters(), before))
    assert not any(map(torch.equal, taken.network.parameters(), before))
