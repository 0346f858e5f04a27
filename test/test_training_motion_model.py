"""Training of GSTP's motion model: its examples, its loss, its measures, resuming."""
import json
import math

import numpy as np
import pytest
import safetensors.torch
import torch

from tracking_nodes.errors import SequenceError
from tracking_nodes.online.motion_model import MotionModel, MotionNetwork, MotionSettings
from tracking_nodes.sequences.sequence import camera_stamps, Sequence
from tracking_nodes.sequences.stills import read_stills
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.training import motion_model
from tracking_nodes.training.drawing import DrawnByNumber, split
from tracking_nodes.training.moments import (
    ClipMoments, forgotten, Moment, Moments, SequenceMoments)
from tracking_nodes.training.motion_model import distance_pair, heatmap_loss

from training_files import write_sequences, write_stills

SIZE = 96, 64


def generator(seed=0):
    return np.random.default_rng(seed)


class Numbers(DrawnByNumber):
    """Examples that are the two sources' draws, the small ones refused."""

    def make(self, drawn, random):
        name, value = drawn
        return None if value < 0.5 else (name, value, random.random())


class Source:

    def __init__(self, name):
        self.name = name

    def draw(self, random):
        return self.name, random.random()


def test_examples_follow_seed_and_number_alone():
    one, same, other = (Numbers([Source(0), Source(1)], [0.8, 0.2], seed) for seed in (1, 1, 2))
    drawn = [one[number] for number in range(200)]
    assert drawn == [same[number] for number in reversed(range(200))][::-1]
    assert len(set(drawn)) == 200 and other[0] not in drawn
    assert all(value >= 0.5 for _, value, _ in drawn)
    assert 0.1 < np.mean([name for name, _, _ in drawn]) < 0.3
    batches = list(one.loader(np.array([5, 3, 8]), 2))
    assert [len(batch[0]) for batch in batches] == [2, 1]
    assert batches[0][1].tolist() == [drawn[5][1], drawn[3][1]]


def test_every_eighth_sequence_is_held_out_where_others_are_left():
    seen, held = split(list(range(17)))
    assert held == [0, 8, 16] and seen == [n for n in range(17) if n not in held]
    assert split([7]) == ([], [])


class Brightening(Sequence):
    """A sequence in which the brightness is ten times the frame's number."""

    def __init__(self, boxes):
        super().__init__('brightening', boxes, camera_stamps(len(boxes)))

    def images(self):
        for number in range(len(self)):
            yield np.full((160, 240, 3), 10 * number, np.uint8)


def test_moments_of_a_sequence_show_a_frame_and_where_the_target_was():
    boxes = generator().uniform((0, 0, 10, 10), (200, 140, 40, 20), (20, 4))
    boxes[6] = np.nan
    source, random, steps = SequenceMoments([Brightening(boxes)], 4, SIZE), generator(), set()
    for _ in range(60):
        moment = source.draw(random)
        number = round(moment.pixels.mean() / 10)
        assert moment.pixels.shape == (64, 96, 3) and number > 0
        fits = {step for step in (1, 2, 3) if np.allclose(moment.path, [
            (boxes[row, :2] + boxes[row, 2:] / 2) * 0.4 if row >= 0 else (np.nan,) * 2
            for row in range(number - 4 * step, number + 1, step)], equal_nan=True)}
        assert fits
        steps.add(min(fits))
        side = 0.4 * math.sqrt(boxes[number, 2] * boxes[number, 3])
        assert np.isclose(moment.sides[-1], side, equal_nan=True)
    assert steps == {1, 2, 3}


def test_sequences_keep_no_more_frames_than_they_are_told_to():
    source = SequenceMoments([SyntheticSequence(30)], 2, SIZE, most=5)
    shown = {source.draw(random).pixels.tobytes() for random in map(generator, range(80))}
    assert len(shown) == 5


def test_sequences_without_anything_to_learn_from_are_refused():
    with pytest.raises(SequenceError, match='none of 1 sequences has two frames and a box'):
        SequenceMoments([SyntheticSequence(1)], 4, SIZE)


