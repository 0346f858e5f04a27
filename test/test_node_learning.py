"""The node learning in the background: answers that do not wait, what diagnostics say, the end."""
import signal
import threading
import time

from node_harness import Bench, spun_client, start_node, wait
import pytest
from small_trackers import clip, quick

from tracking_nodes.errors import SettingError
from tracking_nodes.nodes.frames import NewestSlot
from tracking_nodes.nodes.parameters import NodeSettings
from tracking_nodes.online import background


def parameters(**changes):
    """Return the parameters of a quick RMAN that starts on the first image of the clip."""
    images, boxes = clip(24)
    values = {**quick('rman'), 'present_threshold': 0.0, **changes}
    return {'tracker': 'rman', 'device': 'cpu', 'init_box': ', '.join(map(str, boxes[0])),
            **{f'rman.{name}': value for name, value in values.items()}}


def ask(bench, number):
    """Send an image of the clip and return the `Answer` to it."""
    images, _ = clip(24)
    stamp = bench.next_stamp()
    bench.client.send(images[number], stamp)
    return bench.answer_to(stamp)


def test_the_background_is_the_default_and_can_be_left():
    assert NodeSettings().learning == 'background'
    with pytest.raises(SettingError, match="learning = 'later' is not one of inline, background"):
        NodeSettings(learning='later')
    with Bench(learning='inline', **parameters(update_every=1)) as bench:
        for number in range(4):
            ask(bench, number)
        _, _, values = bench.diagnosed(lambda *status: status[2].get('model updates') == '3')
        assert values['model updates skipped'] == '0' and values['model update running'] == 'no'
        refused = bench.set_parameters(learning='background')
        assert not refused.successful and 'learning is read when' in refused.reason


def test_answers_keep_coming_while_an_update_runs_and_diagnostics_say_how_old_the_model_is(
        monkeypatch):
    opened, train = threading.Event(), background._train

    def held(*arguments):
        assert opened.wait(20)
        return train(*arguments)
    monkeypatch.setattr(background, '_train', held)
    # The next image comes as soon as one is answered, maybe before it is learned from.
    monkeypatch.setattr(NewestSlot, 'filled', False)
    with Bench(**parameters(update_every=2)) as bench:
        begin = time.monotonic()
        for number in range(12):
            assert ask(bench, number).identity == '1'
        # Frame 2 began an update, 4 to 10 could not; frame 0 gave the box.
        _, _, values = bench.diagnosed(
            lambda *status: status[2].get('model updates skipped') == '4')
        assert values['model updates'] == '0' and values['model update running'] == 'yes'
        first = float(values['model age (s)'])
        assert 0 < first < time.monotonic() - begin
        assert bench.diagnosed(lambda *status: float(status[2]['model age (s)']) > first + 0.2)
        opened.set()
        bench.diagnosed(lambda *status: status[2]['model update running'] == 'no')
        ask(bench, 12)
        _, _, values = bench.diagnosed(lambda *status: status[2]['model updates'] != '0')
        assert values['model updates failed'] == '0' and 'fault: learn_error' not in values


@pytest.mark.parametrize('late, expected', [(False, (9, 0)), (True, (4, 5))])
def test_updates_give_way_where_the_next_image_waits_already(monkeypatch, gate, late, expected):
    monkeypatch.setattr(NewestSlot, 'filled', late)
    with Bench(**parameters(update_every=1)) as bench:
        worker = bench.node._worker
        ask(bench, 0)
        # The warm-up has learned, too.
        gate.began = 0
        for number in range(1, 10):
            ask(bench, number)
            wait(lambda: gate.began + worker.progress.skipped == number)
            wait(lambda: not worker.progress.running)
        assert (gate.began, worker.progress.skipped) == expected


def test_an_error_of_an_update_is_counted_and_the_model_stays(monkeypatch):
    def broken(*arguments):
        raise FloatingPointError('told to fail')
    monkeypatch.setattr(background, '_train', broken)
    with Bench(**parameters(update_every=4)) as bench:
        for number in range(7):
            assert ask(bench, number).identity == '1'
            time.sleep(0.05)
        _, words, values = bench.diagnosed(
            lambda *status: status[2].get('fault: learn_error') == '1')
        assert 'told to fail; the model stays as it was' in words
        assert values['model updates'] == '0' and values['model updates failed'] == '1'


def test_freezing_begins_no_more_updates():
    with Bench(**parameters(update_every=1)) as bench:
        worker = bench.node._worker
        for number in range(4):
            ask(bench, number)
        assert bench.set_learning(False).success
        # The image before this one was learned from; what that began is still taken over.
        ask(bench, 4)
        wait(lambda: not worker.progress.running)
        ask(bench, 5)
        before = worker.progress
        for number in range(6, 9):
            ask(bench, number)
        assert worker.progress == before and before.updates >= 1


@pytest.fixture
def client():
    with spun_client() as node:
        yield node


def test_a_process_deep_in_an_update_answers_every_image_and_ends_within_two_seconds(client):
    images, _ = clip(24)
    values = {**parameters(update_every=1, update_iterations=10000), 'max_age': 0.0,
              'diagnostics_period': 0.1, 'image_qos': 'reliable'}
    arguments = [word for name, value in values.items()
                 for word in ('-p', f'{name}:="{value}"' if isinstance(value, str)
                              else f'{name}:={str(value).lower()}')]
    process = start_node(*arguments)
    try:
        client.meet()
        for number in range(12):
            client.send(images[number], time.time_ns())
            wait(lambda: len(client.answers) == number + 1)
        # Eleven images taught; an update of the warming up may still have been under way.
        wait(lambda: int(client.status()[2].get('model updates skipped', 0)) >= 10)
        values = client.status()[2]
        assert values['model update running'] == 'yes' and values['model updates'] == '0'
        # Ten thousand iterations take many seconds.
        assert float(values['learn p99 (ms)']) < 1000
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0 and time.monotonic() - begin < 2.0
    finally:
        process.kill()
        process.wait()
