"""The robust preset: three opinions, one score, and what is put around every tracker."""
import copy
from dataclasses import dataclass, replace

import numpy as np
import pytest
from small_trackers import clip, held_while_running, make, ROBUST, run, Search
import torch

from tracking_nodes.errors import NotStartedError, SettingError
from tracking_nodes.geometry import iou
from tracking_nodes.online.first_views import CHANGES
from tracking_nodes.parameters import setting
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Location, Runtime, Tracker
from tracking_nodes.trackers.redetection import Redetecting, RedetectionSettings
from tracking_nodes.trackers.robust import Opinions, Robust, ROBUST_ABLATION, RobustSettings
from tracking_nodes.trackers.stages import StageWatch

NAMES = ['rman', 'tsn', 'cstnet', 'edcf', 'gstp']
CPU = Runtime(device='cpu')
NAN = np.nan


# --- the score ---

def opinions(heights, overlaps, own):
    heights, overlaps, own = (np.array(row, dtype=float) for row in (heights, overlaps, own))
    return Opinions(np.zeros((len(heights), 4)), heights, overlaps, own)


@pytest.mark.parametrize('heights, overlaps, own, best', [
    ([0.5, 0.9, 0.1], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], 1),
    # The others together weigh half of what the filter does.
    ([0.5, 0.6, 0.1], [0.9, 0.5, 0.5], [0.5, 0.5, 0.5], 0),
    ([0.5, 0.9, 0.1], [0.9, 0.5, 0.5], [0.5, 0.5, 0.5], 1),
    ([0.5, 0.6, 0.1], [0.5, 0.5, 0.5], [0.9, 0.5, 0.5], 0),
    # No opinion is one of nothing.
    ([NAN, 0.3], [0.4, 0.4], [0.4, 0.4], 1), ([NAN, 0.1], [NAN, 0.4], [0.9, 0.1], 0),
    ([NAN, NAN], [NAN, NAN], [0.2, 0.3], 1), ([NAN], [NAN], [NAN], 0)])
def test_the_best_box_is_chosen_by_the_filter_and_by_a_share_of_the_others(
        heights, overlaps, own, best):
    assert opinions(heights, overlaps, own).best(RobustSettings(robust_others=0.5)) == best


WEIGHTS = {'robust_bias': -2.0, 'robust_height': 3.0, 'robust_overlap': 2.0, 'robust_own': 1.0}


@pytest.mark.parametrize('heights, overlaps, own, sums', [
    ([0.5, 1.0], [0.5, 0.0], [1.0, 0.5], [-2 + 1.5 + 1 + 1, -2 + 3 + 0 + 0.5]),
    # None about one box counts 0, none about any is made up for: 6 in all, 4, 3 or 1 of it given.
    ([NAN, 1.0], [NAN, 0.5], [0.5, 0.5], [-2 + 0.5, -2 + 3 + 1 + 0.5]),
    ([0.5, 1.0], [NAN, NAN], [1.0, 0.5], [-2 + 1.5 * 2.5, -2 + 1.5 * 3.5]),
    ([NAN, NAN], [0.5, 1.0], [1.0, 0.5], [-2 + 2 * 2.0, -2 + 2 * 2.5]),
    ([NAN], [NAN], [0.25], [-2 + 6 * 0.25]), ([NAN], [NAN], [NAN], [-2.0])])
def test_a_score_is_the_logistic_function_of_the_weighted_opinions(heights, overlaps, own, sums):
    scores = opinions(heights, overlaps, own).scores(RobustSettings(**WEIGHTS))
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-each)) for each in sums])


def test_opinions_of_weight_zero_leave_the_constant():
    none = RobustSettings(robust_bias=1.0, robust_height=0.0, robust_overlap=0.0, robust_own=0.0)
    assert opinions([0.3], [0.4], [0.5]).scores(none) == pytest.approx(1 / (1 + np.exp(-1)))


def test_without_any_mechanism_nothing_of_the_preset_is_left():
    off = dict.fromkeys(('robust_filter', 'robust_judge', 'robust_refinement'), False)
    with pytest.raises(SettingError, match='leave nothing of preset = robust; keep one of them'):
        RobustSettings(preset='robust', **off)
    RobustSettings(**off)


# --- what the trackers' own models say ---