def test_moments_of_clips_are_the_middle_of_the_clip(tmp_path, monkeypatch):
    image = np.arange(96 * 96 * 3, dtype=np.uint32).reshape(96, 96, 3).astype(np.uint8)
    boxes = np.array([[10.0, 20, 8, 6], [10, 4, 8, 6], [np.nan] * 4, [80, 70, 10, 10]])
    monkeypatch.setattr('tracking_nodes.training.moments.synthetic_clip',
                        lambda *arguments: ([image] * 4, boxes.copy()))
    write_stills(tmp_path)
    moment = ClipMoments(read_stills(tmp_path), 3, SIZE).draw(generator())
    np.testing.assert_array_equal(moment.pixels, image[16:80])
    # The second is above the middle, the third not in the clip.
    np.testing.assert_array_equal(moment.path, [[14, 7], [np.nan] * 2, [np.nan] * 2, [85, 59]])


def moment(truth=(30.5, 20.5)):
    """Return a moment whose target is a bright dot that comes along a line."""
    pixels = np.zeros((64, 96, 3), np.uint8)
    if truth is not None:
        pixels[int(truth[1]), int(truth[0])] = 255
    end = (np.nan,) * 2 if truth is None else truth
    return Moment(pixels, np.array([*((8.5 + 4 * n, 20.5) for n in range(5)), end]),
                  np.full(6, 10.0))


class One:

    def __init__(self, drawn):
        self.drawn = drawn

    def draw(self, random):
        return self.drawn


def test_a_mirrored_example_is_mirrored_throughout():
    examples, mirrored = Moments([One(moment())], [1.0], 0), []
    for number in range(30):
        image, past, truth = examples[number]
        assert image.dtype == torch.uint8 and image.shape == (3, 64, 96)
        row, column = np.argwhere(image[0].numpy() > 0)[0]
        assert truth.tolist() == [column + 0.5, row + 0.5]
        mirrored.append(bool(column > 48))
        path = past[past.isfinite().all(dim=1), 0]
        # The target comes from the left, and from the right where it is mirrored.
        assert all((path > 48 - 20) if mirrored[-1] else (path < 48))
    assert 5 < sum(mirrored) < 25


def test_past_positions_are_as_inaccurate_as_a_tracker_and_the_truth_is_exact():
    examples = Moments([One(moment())], [1.0], 0)
    errors = []
    for number in range(400):
        _, past, truth = examples[number]
        sign = -1 if truth[0] > 48 else 1
        for n, (x, y) in enumerate(past.tolist()):
            if x == x:
                errors += [(x - 48) * sign + 48 - (8.5 + 4 * n), y - 20.5]
    assert np.std(errors) == pytest.approx(0.08 * 10, rel=0.1)
    assert np.mean(errors) == pytest.approx(0, abs=0.1)


def test_an_absent_target_has_no_truth():
    _, past, truth = Moments([One(moment(None))], [1.0], 0)[1]
    assert truth.isnan().all() and past.shape == (5, 2)


def test_any_part_of_the_past_may_be_missing():
    rows = {tuple(forgotten(4, generator(seed)).tolist()) for seed in range(600)}
    assert {(False,) * 4, (True,) * 4, (True, True, True, False), (False, False, True, True),
            (False, True, False, False)} <= rows
    shares = np.mean([forgotten(4, generator(seed)) for seed in range(600)])
    assert 0.1 < shares < 0.5


