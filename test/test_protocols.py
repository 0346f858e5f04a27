"""What each protocol asks of a tracker, on clips made in the test."""
from dataclasses import replace

import numpy as np
import pytest

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation import protocols, run as run_module
from tracking_nodes.evaluation.metrics import VARIANTS
from tracking_nodes.evaluation.protocols.otb import PERTURBATIONS, perturbed_box
from tracking_nodes.evaluation.results import Result
from tracking_nodes.evaluation.run import FAILED, SKIPPED, STARTED, TRACKED
from tracking_nodes.geometry import iou
from tracking_nodes.sequences.sequence import camera_stamps, Sequence
from tracking_nodes.trackers.base import Location, Runtime, Tracker

SHAPE = (120, 160)


class Clip(Sequence):
    """Frames whose first pixel is their number."""

    def __init__(self, boxes, **details):
        super().__init__('clip', boxes, camera_stamps(len(boxes)), **details)

    def images(self):
        for index in range(len(self)):
            yield np.full((*SHAPE, 3), index, dtype=np.uint8)


class Scripted(Tracker):
    """Answers with a box of a list, by the number of the frame, and takes a scripted time."""

    def __init__(self, boxes, seconds=None, clock=None):
        super().__init__()
        self.boxes, self.seconds, self.clock = boxes, seconds, clock
        self.starts, self.seeds = [], []

    def _start(self, image, box):
        self._pass_time(image)
        self.starts.append((int(image[0, 0, 0]), tuple(box)))
        self.seeds.append(self.runtime.seed)

    def _locate(self, image):
        self._pass_time(image)
        return Location(self.boxes[image[0, 0, 0]].copy(), 0.5, True)

    def _pass_time(self, image):
        if self.clock is not None:
            self.clock[0] += self.seconds[image[0, 0, 0]]

    def _learn(self):
        return False

    def _relocate(self, box):
        raise AssertionError('no protocol moves a tracker')

    def _reset(self):
        pass


def moving(count):
    """Return (N, 4) boxes that move half a pixel a frame."""
    return np.array([[20 + index / 2, 30, 40, 20] for index in range(count)])


def run_all(protocol, tracker, sequence):
    """Return {trial name: `Result`} of all trials of a sequence."""
    return {trial.name: Result.of(protocol.run(tracker, sequence, trial), sequence, {}, trial)
            for trial in protocol.trials(sequence)}


def test_every_protocol_has_a_name_a_summary_and_metrics_of_their_own_key():
    for name in protocols.names():
        protocol = protocols.get(name)
        assert protocol.name == name and protocols.summary(name) == protocol.summary
        assert protocol.summary and '\n' not in protocol.summary
        keys = [metric.key for metric in protocol.metrics]
        assert keys and len(set(keys)) == len(keys)
        assert all(metric.definition for metric in protocol.metrics)
        assert protocol.options()['name'] == name


def test_unknown_protocols_and_options_are_refused():
    with pytest.raises(SettingError, match="no protocol 'otb'; known: ope, tre"):
        protocols.get('otb')
    with pytest.raises(SettingError, match="protocol tre takes no option, so no '7'"):
        protocols.get('tre:7')


@pytest.mark.parametrize('name', protocols.names())
def test_scores_have_exactly_the_declared_metrics_within_their_range(name):
    truth = moving(60)
    truth[20:30] = np.nan
    clip, protocol = Clip(truth), protocols.get(name)
    assert protocol.misfit(clip) == ''
    stored = {'one': {'clip': run_all(protocol, Scripted(moving(60) + [3, 0, 0, 0]), clip)}}
    scores = protocol.score(stored)['one']
    assert set(scores.overall) == {metric.key for metric in protocol.metrics}
    for metric in protocol.metrics:
        value = scores.overall[metric.key]
        assert np.isnan(value) or metric.low <= value <= metric.high, metric.key
    assert set(scores.sequences) == {'clip'} and set(scores.sequences['clip']) <= set(
        scores.overall)
    assert scores.curves
    for curve in scores.curves.values():
        assert len(curve.x) == len(curve.y) > 0


def test_temporal_robustness_starts_at_twenty_places():
    clip = Clip(moving(100))
    trials = protocols.get('tre').trials(clip)
    # Frames 1 to 81 leave twenty frames or more; the toolkit steps 81 / 19 from frame 1 on.
    assert [trial.first for trial in trials] == [int(1 + step * 81 / 19) - 1
                                                 for step in range(19)] + [80]
    assert {trial.last for trial in trials} == {99}


