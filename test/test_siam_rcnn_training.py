"""SiamRCNN's training: pairs that show what they say, and runs that go on as if uninterrupted."""
import json
import math

import numpy as np
import pytest
import safetensors.torch
import torch

from tracking_nodes.nn.siam_rcnn import load_siam_rcnn
from tracking_nodes.training import siam_rcnn
from tracking_nodes.training.kept_features import KeptFeatures
from tracking_nodes.training.search_pairs import make_search_pair, SearchPairs, SearchRules

from training_files import marked_view, OneTarget, white, write_sequences, write_stills

RULES = SearchRules(template=96, search=160, least=32, most=64)


@pytest.mark.parametrize('seed', range(12))
def test_boxes_are_where_the_targets_are(seed):
    random = np.random.default_rng(seed)
    pair = make_search_pair(marked_view(), marked_view((90, 60, 36, 16)), RULES, random, True)
    assert pair.template.shape == (96, 96, 3) and pair.search.shape == (160, 160, 3)
    assert np.abs(white(pair.template) - pair.box).max() <= 2
    assert np.abs(white(pair.search) - pair.truth).max() <= 2


def test_targets_have_the_sizes_of_the_rules_and_stand_anywhere():
    sides, middles = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        pair = make_search_pair(marked_view(), marked_view((60, 40, 30, 30)), RULES, random, True)
        if 0 < pair.truth.min() and pair.truth.max() < 160:
            sides.append(math.sqrt(np.prod(pair.truth[2:] - pair.truth[:2])))
            middles.append((pair.truth[:2] + pair.truth[2:]) / 2)
    assert 31 < min(sides) < 36 and 58 < max(sides) < 66
    assert np.ptp(middles, axis=0).min() > 80


def test_an_absent_target_has_no_truth_and_its_template_stays():
    pair = make_search_pair(marked_view(), marked_view(), RULES, np.random.default_rng(0), False)
    assert np.isnan(pair.truth).all() and np.isfinite(pair.box).all()


def test_pairs_by_number_are_the_same_in_any_order_and_some_are_absent():
    pairs = SearchPairs([OneTarget(50), OneTarget(200)], [0.5, 0.5], RULES, seed=3)
    forth = [pairs[number] for number in range(80)]
    back = [pairs[number] for number in reversed(range(80))][::-1]
    for one, other in zip(forth, back):
        for part, again in zip(one, other):
            assert torch.equal(part.nan_to_num(-1), again.nan_to_num(-1))
    absent = [bool(part[3].isnan().all()) for part in forth]
    assert 3 <= sum(absent) <= 25
    # What is present is of the same target, what is absent may be of another.
    levels = [(int(one[0].max()), int(one[2].max())) for one in forth]
    assert all(first == second for (first, second), gone in zip(levels, absent) if not gone)
    assert any(first != second for (first, second), gone in zip(levels, absent) if gone)


def arguments(folder, name, *more):
    return ['--out', str(folder / f'{name}.safetensors'), '--sequences', str(folder / 'videos'),
            '--stills', str(folder / 'stills'), '--backbone', 'resnet18', '--tuned', 'layer3',
            '--pairs', '4', '--batch', '2', '--epochs', '2', '--search', '96', '--device', 'cpu',
            *more]


@pytest.fixture
def random_backbone(monkeypatch):
    """Train behind random weights, so that no file is needed."""
    load = siam_rcnn.load_backbone
    monkeypatch.setattr(siam_rcnn, 'load_backbone', lambda name, weights, models:
                        load(name, 'random'))
    monkeypatch.setattr(siam_rcnn, '_HELD_PAIRS', 6)


def test_a_resumed_training_ends_with_the_same_weights(tmp_path, random_backbone, capsys):
    write_sequences(tmp_path / 'videos', 3)
    write_stills(tmp_path / 'stills')
    siam_rcnn.main(arguments(tmp_path, 'whole'))
    siam_rcnn.main(arguments(tmp_path, 'parts', '--minutes', '0'))
    assert '1 of 2 epochs left' in capsys.readouterr().out
    siam_rcnn.main(arguments(tmp_path, 'parts', '--resume'))
    whole, parts = (safetensors.torch.load_file(tmp_path / f'{name}.safetensors')
                    for name in ('whole', 'parts'))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    rows = [json.loads(line) for line in (tmp_path / 'whole.jsonl').read_text().splitlines()]
    assert [row['epoch'] for row in rows] == [1, 2]
    assert {'rpn_class', 'rpn_box', 'roi_class', 'roi_box', 'found', 'present'} <= rows[0].keys()
    network = load_siam_rcnn(str(tmp_path / 'whole.safetensors'))
    assert torch.equal(network.roi_box.weight, whole['roi_box.weight'].float())


