"""Training of box refinement: pairs and rough boxes that are as said, and runs that go on."""
import json

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch

from tracking_nodes.errors import SequenceError
from tracking_nodes.geometry import area_side, iou, xyxy_to_xywh
from tracking_nodes.nn.box_refinement import (
    BoxRefinement, load_box_refinement, RefinementShape, Tap)
from tracking_nodes.nn.box_refinement_loss import box_refinement_loss
from tracking_nodes.training import box_refinement
from tracking_nodes.training.box_refinement import judged
from tracking_nodes.training.boxed_photographs import PhotographViews
from tracking_nodes.training.region_pairs import RegionPairs, RegionRules
from tracking_nodes.training.rough_boxes import rough_boxes, Spread, SPREADS

from training_files import marked_view, OneTarget, white, write_sequences, write_stills


class Marked:
    """A source of two views of one white target."""

    def draw(self, random):
        return marked_view(), marked_view((90, 60, 36, 16))


def image_of(tensor):
    return tensor.permute(1, 2, 0).numpy()


def test_boxes_are_where_the_targets_are_and_regions_stand_as_a_trackers():
    pairs = RegionPairs([Marked()], [1.0], RegionRules(foreign=0), seed=0)
    sides, centres = [], []
    for number in range(40):
        template, box, search, truth, same = pairs[number]
        assert template.shape == (3, 192, 192) and search.shape == (3, 288, 288) and same == 1
        assert np.abs(white(image_of(template)) - box.numpy()).max() <= 2
        assert np.abs(white(image_of(search)) - truth.numpy()).max() <= 2
        # The template is cut as a tracker cuts its first frame.
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, 96, atol=2)
        assert area_side(xyxy_to_xywh(box)) == pytest.approx(288 / 5, rel=0.02)
        sides.append(area_side(xyxy_to_xywh(truth)))
        centres.append((truth[:2] + truth[2:]).numpy() / 2)
    assert 0.1 < np.log(sides).std() < 0.3 and np.mean(sides) == pytest.approx(288 / 5, rel=0.1)
    shifts = (np.array(centres) - 144) / np.array(sides)[:, None]
    assert 0.2 < shifts.std() < 0.5 and np.abs(shifts).max() <= 1.6


def test_foreign_pairs_say_so_and_show_another_target():
    pairs = RegionPairs([OneTarget(50), OneTarget(200)], [0.5, 0.5], RegionRules(), seed=3)
    rows = [pairs[number] for number in range(60)]
    again = [pairs[number] for number in reversed(range(60))][::-1]
    for one, other in zip(rows, again):
        assert all(torch.equal(part, same) for part, same in zip(one, other))
    alike = [int(row[0].max()) == int(row[2].max()) for row in rows]
    assert 3 <= sum(row[4] == 0 for row in rows) <= 25
    assert all(shown for shown, row in zip(alike, rows) if row[4])
    assert not all(alike)


def test_rough_boxes_spread_as_said():
    truth = np.array([[100.0, 120, 140, 200]])
    boxes = rough_boxes(torch.tensor(truth, dtype=torch.float32), (Spread(4000, 0.15, 0.2, 0.1),),
                        torch.Generator().manual_seed(0))[0].double().numpy()
    sides, centres = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
    np.testing.assert_allclose(((centres - [120, 160]) / [40, 80]).std(axis=0), 0.15, rtol=0.06)
    logs = np.log(sides / [40, 80])
    assert logs.mean(axis=1).std() == pytest.approx(0.2, rel=0.06)
    assert (logs[:, 0] - logs[:, 1]).std() / 2 == pytest.approx(0.1, rel=0.06)


def test_boxes_beside_a_target_keep_away_in_every_direction():
    truth = torch.tensor([[100.0, 120, 140, 200]])
    boxes = rough_boxes(truth, (Spread(300, 0.4, 0.25, 0.15, 0.8),),
                        torch.Generator().manual_seed(0))[0].double().numpy()
    away = (boxes[:, 2:] + boxes[:, :2]) / 2 - [120, 160]
    assert np.linalg.norm(away, axis=1).min() >= 0.8 * np.sqrt(40 * 80) - 1e-3
    assert {(x > 0, y > 0) for x, y in away} == {(i, j) for i in (0, 1) for j in (0, 1)}


