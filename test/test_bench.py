"""The speed table: what is timed, what is counted, and what is written."""
from contextlib import contextmanager
from dataclasses import replace
import json
import math
import time

import numpy as np
import pytest
from small_trackers import quick, REAL
import torch
from torch.nn.functional import conv2d

from tracking_nodes.cli import main
from tracking_nodes.evaluation import bench
from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.nn.arithmetic import Ceilings, Count, counted, measured_ceilings
from tracking_nodes.nn.stream_clock import StreamClock
from tracking_nodes.online import background
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Location, Runtime, Tracker
from tracking_nodes.trackers.stages import HostClock, stage, StageWatch

CPU = torch.device('cpu')


class Slow(Tracker):
    """Takes 20 ms to start, 2 ms to locate, 50 ms for the first time, and learns in 6 ms."""

    def _start(self, image, box):
        self._box, self._count = box, 0
        time.sleep(0.02)

    def _locate(self, image):
        self._count += 1
        time.sleep(0.05 if self._count == 1 else 0.002)
        return Location(self._box, 1.0, True)

    def _learn(self):
        if self._count % 4:
            return False
        time.sleep(0.006)
        return True

    def _relocate(self, box):
        self._box = box

    def _reset(self):
        self._box = None


class SlowContender(Contender):
    """Creates that tracker."""

    def create(self):
        return Slow()


def measure(frames=41, rate=0.0):
    return bench.measure(SlowContender('slow', 'static'), SyntheticSequence(frames, scale=2),
                         frames, rate, 1)


def test_latencies_are_of_locate_and_learn_together():
    speed = measure()
    assert (speed.frames, speed.updates) == (40, 10)
    assert 2 <= speed.median < 6 and 8 <= speed.p95 < 20 and 50 <= speed.longest < 80
    assert 20 <= speed.start < 40 and 6 <= speed.learning < 15
    # 39 of 2 ms, one of 50, ten times 6 more.
    assert 100 < speed.fps < 40 / (39 * 0.002 + 0.05 + 10 * 0.006)
    assert speed.memory > 50 and speed.operations == 0


def test_the_table_says_how_a_frame_divides():
    speed = replace(measure(frames=6), fps=50.0, stages={'features': 12.0, 'learning': 5.5})
    assert 'features' not in bench.table([replace(speed, stages={})])
    *_, gap, head, _, row = bench.table([speed, replace(speed, stages={})]).splitlines()
    assert gap == ''
    assert dict(zip(head.split('|'), row.split('|'))) == {
        '': '', ' ms a frame ': ' slow ', ' features ': ' 12.0 ', ' learning ': ' 5.5 ',
        ' other ': ' 2.5 ', ' frame ': ' 20.0 ', ' fps ': ' 50.0 '}


@pytest.mark.parametrize('name', REAL)
def test_every_tracker_says_how_its_frame_divides(name):
    """What is in no stage is little: nobody would find the bottleneck there."""
    speed = bench.measure(Contender(name, name, quick(name), Runtime(device='cpu')),
                          SyntheticSequence(5), 5, 0.0, 1)
    assert len(speed.stages) >= 2
    assert sum(speed.stages.values()) > 0.7 * 1e3 / speed.fps


def test_a_camera_is_waited_for():
    begin = time.perf_counter()
    measure(frames=11, rate=50)
    # Ten frames, of which the first is late by itself.
    assert time.perf_counter() - begin > 9 / 50


def test_a_camera_tells_updates_in_the_background_when_frames_are_late(monkeypatch):
    asked = []

    @contextmanager
    def noted(late):
        asked.append(late())
        yield
        asked.append(late())
    monkeypatch.setattr(background, 'updates_in_time', noted)
    measure(frames=3, rate=100)
    # The last frame's time is over by far when the clip ends; the first one's had just begun.
    measure(frames=3)
    assert asked == [False, True, False, False]


def test_operations_and_bytes_are_those_of_the_layers():
    maps, kernel = torch.zeros(1, 3, 10, 12), torch.zeros(5, 3, 3, 3)
    count = counted(lambda: conv2d(maps, kernel))
    assert count.operations == 2 * 5 * 8 * 10 * 27
    assert count.bytes_moved == 4 * (3 * 10 * 12 + 5 * 27 + 5 * 8 * 10)
    assert counted(lambda: maps.view(-1)).bytes_moved == 0


def test_the_slower_ceiling_is_the_floor():
    ceilings = Ceilings(operations=1e9, bytes_moved=1e8)
    assert ceilings.floor(Count(2 * 10 ** 9, 10 ** 7)) == pytest.approx(2)
    assert ceilings.floor(Count(10 ** 6, 10 ** 8)) == pytest.approx(1)


def test_ceilings_are_reached_by_a_product_and_a_copy():
    ceilings = measured_ceilings(CPU, torch.float32)
    assert 1e9 < ceilings.operations < 1e14 and 1e8 < ceilings.bytes_moved < 1e13


