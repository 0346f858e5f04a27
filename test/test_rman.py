"""RMAN as the paper has it: constants, ablation rows, schedule, memory, and that it tracks."""
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from small_trackers import clip, held_while_running, make, run
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from tracking_nodes.errors import SettingError
from tracking_nodes.geometry import iou
from tracking_nodes.trackers.rman import Rman, RmanSettings


def started(**changes):
    """Return a quick RMAN on the first image of the clip."""
    images, boxes = clip()
    tracker = make('rman', **changes)
    tracker.start(images[0], boxes[0])
    return tracker


def weights(tracker):
    return {name: value.clone() for name, value in tracker._learner.network.state_dict().items()}


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_defaults_are_the_constants_of_the_paper():
    settings = RmanSettings()
    assert settings.backbone == 'vggm' and settings.box_regression
    assert (settings.lstm, settings.activation) == (True, 'memory')
    assert settings.loss_a and settings.loss_b
    assert (settings.hidden, settings.memory_length) == (512, 5)
    assert (settings.margin, settings.weight_a, settings.weight_b) == (1.0, 2.0, 5e-4)
    assert (settings.positive_overlap, settings.negative_overlap) == (0.7, 0.3)
    assert settings.first_positives + settings.first_negatives == 5500
    assert (settings.first_iterations, settings.first_rate) == (50, 2e-4)
    assert (settings.update_every, settings.update_iterations) == (10, 15)
    assert settings.update_rate == 3e-4
    assert settings.candidates == settings.positives + settings.negatives == 256
    assert settings.pairs == 32


def test_the_ablation_rows_are_those_of_figure_6_and_all_differ():
    images, boxes = clip()
    assert list(Rman.ablation) == [
        'baseline', 'baseline+lstm', 'baseline+lstm+mal', 'baseline+lstm+mal+la',
        'baseline+lstm+mal+la+lb', 'baseline+mal+la+lb', 'baseline+lstm+apl+la+lb']
    scores = {}
    for row, changes in Rman.ablation.items():
        tracker = make('rman', **changes)
        _, scores[row], changed = run(tracker, images, boxes[0])
        assert any(changed) and np.isfinite(scores[row]).all()
        assert (tracker._learner.network.recur is not None) == ('lstm' in row)
        joined = tracker._learner.network.classifier[0].in_features // tracker.settings.hidden
        assert joined == (2 if 'mal' in row or 'apl' in row else 1)
    for one, other in combinations(scores, 2):
        assert not np.array_equal(scores[one], scores[other]), f'{one} is {other}'


@pytest.mark.parametrize('row', Rman.ablation)
def test_the_loss_is_eq_7_with_the_terms_of_the_row(row):
    tracker = started(**Rman.ablation[row])
    settings, network = tracker.settings, tracker._learner.network
    batch = tracker._learner.memory.draw(np.random.default_rng(0), 8, 8, 4)
    with torch.no_grad():
        memory = network.remember(batch.contexts)
        near = network.represent(batch.positives, memory.at(batch.positive_frame))
        far = network.represent(batch.negatives, memory.at(batch.negative_frame))
        logits = [network.classifier(each.full).double().numpy() for each in (near, far)]
        loss = float(tracker._learner.loss(batch))
    probability = [np.exp(each[:, 1]) / np.exp(each).sum(axis=1) for each in logits]
    expected = -(np.log(probability[0]).sum() + np.log(1 - probability[1]).sum()) / 16
    if 'la' in row.split('+'):
        distance = [np.sum((each.current - each.reference).double().numpy() ** 2, axis=1)
                    for each in (near, far)]
        expected += 2 * np.maximum(distance[0] - distance[1] + 1, 0).mean()
    if 'lb' in row.split('+'):
        full = [each.full.double().numpy() for each in (near, far)]
        spread = [np.sum((each - full[0].mean(axis=0)) ** 2, axis=1) for each in full]
        expected += 5e-4 * (spread[0] / spread[1]).mean()
    assert loss == pytest.approx(expected, rel=1e-4)
    assert settings.weight_a == 2 and settings.weight_b == 5e-4


def test_learning_happens_every_tenth_frame_and_only_then():
    images, _ = clip(24)
    tracker = started(update_every=10, present_threshold=0.0)
    for number, image in enumerate(images[1:], start=1):
        before = weights(tracker)
        tracker.locate(image)
        assert equal(weights(tracker), before), 'locating learned'
        changed = tracker.learn()
        assert changed == (number % 10 == 0)
        assert changed != equal(weights(tracker), before)