def test_all_spreads_come_in_their_order_for_every_target():
    truths = torch.tensor([[100.0, 120, 140, 200], [20, 20, 60, 50]])
    first, again = (rough_boxes(truths, SPREADS, torch.Generator().manual_seed(4))
                    for _ in range(2))
    assert first.shape == (2, sum(spread.count for spread in SPREADS), 4)
    assert torch.equal(first, again)
    usual = SPREADS[0].count
    means = [iou(xyxy_to_xywh(rows), xyxy_to_xywh(truth[None]))
             for rows, truth in zip(first.numpy(), truths.numpy())]
    assert np.mean([row[:usual] for row in means]) > 0.4 > np.mean([row[-1] for row in means])


def test_photographs_show_one_object_twice_where_its_boxes_say(tmp_path):
    (tmp_path / 'masked' / 'images').mkdir(parents=True)
    cv2.imwrite(str(tmp_path / 'masked' / 'images' / 'a.png'), marked_view((40, 30, 30, 45)).image)
    (tmp_path / 'masked' / 'boxes.csv').write_text(
        'image,x,y,w,h,class\na.png,40,30,30,45,whole\na.png,0,30,30,45,cut off\n'
        'a.png,5,5,8,8,small\na.png,2,2,150,110,large\n')
    views = PhotographViews(tmp_path)
    assert len(views) == 1
    random, ratios, mirrored = np.random.default_rng(0), [], 0
    for _ in range(40):
        first, second = views.draw(random)
        for view in (first, second):
            corners = np.concatenate([view.box[:2], view.box[:2] + view.box[2:]])
            assert np.abs(white(view.image) - corners).max() <= 1.5
        ratios.append(np.log(second.box[2] / second.box[3] * 45 / 30))
        mirrored += second.box[0] + second.box[2] / 2 > second.image.shape[1] / 2
    assert 0.1 < np.std(ratios) < 0.35 and 3 <= mirrored <= 20


def test_photographs_that_are_missing_or_of_no_use_are_named(tmp_path):
    with pytest.raises(SequenceError, match='boxes.csv is missing'):
        PhotographViews(tmp_path)
    (tmp_path / 'masked' / 'images').mkdir(parents=True)
    table = tmp_path / 'masked' / 'boxes.csv'
    table.write_text('image,x,y,w,h,class\na.png,1,1,3,3,small\n')
    with pytest.raises(SequenceError, match='a.png is missing'):
        PhotographViews(tmp_path)
    (tmp_path / 'masked' / 'images' / 'a.png').write_bytes(b'')
    with pytest.raises(SequenceError, match='a.png is not an image'):
        PhotographViews(tmp_path)
    cv2.imwrite(str(tmp_path / 'masked' / 'images' / 'a.png'), marked_view().image)
    with pytest.raises(SequenceError, match='no box of an object of 24 pixels'):
        PhotographViews(tmp_path)


class Oracle(torch.nn.Module):
    """Answers the truth where the template says that it is the same object."""

    def __init__(self, truths, same):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.truths, self.same = truths, same

    def describe(self, pooled):
        return pooled

    def forward(self, maps, described, boxes):
        refined = self.truths[:, None].expand_as(boxes).flatten(0, 1)
        known = self.same[:, None].expand(boxes.shape[:2]).flatten()
        return refined, None, 20 * (known - 0.5)


def test_the_validation_sees_what_a_perfect_network_would_gain():
    truths = torch.tensor([[100.0, 120, 140, 200], [20, 20, 60, 50], [90, 90, 150, 140]])
    same = torch.tensor([1.0, 0, 1])
    batch = [torch.zeros(3, 1), torch.zeros(3, 1), truths, same]
    numbers = judged(Oracle(truths, same), [batch, batch], torch.Generator().manual_seed(0))
    assert numbers['rough'] < 0.8 and numbers['rough_good'] < 0.8
    for name in ('refined', 'twice', 'refined_good', 'twice_good', 'ranking'):
        assert numbers[name] == pytest.approx(1)
    assert numbers['correlation'] == pytest.approx(1, abs=1e-3)


