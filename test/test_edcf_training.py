"""EDCF's training: losses against loops, pairs that show what they say, resuming."""
import json
import math

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch

from tracking_nodes.nn.encoder_decoder import Decoder, Encoder, load_encoder, PATCH
from tracking_nodes.sequences.compositing import cover, Pose
from tracking_nodes.sequences.stills import cut_out_objects, CutOut, Stills
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.training import clips, edcf, edcf_losses
from tracking_nodes.training.pairs import ClipViews, make_pair, PairRules, SequenceViews, View

from training_files import write_sequences, write_stills


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_labels_are_positive_within_sixteen_pixels():
    shifts = torch.tensor([[9.0, -30.0], [0.0, 0.0]])
    labels = edcf_losses.semantic_labels(shifts, 17, 8)
    for index, (down, across) in enumerate(shifts.tolist()):
        for row in range(17):
            for column in range(17):
                distance = math.hypot(8 * (row - 8) - down, 8 * (column - 8) - across)
                assert labels[index, row, column] == (1 if distance <= 16 else -1)


def test_the_logistic_loss_weighs_both_signs_the_same():
    logits = draw(2, 5, 5)
    labels = torch.where(draw(2, 5, 5, seed=1) > 0.5, 1.0, -1.0).double()
    total = 0.0
    for response, signs in zip(logits.numpy(), labels.numpy()):
        for sign in (1, -1):
            costs = [math.log1p(math.exp(-sign * value)) for value in response[signs == sign]]
            total += 0.5 * sum(costs) / len(costs) / 2
    assert edcf_losses.tracking_loss_high(logits, labels).item() == pytest.approx(total)


def test_losses_pass_gradcheck():
    labels = torch.where(draw(1, 3, 3, seed=1) > 0.2, 1.0, -1.0).double()
    truth = draw(1, 3, 3, seed=2)
    for loss in (lambda x: edcf_losses.tracking_loss_high(x, labels),
                 lambda x: edcf_losses.tracking_loss_low(x, truth),
                 lambda x: edcf_losses.reconstruction_loss(x, truth)):
        assert torch.autograd.gradcheck(loss, draw(1, 3, 3).requires_grad_())


def test_an_empty_answer_costs_one():
    labels, pictures = draw(3, 6, 6), draw(2, 3, 8, 8, seed=1)
    assert edcf_losses.tracking_loss_low(torch.zeros_like(labels), labels).item() == (
        pytest.approx(1))
    mean = torch.full_like(pictures, pictures.mean().item())
    cost = edcf_losses.reconstruction_loss(mean, pictures).item()
    assert cost == pytest.approx(1, rel=0.01)


def test_sums_of_squares_in_loops():
    responses, labels = draw(2, 3, 4), draw(2, 3, 4, seed=1)
    total = 0.0
    for found, wanted in zip(responses.numpy(), labels.numpy()):
        errors = sum((a - b) ** 2 for a, b in zip(found.ravel(), wanted.ravel()))
        total += errors / sum(b ** 2 for b in wanted.ravel()) / 2
    assert edcf_losses.tracking_loss_low(responses, labels).item() == pytest.approx(total)


def test_sizes_are_the_papers():
    encoder = Encoder()
    with torch.inference_mode():
        fine, deep = encoder(torch.zeros(1, 3, PATCH, PATCH))
        assert fine.shape == (1, 8, 125, 125) and deep.shape == (1, 256, 22, 22)
        decoder = Decoder().eval()
        assert decoder(deep).shape == (1, 3, 255, 255)
        assert encoder.first(torch.zeros(1, 3, 427, 427)).shape[2:] == (211, 211)
    assert sum(isinstance(layer, torch.nn.ConvTranspose2d) for layer in decoder) == 7


def test_folding_batch_norms_changes_nothing(tmp_path):
    torch.manual_seed(0)
    encoder = Encoder(0.25, norms=True)
    patches = torch.rand(4, 3, PATCH, PATCH) * 255
    encoder.train()
    with torch.no_grad():
        encoder(patches)
    encoder.eval()
    file = tmp_path / 'encoder.safetensors'
    safetensors.torch.save_file(encoder.folded(), file)
    with torch.inference_mode():
        for found, expected in zip(load_encoder(str(file))(patches), encoder(patches)):
            assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3)


def marked_view(centre, side=40):
    """Return a picture with a bright cross at the target's centre."""
    image = np.full((240, 320, 3), 90, np.uint8)
    x, y = centre
    cv2.circle(image, (x, y), 4, (255, 255, 255), -1)
    return View(image, np.array([x + 0.5 - side / 2, y + 0.5 - side / 2, side, side], float))


def bright_centre(patch):
    """Return (down, across) of the bright pixels' mean from the middle of a patch."""
    rows, columns = np.nonzero(patch[..., 0] > 200)
    return np.array([rows.mean(), columns.mean()]) + 0.5 - patch.shape[0] / 2


def test_pairs_have_the_target_where_they_say():
    random, rules = np.random.default_rng(0), PairRules(2.0, 427, 255)
    for _ in range(8):
        pair = make_pair((marked_view((150, 110)), marked_view((180, 100))), rules, random)
        assert pair.template.shape == (427, 427, 3) and pair.search.shape == (255, 255, 3)
        assert np.abs(bright_centre(pair.template)).max() < 2
        assert np.abs(bright_centre(pair.search) - pair.shift).max() < 1.5
        assert np.abs(pair.shift).max() < 62


