"""Re-detection: what a tracker says of a box elsewhere, when it is asked, and what comes of it."""
from dataclasses import replace

import numpy as np
import pytest
from small_trackers import clip, held_bytes, make, ROBUST, run, Search

from tracking_nodes.errors import BoxError, ImageError, NotStartedError, SettingError
from tracking_nodes.evaluation import protocols, results
from tracking_nodes.evaluation.benchmark import run_benchmark
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.evaluation.latency_profile import Row
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.evaluation.report.writer import write_report
from tracking_nodes.evaluation.running.plan import in_order, make_cells
from tracking_nodes.geometry import clip_box, iou
from tracking_nodes.nn import loaded
from tracking_nodes.parameters import specs
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import redetection, registry
from tracking_nodes.trackers.base import Location, Runtime, Tracker
from tracking_nodes.trackers.redetection import Redetecting, RedetectionSettings
from tracking_nodes.trackers.robust import Robust
from tracking_nodes.trackers.stages import StageWatch
from tracking_nodes.trackers.static import StaticTracker

# The trackers that search around their last box and have a classifier to verify with.
NAMES = [name for name in registry.names()
         if issubclass(registry.tracker_class(name).settings_class, RedetectionSettings)]
IMAGE = np.zeros((100, 200, 3), np.uint8)
TARGET = np.array([10.0, 20.0, 30.0, 40.0])


class Doubtful(Tracker):
    """
    Sees its target in the frames of `seen`, by their number from 1, and knows it by its x.

    `scores`: {x of a box: what verification says}. calls: what happened, in order.
    """

    settings_class = RedetectionSettings

    def __init__(self, settings=None, seen=(), scores=()):
        super().__init__(settings)
        self.seen, self.scores, self.calls, self.frame = seen, dict(scores), [], 0

    def _start(self, image, box):
        self.box, self.frame = box, 0

    def _locate(self, image):
        self.frame += 1
        there = self.frame in self.seen
        return Location(self.box.copy(), 0.9 if there else 0.1, there)

    def _learn(self):
        self.calls.append(('learn', self.frame))
        return True

    def verify(self, image, box):
        self.calls.append(('verify', self.frame, float(box[0])))
        score = self.scores.get(float(box[0]), 0.0)
        return Location(box + [1, 1, 2, 2], score, score >= 0.5)

    def _relocate(self, box):
        self.calls.append(('relocate', self.frame, *box))
        self.box = box

    def _reset(self):
        pass


def follow(tracker, frames):
    """Start and return the `Location`s of frames 1 to N."""
    tracker.start(IMAGE, TARGET)
    found = []
    for _ in range(frames):
        found.append(tracker.locate(IMAGE))
        tracker.learn()
    return found


def wrapped(search, seen=(), scores=(), **values):
    """Return a re-detecting `Doubtful` and the tracker inside."""
    inner = Doubtful(RedetectionSettings(**values), seen, scores)
    return Redetecting(inner, search), inner


# --- when and what ---

@pytest.mark.parametrize('seen, after, every, expected', [
    ((), 1, 1, [1, 2, 3, 4, 5, 6, 7, 8, 9]), ((), 3, 1, [3, 4, 5, 6, 7, 8, 9]),
    ((), 3, 4, [3, 7]), ((), 5, 5, [5]), ((), 12, 1, []),
    # A frame in which the target is seen begins the count anew.
    ((2,), 2, 3, [4, 7]), ((4, 6), 2, 1, [2, 3, 8, 9]), (range(1, 10), 1, 1, [])])
def test_the_image_is_searched_after_doubts_in_a_row_and_then_at_an_interval(
        seen, after, every, expected):
    tracker, inner = wrapped(Search((50, 5, 20, 20)), seen, redetection_after=after,
                             redetection_every=every)
    found = follow(tracker, 9)
    assert [call[1] for call in inner.calls if call[0] == 'verify'] == expected
    # Nothing was accepted: the answers are the tracker's own.
    assert [location.present for location in found] == [frame in seen for frame in range(1, 10)]
    assert not [call for call in inner.calls if call[0] == 'relocate']


