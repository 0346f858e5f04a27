"""Updates in the background on a virtual clock: when they count, and that answers repeat."""
import threading

import numpy as np
import pytest
from small_trackers import make
import torch

from tracking_nodes.cli import main
from tracking_nodes.evaluation.latency_profile import Duration, Profile, Row, STAGES
from tracking_nodes.evaluation.protocols.latency import Latency, OFFLINE
from tracking_nodes.evaluation.run import TRACKED
from tracking_nodes.evaluation.virtual_clock import VirtualClock, VirtualThread
from tracking_nodes.online.background import BackgroundLearner, learning_thread, updates_in
from tracking_nodes.sequences.folder_writer import write_folder
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.base import Location, Runtime, Tracker

import yaml

MS = 1_000_000


class Versions(Tracker):
    """Answers with the number of updates its model had; every frame asks for another one."""

    learns = True

    def __init__(self):
        super().__init__(runtime=Runtime(learning='background'))
        self._background = BackgroundLearner(torch.device('cpu'))
        self._reset()

    def _start(self, image, box):
        self._version = 0

    def _locate(self, image):
        return Location(np.array([float(self._version), 5, 10, 10]), 1.0, True)

    def _learn(self):
        self._submit(lambda: self._version, lambda taken: taken + 1, self._adopt)
        return False

    def _adopt(self, version):
        self._version = version

    def _relocate(self, box):
        pass

    def _reset(self):
        self._version = 0


def protocol(**milliseconds):
    """Return the protocol with these times of a tracker in the background."""
    stages = {**dict.fromkeys(STAGES, 0), **milliseconds}
    row = Row('any', {}, {stage: Duration(time) for stage, time in stages.items()}, 'background')
    return Latency('latency:made', Profile('made', 'made up', rows=(row,)))


def test_an_update_counts_from_the_first_frame_after_its_time_and_others_are_skipped():
    clip, rules = SyntheticSequence(12), protocol(locate=10, gather=2, learn=50)
    tracker = Versions()
    online, _ = rules.trials(clip)
    run = rules.run(tracker, clip, online)
    # Frames come every 33.3 ms. That of 33.3 begins an update at 43.3, done at 93.3: frame 3, at
    # 100, is the first with it, and begins the next. Each answer is known one frame later.
    assert run.boxes[2:, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert (tracker.progress.updates, tracker.progress.skipped) == (5, 5)


def test_late_frames_go_without_an_update_beside_them_and_catch_up():
    clip = SyntheticSequence(12)
    rows = [Row('any', {}, {stage: Duration(time) for stage, time in stages.items()}, learning)
            for learning, stages in (
                ('inline', {'start': 0, 'locate': 20, 'learn': 0, 'gather': 0}),
                ('background', {'start': 0, 'locate': 36, 'learn': 29, 'gather': 8}))]
    tracker, rules = Versions(), Latency('latency:made', Profile('made', 'made up', rows=rows))
    run = rules.run(tracker, clip, rules.trials(clip)[0])
    # That of 33.3 is done at 53.3 and begins an update, until 82.3. That of 66.7 takes 36 beside
    # it, until 102.7: the next is there, no update begins, and 20 later, at 122.7, all is made up.
    assert (run.events[1:11] == TRACKED).all()
    assert run.boxes[2:, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert (tracker.progress.updates, tracker.progress.skipped) == (5, 5)


def test_where_updates_are_fast_none_is_skipped_and_where_they_last_all_but_one_are():
    clip = SyntheticSequence(12)
    for learn, expected in ((20, (10, 0)), (10_000, (0, 10))):
        tracker, rules = Versions(), protocol(locate=5, learn=learn)
        rules.run(tracker, clip, rules.trials(clip)[0])
        assert (tracker.progress.updates, tracker.progress.skipped) == expected


def test_an_update_that_a_sequence_ends_in_is_not_in_the_way_of_the_next():
    clip, rules = SyntheticSequence(6), protocol(locate=5, learn=45)
    tracker, answers = Versions(), []
    for _ in range(3):
        answers.append(rules.run(tracker, clip, rules.trials(clip)[0]).boxes[:, 0].tolist())
    assert answers[0][-1] > 0 and answers[0][1:] == answers[1][1:] == answers[2][1:]


def test_where_the_camera_waits_every_update_is_done_by_the_next_frame():
    clip, rules = SyntheticSequence(8), protocol(locate=50, learn=10_000)
    trial, = [trial for trial in rules.trials(clip) if trial.name == OFFLINE]
    run = rules.run(Versions(), clip, trial)
    assert run.boxes[1:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_two_learners_of_one_virtual_thread_learn_one_after_the_other():
    clock = VirtualClock([0, 1000 * MS], 0)
    thread = VirtualThread(clock, lambda: 30 * MS)
    with updates_in(thread):
        first, second = (BackgroundLearner(torch.device('cpu')) for _ in range(2))
        for learner in (first, second):
            assert learner.submit(lambda: 1, lambda taken: taken, lambda learned: None)
    for now, expected in ((29, (True, True)), (31, (False, True)), (61, (False, False))):
        clock.now = now * MS
        assert (first.running, second.running) == expected


def test_an_error_of_an_update_is_raised_after_its_time():
    clock = VirtualClock([0, 1000 * MS], 0)
    learner = BackgroundLearner(torch.device('cpu'))
    with updates_in(VirtualThread(clock, lambda: 30 * MS)):
        learner.submit(lambda: 0, lambda taken: 1 / taken, lambda learned: None)
    learner.check()
    clock.now = 31 * MS
    with pytest.raises(ZeroDivisionError):
        learner.check()


def test_a_shared_thread_runs_the_updates_of_all():
    names = []
    with learning_thread() as thread, updates_in(thread):
        learners = [BackgroundLearner(torch.device('cpu')) for _ in range(3)]
        for learner in learners:
            assert learner.submit(lambda: 0, lambda taken: names.append(
                threading.get_ident()), lambda learned: None)
    assert len(names) == 3 and len(set(names)) == 1


@pytest.mark.parametrize('name', ['rman', 'edcf'])
def test_answers_of_a_profile_repeat_whatever_this_machine_does(name):
    clip, rules = SyntheticSequence(16), protocol(locate=20, gather=3, learn=100)
    runs = [rules.run(make(name, learning='background', **(
        {'update_every': 2, 'present_threshold': 0.0} if name == 'rman' else {})), clip, trial)
        for trial in rules.trials(clip) for _ in range(2)]
    for one, other in (runs[:2], runs[2:]):
        np.testing.assert_array_equal(one.boxes, other.boxes)
    assert not np.array_equal(runs[0].boxes, runs[2].boxes)


def test_the_command_measures_updates_in_their_thread(tmp_path, capsys):
    write_folder(SyntheticSequence(8), tmp_path)
    path = tmp_path / 'here.yaml'
    assert main(['profile', '--tracker', 'edcf', '--learning', 'background', '--set',
                 'weights=random', '--device', 'cpu', '--frames', '6', '--out', str(path),
                 '--describe', 'this one', str(tmp_path)]) == 0
    assert 'edcf: start' in capsys.readouterr().out
    row, = yaml.safe_load(path.read_text())['trackers']
    assert row['learning'] == 'background'
    assert row['learn']['mean'] > 0 and row['gather']['mean'] > 0
