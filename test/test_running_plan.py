"""Which jobs a benchmark has, their order, and when repetitions are enough."""
from dataclasses import dataclass

import numpy as np
import pytest

from tracking_nodes.errors import BenchmarkError, SequenceError, SettingError
from tracking_nodes.evaluation import protocols, results
from tracking_nodes.evaluation.benchmark import run_benchmark
from tracking_nodes.evaluation.contender import Contender, parse_contenders
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.evaluation.protocols.ope import OnePass
from tracking_nodes.evaluation.running.here import Here
from tracking_nodes.evaluation.running.plan import in_order, make_cells
from tracking_nodes.nn import loaded
from tracking_nodes.sequences.excerpt import Excerpt
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Location, Runtime, Tracker
from tracking_nodes.trackers.static import StaticTracker

STATIC = Contender('still', 'static')


class Walker(Tracker):
    """Walks at random by its seed, without looking."""

    def _start(self, image, box):
        self._box = box

    def _locate(self, image):
        return Location(self._box + [*self._random.normal(size=2), 0, 0], 0.5, True)

    def _learn(self):
        return False

    def _relocate(self, box):
        self._box = box

    def _reset(self):
        self._random = np.random.default_rng(self.runtime.seed)


def clip(name, frames=6):
    return SyntheticSequence(frames, 0, name)


def jobs_of(cells):
    return in_order([job for cell in cells for job in cell.jobs()])


def test_contenders_follow_each_other_and_their_longest_jobs_come_first():
    contenders = [Contender('b', 'static'), Contender('a', 'static')]
    sequences = [clip('short', 3), clip('long', 9), clip('middle', 5)]
    jobs = jobs_of(make_cells(contenders, [OnePass()], sequences))
    assert [job.name for job in jobs] == [f'{label} ope {name}' for label in 'ba'
                                          for name in ('long', 'middle', 'short')]
    assert [job.frames for job in jobs] == [9, 5, 3] * 2


def test_what_does_not_fit_is_skipped_by_name(caplog):
    absent = clip('absent', 6)
    absent.boxes[3] = np.nan
    both = [protocols.get('ope'), protocols.get('longterm')]
    cells = make_cells([STATIC], both, [clip('present'), absent])
    assert [(cell.protocol.name, cell.sequence.name) for cell in cells] == [
        ('ope', 'present'), ('ope', 'absent'), ('longterm', 'absent')]
    assert [record.getMessage() for record in caplog.records] == [
        'longterm skips present: the target is never absent']
    with pytest.raises(SequenceError, match='nothing to run; longterm skips present'):
        make_cells([STATIC], both[1:], [clip('present')])


@pytest.mark.parametrize('labels, words', [
    (['twice', 'twice'], 'several trackers are labelled twice'),
    (['got10k'], "label 'got10k' is the folder of a protocol")])
def test_labels_that_would_share_a_folder_are_refused(labels, words):
    with pytest.raises(SettingError, match=words):
        make_cells([Contender(label, 'static') for label in labels],
                   [protocols.get('got10k')], [clip('clip')])


def test_fewer_repetitions_can_be_asked_for():
    cells = make_cells([STATIC], [protocols.get('vot')], [clip('clip')], repetitions=4)
    assert list(cells[0].trials) == ['001', '002', '003', '004']


def test_fewer_trials_can_be_asked_for():
    cells = make_cells([STATIC], [protocols.get('sre'), protocols.get('latency')],
                       [clip('clip')], trials=2)
    assert [list(cell.trials) for cell in cells] == [['left', 'right'], ['online', 'offline']]


@pytest.mark.parametrize('tracker, expected', [
    (StaticTracker, ['clip.001', 'clip.002']), (Walker, ['clip.001', 'clip.002', 'clip.003'])])
def test_repetitions_stop_when_they_are_equal(tmp_path, monkeypatch, tracker, expected):
    monkeypatch.setitem(PEERS, 'some', tracker)
    contender = Contender('some', 'some', {}, Runtime('cpu'))
    run_benchmark([contender], [clip('clip')], tmp_path, protocols=[protocols.get('got10k')])
    assert results.stored(tmp_path / 'got10k') == {'some': expected}
    seeds = [results.read_result(tmp_path / 'got10k', 'some', name).run.boxes[-1, 0]
             for name in expected]
    assert len(set(seeds)) == (1 if tracker is StaticTracker else 3)


@dataclass
class LastFirst:
    """Performs jobs against their order, as a machine with many processes may end them."""

    side_by_side: int = 8

    def perform(self, jobs, progress):
        return Here().perform(reversed(list(jobs)), progress)