def test_candidates_are_verified_best_first_until_one_is_accepted():
    search = Search(*((x, 5, 20, 20) for x in (50, 60, 70, 80)))
    tracker, inner = wrapped(search, scores={60.0: 0.59, 70.0: 0.7, 80.0: 1.0},
                             redetection_after=2, redetection_candidates=4)
    first, second, third = follow(tracker, 3)
    np.testing.assert_array_equal(first.box, TARGET)
    assert not first.present
    # The tracker's own box around the third candidate, which the fourth does not beat.
    np.testing.assert_array_equal(second.box, [71, 6, 22, 22])
    assert (second.score, second.present) == (0.7, True)
    assert inner.calls == [
        ('learn', 1), *(('verify', 2, float(x)) for x in (50, 60, 70)),
        ('relocate', 2, 71, 6, 22, 22), ('learn', 3)]
    # The search goes on from there, and doubts are counted anew.
    np.testing.assert_array_equal(third.box, [71, 6, 22, 22])
    assert search.searches == 1


@pytest.mark.parametrize('values, accepted', [
    ({'redetection_candidates': 2}, False), ({'redetection_candidates': 3}, True),
    ({'redetection_score': 0.71}, False), ({'redetection_score': 0.0}, True)])
def test_number_and_score_limit_what_is_accepted(values, accepted):
    tracker, _ = wrapped(Search(*((x, 5, 20, 20) for x in (50, 60, 70))), scores={70.0: 0.7},
                         redetection_after=1, **values)
    assert follow(tracker, 1)[0].present == accepted


def test_a_location_that_the_tracker_itself_calls_absent_is_not_accepted():
    tracker, _ = wrapped(Search((70, 5, 20, 20)), scores={70.0: 0.4}, redetection_after=1,
                         redetection_score=0.3)
    assert not follow(tracker, 1)[0].present


def test_boxes_that_the_detector_itself_doubts_are_not_verified():
    search = Search((50, 1, 9, 9), (60, 1, 9, 9), likeness=0.5)
    search.scores[1] = 0.49
    tracker, inner = wrapped(search, scores={60.0: 0.9}, redetection_after=1)
    follow(tracker, 1)
    assert [call for call in inner.calls if call[0] == 'verify'] == [('verify', 1, 50.0)]


def test_nothing_found_is_no_error():
    tracker, _ = wrapped(Search(), redetection_after=1)
    assert not any(location.present for location in follow(tracker, 3))


def test_boxes_of_the_detector_are_kept_at_the_image():
    tracker, inner = wrapped(Search((500, 5, 20, 20), (30, 30, 0, 0)), redetection_after=1)
    follow(tracker, 1)
    assert [call[2] for call in inner.calls if call[0] == 'verify'] == [198, 30]


def test_the_frame_of_a_find_is_not_learned_from():
    tracker, inner = wrapped(Search((70, 5, 20, 20)), scores={70.0: 0.9}, redetection_after=2)
    tracker.start(IMAGE, TARGET)
    changed = []
    for _ in range(3):
        tracker.locate(IMAGE)
        changed.append(tracker.learn())
    assert changed == [True, False, True]


def test_the_detector_learns_the_target_once_and_forgets_it():
    search = Search()
    tracker, _ = wrapped(search, redetection_after=1)
    follow(tracker, 3)
    assert search.starts == [tuple(TARGET)]
    before = search.resets
    tracker.reset()
    assert search.resets == before + 1
    with pytest.raises(NotStartedError):
        tracker.locate(IMAGE)


def test_warming_up_searches_once_and_leaves_no_target():
    search = Search((50, 5, 20, 20))
    tracker, inner = wrapped(search)
    tracker.warm_up(200, 100)
    assert search.searches == 1 and ('verify', 1, 50.0) in inner.calls
    assert not tracker.started and not inner.started


def test_settings_and_runtime_are_those_of_the_tracker_and_count_at_once():
    search = Search((70, 5, 20, 20))
    tracker, inner = wrapped(search, redetection_after=1, redetection_candidates=1)
    follow(tracker, 2)
    assert search.searches == 1
    tracker.settings = replace(tracker.settings, redetection_after=3, redetection_every=1)
    assert inner.settings.redetection_after == 3 and search.settings is tracker.settings
    tracker.locate(IMAGE)
    assert search.searches == 2
    tracker.runtime = Runtime(seed=5)
    assert inner.runtime.seed == 5 and tracker.settings_class is RedetectionSettings