def test_only_the_tuned_stages_change(tmp_path, random_backbone):
    write_sequences(tmp_path / 'videos', 2)
    write_stills(tmp_path / 'stills')
    siam_rcnn.main(arguments(tmp_path, 'tuned'))
    tensors = safetensors.torch.load_file(tmp_path / 'tuned.safetensors')
    fresh = siam_rcnn.load_backbone('resnet18', '', '').file_tensors()
    changed = {name.split('.')[0] for name, tensor in fresh.items()
               if not torch.equal(tensor.half(), tensors[name])}
    assert changed == {'layer3'}


def test_kept_features_are_those_of_the_pairs_in_the_order_asked_for(tmp_path):
    pairs = SearchPairs([OneTarget(50), OneTarget(200)], [0.5, 0.5], RULES, seed=3)
    seen = []

    def mean(templates, boxes, searches):
        seen.append(len(templates))
        return templates.mean(dim=(2, 3)), searches.mean(dim=(2, 3))

    kept = KeptFeatures(pairs, 10, 4, mean, seed=1)
    assert seen == [4, 4, 2]
    order = torch.tensor([7, 0, 9, 3])
    rows = list(kept.batches(order, 3))
    assert [len(row[0]) for row in rows] == [3, 1]
    objects, features, truths = (torch.cat(parts) for parts in zip(*rows))
    whole = next(kept.batches(torch.arange(10), 10))
    for part, expected in zip((objects, features, truths), whole):
        torch.testing.assert_close(part, expected[order], equal_nan=True)
    for number, truth in zip(order.tolist(), truths):
        torch.testing.assert_close(truth, pairs[number][3], equal_nan=True)
    # Pictures of 50 and of 200 stay apart, whatever was changed in their colours.
    levels = torch.tensor([pairs[number][0].float().mean() for number in range(10)])
    assert whole[0].mean(dim=1)[levels > 100].min() > whole[0].mean(dim=1)[levels < 100].max()


def test_a_training_on_kept_features_goes_on_to_the_same_weights(
        tmp_path, random_backbone, capsys):
    write_sequences(tmp_path / 'videos', 2)
    write_stills(tmp_path / 'stills')
    more = '--tuned', '--keep', '--optimiser', 'adamw'
    siam_rcnn.main(arguments(tmp_path, 'whole', *more))
    siam_rcnn.main(arguments(tmp_path, 'parts', *more, '--minutes', '0'))
    siam_rcnn.main(arguments(tmp_path, 'parts', *more, '--minutes', '9', '--resume'))
    whole, parts = (safetensors.torch.load_file(tmp_path / f'{name}.safetensors')
                    for name in ('whole', 'parts'))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    with pytest.raises(SystemExit):
        siam_rcnn.main(arguments(tmp_path, 'tuned', '--keep'))
    assert '--keep goes with a frozen backbone' in capsys.readouterr().err


def test_without_data_the_command_says_what_it_needs(tmp_path, capsys):
    with pytest.raises(SystemExit):
        siam_rcnn.main(['--out', str(tmp_path / 'a.safetensors')])
    assert 'give --sequences, --stills or both' in capsys.readouterr().err


def test_the_papers_schedule_is_the_default(monkeypatch):
    seen = {}

    class Caught:

        def __init__(self, options):
            self.options = seen['options'] = options

        def run(self):
            seen['rates'] = [rate(self, done) for done in (0, 1)]

    rate = siam_rcnn.SiamRcnnTraining.rate
    monkeypatch.setattr(siam_rcnn, 'SiamRcnnTraining', Caught)
    siam_rcnn.main(['--out', 'a.safetensors', '--sequences', 'b'])
    options = seen['options']
    assert options.epochs * options.examples // options.batch == 27000
    assert seen['rates'] == pytest.approx([1e-2, 1e-4])
    assert (siam_rcnn._MOMENTUM, siam_rcnn._WEIGHT_DECAY) == (0.9, 1e-4)
    assert (SearchRules().least, options.largest) == (64, 256)