def stills(seed=0):
    """Return textured cut-outs with round masks, and backgrounds."""
    random = np.random.default_rng(seed)
    cut_outs = []
    for _ in range(3):
        texture = cv2.resize(random.integers(0, 256, (9, 9, 3), dtype=np.uint8), (60, 50))
        mask = np.zeros((50, 60), np.uint8)
        cv2.ellipse(mask, (30, 25), (28, 23), 0, 0, 360, 255, -1)
        cut_outs.append(CutOut(texture, mask))
    backgrounds = [cv2.resize(random.integers(0, 256, (20, 20, 3), dtype=np.uint8), (300, 260))
                   for _ in range(2)]
    return Stills(cut_outs, backgrounds)


def test_synthetic_clips_follow_the_seed_and_have_boxes_in_the_picture():
    first, second = (clips.synthetic_clip(stills(), np.random.default_rng(7), frames=4)
                     for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first[0], second[0]))
    assert np.array_equal(first[1], second[1], equal_nan=True)
    other = clips.synthetic_clip(stills(), np.random.default_rng(8), frames=4)
    assert not np.array_equal(first[0][0], other[0][0])
    for image, box in zip(*first):
        assert image.shape == (320, 320, 3) and image.dtype == np.uint8
        assert np.isnan(box).all() or (box[:2] >= 0).all() and (box[:2] + box[2:] <= 320).all()


def test_the_box_of_a_drawn_cut_out_is_that_of_its_turned_outline():
    cut_out = stills().cut_outs[0]
    pose = Pose(np.array([160.0, 150.0]), 1.5, 0.6)
    box = cover(cut_out, pose, (320, 320)).box()
    # An ellipse of half axes a, b, turned: half its box's width is hypot(a cos, b sin).
    across = 1.5 * math.hypot(28 * math.cos(0.6), 23 * math.sin(0.6))
    down = 1.5 * math.hypot(28 * math.sin(0.6), 23 * math.cos(0.6))
    assert box[2] == pytest.approx(2 * across, abs=4) and box[3] == pytest.approx(2 * down, abs=4)
    assert box[:2] + box[2:] / 2 == pytest.approx([161, 151], abs=2)


def test_objects_that_are_cut_off_small_or_thin_are_no_cut_outs():
    numbers = np.zeros((200, 200), np.uint8)
    numbers[20:80, 20:80] = 1           # good
    numbers[100:110, 20:30] = 2         # small
    numbers[150:200, 100:180] = 3       # touches the border
    np.fill_diagonal(numbers[90:149, 120:179], 4)
    found = cut_out_objects(np.zeros((200, 200, 3), np.uint8), numbers)
    assert [cut_out.mask.shape for cut_out in found] == [(60, 60)]


def test_views_of_a_sequence_show_its_target():
    sequence = SyntheticSequence(12)
    views = SequenceViews([sequence], step=2)
    random = np.random.default_rng(0)
    template, search = views.draw(random)
    for view in (template, search):
        assert view.image.shape == (480, 480, 3)
        assert np.sqrt(view.box[2] * view.box[3]) == pytest.approx(80, abs=2)
        assert view.box[:2] + view.box[2:] / 2 == pytest.approx([240, 240], abs=8)


def test_views_of_clips_have_a_target():
    first, second = ClipViews(stills()).draw(np.random.default_rng(3))
    assert np.isfinite(first.box).all() and np.isfinite(second.box).all()


@pytest.fixture
def folders(tmp_path):
    """Write three tiny videos with ground truth, masked pictures and stills."""
    write_sequences(tmp_path / 'sequences', 3)
    write_stills(tmp_path)
    return tmp_path


@pytest.mark.parametrize('losses', [['low', 'high', 'recon'], ['low']])
def test_training_resumes_to_the_same_weights_and_writes_a_usable_file(
        folders, losses, capsys):
    common = ['--sequences', str(folders / 'sequences'), '--stills', str(folders), '--width',
              '0.125', '--pairs', '4', '--batch', '2', '--epochs', '2', '--checked', '1',
              '--losses', *losses]
    straight, parted = folders / 'straight.safetensors', folders / 'parted.safetensors'
    edcf.main([*common, '--out', str(straight)])
    edcf.main([*common, '--out', str(parted), '--minutes', '0'])
    assert '1 of 2 epochs left' in capsys.readouterr().out
    edcf.main([*common, '--out', str(parted), '--resume'])
    first, second = (safetensors.torch.load_file(file) for file in (straight, parted))
    assert all(torch.equal(first[name], second[name]) for name in first)
    lines = straight.with_suffix('.jsonl').read_text().splitlines()
    log = [json.loads(line) for line in lines]
    assert [line['epoch'] for line in log] == [1, 2]
    assert {f'held_{name}' for name in losses} <= set(log[0]) and 0 <= log[1]['auc'] <= 1
    assert {tensor.dtype for tensor in first.values()} == {torch.float16}
    encoder = load_encoder(str(straight))
    assert encoder.has_deep == ('high' in losses)
    assert torch.isfinite(encoder.fine(encoder.first(torch.rand(1, 3, PATCH, PATCH) * 255))).all()


def test_the_loss_falls_on_one_pair_that_is_repeated():
    torch.manual_seed(0)
    network = edcf.Network(0.125, ['low', 'high', 'recon'], 3.0)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)
    pair = make_pair((marked_view((150, 110)), marked_view((180, 100))), PairRules(
        3.0, network.settings.wide_patch, PATCH), np.random.default_rng(0))
    images = [torch.from_numpy(patch.transpose(2, 0, 1)).float()[None].repeat(2, 1, 1, 1)
              for patch in (pair.template, pair.search)]
    shifts = torch.from_numpy(pair.shift).float()[None].repeat(2, 1)
    history = []
    for _ in range(30):
        terms = network(*images, shifts)
        optimiser.zero_grad()
        sum(terms.values()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        history.append({name: term.item() for name, term in terms.items()})
    for name in ('low', 'high', 'recon'):
        assert history[-1][name] < history[0][name], name