def test_temporal_robustness_starts_where_there_is_ground_truth():
    truth = moving(100)
    truth[10:60] = np.nan
    trials = protocols.get('tre').trials(Clip(truth))
    assert len(trials) == 20
    assert all(trial.first < 10 or 60 <= trial.first <= 80 for trial in trials)
    assert protocols.get('tre').misfit(Clip(moving(19))).startswith('no ground truth 20 frames')


def test_temporal_robustness_starts_nowhere_that_the_benchmark_leaves_out():
    omitted = np.zeros(100)
    omitted[[0, *range(30, 50)]] = 1
    trials = protocols.get('tre').trials(Clip(moving(100), values={'init_omit': omitted}))
    assert len(trials) == 20 and trials[0].first == 1
    assert not any(30 <= trial.first < 50 for trial in trials)


def test_frames_of_all_passes_count_together():
    truth, boxes = moving(40), moving(40) + [12, 0, 0, 0]
    clip, protocol = Clip(truth), protocols.get('tre')
    stored = {'one': {'clip': run_all(protocol, Scripted(boxes), clip)}}
    values = protocol.score(stored, 'otb')['one'].overall
    overlaps = []
    for trial in protocol.trials(clip):
        overlaps += [1.0] + [float(iou(boxes[index], truth[index]))
                             for index in range(trial.first + 1, 40)]
    shares = [np.mean([overlap > step / 20 for overlap in overlaps]) for step in range(21)]
    assert values['auc'] == pytest.approx(np.mean(shares))
    assert values['mean_overlap'] == pytest.approx(np.mean(overlaps))


# Of the box x=100, y=50, w=40, h=20 that counts pixels from 1: worked out by hand.
SHIFTED = {
    'left': (96, 50, 40, 20), 'right': (104, 50, 40, 20), 'up': (100, 48, 40, 20),
    'down': (100, 52, 40, 20), 'topLeft': (96, 48, 44, 22), 'topRight': (100, 48, 44, 22),
    'bottomLeft': (96, 50, 44, 22), 'bottomRight': (100, 50, 44, 22),
    'scale_8': (104, 52, 32, 16), 'scale_9': (102, 51, 36, 18), 'scale_11': (98, 49, 44, 22),
    'scale_12': (96, 48, 48, 24),
}


@pytest.mark.parametrize('kind', PERTURBATIONS)
def test_spatial_robustness_shifts_and_scales_the_first_box(kind):
    found = perturbed_box([99, 49, 40, 20], kind, (320, 240))
    np.testing.assert_array_equal(found + [1, 1, 0, 0], SHIFTED[kind])


def test_shifts_are_rounded_up_to_whole_pixels():
    for kind, expected in (('left', (94, 49, 41, 23)), ('down', (99, 52, 41, 23))):
        np.testing.assert_array_equal(perturbed_box([99, 49, 41, 23], kind, (320, 240)), expected)


def test_perturbed_boxes_are_cut_at_the_image():
    # At the left and upper edge the toolkit moves the corner back and keeps the size.
    np.testing.assert_array_equal(perturbed_box([1, 2, 40, 20], 'topLeft', (320, 240)),
                                  [0, 0, 44, 22])
    np.testing.assert_array_equal(perturbed_box([300, 225, 20, 15], 'bottomRight', (320, 240)),
                                  [300, 225, 20, 15])


def test_spatial_robustness_starts_on_each_box_and_follows_to_the_end():
    clip, tracker = Clip(moving(10)), Scripted(moving(10))
    protocol = protocols.get('sre')
    stored = run_all(protocol, tracker, clip)
    assert list(stored) == list(PERTURBATIONS)
    assert [start for _, start in tracker.starts] == [
        tuple(perturbed_box(moving(1)[0], kind, SHAPE[::-1])) for kind in PERTURBATIONS]
    for result in stored.values():
        np.testing.assert_array_equal(result.run.boxes[1:], moving(10)[1:])


def test_a_failed_tracker_starts_again_five_frames_later():
    boxes = moving(40)
    boxes[[7, 21]] = [100, 90, 20, 10]
    tracker, clip = Scripted(boxes), Clip(moving(40))
    run = protocols.get('vot').run(tracker, clip, protocols.get('vot').trials(clip)[0])
    expected = np.full(40, TRACKED)
    expected[[0, 12, 26]], expected[[7, 21]] = STARTED, FAILED
    expected[8:12] = expected[22:26] = SKIPPED
    assert run.events.tolist() == expected.tolist()
    assert [index for index, _ in tracker.starts] == [0, 12, 26]
    assert np.isnan(run.boxes[8:12]).all() and not run.seconds[8:12].any()