TRAINED = {'weights': '', 'first_iterations': 80, 'detector_weights': '', 'detector_longest': 800,
           'motion': False}


def judging(name):
    """Return a tracker with weights that know something, after two frames of the clip."""
    images, boxes = clip()
    known = registry.tracker_class(name).settings_class().as_dict()
    tracker = make(name, **{key: value for key, value in TRAINED.items() if key in known})
    tracker.start(images[0], boxes[0])
    tracker.locate(images[1])
    return tracker


@pytest.mark.parametrize('name', NAMES)
def test_a_tracker_thinks_more_of_its_target_than_of_what_is_beside_it(name):
    box = clip()[1][1]
    steps = np.array([[1.5, 0, 0, 0], [-1.5, 0, 0, 0], [0, 1.5, 0, 0], [0, -1.5, 0, 0]])
    beside = box + steps * box[2:].max()
    judged = judging(name).judge([box, *beside])
    assert judged.shape == (5,) and (judged >= 0).all() and (judged <= 1).all()
    assert judged[0] > judged[1:].max() + 0.1


@pytest.mark.parametrize('name', NAMES)
def test_judging_leaves_no_trace(name):
    images, boxes = clip()
    expected = run(make(name), images[:6], boxes[0])
    tracker, found = make(name), []
    tracker.start(images[0], boxes[0])
    for number, image in enumerate(images[1:6]):
        found.append(tracker.locate(image))
        first = tracker.judge(boxes[number:number + 2])
        tracker.judge([(-500, -500, 20, 20), (5, 180, 30, 300), (0, 0, 320, 240)])
        np.testing.assert_array_equal(tracker.judge(boxes[number:number + 2]), first)
        assert tracker.learn() == expected[2][number]
    np.testing.assert_array_equal([location.box for location in found], expected[0])
    np.testing.assert_array_equal([location.score for location in found], expected[1])


@pytest.mark.parametrize('name', [*NAMES, 'static'])
def test_who_has_nothing_to_judge_by_has_no_opinion(name):
    images, boxes = clip()
    tracker = make(name)
    with pytest.raises(NotStartedError):
        tracker.judge(boxes[:2])
    tracker.start(images[0], boxes[0])
    # Those by detection know the first image, the others have searched none.
    asked = [tracker.judge(boxes[:2])] if name in ('edcf', 'gstp', 'static') else []
    tracker.locate(images[1])
    tracker.learn()
    if name not in ('edcf', 'gstp'):
        asked.append(tracker.judge(boxes[:2]))
    assert asked and np.isnan(asked).all()
    assert tracker.judge(np.zeros((0, 4))).shape == (0,)


# --- around a tracker that is told what to say ---

@dataclass(frozen=True)
class ToldSettings(RobustSettings, RedetectionSettings):
    """A search that is quick."""

    search_scale: float = setting(5.0, 'of filter and refinement', minimum=2.0, maximum=12.0)
    # What the refinement is made for: of random features it knows nothing, and leads away.
    search_size: int = setting(288, 'of filter and refinement', minimum=96, maximum=1024)
    filter_channels: int = setting(12, 'few')


SEEING = {'filter_channels': 64}


class Told(Tracker):
    """Answers a box and thinks what it is told; remembers where it was moved to."""

    settings_class = ToldSettings

    def __init__(self, opinion=lambda boxes: np.full(len(boxes), 0.5), answer=None, **values):
        super().__init__(ToldSettings.parse({**ROBUST, **values}), CPU)
        self.opinion, self.answer, self.moved, self.judged = opinion, answer, [], []

    def _start(self, image, box):
        self.box = box

    def _locate(self, image):
        return Location(np.array(self.box if self.answer is None else self.answer, float), 0.5,
                        True)

    def _learn(self):
        return False

    def _judge(self, boxes):
        self.judged.append(boxes)
        return self.opinion(boxes)

    def _probe(self):
        return copy.copy(self)

    def _relocate(self, box):
        self.moved.append(box)
        self.box = box

    def _reset(self):
        self.box = None


def told(*arguments, **values):
    """Return the preset around a `Told` on the first image of the clip, and the next image."""
    images, boxes = clip()
    tracker = Robust(Told(*arguments, **values))
    tracker.start(images[0], boxes[0])
    return tracker, images[1]