def test_the_loss_is_the_mean_squared_error_to_a_gaussian_of_three_cells():
    found = torch.rand(3, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    truth = torch.tensor([[10.0, 6.0], [math.nan, math.nan], [27.0, 19.5]], dtype=torch.float64)
    total = 0.0
    for maps, (x, y) in zip(found.tolist(), truth.tolist()):
        for row in range(5):
            for column in range(7):
                away = (column + 0.5 - x / 4) ** 2 + (row + 0.5 - y / 4) ** 2
                wanted = math.exp(-away / 18) if x == x else 0.0
                total += (maps[row][column] - wanted) ** 2 / (3 * 5 * 7)
    assert heatmap_loss(found, truth).item() == pytest.approx(total)


def test_distances_are_of_the_peak_and_of_the_last_position_that_was_seen():
    rows, columns = np.mgrid[:16, :24] + 0.5
    found = torch.from_numpy(np.exp(-((columns - 12.3) ** 2 + (rows - 7.6) ** 2) / 18))
    past = torch.tensor([[1.0, 2.0], [40.0, 30.0], [math.nan, math.nan]])
    truth = torch.tensor([52.0, 30.4])
    peak, stays = distance_pair(found, past, truth)
    assert peak == pytest.approx(4 * 12.3 - 52, abs=0.1) or peak == pytest.approx(2.8, abs=0.1)
    assert stays == pytest.approx(math.hypot(12, 0.4), rel=1e-5)
    assert distance_pair(found, past[2:], truth) is None
    assert distance_pair(found, past, past[2]) is None


@pytest.fixture
def train(tmp_path):
    """Return a small function that trains on next to nothing, and returns the file."""
    write_sequences(tmp_path / 'sequences', 3)
    write_stills(tmp_path)

    def run(out, *more):
        motion_model.main([
            '--out', str(tmp_path / out), '--sequences', str(tmp_path / 'sequences'), '--stills',
            str(tmp_path), '--width', '2', '--size', '96', '64', '--history', '3', '--examples',
            '4', '--batch', '2', '--device', 'cpu', *more])
        return tmp_path / out
    return run


def lines_of(file):
    return [json.loads(line) for line in file.with_suffix('.jsonl').read_text().splitlines()]


def test_training_resumes_to_the_same_weights(train, capsys):
    whole = train('whole.safetensors', '--epochs', '2')
    train('parts.safetensors', '--epochs', '2', '--minutes', '0')
    assert '1 of 2 epochs left' in capsys.readouterr().out
    parts = train('parts.safetensors', '--epochs', '2', '--resume')
    one, other = (safetensors.torch.load_file(path) for path in (whole, parts))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert {tensor.dtype for tensor in one.values()} == {torch.float16}
    assert [line['epoch'] for line in lines_of(whole)] == [1, 2]
    assert all(line['held_mse'] > 0 and line['distance'] > 0 and line['stays'] > 0
               for line in lines_of(whole))


def test_the_finished_file_is_what_the_tracker_loads(train):
    file = train('one.safetensors', '--epochs', '1')
    each = MotionModel(MotionSettings(motion_weights=str(file), motion_history=2), Runtime('cpu'))
    image = next(SyntheticSequence(1).images())
    each.start(image, (160.0, 120.0))
    assert each.predict(image).values.shape == (16, 24)
    with safetensors.safe_open(file, 'pt') as stream:
        stated = stream.metadata()
    assert (stated['history'], stated['width'], stated['size']) == ('3', '2', '[96, 64]')


def test_the_rate_falls_at_170_and_200_of_210_epochs_whatever_their_number(train):
    kept = lines_of(train('rates.safetensors', '--epochs', '21', '--examples', '2'))
    warm_up = [min(1, epoch / 200) for epoch in range(1, 22)]
    rates = [line['rate'] / factor for line, factor in zip(kept, warm_up)]
    assert rates == pytest.approx([1e-3] * 17 + [1e-4] * 3 + [1e-5])


def test_without_held_out_sequences_nothing_is_measured(train, tmp_path):
    for number in (1, 2):
        folder = tmp_path / 'sequences' / f'clip{number}'
        folder.rename(tmp_path / f'away{number}')
    assert 'held_mse' not in lines_of(train('few.safetensors', '--epochs', '1'))[0]


def test_a_size_that_cannot_be_halved_often_enough_is_refused(train, capsys):
    with pytest.raises(SystemExit):
        train('odd.safetensors', '--size', '100', '64')
    assert '--size 100 64: give multiples of 32' in capsys.readouterr().err


def test_the_network_learns_where_a_target_is():
    torch.manual_seed(0)
    network = MotionNetwork(3, 2, SIZE)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    images = torch.full((4, 3, 64, 96), 90.0)
    truth = torch.tensor([[20.0, 20.0], [70.0, 20.0], [20.0, 50.0], [70.0, 50.0]])
    past = truth[:, None] + torch.tensor([[-6.0, 0], [-4, 0], [-2, 0]])
    losses = []
    for _ in range(40):
        loss = heatmap_loss(network(images, past), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