def test_its_time_is_a_stage():
    tracker, _ = wrapped(Search((50, 5, 20, 20)), redetection_after=2)
    with StageWatch() as watch:
        follow(tracker, 1)
        assert 're-detection' not in watch.seconds
        follow(tracker, 2)
    assert watch.seconds['re-detection'] > 0


# --- verification by the trackers ---

def few():
    """Return the images and boxes of the clip's first frames; the trackers learn in them."""
    images, boxes = clip()
    return images[:6], boxes[:6]


def started(name, **changes):
    """Return a tracker after a few frames of the clip, with the image that comes next."""
    images, boxes = clip()
    tracker = make(name, **changes)
    run(tracker, images[:3], boxes[0])
    return tracker, images[3]


# What has no stream of its own over time says exactly what locating would.
WHOLE = [name for name in registry.names()
         if not any(spec.name == 'temporal' and spec.default
                    for spec in specs(registry.tracker_class(name).settings_class))
         and (name in NAMES or name == 'static')]


@pytest.mark.parametrize('name, changes', [
    *((name, {}) for name in WHOLE), *((name, ROBUST) for name in WHOLE if name != 'static')])
@pytest.mark.parametrize('box', [(20, 30, 50, 40), (300, 200, 40, 40), (100, 100, 6, 80)])
def test_verifying_says_what_locating_there_would(name, changes, box):
    tracker, image = started(name, **changes)
    said = tracker.verify(image, box)
    tracker.relocate(box)
    found = tracker.locate(image)
    np.testing.assert_array_equal(said.box, found.box)
    assert (said.score, said.present) == (found.score, found.present)


def test_the_temporal_stream_has_no_say_in_verification():
    images, boxes = clip()
    # Up to the first frame the classifiers of single frames are the same; only draws differ.
    both, one = (make('cstnet', box_regression=False, temporal=temporal)
                 for temporal in (True, False))
    for tracker in (both, one):
        tracker.start(images[0], boxes[0])
        tracker._rng = np.random.default_rng(3)
    said, expected = both.verify(images[1], boxes[1]), one.verify(images[1], boxes[1])
    np.testing.assert_array_equal(said.box, expected.box)
    assert said.score == expected.score


@pytest.mark.parametrize('name, changes', [
    *((name, {}) for name in [*NAMES, 'static']), *((name, ROBUST) for name in NAMES)])
def test_verifying_leaves_no_trace(name, changes):
    images, boxes = few()
    expected = run(make(name, **changes), images, boxes[0])
    tracker = make(name, **changes)
    tracker.start(images[0], boxes[0])
    found, scores, changed = [], [], []
    for number, image in enumerate(images[1:]):
        tracker.verify(image, (20, 30, 50, 40))
        location = tracker.locate(image)
        tracker.verify(image, boxes[number])
        found.append(location.box)
        scores.append(location.score)
        changed.append(tracker.learn())
        tracker.verify(images[0], (200, 100, 30, 60))
    np.testing.assert_array_equal(found, expected[0])
    np.testing.assert_array_equal(scores, expected[1])
    assert changed == expected[2]


@pytest.mark.parametrize('changes', [{}, ROBUST], ids=['paper', 'robust'])
@pytest.mark.parametrize('name', NAMES)
def test_verifying_keeps_no_memory(name, changes):
    tracker, image = started(name, **changes)
    before = held_bytes()
    tracker.verify(image, (20, 30, 50, 40))
    assert held_bytes() == before


@pytest.mark.parametrize('name', [*NAMES, 'static'])
def test_verifying_refuses_what_locating_refuses(name):
    tracker = make(name)
    with pytest.raises(NotStartedError):
        tracker.verify(IMAGE, TARGET)
    tracker.start(IMAGE, TARGET)
    with pytest.raises(ImageError):
        tracker.verify(IMAGE[..., 0], TARGET)
    with pytest.raises(BoxError):
        tracker.verify(IMAGE, (1, 2, 3))


def test_who_cannot_verify_says_so():
    tracker = PEERS['mil']()
    tracker.start(SyntheticSequence(1).image(0), (50, 50, 40, 40))
    with pytest.raises(NotImplementedError, match='Mil cannot verify a box'):
        tracker.verify(IMAGE, TARGET)