def test_restarts_wait_for_ground_truth_and_frames_without_it_do_not_fail():
    boxes, truth = moving(30), moving(30)
    boxes[4] = [100, 90, 20, 10]
    truth[9:12] = np.nan
    run = protocols.get('vot').run(Scripted(boxes), Clip(truth),
                                   protocols.get('vot').trials(Clip(truth))[0])
    assert run.events[4] == FAILED and run.events[12] == STARTED
    assert run.events[5:12].tolist() == [SKIPPED] * 7
    truth[20:25] = np.nan
    run = protocols.get('vot').run(Scripted(boxes), Clip(truth),
                                   protocols.get('vot').trials(Clip(truth))[0])
    assert run.events[13:].tolist() == [TRACKED] * 17


def test_failures_are_of_the_polygon_where_there_is_one():
    # A diamond whose bounding box meets the tracker's box although it does not.
    polygons = np.tile([20.0, 30, 40, 10, 60, 30, 40, 50], (3, 1))
    answer = np.tile([20.0, 11, 6, 6], (3, 1))
    protocol = protocols.get('vot')
    for details, event in (({}, TRACKED), ({'polygons': polygons}, FAILED)):
        truth = np.tile([20.0, 10, 40, 40], (3, 1))
        clip = Clip(truth, **details)
        run = protocol.run(Scripted(answer), clip, protocol.trials(clip)[0])
        assert run.events[1] == event


def test_repetitions_move_the_seed_and_three_equal_runs_are_enough():
    clip, protocol = Clip(moving(6)), protocols.get('vot')
    tracker = Scripted(moving(6))
    tracker.runtime = Runtime(seed=40)
    trials = protocol.trials(clip)
    assert len(trials) == 15
    runs = {trial.name: protocol.run(tracker, clip, trial) for trial in trials[:3]}
    assert tracker.seeds == [40, 41, 42] and tracker.runtime.seed == 40
    assert protocol.enough(runs)
    assert not protocol.enough(dict(list(runs.items())[:2]))
    other = replace(runs['003'], boxes=runs['003'].boxes + 1)
    assert not protocol.enough({**runs, '003': other})


@pytest.mark.parametrize('seed', range(4))
def test_real_time_repeats_boxes_as_the_toolkit_does(monkeypatch, seed):
    pytest.importorskip('vot')
    from vot.tracker import OnlineTrackerRuntime, RealtimeTrackerRuntime
    count = 60
    seconds = np.random.default_rng(seed).exponential(0.06, count)

    class Toolkit(OnlineTrackerRuntime):

        def initialize(self, frame, new=None):
            return frame, seconds[frame]

        def update(self, frame, new=None):
            return frame, seconds[frame]

        def stop(self):
            raise AssertionError('the test does not stop it')

        restart = stop

    runtime = RealtimeTrackerRuntime(Toolkit(None), grace=3, interval=1 / 20)
    expected = [runtime.initialize(0)[0]] + [runtime.update(index)[0]
                                             for index in range(1, count)]
    clock = [0.0]
    monkeypatch.setattr(run_module.time, 'perf_counter', lambda: clock[0])
    boxes = moving(count)
    clip, protocol = Clip(moving(count)), protocols.get('vot_realtime')
    run = protocol.run(Scripted(boxes, seconds, clock), clip, protocol.trials(clip)[0])
    np.testing.assert_array_equal(run.boxes, boxes[expected])
    assert len(set(expected)) < count


def test_real_time_with_a_profile_does_not_depend_on_the_machine(tmp_path):
    file = tmp_path / 'slow.yaml'
    file.write_text('device: made up\ntrackers:\n'
                    '- {tracker: any, start: 10, locate: 160, learn: 0, gather: 10}\n')
    protocol, clip = protocols.get(f'vot_realtime:{file}'), Clip(moving(20))
    assert protocol.name == 'vot_realtime:slow' and protocol.folder == 'vot_realtime_slow'
    run = protocol.run(Scripted(moving(20)), clip, protocol.trials(clip)[0])
    # Three slow frames are forgiven; then 170 ms leave 120 to make up, two frames of 50.
    expected = [0, 1, 2, 3, 4, 4, 4, 7, 7, 7, 10, 10, 10, 13, 13, 13, 16, 16, 16, 19]
    np.testing.assert_array_equal(run.boxes, moving(20)[expected])
    assert run.seconds[[0, 1, 5]].tolist() == pytest.approx([0.01, 0.17, 0])


