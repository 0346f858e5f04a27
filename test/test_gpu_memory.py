"""A GPU without memory left: one more try with what can be freed, then words."""
import gc
import weakref

from diagnostic_msgs.msg import DiagnosticStatus
from hungry_tracker import FULL
from node_harness import Bench, wait
import numpy as np
import pytest
from small_trackers import clip
import torch

from tracking_nodes.nn.device import release_memory, resolve_device
from tracking_nodes.nn.gpu_memory import advice, is_out_of_memory, with_room
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime

BOX = (100, 80, 40, 30)


@pytest.fixture
def bench():
    """Return a function that starts a node with the hungry tracker."""
    def start(active=True, **settings):
        return Bench(active, tracker='hungry', learning='inline',
                     **{f'hungry.{key}': value for key, value in settings.items()})
    return start


def said(bench, times=1):
    """Wait until the diagnostics have counted the fault so often; return their words."""
    level, words, values = bench.diagnosed(
        lambda *status: status[2].get('fault: gpu_memory') == str(times))
    assert level == DiagnosticStatus.ERROR
    return words, values


def test_a_frame_is_tried_once_more_and_answered(bench):
    with bench(full_at=7) as bench:
        before = bench.start(BOX)
        after = bench.ask(7)
        assert (after.identity, after.box[1]) == (before.identity, 7)
        words, values = said(bench)
        assert FULL in words and 'it is tried once more' in words
        assert 'set half, lower hungry.search_size, choose another device' in words
        assert 'dropped: gpu_memory' not in values


def test_a_frame_that_fails_twice_is_dropped_and_counted_and_the_next_is_answered(bench):
    with bench(full_at=7, full_times=2) as bench:
        before = bench.start(BOX)
        bench.send(7)
        wait(lambda: bench.node._health.drops['gpu_memory'] == 1)
        after = bench.ask(8)
        assert (after.identity, after.box[1]) == (before.identity, 8)
        words, values = said(bench, times=2)
        assert 'the frame is not answered; the GPU has no memory left' in words
        assert 'fault: tracker_error' not in values


def test_a_start_is_tried_once_more(bench):
    with bench(full_at=2, full_in='start') as bench:
        bench.ask(1)
        assert bench.set_parameters(init_box='100, 80, 40, 30').successful
        assert bench.ask(2).identity == '1' and bench.ask(3).box[1] == 3


def test_a_start_that_fails_twice_leaves_an_idle_node_that_takes_the_next_target(bench):
    with bench(full_at=2, full_in='start', full_times=2) as bench:
        bench.ask(1)
        assert bench.set_parameters(init_box='100, 80, 40, 30').successful
        bench.send(2)
        wait(lambda: bench.node._health.drops['gpu_memory'] == 1)
        assert bench.ask(3).box is None
        assert bench.start(BOX, 4).identity == '1'


def test_learning_without_memory_costs_no_frame(bench):
    with bench(full_at=7, full_in='learn') as bench:
        bench.start(BOX)
        assert bench.ask(7).box[1] == 7
        words, _ = said(bench)
        assert 'the model may be half updated; the GPU has no memory left' in words
        assert bench.ask(8).box[1] == 8 and not bench.node._health.drops


def test_configuring_without_memory_fails_in_words_and_can_be_repaired(bench):
    with bench(active=False, full_in='warm_up') as bench:
        assert not bench.transition('configure') and bench.lifecycle() == 'unconfigured'
        _, words, _ = bench.diagnosed(lambda level, words, _: FULL in words)
        assert 'lower hungry.search_size, choose another device' in words
        assert 'and configure it again' in words
        assert bench.set_parameters(hungry__full_times=0).successful
        assert bench.transition('configure')


@pytest.mark.parametrize('error, full', [
    (torch.cuda.OutOfMemoryError(FULL), True),
    (RuntimeError('CUDA error: out of memory\nCUDA kernel errors might be'), True),
    (RuntimeError('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`'), True),
    (RuntimeError('shape mismatch'), False), (ValueError('CUDA error: out of memory'), False)])
def test_every_way_in_which_cuda_says_it_is_known(error, full):
    assert is_out_of_memory(error) == full


def test_what_the_first_try_held_is_gone_before_the_second():
    class Block:
        pass

    held = []

    def work():
        if held:
            return held[0]() is None
        block = Block()
        block.itself = block
        held.append(weakref.ref(block))
        raise torch.cuda.OutOfMemoryError(FULL)

    errors = []
    gc.disable()
    try:
        assert with_room(torch.device('cpu'), lambda error: errors.append(str(error)), work)
    finally:
        gc.enable()
    assert errors == [FULL]


def test_other_errors_are_not_tried_again():
    calls = []

    def work():
        calls.append(1)
        raise RuntimeError('shape mismatch')

    with pytest.raises(RuntimeError, match='shape'):
        with_room(torch.device('cpu'), None, work)
    assert len(calls) == 1


@pytest.mark.parametrize('name, settings, named', [
    ('rman', {}, ['rman.search_size']), ('edcf', {}, []),
    ('edcf', {'redetection': True}, ['edcf.detector_longest']),
    ('gstp', {}, ['gstp.detector_longest'])])
def test_advice_names_the_settings_that_the_tracker_uses(name, settings, named):
    words = advice(name, registry.tracker_class(name).settings_class.parse(settings))
    assert [word for word in words.replace(',', '').split() if '.' in word] == named


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU here')
def test_a_tracker_goes_on_after_its_gpu_was_full():
    device = resolve_device('cuda')
    tracker = registry.create('edcf', {'weights': 'random'}, Runtime(device='cuda'))
    images, boxes = clip()
    tracker.start(images[0], boxes[0])
    release_memory(device)
    free = torch.cuda.mem_get_info(device)[0]
    hog = [torch.empty(free - (64 << 20), dtype=torch.uint8, device=device)]
    while True:
        try:
            hog.append(torch.empty(1 << 20, dtype=torch.uint8, device=device))
        except torch.cuda.OutOfMemoryError:
            break
    with pytest.raises(torch.cuda.OutOfMemoryError):
        with_room(device, lambda error: None, tracker.locate, images[1])
    location = with_room(device, lambda error: hog.clear(), tracker.locate, images[1])
    assert np.isfinite(location.box).all()