def test_places_of_the_filter_and_the_trackers_own_box_are_judged_and_one_of_them_is_the_answer():
    tracker, image = told(robust_places=2, robust_refinement=False)
    found = tracker.locate(image)
    opinions, (judged,) = tracker.opinions, tracker._tracker.judged
    assert len(judged) == 3
    np.testing.assert_array_equal(opinions.boxes, judged)
    np.testing.assert_array_equal(judged[2], clip()[1][0])
    # All have the size of the last box, and the filter's come highest first.
    np.testing.assert_allclose(judged[:, 2:], np.tile(clip()[1][0][2:], (3, 1)))
    assert opinions.heights[0] >= opinions.heights[1]
    best = opinions.best(tracker.settings)
    np.testing.assert_array_equal(found.box, opinions.boxes[best])
    assert found.score == opinions.scores(tracker.settings)[best]
    np.testing.assert_allclose(tracker._tracker.moved[-1], found.box)


def test_the_tracker_has_the_last_word_where_its_word_weighs_most():
    images, boxes = clip()
    own = boxes[0] + [9, 5, 0, 0]
    tracker, image = told(lambda rows: np.isclose(rows, own).all(axis=1).astype(float), own,
                          robust_others=100.0, robust_refinement=False)
    np.testing.assert_allclose(tracker.locate(image).box, own)


OUTSIDE = np.array([290.0, 10.0, 20.0, 16.0])


def far_away(**values):
    """Return what `told` does of a small target, whose tracker is sure that it is far away."""
    images, _ = clip()
    tracker = Robust(Told(lambda rows: (rows[:, 0] > 250).astype(float), OUTSIDE, **values))
    tracker.start(images[0], (40, 150, 20, 16))
    return tracker, images[1]


def test_a_box_outside_the_search_region_has_no_height_and_is_not_refined():
    tracker, image = far_away()
    asked, refine = [], tracker._refiner.refine
    tracker._refiner.refine = lambda maps, corners: (asked.append(corners),
                                                     refine(maps, corners))[1]
    tracker.locate(image)
    opinions = tracker.opinions
    assert np.isnan([opinions.heights[-1], opinions.overlaps[-1]]).all()
    assert opinions.own[-1] == 1 and not np.isnan(opinions.overlaps[:-1]).any()
    np.testing.assert_array_equal(opinions.boxes[-1], OUTSIDE)
    assert [len(corners) for corners in asked] == [len(opinions.boxes) - 1]


def test_a_target_believed_outside_the_region_is_not_learned_from_but_searched_there_next():
    tracker, image = far_away(robust_others=100.0, robust_own=100.0)
    before = tracker._filter.weights
    np.testing.assert_allclose(tracker.locate(image).box, OUTSIDE)
    assert not tracker.learn() and tracker._filter.weights is before
    tracker.locate(image)
    assert not np.isnan(tracker.opinions.heights).any()
    assert tracker.learn() and tracker._filter.weights is not before


@pytest.mark.parametrize('values, rows', [
    ({'robust_filter': False}, 1), ({'robust_judge': False}, 4), ({'robust_refinement': False}, 4),
    ({'robust_filter': False, 'robust_refinement': False}, 1)])
def test_what_is_off_has_no_opinion_and_leaves_the_others_theirs(values, rows):
    tracker, image = told(robust_places=3, **values)
    on = {'heights': 'robust_filter', 'overlaps': 'robust_refinement', 'own': 'robust_judge'}
    for _ in range(2):
        tracker.locate(image)
        for name, switch in on.items():
            given = getattr(tracker.opinions, name)
            assert len(given) == rows
            assert np.isnan(given).all() == (not values.get(switch, True)), name
        assert tracker.learn() == values.get('robust_filter', True)
    tracker.reset()


def test_a_doubtful_frame_is_not_learned_from_and_keeps_the_size():
    tracker, image = told(robust_sure=1.0)
    before, size = tracker._filter.weights, clip()[1][0][2:]
    for _ in range(3):
        assert not tracker.locate(image).present and not tracker.learn()
        np.testing.assert_allclose(tracker._tracker.moved[-1][2:], size)
    assert tracker._filter.weights is before and tracker.progress.updates == 0


