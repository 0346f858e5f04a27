"""Latency profiles: what they draw, whom they fit, what is read and written, how they are made."""
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tracking_nodes.cli import main
from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation import protocols, stage_times
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.evaluation.latency_profile import (
    Duration, find_profile, package_profiles, Profile, read_profile, Row, STAGES, write_profile)
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Location, Progress, Runtime, Tracker
from tracking_nodes.trackers.static import StaticTracker

import yaml

GOOD = """
device: a board
camera: {mean: 20, std: 2.5}
trackers:
- tracker: csrt
  start: 30
  locate: {mean: 25, std: 3}
  learn: 0
- tracker: static
  start: 1
  locate: 2
  learn: 3
  gather: 0.5
"""


def written(folder, text):
    """Return the path of a profile with some text."""
    path = folder / 'board.yaml'
    path.write_text(text)
    return path


@pytest.mark.parametrize('mean, std', [(40, 5), (2, 3), (0.5, 0.01)])
def test_drawn_times_have_the_mean_and_deviation_asked_for(mean, std):
    random = np.random.default_rng(1)
    drawn = np.array([Duration(mean, std).draw(random) for _ in range(60_000)]) / 1e6
    assert (drawn > 0).all()
    assert drawn.mean() == pytest.approx(mean, rel=0.03)
    assert drawn.std() == pytest.approx(std, rel=0.08)


def test_a_time_without_jitter_is_itself():
    assert Duration(12.5).draw(None) == 12_500_000


def test_profile_is_read_and_finds_its_trackers(tmp_path):
    profile = read_profile(written(tmp_path, GOOD))
    assert (profile.name, profile.device) == ('board', 'a board')
    assert profile.camera == Duration(20, 2.5)
    assert profile.stages(PEERS['csrt']()) == {
        'start': Duration(30), 'locate': Duration(25, 3), 'learn': Duration(0),
        'gather': Duration(0)}
    assert profile.stages(StaticTracker())['gather'] == Duration(0.5)
    with pytest.raises(SettingError, match='board has no row for Kcf.*csrt.*static'):
        profile.stages(PEERS['kcf']())


def test_a_row_holds_for_its_settings_only():
    fast, slow = ({stage: Duration(time) for stage in STAGES} for time in (1, 9))
    profile = Profile('p', 'd', rows=(Row('rman', {'backbone': 'resnet18'}, slow),
                                      Row('rman', {'backbone': 'alexnet'}, fast)))
    cls = registry.tracker_class('rman')
    # Without its weights, which only a tracker that computes needs.
    tracker = object.__new__(cls)
    tracker.runtime = Runtime()
    for backbone, expected in (('resnet18', slow), ('alexnet', fast)):
        tracker.settings = cls.settings_class.parse({'backbone': backbone})
        assert profile.stages(tracker) is expected
    tracker.settings = cls.settings_class.parse({'backbone': 'vggm'})
    with pytest.raises(SettingError, match='p has no row for Rman'):
        profile.stages(tracker)


@pytest.mark.parametrize('row', [Row('any', {}, {stage: Duration(1) for stage in STAGES}),
                                 Row('static', {}, {stage: Duration(1) for stage in STAGES})])
def test_a_row_holds_for_its_way_of_learning_only(row):
    profile = Profile('board', 'd', rows=(row,))
    beside = StaticTracker(runtime=Runtime(learning='background'))
    assert profile.stages(StaticTracker()) is row.stages
    with pytest.raises(SettingError, match='no row for StaticTracker, learning background'):
        profile.stages(beside)
    other = replace(row, learning='background', stages={stage: Duration(2) for stage in STAGES})
    both = Profile('board', 'd', rows=(row, other))
    assert both.stages(StaticTracker()) is row.stages and both.stages(beside) is other.stages
    assert both.stages_alone(beside) is both.stages_alone(StaticTracker()) is row.stages
    assert Profile('board', 'd', rows=(other,)).stages_alone(beside) is other.stages


@pytest.mark.parametrize('change, message', [
    (('device: a board\n', ''), 'board.yaml: no device'),
    (('camera: {mean: 20, std: 2.5}', 'camera: -1'), 'camera: mean = -1'),
    (('camera: {mean: 20, std: 2.5}', 'camera: {mean: 0, std: 2}'), 'std = 2 with a mean of 0'),
    (('locate: 2\n', 'locate: fast\n'), "tracker 2, locate: mean = 'fast'"),
    (('locate: 2\n', 'locat: 2\n'), "tracker 2: unknown key 'locat'"),
    (('  locate: 2\n', ''), 'tracker 2: no locate'),
    (('  start: 1\n', '  start: 1\n  settings: 3\n'), 'settings = 3'),
    (('  start: 1\n', '  start: 1\n  learning: later\n'), "learning = 'later'"),
    (('trackers:\n', 'trackers: 5\n#'), 'board.yaml'),
    (('device: a board', 'device: [a board'), 'cannot be read'),
])
def test_a_damaged_profile_is_refused_with_its_place(tmp_path, change, message):
    assert change[0] in GOOD
    with pytest.raises(SettingError, match='.*'.join(message.split(': '))) as caught:
        read_profile(written(tmp_path, GOOD.replace(*change)))
    assert 'board.yaml' in str(caught.value)