def arguments(folder, name, *more):
    return ['--out', str(folder / f'{name}.safetensors'), '--sequences', str(folder / 'videos'),
            '--stills', str(folder / 'stills'), '--pairs', '8', '--batch', '4', '--epochs', '2',
            '--device', 'cpu', *more]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder to train in, behind random weights, so that no file is needed."""
    load = box_refinement.load_backbone
    monkeypatch.setattr(box_refinement, 'load_backbone', lambda name, weights, models:
                        load(name, 'random'))
    monkeypatch.setattr(box_refinement, '_HELD_PAIRS', 8)
    write_sequences(tmp_path / 'videos', 3)
    write_stills(tmp_path / 'stills')
    return tmp_path


def log_of(folder, name):
    return [json.loads(line) for line in (folder / f'{name}.jsonl').read_text().splitlines()]


def test_a_resumed_training_ends_with_the_same_weights(folder, capsys):
    box_refinement.main(arguments(folder, 'whole'))
    box_refinement.main(arguments(folder, 'parts', '--minutes', '0'))
    assert '1 of 2 epochs left' in capsys.readouterr().out
    box_refinement.main(arguments(folder, 'parts', '--resume'))
    whole, parts = (safetensors.torch.load_file(folder / f'{name}.safetensors')
                    for name in ('whole', 'parts'))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert [row['epoch'] for row in log_of(folder, 'whole')] == [1, 2]
    assert {'step', 'box', 'overlap', 'rough', 'refined', 'twice', 'ranking'} <= log_of(
        folder, 'whole')[0].keys()
    network = load_box_refinement(str(folder / 'whole.safetensors'))
    assert network.backbone == 'resnet18'
    assert torch.equal(network.step.weight, whole['step.weight'].float())


def drawn_maps(truths):
    """Return maps of two layers, of images in which boxes are bright in one channel of each."""
    taps = (Tap('fine', 3, 4, 2.5), Tap('coarse', 5, 8, 4.5))
    generator, maps = torch.Generator().manual_seed(1), []
    for tap in taps:
        cells = torch.arange(96 // tap.stride) * tap.stride + tap.offset
        inside = [(cells >= truths[:, low, None]) & (cells < truths[:, low + 2, None])
                  for low in (0, 1)]
        rows = 0.1 * torch.rand(len(truths), tap.channels, len(cells), len(cells),
                                generator=generator)
        rows[:, 0] += (inside[1][:, :, None] & inside[0][:, None]).float()
        maps.append(rows)
    return taps, maps


def test_a_short_training_reduces_all_terms_of_the_loss_and_moves_boxes_to_their_targets():
    generator = torch.Generator().manual_seed(0)
    corners, sides = (low + (high - low) * torch.rand(24, 2, generator=generator)
                      for low, high in ((25, 45), (16, 34)))
    truths = torch.cat([corners, corners + sides], dim=1)
    taps, maps = drawn_maps(truths)
    torch.manual_seed(0)
    network = BoxRefinement('drawn', taps, RefinementShape(
        channels=4, template=7, cells=8, width=16, head=32))
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    pooled, same = network.template(maps, truths), torch.ones(24)
    rows = []
    for _ in range(100):
        rough = rough_boxes(truths, SPREADS, generator)
        terms = box_refinement_loss(network, maps, pooled, rough, truths, same)
        optimiser.zero_grad()
        sum(terms.values()).backward()
        optimiser.step()
        rows.append([term.item() for term in terms.values()])
    first, last = np.mean(rows[:10], axis=0), np.mean(rows[-10:], axis=0)
    assert (last[:2] < 0.5 * first[:2]).all() and last[2] < 0.9 * first[2]
    batch = [pooled, *maps, truths, same]
    with torch.no_grad():
        numbers = judged(network.eval(), [batch], torch.Generator().manual_seed(9))
    assert numbers['refined'] > numbers['rough'] + 0.15


def test_the_backbone_stays_as_it_is_and_out_of_the_file(folder):
    box_refinement.main(arguments(folder, 'small', '--epochs', '1'))
    names = safetensors.torch.load_file(folder / 'small.safetensors').keys()
    assert {name.split('.')[0] for name in names} == {
        'projections', 'trunk', 'head', 'step', 'overlap'}


@pytest.mark.parametrize('share, expected', [('0', [0.5, 0.5]), ('0.4', [0.3, 0.3, 0.4])])
def test_photographs_take_their_share_from_the_others(folder, monkeypatch, share, expected):
    seen = []
    pairs = box_refinement.RegionPairs

    def caught(sources, shares, rules, seed):
        seen.append(shares)
        return pairs(sources, shares, rules, seed)

    monkeypatch.setattr(box_refinement, 'RegionPairs', caught)
    box_refinement.main(arguments(folder, 'small', '--epochs', '1', '--photographs', share))
    assert seen[0] == pytest.approx(expected) and sum(seen[0]) == pytest.approx(1)


def test_without_data_the_command_says_what_it_needs(tmp_path, capsys):
    with pytest.raises(SystemExit):
        box_refinement.main(['--out', str(tmp_path / 'a.safetensors')])
    assert 'give --sequences, --stills or both' in capsys.readouterr().err
