"""The results folder: written, resumed, refused, scored again."""
from dataclasses import dataclass, replace
import json

import numpy as np
import pytest

from tracking_nodes.errors import SequenceError, SettingError, TrackingError
from tracking_nodes.evaluation import benchmark, protocols, results
from tracking_nodes.evaluation.contender import Contender, parse_contenders
from tracking_nodes.evaluation.metrics import METRICS
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.evaluation.running.processes import Processes
from tracking_nodes.parameters import setting, Settings
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Location, Runtime, Tracker


@dataclass(frozen=True)
class WandererSettings(Settings):
    step: float = setting(2.0, 'spread of a step, pixels', minimum=0.0)


class Wanderer(Tracker):
    """Walks at random from the first box; counts the frames it saw."""

    settings_class = WandererSettings
    frames = 0

    def _start(self, image, box):
        self.box = box

    def _locate(self, image):
        Wanderer.frames += 1
        self.box = self.box + [*self.random.normal(0, self.settings.step, 2), 0, 0]
        return Location(self.box.copy(), float(self.random.random()), True)

    def _learn(self):
        return False

    def _relocate(self, box):
        self.box = box

    def _reset(self):
        self.random = np.random.default_rng(self.runtime.seed)


class Broken(SyntheticSequence):
    """Interrupted in its fourth frame, as by Ctrl-C."""

    def images(self):
        for index, image in enumerate(super().images()):
            if index == 4:
                raise KeyboardInterrupt
            yield image


class Hidden(SyntheticSequence):
    """Without ground truth in two frames, its images unchanged."""

    def __init__(self):
        super().__init__(8, 0, 'gone')
        self.boxes[3:5] = np.nan

    def images(self):
        return SyntheticSequence(8).images()


@pytest.fixture
def wanderer(monkeypatch):
    """Make the wanderer known by name."""
    monkeypatch.setitem(PEERS, 'wanderer', Wanderer)
    monkeypatch.setattr(Wanderer, 'frames', 0)
    return Contender('walk', 'wanderer')


def clips(count=2, frames=8):
    """Return sequences small enough to run in no time."""
    return [SyntheticSequence(frames, seed, f'clip{seed}') for seed in range(count)]