def test_what_is_written_is_read_again(tmp_path):
    profile = replace(read_profile(written(tmp_path, GOOD)), name='copy', rows=(
        Row('rman', {'memory': 5, 'backbone': 'vggm'},
            {stage: Duration(0.00012345 + number, 0.25 * number)
             for number, stage in enumerate(STAGES)}),))
    write_profile(tmp_path / 'new' / 'copy.yaml', profile)
    found = read_profile(tmp_path / 'new' / 'copy.yaml')
    assert replace(found, rows=()) == replace(profile, rows=())
    assert found.rows[0].settings == profile.rows[0].settings
    for stage in STAGES:
        expected = profile.rows[0].stages[stage]
        assert found.rows[0].stages[stage].mean == pytest.approx(expected.mean, rel=1e-3)
        assert found.rows[0].stages[stage].std == pytest.approx(expected.std, rel=1e-3)


@pytest.mark.parametrize('path', sorted(package_profiles().glob('*.yaml')),
                         ids=lambda path: path.stem)
def test_every_profile_of_the_package_can_be_read(path):
    profile = find_profile(path.stem)
    assert profile == read_profile(path)
    assert protocols.get(f'latency:{path.stem}').profile == profile


def test_an_unknown_profile_names_the_known_ones():
    with pytest.raises(SettingError, match="no latency profile 'jetson'.*camera_30ms, ideal"):
        find_profile('jetson')


class Clock:
    """A clock that moves only when told to."""

    now = 0.0

    def perf_counter(self):
        return self.now


class Timed(Tracker):
    """Takes 20 ms to start, 8 to locate, 30 to learn in every fourth frame, 1 otherwise."""

    clock = Clock()

    def _start(self, image, box):
        self.clock.now += 0.020

    def _locate(self, image):
        self.clock.now += 0.008
        self._seen += 1
        return Location(np.array([0.0, 0, 9, 9]), 1.0, True)

    def _learn(self):
        changed = self._seen % 4 == 0
        self.clock.now += 0.030 if changed else 0.001
        return changed

    def _relocate(self, box):
        pass

    def _reset(self):
        self._seen = 0


def test_each_stage_is_measured_by_itself(monkeypatch):
    monkeypatch.setattr(stage_times, 'time', Timed.clock)
    monkeypatch.setattr(Contender, 'create', lambda self: Timed())
    row = stage_times.measure_row(Contender('timed', 'timed'), [SyntheticSequence(30)], 13)
    assert row.tracker == 'timed'
    for stage, expected in (('start', 20), ('locate', 8), ('learn', 30), ('gather', 1)):
        assert row.stages[stage].mean == pytest.approx(expected)
        assert row.stages[stage].std == pytest.approx(0, abs=1e-9)


class Beside(Timed):
    """Has an update beside it in every second frame, whose stages then take 5 ms more."""

    @property
    def progress(self):
        """Return that."""
        return Progress(0, 0, 0, self._seen % 2 == 1, None)

    def _locate(self, image):
        self.clock.now += 0.005 * self.progress.running
        return super()._locate(image)

    def _learn(self):
        self.clock.now += 0.005 * self.progress.running
        return super()._learn()


def test_in_the_background_frames_are_measured_beside_an_update(monkeypatch):
    monkeypatch.setattr(stage_times, 'time', Timed.clock)
    monkeypatch.setattr(Contender, 'create', lambda self: Beside())
    row = stage_times.measure_row(
        Contender('timed', 'timed', runtime=Runtime(learning='background')),
        [SyntheticSequence(30)], 13)
    assert row.stages['locate'].mean == pytest.approx(13)
    assert row.stages['gather'].mean == pytest.approx(6)
    assert max(row.stages[stage].std for stage in ('locate', 'gather')) < 1e-9


def write_clip(folder, frames=8):
    """Write a synthetic clip as images with a ground-truth file."""
    clip = SyntheticSequence(frames)
    for index, image in enumerate(clip.images()):
        cv2.imwrite(str(folder / f'{index:04d}.png'), image)
    (folder / 'groundtruth.txt').write_text(
        '\n'.join(','.join(f'{value:.2f}' for value in box) for box in clip.boxes) + '\n')


def test_the_command_writes_a_profile_that_the_protocol_takes(tmp_path, capsys):
    write_clip(tmp_path)
    path = tmp_path / 'here.yaml'
    assert main(['profile', '--tracker', 'static', '--tracker', 'csrt', '--frames', '6', '--out',
                 str(path), '--describe', 'this one', '--camera-ms', '7.5', str(tmp_path)]) == 0
    assert 'csrt: start' in capsys.readouterr().out
    content = yaml.safe_load(path.read_text())
    assert content['device'] == 'this one' and content['camera'] == 7.5
    protocol = protocols.get(f'latency:{path}')
    assert protocol.name == 'latency:here' and protocol.folder == 'latency_here'
    assert protocol.profile.stages(PEERS['csrt']())['locate'].mean > 0
    short = SyntheticSequence(10)
    run = protocol.run(StaticTracker(), short, protocol.trials(short)[0])
    assert (run.ages[1:] > 0).all()


@pytest.mark.parametrize('options, message', [
    (['--frames', '1'], '--frames 1'), (['--camera-ms', '-2'], '--camera-ms -2'),
    (['--out', 'x.txt'], 'x.txt'), (['--tracker', 'unknown'], "no tracker 'unknown'")])
def test_the_command_refuses_what_makes_no_profile(tmp_path, capsys, options, message):
    write_clip(tmp_path)
    arguments = ['--tracker', 'static', '--out', str(tmp_path / 'a.yaml'), '--describe', 'x',
                 str(tmp_path)]
    assert main(['profile', *arguments, *options]) == 1
    assert message in capsys.readouterr().err