def test_iterations_and_rates_are_those_of_the_settings():
    images, boxes = clip()
    tracker = make('rman', first_iterations=7, update_iterations=3, update_every=2,
                   present_threshold=0.0)
    steps = Counter()

    def count(optimiser, *_):
        steps[optimiser.param_groups[0]['lr']] += 1
    handle = register_optimizer_step_post_hook(count)
    try:
        tracker.start(images[0], boxes[0])
        assert list(steps.values()) == [7]
        for image in images[1:6]:
            tracker.locate(image)
            tracker.learn()
    finally:
        handle.remove()
    assert list(steps.values()) == [7, 3 + 3]
    first, update = steps
    # The paper's 2e-4 and 3e-4, whatever both are scaled by.
    assert update / first == pytest.approx(1.5)


def test_training_teaches_positives_from_negatives():
    images, boxes = clip()
    losses = {}
    for iterations in (1, 60):
        tracker = make('rman', first_iterations=iterations)
        tracker.start(images[0], boxes[0])
        batch = tracker._learner.memory.draw(np.random.default_rng(0), 32, 32, 4)
        with torch.no_grad():
            losses[iterations] = float(tracker._learner.loss(batch))
    assert losses[60] < 0.8 * losses[1]


def test_in_the_first_frame_every_patch_is_from_that_frame():
    images, boxes = clip()
    tracker = started()
    target = tracker._frame.of(boxes[:1])
    assert tracker._patches.shape == (5, target.shape[1])
    torch.testing.assert_close(tracker._patches, target.expand(5, -1))
    batch = tracker._learner.memory.draw(np.random.default_rng(0), 8, 8, 4)
    assert len(batch.contexts) == 1
    torch.testing.assert_close(batch.contexts[0], target.expand(5, -1))


def test_patches_of_the_target_move_up_frame_by_frame():
    images, _ = clip()
    tracker = started(present_threshold=0.0)
    for number, image in enumerate(images[1:], start=1):
        before = tracker._patches
        tracker.locate(image)
        newest = tracker._frame.of(tracker._box[None])[0]
        tracker.learn()
        torch.testing.assert_close(tracker._patches[:-1], before[1:])
        torch.testing.assert_close(tracker._patches[-1], newest)
        # What is learned of a frame is told by the patches before it.
        assert torch.equal(tracker._learner.memory._later[-1].context, before)
        assert len(tracker._learner.memory) == 1 + number


def test_a_frame_that_is_not_believed_is_not_learned_from():
    images, _ = clip()
    tracker = started(present_threshold=1.0)
    patches, model = tracker._patches.clone(), weights(tracker)
    for image in images[1:]:
        location = tracker.locate(image)
        assert not location.present and location.score < 1
        assert tracker.learn() is False
    assert len(tracker._learner.memory) == 1
    assert torch.equal(tracker._patches, patches) and equal(weights(tracker), model)


def test_present_is_what_the_threshold_says():
    images, _ = clip()
    tracker = started()
    scores = np.array([tracker.locate(image).score for image in images[1:]])
    threshold = float(np.median(scores))
    tracker = started(present_threshold=threshold)
    locations = [tracker.locate(image) for image in images[1:]]
    assert all(each.present == (each.score >= threshold) for each in locations)
    assert {each.present for each in locations} == {True, False}


def test_memory_does_not_grow():
    images, _ = clip(24)
    tracker = started(long_memory=3, short_memory=2, present_threshold=0.0)
    early, late = held_while_running(tracker, images[1:], (8, 23))
    assert len(tracker._learner.memory) == 1 + 3
    assert late <= 1.01 * early
    # The maps of a frame are gone once it is learned.
    assert tracker._frame is None


def test_the_memory_runs_once_per_frame(monkeypatch):
    images, _ = clip()
    tracker = started()
    network, asked = tracker._learner.network, []
    remember = network.remember

    def counted(patches):
        asked.append(tuple(patches.shape[:2]))
        return remember(patches)
    monkeypatch.setattr(network, 'remember', counted)
    tracker.locate(images[1])
    assert asked == [(1, 5)]