def test_got10k_repeats_only_trackers_that_differ():
    clip, protocol = Clip(moving(6)), protocols.get('got10k')
    first, second, _ = (protocol.run(Scripted(moving(6)), clip, trial)
                        for trial in protocol.trials(clip))
    assert not protocol.enough({'001': first})
    assert protocol.enough({'001': first, '002': second})
    assert not protocol.enough({'001': first, '002': replace(second, boxes=second.boxes + 1)})


def test_long_term_needs_a_target_that_leaves():
    truth = moving(20)
    assert protocols.get('longterm').misfit(Clip(truth)) == 'the target is never absent'
    truth[5:9] = np.nan
    assert protocols.get('longterm').misfit(Clip(truth)) == ''
    truth[1:] = np.nan
    assert protocols.get('longterm').misfit(Clip(truth)) == 'only one frame has ground truth'


@pytest.mark.parametrize('variant', VARIANTS)
def test_one_pass_scores_follow_the_variant(variant):
    truth = moving(12)
    truth[5] = np.nan
    clip, protocol = Clip(truth), protocols.get('ope')
    stored = {'one': {'clip': run_all(protocol, Scripted(moving(12)), clip)}}
    values = protocol.score(stored, variant)['one'].overall
    expected = 1 if variant == 'visible' else 11 / 12
    assert values['os50'] == pytest.approx(expected)
    assert set(values) == {metric.key for metric in protocol.metrics}


def test_ranks_compare_trackers_and_tags_select_frames():
    truth = moving(80)
    tags = {'occlusion': np.arange(80) < 40}
    clip, protocol = Clip(truth, tags=tags), protocols.get('vot')
    worse = truth + np.random.default_rng(0).normal(0, 4, truth.shape) * [1, 1, 0, 0]
    stored = {}
    for name, boxes in (('good', truth), ('same', truth), ('bad', worse)):
        stored[name] = {'clip': run_all(replace(protocol, repetitions=2), Scripted(boxes), clip)}
    scores = protocol.score(stored)
    assert [scores[name].overall['accuracy_rank'] for name in stored] == [1.5, 1.5, 3]
    assert [scores[name].overall['failure_rank'] for name in stored] == [2, 2, 2]
    assert set(scores['bad'].tags) == {'occlusion', 'empty'}
    assert scores['bad'].tags['occlusion']['accuracy_rank'] == 3


@pytest.mark.parametrize('name, expected', [
    ('vot', [1.5, 1.5, 3]), ('vot:best', [1, 1, 3]), ('vot:none', [1, 2, 3]),
    ('vot:older+median', [1.5, 1.5, 3])])
def test_the_option_of_a_protocol_says_how_trackers_share_ranks(name, expected):
    truth = moving(80)
    clip, protocol = Clip(truth), replace(protocols.get(name), repetitions=2)
    worse = truth + np.random.default_rng(0).normal(0, 4, truth.shape) * [1, 1, 0, 0]
    stored = {label: {'clip': run_all(protocol, Scripted(boxes), clip)}
              for label, boxes in (('good', truth), ('same', truth), ('bad', worse))}
    scores = protocol.score(stored)
    for key in ('accuracy_rank', 'accuracy_rank_pooled'):
        assert [scores[label].overall[key] for label in stored] == expected


def test_trackers_whose_difference_nobody_sees_share_a_rank():
    truth = moving(80)
    practical = np.full(80, 0.2)
    practical[60:] = np.nan
    stored = {}
    for values in ({}, {'practical': practical}):
        clip, protocol = Clip(truth, values=values), protocols.get('vot')
        for name, shift in (('good', 0), ('near', 2), ('far', 12)):
            stored[name] = {'clip': run_all(replace(protocol, repetitions=2),
                                            Scripted(truth + [shift, 0, 0, 0]), clip)}
        scores = protocol.score(stored)
        ranks = [[scores[name].overall[key] for name in stored]
                 for key in ('accuracy_rank', 'accuracy_rank_practical')]
        # Two of forty pixels are an overlap of .90, twelve one of .54.
        assert ranks[0] == [1, 2, 3]
        if values:
            assert ranks[1] == [1.5, 1.5, 3]
        else:
            assert np.isnan(ranks[1]).all()