def test_the_target_is_verified_and_background_is_not():
    images, boxes = clip()
    tracker = make('edcf', weights='')
    tracker.start(images[0], boxes[0])
    target = tracker.verify(images[3], boxes[3])
    assert target.present and iou(target.box, boxes[3]) > 0.7
    away = tracker.verify(images[3], (5, 180, *boxes[3][2:]))
    assert not away.present and away.score < target.score


# --- whole trackers ---

def always_lost(name, **changes):
    """Return a tracker for which the target is never there, as far as its settings allow that."""
    return make(name, present_threshold=1.0, redetection_after=2, redetection_every=1, **changes)


@pytest.mark.parametrize('changes', [{}, {'preset': 'robust', 'robust_sure': 1.0}],
                         ids=['paper', 'robust'])
@pytest.mark.parametrize('name', NAMES)
def test_a_run_in_which_every_verification_fails_is_the_run_without(name, changes):
    images, boxes = few()
    expected = run(always_lost(name, **changes), images, boxes[0])
    search = Search((20, 30, 50, 40), (200, 100, 30, 60))
    found = run(Redetecting(always_lost(name, **changes), search), images, boxes[0])
    assert search.searches == len(images) - 2
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)


def test_a_target_that_jumped_is_found_again():
    images, boxes = clip()
    # The whole scene moves by a third of its width: out of the reach of a search nearby.
    moved = [np.roll(image, 110, axis=1) for image in images]
    there, background = boxes + [110, 0, 0, 0], (5, 180, *boxes[0][2:])
    plain = make('edcf', weights='')
    tracker = Redetecting(make('edcf', weights='', redetection_after=1),
                          Search(background, there[1] + [3, -3, 0, 0]))
    for each in (plain, tracker):
        each.start(images[0], boxes[0])
    found = tracker.locate(moved[1])
    assert not plain.locate(moved[1]).present and found.present
    assert iou(found.box, there[1]) > 0.7
    # What the tracker said is kept to: the search goes on from there, without the detector.
    for number in (2, 3, 4):
        tracker.learn()
        later = tracker.locate(moved[number])
        assert later.present and iou(later.box, there[number]) > 0.6
    assert tracker._search.searches == 1


@pytest.mark.parametrize('name', ['edcf', 'rman'])
def test_the_detector_itself_finds_candidates_that_are_verified(name, monkeypatch):
    images, boxes = clip()
    tracker = make(name, redetection=True, detector_weights='random:resnet18',
                   detector_longest=160, redetection_after=1, redetection_candidates=2,
                   redetection_score=0.0, redetection_likeness=0.0, present_threshold=1.0)
    asked, verify = [], tracker._tracker.verify
    monkeypatch.setattr(tracker._tracker, 'verify', lambda image, box: (
        asked.append(box), replace(verify(image, box), present=len(asked) == 2))[1])
    tracker.warm_up()
    asked.clear()
    tracker.start(images[0], boxes[0])
    found = tracker.locate(images[1])
    candidates = tracker._search.search(images[1])
    np.testing.assert_array_equal(asked, [clip_box(box, 320, 240) for box
                                          in candidates.boxes[:2]])
    # The second was accepted.
    assert found.present and not tracker.learn()


# --- from the registry to the table of results ---

@pytest.fixture
def hand_made(monkeypatch):
    """Put a hand-made search in the place of the detector; return what was asked for."""
    asked = []

    def load(settings, runtime):
        asked.append((settings, runtime))
        return Search((20, 30, 50, 40))

    monkeypatch.setattr(redetection, 'GlobalSearch', load)
    return asked


@pytest.mark.parametrize('name', NAMES)
def test_the_registry_loads_the_detector_only_where_it_is_asked_for(name, hand_made):
    plain = make(name)
    assert type(plain) is registry.tracker_class(name) is plain.method and not hand_made
    tracker = make(name, redetection='true', seed=3)
    assert type(tracker) is Redetecting and tracker.method is registry.tracker_class(name)
    (settings, runtime), = hand_made
    assert settings is tracker.settings and settings.redetection and runtime.seed == 3
    around = make(name, redetection=True, **ROBUST)
    assert type(around) is Redetecting and type(around._tracker) is Robust
    assert around.method is registry.tracker_class(name)