def test_the_filter_learns_each_frame_at_first_and_then_at_its_interval():
    tracker, image = told(filter_early=3, filter_every=4)
    stood_for, learned = [], tracker._filter.learned
    tracker._filter.learned = lambda maps, corners, frames: (
        stood_for.append(frames), learned(maps, corners, frames))[1]
    changed = []
    for _ in range(12):
        tracker.locate(image)
        changed.append(tracker.learn())
    assert [number for number, each in enumerate(changed, 1) if each] == [1, 2, 3, 7, 11]
    assert stood_for == [1, 1, 1, 4, 4] and tracker.progress.updates == 5


def test_live_settings_count_from_the_next_frame_on():
    tracker, image = told(robust_places=3, robust_sure=0.0)
    tracker.locate(image)
    assert len(tracker.opinions.boxes) == 4
    tracker.settings = replace(tracker.settings, robust_places=1, robust_sure=1.0)
    assert tracker._tracker.settings is tracker._filter.settings is tracker.settings
    assert not tracker.locate(image).present and len(tracker.opinions.boxes) == 2


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_the_first_box_given_corrects_the_later_ones(share):
    tracker, image = told(robust_correction=share, robust_filter=False, **SEEING)
    refined, refine = [], tracker._refined

    def noted(*arguments):
        boxes, overlaps = refine(*arguments)
        refined.append(boxes.copy())
        return boxes, overlaps
    tracker._refined = noted
    tracker.locate(image)
    moved = np.abs(tracker.opinions.boxes - refined).max()
    assert (moved < 1e-9) == (share == 0)


def test_warming_up_learns_once_however_little_noise_is_believed_in():
    tracker = Robust(Told(robust_sure=1.0, robust_refinement=False))
    learned, original = [], tracker._filter.learned
    tracker._filter.learned = lambda *frame: (learned.append(1), original(*frame))[1]
    tracker.warm_up(200, 160)
    assert learned == [1] and not tracker.started and not tracker._tracker.started


def test_its_times_are_stages():
    tracker, image = told()
    with StageWatch() as watch:
        tracker.locate(image)
        tracker.learn()
    assert {'features', 'filter', 'judgement', 'refinement', 'filter learning'} == set(
        watch.seconds)


def test_a_tracker_that_never_moves_follows_its_target_with_the_preset_around_it():
    images, boxes = clip()
    tracker = Robust(Told(lambda rows: np.full(len(rows), np.nan), robust_sure=0.5,
                          **SEEING))
    found, scores, changed = run(tracker, images, boxes[0])
    assert iou(found, boxes[1:]).min() > 0.6
    assert np.median(scores) > 0.5 and any(changed)


def test_a_target_that_jumped_is_found_again_by_redetection_and_searched_there():
    images, boxes = clip()
    # The whole scene moves by a third of its width: out of the reach of a small search region.
    moved, there = [np.roll(image, 110, axis=1) for image in images], boxes + [110, 0, 0, 0]
    background = 5, 180, *boxes[0][2:]
    still = Told(lambda rows: np.full(len(rows), np.nan), redetection_after=1,
                 redetection_score=0.0, robust_sure=0.5, search_scale=2.5, **SEEING)
    tracker = Redetecting(Robust(still), Search(background, there[1] + [3, -3, 0, 0]))
    tracker.start(images[0], boxes[0])
    found = tracker.locate(moved[1])
    assert found.present and iou(found.box, there[1]) > 0.6 and not tracker.learn()
    later = tracker.locate(moved[2])
    assert later.present and iou(later.box, there[2]) > 0.6 and tracker._search.searches == 1


# --- around the trackers ---

@pytest.mark.parametrize('name', ['rman', 'tsn', 'cstnet'])
def test_filter_and_refinement_see_what_the_tracker_by_detection_has_seen(name):
    images, boxes = clip()
    # Both see through the weights that the tracker has.
    tracker = make(name, robust_backbone='random', **ROBUST)
    assert tracker._extractor is tracker._tracker.extractor
    passes = []
    tracker._extractor.backbone.register_forward_hook(lambda *_: passes.append(1))
    tracker.start(images[0], boxes[0])
    for image in images[1:4]:
        passes.clear()
        tracker.locate(image)
        tracker.learn()
        assert passes == [1]