def test_the_command_writes_one_row_for_every_tracker(tmp_path, capsys):
    assert main(['bench', '--tracker', 'static', '--tracker', 'static:again', '--peer', 'mil',
                 '--frames', '6', '--threads', '1', '--out', str(tmp_path)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split('|')[1].strip() for line in table[2:]] == ['static', 'again', 'mil']
    assert (tmp_path / 'bench.md').read_text().splitlines() == table
    content = json.loads((tmp_path / 'bench.json').read_text())
    rows = {row['label']: row for row in content['trackers']}
    assert rows['static']['frames'] == 5 and rows['mil']['floor'] is None
    assert rows['mil']['median'] > rows['static']['median'] > 0


def test_trackers_are_measured_on_both_paths_and_in_both_ways_to_learn(monkeypatch, tmp_path):
    seen = []

    def measured(contender, sequence, frames, rate, threads):
        seen.append((contender.label, contender.values.get('feature_path'), frames))
        return bench.Speed(contender.label, contender.tracker, {}, 'a CPU', 1, frames,
                           *(math.nan,) * 7, 0, 0, 1.0, 0.0, {}, *(math.nan,) * 3)

    monkeypatch.setattr(bench, 'measure_apart', measured)
    assert main(['bench', '--crop-frames', '4', '--background', '--frames', '9', '--out',
                 str(tmp_path)]) == 0
    learning = ('cstnet', 'edcf', 'rman', 'tsn')
    assert set(seen) == {*((f'{name} background', None, 9) for name in learning),
                         *((name, None, 9) for name in ('cstnet', 'edcf', 'gstp', 'rman', 'tsn')),
                         *((f'{name} crop', 'crop', 4) for name in ('cstnet', 'rman', 'tsn'))}


@pytest.mark.parametrize('settings, expected', [
    ({}, False), ({'preset': 'robust'}, True),
    ({'preset': 'robust', 'robust_filter': False}, False)])
def test_what_is_put_around_a_tracker_may_learn_where_it_does_not(settings, expected):
    assert registry.learns('gstp', settings) == expected
    assert registry.learns('edcf', settings)


class Event:
    """In place of a GPU's event: recorded when the stream gets there, which takes a second."""

    now = 0.0

    def __init__(self, enable_timing):
        assert enable_timing
        self.waited = False

    def synchronize(self):
        """Remember that somebody waited."""
        self.waited = True

    def elapsed_time(self, end):
        """Return milliseconds, once the later event is over."""
        assert end.waited
        return end.time - self.time


class EventStream:
    """In place of a stream: each event is a second after the one before."""

    def record_event(self, event):
        """Record it."""
        Event.now += 1000.0
        event.time = Event.now
        return event


@pytest.fixture
def fake_events(monkeypatch):
    """Let events be `Event`."""
    monkeypatch.setattr(torch.cuda, 'Event', Event)
    monkeypatch.setattr(torch.cuda, 'current_stream', lambda device: EventStream())


def test_on_a_gpu_times_are_those_of_events(fake_events, monkeypatch):
    monkeypatch.setattr(bench, '_clock', lambda contender: StreamClock(torch.device('cuda:0')))
    speed = measure(frames=6)
    # From the event before to the one after, with that between locate and learn in the middle.
    assert (speed.median, speed.longest, speed.start, speed.learning) == (2000, 2000, 1000, 1000)


def test_stages_inside_of_stages_are_told_apart_by_events(fake_events):
    with StageWatch(StreamClock(torch.device('cuda:0'))) as watch:
        for _ in range(2):
            with stage('whole'):
                with stage('part'):
                    pass
                with stage('part'):
                    pass
    # Five spans of a second between the six events of each round, two of them of the parts.
    assert watch.seconds == {'part': 4.0, 'whole': 6.0}


@pytest.mark.parametrize('device, kind', [('cpu', HostClock), ('cuda:0', StreamClock)])
def test_the_clock_is_that_of_the_device(monkeypatch, device, kind):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    clock = bench._clock(Contender('one', 'edcf', {}, Runtime(device=device)))
    assert clock is kind or isinstance(clock, kind)
    assert bench._clock(Contender('peer', 'kcf', {}, Runtime(device=device))) is HostClock


@pytest.mark.parametrize('wrong', [['--frames', '1'], ['--crop-frames', '1'], ['--rate', '-1']])
def test_nothing_to_measure_is_refused(tmp_path, wrong, capsys):
    assert main(['bench', '--tracker', 'static', '--out', str(tmp_path), *wrong]) == 1
    assert wrong[0] in capsys.readouterr().err


def test_a_larger_synthetic_clip_shows_the_same_target():
    small, large = SyntheticSequence(3), SyntheticSequence(3, scale=2)
    np.testing.assert_allclose(large.boxes, 2 * small.boxes)
    assert next(large.images()).shape == (480, 640, 3)