def test_all_trackers_that_search_locally_have_it_and_no_other():
    # Other tests enter trackers of their own.
    known = {name for name in registry.names()
             if registry.tracker_class(name).__module__.startswith('tracking_nodes.')}
    assert set(NAMES) == known - {'static', 'gstp'}
    for name in NAMES:
        assert registry.tracker_class(name).settings_class().redetection is False


QUICK = {'weights': 'random'}


@pytest.mark.parametrize('protocol, given, expected', [
    ('longterm', {}, True), ('longterm', {'redetection': 'false'}, False),
    ('longterm', {'redetection': 'true'}, True), ('ope', {}, False),
    ('ope', {'redetection': 'true'}, True),
    *((name, {}, False) for name in protocols.names() if name != 'longterm')])
def test_it_is_on_in_the_long_term_protocol_unless_told_otherwise(
        protocol, given, expected, hand_made):
    contender = Contender('x', 'edcf', {**QUICK, **given}, Runtime('cpu')).under(
        protocols.get(protocol))
    assert contender.identity()['settings']['redetection'] is expected
    assert (type(contender.create()) is Redetecting) is expected and len(hand_made) == expected


@pytest.mark.parametrize('tracker', ['static', 'csrt'])
def test_trackers_without_it_are_as_ever_in_the_long_term_protocol(tracker):
    contender = Contender('x', tracker)
    assert contender.under(protocols.get('longterm')) == contender


def absent(frames=8):
    """Return a clip in which the target is said to be away for a while."""
    sequence, drawn = (SyntheticSequence(frames, 0, f'clip{frames}') for _ in range(2))
    sequence.boxes[4] = np.nan
    sequence.images = drawn.images
    return sequence


def test_records_and_report_tell_which_runs_had_it(tmp_path, monkeypatch):
    file = tmp_path / 'detector.bin'
    file.write_bytes(b'weights')

    class Loads(StaticTracker):
        """Takes up another file of weights with re-detection."""

        settings_class = RedetectionSettings

        def __init__(self, settings, runtime):
            super().__init__(settings, runtime)
            if settings.redetection:
                loaded.note(file)

    monkeypatch.setitem(PEERS, 'loads', Loads)
    both, folder = [protocols.get('ope'), protocols.get('longterm')], tmp_path / 'out'
    run_benchmark([Contender('x', 'loads')], [absent()], folder, protocols=both)
    for protocol, searches in zip(both, (False, True)):
        record = results.read_result(folder / protocol.folder, 'x', 'clip8').record
        assert record['made_by']['settings']['redetection'] is searches
        assert list(record['made_with']['weights']) == ['detector.bin'] * searches
    page = write_report(folder).read_text()
    assert 'settings.redetection = False (clip8)' in page
    assert 'settings.redetection = True (clip8 under longterm)' in page
    # Going on with the same is no mixture, with another value it is.
    run_benchmark([Contender('x', 'loads')], [absent()], folder, protocols=both)
    with pytest.raises(SettingError, match='redetection = True, now False'):
        run_benchmark([Contender('x', 'loads', {'redetection': 'false'})], [absent()], folder,
                      protocols=both)


def test_jobs_with_and_without_it_do_not_alternate():
    cells = make_cells([Contender('e', 'edcf')], [protocols.get('ope'), protocols.get('longterm')],
                       [absent(frames) for frames in (8, 12, 10)])
    jobs = in_order([job for cell in cells for job in cell.jobs()])
    assert [(job.protocol.name, job.frames) for job in jobs] == [
        ('ope', 12), ('ope', 10), ('ope', 8),
        ('longterm', 12), ('longterm', 10), ('longterm', 8)]


def test_measured_times_hold_for_trackers_that_search_alike(hand_made):
    plain, searching = make('edcf'), make('edcf', redetection=True)
    any_edcf = Row('edcf', {}, {})
    assert any_edcf.fits(plain, 'inline') and not any_edcf.fits(searching, 'inline')
    measured = Row('edcf', searching.settings.as_dict(), {})
    assert measured.fits(searching, 'inline') and not measured.fits(plain, 'inline')