def test_which_repetitions_count_does_not_depend_on_which_end_first(tmp_path):
    got10k, sequences = protocols.get('got10k'), [clip('one'), clip('two', 8)]
    for name, executor in (('forwards', Here()), ('backwards', LastFirst())):
        run_benchmark([STATIC], sequences, tmp_path / name, protocols=[got10k],
                      executor=executor)
    expected = {'still': ['one.001', 'one.002', 'two.001', 'two.002']}
    assert results.stored(tmp_path / 'forwards' / 'got10k') == expected
    assert results.stored(tmp_path / 'backwards' / 'got10k') == expected
    names = [sorted(path.name for path in (tmp_path / name / 'got10k' / 'still').iterdir())
             for name in ('forwards', 'backwards')]
    assert names[0] == names[1] and len(names[0]) == 4 * 5


@dataclass
class OnlySecond:
    """Performs the second repetition, and is interrupted."""

    side_by_side: int = 1

    def perform(self, jobs, progress):
        yield from Here().perform([job for job in jobs if job.trial.name == '002'], progress)
        raise KeyboardInterrupt


def test_repetitions_read_back_equal_those_just_run(tmp_path, monkeypatch):
    # A third of a pixel is not to be written in four digits.
    class Third(StaticTracker):

        def _locate(self, image):
            return Location(self._box + 1 / 3, 1.0, True)

    monkeypatch.setitem(PEERS, 'third', Third)
    arguments = [Contender('third', 'third')], [clip('clip')], tmp_path
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(*arguments, protocols=[protocols.get('got10k')], executor=OnlySecond())
    assert results.stored(tmp_path / 'got10k') == {'third': ['clip.002']}
    run_benchmark(*arguments, protocols=[protocols.get('got10k')])
    assert results.stored(tmp_path / 'got10k') == {'third': ['clip.001', 'clip.002']}


def test_records_say_what_was_run_and_other_weights_are_refused(tmp_path, monkeypatch):
    file = tmp_path / 'weights.bin'

    class Loads(StaticTracker):

        def __init__(self, settings=None, runtime=None):
            super().__init__(settings, runtime)
            loaded.note(file)

    monkeypatch.setitem(PEERS, 'loads', Loads)
    contender = Contender('loads', 'loads', {}, Runtime('cpu', seed=4))
    file.write_bytes(b'one')
    run_benchmark([contender], [clip('first')], tmp_path / 'out')
    record = results.read_result(tmp_path / 'out', 'loads', 'first').record
    # sha256 of the three letters, as sha256sum says it.
    assert record['made_with']['weights'] == {
        'weights.bin': '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed'}
    assert record['made_by']['runtime']['seed'] == 4
    assert record['made_by']['protocol'] == {'name': 'ope'}
    assert len(record['made_with']['dataset']) == 64 and record['made_with']['device']
    assert {'python', 'numpy', 'machine', 'threads'} <= set(record['made_with'])
    file.write_bytes(b'two')
    with pytest.raises(BenchmarkError, match='the weights are .* but other results of loads'):
        run_benchmark([contender], [clip('first'), clip('second')], tmp_path / 'out')
    assert results.stored(tmp_path / 'out') == {'loads': ['first']}


def test_all_trackers_are_those_of_the_registry_but_the_test_double():
    labels = [one.label for one in parse_contenders(['all'], [], Runtime())]
    assert labels == [name for name in registry.names() if name != 'static'] and labels


def test_an_excerpt_is_the_beginning_of_its_sequence():
    whole = SyntheticSequence(7, 1, 'clip')
    part = Excerpt(whole, 3)
    assert (part.name, len(part)) == ('clip', 3) and len(Excerpt(whole, 99)) == 7
    np.testing.assert_array_equal(part.boxes, whole.boxes[:3])
    np.testing.assert_array_equal(list(part.images()), list(whole.images())[:3])
    np.testing.assert_array_equal(part.image(2), whole.image(2))
    with pytest.raises(SequenceError, match='frames 0 to 2, not 3'):
        part.image(3)
    with pytest.raises(SequenceError, match='0 frames of clip'):
        Excerpt(whole, 0)


def test_an_excerpt_may_leave_frames_out():
    whole = SyntheticSequence(7, 1, 'clip')
    for part, kept in ((Excerpt(whole, 3, 2), [0, 2, 4]), (Excerpt(whole, every=3), [0, 3, 6]),
                       (Excerpt(whole, 5, 3), [0, 3, 6])):
        assert len(part) == len(kept)
        np.testing.assert_array_equal(part.boxes, whole.boxes[kept])
        np.testing.assert_array_equal(part.stamps, whole.stamps[kept])
        np.testing.assert_array_equal(list(part.images()),
                                      [list(whole.images())[index] for index in kept])
        np.testing.assert_array_equal(part.image(2), whole.image(kept[2]))
        assert part.where(1) == whole.where(kept[1])
    with pytest.raises(SequenceError, match='every 0 frames of clip'):
        Excerpt(whole, 3, 0)