@pytest.mark.parametrize('changes', [
    {'backbone': 'vggm'}, {'feature_path': 'crop'}, {'taps': 'layer3'}, {'dense': True}])
def test_a_tracker_that_sees_otherwise_is_left_to_it(changes):
    tracker = make('tsn', robust_backbone='random', **ROBUST, **changes)
    assert tracker._extractor is not tracker._tracker.extractor
    images, boxes = clip()
    passes = []
    tracker._extractor.backbone.register_forward_hook(lambda *_: passes.append(1))
    run(tracker, images[:3], boxes[0])
    # One of the first frame, its views, and two frames.
    assert len(passes) == 1 + len(CHANGES) + 2


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('off', ['robust_filter', 'robust_judge', 'robust_refinement'])
def test_every_tracker_runs_with_a_mechanism_less(name, off):
    images, boxes = clip()
    tracker = make(name, **{**ROBUST, off: False})
    found, scores, _ = run(tracker, images[:4], boxes[0])
    assert np.isfinite(found).all() and ((scores >= 0) & (scores <= 1)).all()


def test_the_filter_sees_the_components_of_the_first_frames_deepest_layer():
    images, boxes = clip()
    tracker = make('tsn', **ROBUST)
    tracker.start(images[0], boxes[0])
    first = tracker._projection
    for image in images[1:5]:
        tracker.locate(image)
        tracker.learn()
    assert tracker._projection is first
    _, maps = tracker._extractor.look(images[5], boxes[5])
    seen = tracker._filtered(maps)
    assert seen.shape == (1, tracker.settings.filter_channels, *maps[-1].shape[2:])
    weight, bias = first.weights[0][:, :, 0, 0], first.biases[0]
    np.testing.assert_allclose(seen[0].flatten(1).T, maps[-1][0].flatten(1).T @ weight.T + bias,
                               rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('name', ['edcf', 'gstp'])
def test_its_memory_does_not_grow(name):
    images, boxes = clip(24)
    tracker = make(name, **ROBUST)
    tracker.start(images[0], boxes[0])
    held = held_while_running(tracker, images[1:], after=(8, 15, 22))
    assert held[0] == held[1] == held[2]


def test_the_registry_puts_it_around_only_where_it_is_asked_for():
    assert type(make('edcf')) is registry.tracker_class('edcf')
    tracker = make('edcf', preset='robust', seed=3)
    assert type(tracker) is Robust and tracker.method is registry.tracker_class('edcf')
    assert tracker.runtime.seed == 3 and tracker.settings.preset == 'robust'
    with pytest.raises(SettingError, match="preset = 'rugged' is not one of paper, robust"):
        make('edcf', preset='rugged')


@pytest.mark.parametrize('name', NAMES)
def test_each_row_of_the_ablation_leaves_out_what_it_says(name):
    cls = registry.tracker_class(name)
    table, whole = cls.robust_ablation, cls.settings_class.parse({'preset': 'robust'})
    assert list(table)[0] == 'robust' and cls.settings_class.parse(table['robust']) == whole
    # GSTP has nothing to detect again, EDCF a filter of its own.
    assert set(ROBUST_ABLATION) ^ set(table) == {
        'gstp': {'without re-detection'},
        'edcf': {'with the filter', 'without filter', 'without distractors',
                 'without long-term memory'}}.get(name, set())
    for row, changes in table.items():
        settings = cls.settings_class.parse(changes).as_dict()
        assert settings['preset'] == 'robust'
        left_out = {key: value for key, value in settings.items()
                    if value != whole.as_dict()[key]}
        assert left_out == {key: value for key, value in changes.items()
                            if key != 'preset' and value != whole.as_dict()[key]}
        assert left_out or row in ('robust', 'without re-detection')


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU here')
@pytest.mark.parametrize('name', NAMES)
def test_on_a_gpu_all_of_it_is_there(name):
    images, boxes = clip()
    tracker = make(name, **ROBUST)
    on_gpu = registry.create(name, tracker.settings.as_dict(), Runtime(device='cuda'))
    run(on_gpu, images[:4], boxes[0])
    held = (on_gpu._filter.weights, *on_gpu._refiner._network.parameters(),
            *on_gpu._extractor.backbone.parameters())
    assert {each.device.type for each in held} == {'cuda'}
