"""Stages of a tracker's work: what is counted, and what is not."""
import time

import pytest
from small_trackers import clip, make

from tracking_nodes import cli
from tracking_nodes.evaluation import stage_times
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import stages
from tracking_nodes.trackers.stages import stage, StageWatch


@pytest.fixture
def clock(monkeypatch):
    """Return a list whose only number is the time; `clock[0] += 1` is a second."""
    now = [0.0]
    monkeypatch.setattr(stages.time, 'perf_counter', lambda: now[0])
    return now


def test_time_inside_an_inner_stage_is_not_the_outer_ones(clock):
    watch = StageWatch()
    with watch:
        clock[0] += 100
        with stage('outer'):
            clock[0] += 1
            with stage('inner'):
                clock[0] += 10
            clock[0] += 2
        with stage('inner'):
            clock[0] += 20
    assert watch.seconds == {'inner': 30, 'outer': 3}


def test_nothing_is_counted_before_and_after(clock):
    watch = StageWatch()
    with stage('before'):
        clock[0] += 1
    with watch:
        pass
    with stage('after'):
        clock[0] += 1
    assert watch.seconds == {}


def test_a_stage_that_fails_ends_all_the_same(clock):
    watch = StageWatch()
    with watch:
        with pytest.raises(ValueError), stage('broken'):
            clock[0] += 1
            raise ValueError
        with stage('next'):
            clock[0] += 2
    assert watch.seconds == {'broken': 1, 'next': 2}


@pytest.mark.parametrize('name', ['rman', 'cstnet', 'tsn'])
def test_a_tracker_by_detection_marks_what_it_spends_its_time_on(name):
    images, boxes = clip()
    tracker = make(name)
    tracker.start(images[0], boxes[0])
    watch = StageWatch()
    begin = time.perf_counter()
    with watch:
        for image in images[1:7]:
            tracker.locate(image)
            tracker.learn()
    lasted = time.perf_counter() - begin
    assert {'features', 'scoring', 'learning'} <= watch.seconds.keys()
    assert all(seconds > 0 for seconds in watch.seconds.values())
    assert 0.7 * lasted < sum(watch.seconds.values()) <= lasted


def test_the_stages_of_a_frame_add_up_to_it():
    row = stage_times.measure_stages(Contender('still', 'static'), [SyntheticSequence(5)], 4)
    assert list(row) == ['other', 'frame'] and row['other'] == row['frame'] > 0
    table = stage_times.stages_table({'one': {'features': 0.02, 'other': 0.005, 'frame': 0.025},
                                      'two': {'learning': 0.5, 'other': 0.0, 'frame': 0.5}})
    assert table.splitlines()[0] == '| ms a frame | features | learning | other | frame | fps |'
    assert table.splitlines()[2:] == ['| one | 20.0 | - | 5.0 | 25.0 | 40.0 |',
                                      '| two | - | 500.0 | 0.0 | 500.0 | 2.0 |']


def test_the_command_prints_one_row_per_tracker(tmp_path, capsys):
    from tracking_nodes.sequences.bags import write_bag
    write_bag(SyntheticSequence(frames=4), tmp_path / 'clip')
    assert cli.main(['stages', '--tracker', 'static:a', '--tracker', 'static:b', '--frames', '3',
                     str(tmp_path / 'clip')]) == 0
    assert [line.split(' | ')[0] for line in capsys.readouterr().out.splitlines()[2:]] == [
        '| a', '| b']
    assert cli.main(['stages', '--tracker', 'static', '--frames', '1', 'nowhere']) == 1
    assert 'give 2 or more' in capsys.readouterr().err