def files(folder, but=('_time.txt', '.json', '.lock')):
    """Return {name: bytes} of a results folder without what depends on the clock."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob('*')) if path.is_file() and
            not path.name.endswith(but)}


def test_summary_and_files_have_the_agreed_form(tmp_path, wanderer):
    scores = benchmark.run_benchmark([wanderer], clips(), tmp_path)
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert list(summary) == ['walk'] and set(summary['walk']) == {'overall', 'sequences'}
    keys = {'auc', 'dp20', 'os50', 'cle', 'fps', 'frames'}
    rows = summary['walk']['sequences']
    assert set(rows) == {'clip0', 'clip1'}
    assert all(set(row) == keys for row in [summary['walk']['overall'], *rows.values()])
    assert rows['clip0']['frames'] == 8 and summary['walk']['overall']['frames'] == 16
    for key in keys - {'frames'}:
        mean = (rows['clip0'][key] + rows['clip1'][key]) / 2
        assert summary['walk']['overall'][key] == pytest.approx(mean)
    boxes = np.loadtxt(tmp_path / 'walk' / 'clip1.txt', delimiter=',')
    assert boxes.shape == (8, 4)
    np.testing.assert_allclose(boxes[0], clips()[1].boxes[0], atol=5e-5)
    assert np.loadtxt(tmp_path / 'walk' / 'clip1_score.txt').shape == (8,)
    assert np.loadtxt(tmp_path / 'walk' / 'clip1_time.txt').shape == (8,)
    metrics = json.loads((tmp_path / 'metrics.json').read_text())['trackers']['walk']
    assert {metric.key for metric in METRICS} <= set(metrics['overall'])
    assert metrics['overall']['auc'] == pytest.approx(np.mean(metrics['overall']['success']))
    assert scores['ope']['walk'].sequences['clip0']['auc'] == rows['clip0']['auc']
    assert [path.name for path in tmp_path.rglob('.*')] == ['.lock']


def test_the_same_seed_gives_identical_files_and_another_does_not(tmp_path, wanderer):
    for name, seed in (('one', 3), ('two', 3), ('other', 4)):
        contender = Contender('walk', 'wanderer', {}, Runtime(seed=seed))
        benchmark.run_benchmark([contender], clips(), tmp_path / name)
    assert files(tmp_path / 'one') == files(tmp_path / 'two')
    assert files(tmp_path / 'one') != files(tmp_path / 'other')


def test_processes_side_by_side_give_the_same_files(tmp_path):
    contenders = [Contender('static', 'static'), Contender('kcf', 'kcf')]
    benchmark.run_benchmark(contenders, clips(3), tmp_path / 'one')
    benchmark.run_benchmark(contenders, clips(3), tmp_path / 'two', executor=Processes(2))
    assert files(tmp_path / 'one') == files(tmp_path / 'two')
    # Boxes, presence, and a score of the one that has a score.
    assert len(files(tmp_path / 'two')) == 3 * 3 + 3 * 2


def test_runs_without_a_score_have_no_file_of_it_and_are_resumed(tmp_path):
    contenders = [Contender('static', 'static'), Contender('kcf', 'kcf')]
    protocol = [protocols.get('longterm')]
    benchmark.run_benchmark(contenders, [Hidden()], tmp_path, protocols=protocol)
    assert (tmp_path / 'longterm' / 'static' / 'gone_score.txt').is_file()
    assert not (tmp_path / 'longterm' / 'kcf' / 'gone_score.txt').exists()
    before = files(tmp_path)
    scores = benchmark.run_benchmark(contenders, [Hidden()], tmp_path, protocols=protocol)
    assert files(tmp_path) == before
    # By presence, which ranks frames as a score of 1 and 0 would.
    stored = results.read_result(tmp_path / 'longterm', 'kcf', 'gone')
    assert not stored.run.scored
    run = replace(stored.run, scores=stored.run.present.astype(float))
    again = protocol[0].score({'kcf': {'gone': {'': replace(stored, run=run)}}})
    assert again['kcf'].overall == scores['longterm']['kcf'].overall


def test_a_rerun_goes_on_where_it_was_interrupted(tmp_path, wanderer):
    whole = clips()
    with pytest.raises(KeyboardInterrupt):
        benchmark.run_benchmark([wanderer], [whole[0], Broken(8, 1, 'clip1')], tmp_path)
    assert results.stored(tmp_path) == {'walk': ['clip0']}
    assert set(json.loads((tmp_path / 'summary.json').read_text())['walk']['sequences']) == {
        'clip0'}
    before = Wanderer.frames
    benchmark.run_benchmark([wanderer], whole, tmp_path)
    # One frame located by the warm-up, seven of the second clip, none of the first.
    assert Wanderer.frames == before + 1 + 7
    benchmark.run_benchmark([wanderer], whole, tmp_path / 'fresh')
    assert files(tmp_path / 'walk') == files(tmp_path / 'fresh' / 'walk')


@pytest.mark.parametrize('other, words', [
    (Contender('walk', 'wanderer', {'step': '5'}), 'step = 2.0, now 5.0'),
    (Contender('walk', 'wanderer', {}, Runtime(seed=1)), 'seed = 0, now 1'),
    (Contender('walk', 'static'), "tracker = 'wanderer', now 'static'"),
])
def test_results_of_other_settings_are_not_mixed(tmp_path, wanderer, other, words):
    benchmark.run_benchmark([wanderer], clips(1), tmp_path)
    before = files(tmp_path)
    with pytest.raises(SettingError, match=words):
        benchmark.run_benchmark([other], clips(2), tmp_path)
    assert files(tmp_path) == before
    benchmark.run_benchmark([other], clips(2), tmp_path, overwrite=True)
    assert results.stored(tmp_path) == {'walk': ['clip0', 'clip1']}


def test_another_sequence_of_the_same_name_is_not_mistaken(tmp_path, wanderer):
    benchmark.run_benchmark([wanderer], clips(1), tmp_path)
    with pytest.raises(SettingError, match='another sequence named clip0'):
        benchmark.run_benchmark([wanderer], [SyntheticSequence(9, 0, 'clip0')], tmp_path)
    with pytest.raises(SequenceError, match='several sequences are named clip0'):
        benchmark.run_benchmark([wanderer], clips(1) + clips(1), tmp_path)


def test_damaged_results_are_named_with_the_remedy(tmp_path, wanderer):
    benchmark.run_benchmark([wanderer], clips(1), tmp_path)
    path = tmp_path / 'walk' / 'clip0.txt'
    path.write_text('\n'.join(path.read_text().splitlines()[:-1]))
    with pytest.raises(TrackingError, match='8 frames, but .7, 8, 8, 8. boxes.*clip0_run.json'):
        benchmark.score_folder(tmp_path, 'visible')
    path.write_text('1,2,3\n')
    with pytest.raises(TrackingError, match='line 1: not four numbers'):
        benchmark.score_folder(tmp_path, 'visible')


def test_absent_frames_come_back_from_the_folder(tmp_path, wanderer):
    clip = Hidden()
    benchmark.run_benchmark([wanderer], [clip], tmp_path)
    stored = results.read_result(tmp_path, 'walk', 'gone')
    np.testing.assert_array_equal(stored.truth, clip.boxes)
    left_out = benchmark.score_folder(tmp_path, 'visible')['walk']['gone']
    counted = benchmark.score_folder(tmp_path, 'pytracking')['walk']['gone']
    assert counted.values['auc'] == pytest.approx(left_out.values['auc'] * 6 / 8, abs=0.01)


def test_labels_and_settings_of_the_command_line():
    found = parse_contenders(['rman:a', 'rman:b', 'static'], ['b.lstm=false', 'a.steps=3'],
                             Runtime())
    assert [(one.label, one.tracker, one.values) for one in found] == [
        ('a', 'rman', {'steps': '3'}), ('b', 'rman', {'lstm': 'false'}), ('static', 'static', {})]
    both = parse_contenders(['rman:a', 'rman:b'], ['steps=3'], Runtime())
    assert [one.values for one in both] == [{'steps': '3'}] * 2


@pytest.mark.parametrize('names, assignments, words', [
    (['static', 'static'], [], "label 'static' twice"),
    (['static:../x'], [], 'cannot name a folder'),
    (['static'], ['step'], "'step' is neither key=value"),
    (['static'], ['other.step=1'], 'with a label of static'),
])
def test_command_lines_that_mean_nothing_are_refused(names, assignments, words):
    with pytest.raises(SettingError, match=words):
        parse_contenders(names, assignments, Runtime())


def test_unknown_settings_are_refused_before_anything_runs(tmp_path, wanderer):
    with pytest.raises(SettingError, match='no parameter .stride.; did you mean'):
        benchmark.run_benchmark([Contender('walk', 'wanderer', {'stride': '1'})], clips(1),
                                tmp_path)
    assert Wanderer.frames == 0


@pytest.mark.parametrize('name', registry.names())
def test_every_tracker_is_deterministic_for_a_seed(tmp_path, name):
    for run in ('one', 'two'):
        contender = Contender(name, name, {}, Runtime('cpu', seed=7))
        benchmark.run_benchmark([contender], clips(1, 6), tmp_path / run)
    assert files(tmp_path / 'one') == files(tmp_path / 'two')