def test_the_chosen_box_is_refined_by_regression():
    images, _ = clip()
    assert started(box_regression=False)._regressor is None
    refined, plain = (started(present_threshold=0.0) for _ in range(2))
    # The same tracker up to here; only the regression is left out.
    plain._regressor = None
    one, other = refined.locate(images[1]), plain.locate(images[1])
    assert one.score == other.score and not np.array_equal(one.box, other.box)
    assert iou(one.box, other.box) > 0.5


def test_it_follows_a_target_with_the_shipped_weights():
    images, boxes = clip(24)
    tracker = make('rman', weights='', search_size=224, first_iterations=30,
                   regression_samples=200)
    found, scores, _ = run(tracker, images, boxes[0])
    overlap = iou(found, boxes[1:])
    assert overlap.mean() > 0.6 and overlap.min() > 0.3
    assert scores.mean() > 0.55
    # A box that stays put would not do.
    assert iou(boxes[0], boxes[1:]).min() < 0.3


@pytest.mark.parametrize('how', ['gaussian', 'uniform', 'whole'])
def test_candidates_are_drawn_as_the_settings_say(how):
    tracker = started(candidate_sampling=how, feature_path='crop', candidates=512, crop_size=75,
                      candidate_translation=0.5, candidate_aspect=1.0, box_regression=False)
    boxes = tracker._draw_candidates()
    width, height = tracker._size
    target = tracker._box
    shift = (boxes[:, :2] + boxes[:, 2:] / 2 - target[:2] - target[2:] / 2) / target[2:].mean()
    ratio = np.log(boxes[:, 2] / boxes[:, 3] * target[3] / target[2])
    assert len(boxes) == 512
    if how == 'whole':
        assert np.abs(shift * target[2:].mean()).max() > 0.4 * min(width, height)
        assert np.allclose(ratio, 0)
    else:
        assert np.isclose(shift.std(), 0.5 * (1 if how == 'gaussian' else 3 ** -0.5), rtol=0.15)
        assert ratio.std() > 0.01


def test_a_relocated_target_is_found_in_a_larger_image():
    images, boxes = clip()
    tracker = started()
    height, width = images[0].shape[:2]
    larger = np.zeros((3 * height, 3 * width, 3), np.uint8)
    larger[2 * height:, 2 * width:] = images[0]
    moved = boxes[0] + [2 * width, 2 * height, 0, 0]
    tracker.relocate(moved)
    assert iou(tracker.locate(larger).box, moved) > 0.5


def test_candidates_over_the_whole_image_need_the_crop_path():
    with pytest.raises(SettingError, match='whole needs feature_path = crop'):
        RmanSettings(candidate_sampling='whole')


def test_it_follows_a_target_by_crops():
    images, boxes = clip(24)
    tracker = make('rman', weights='', feature_path='crop', first_iterations=30, candidates=100,
                   first_negatives=100, regression_samples=30)
    tracker.start(images[0], boxes[0])
    # The box of the start covers a quarter of what the target has moved to.
    assert iou(tracker.locate(images[4]).box, boxes[4]) > 0.4


def test_noise_in_place_of_the_target_is_scored_lower():
    images, boxes = clip(24)
    tracker = make('rman', weights='', search_size=224, first_iterations=30)
    tracker.start(images[0], boxes[0])
    there = tracker.locate(images[1]).score
    noise = np.random.default_rng(0).integers(0, 256, images[0].shape, dtype=np.uint8)
    assert tracker.locate(noise).score < there


def test_the_search_goes_on_from_a_share_of_the_regressed_size():
    images, _ = clip()
    boxes, located = {}, []
    for share in (0.0, 0.5, 1.0):
        tracker = started(regressed_size=share, present_threshold=0.0)
        located.append(tracker.locate(images[1]).box)
        boxes[share] = tracker._box
    # Draws do not depend on the share, so all three found the same.
    assert (located[0] == located[1]).all() and (located[0] == located[2]).all()
    assert not np.allclose(boxes[0.0][2:], boxes[1.0][2:], rtol=1e-3)
    assert boxes[1.0][2:] == pytest.approx(located[0][2:])
    assert boxes[0.5][2:] == pytest.approx(np.sqrt(boxes[0.0][2:] * boxes[1.0][2:]))
    centres = [box[:2] + box[2:] / 2 for box in boxes.values()]
    assert centres[1] == pytest.approx(centres[0]) and centres[2] == pytest.approx(centres[0])
