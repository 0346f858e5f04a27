"""Device names: what is asked for is given or refused, never replaced."""
import itertools

import numpy as np
import pytest
import torch

from tracking_nodes.errors import DeviceError
from tracking_nodes.nn import device as device_module
from tracking_nodes.nn.device import (
    image_to_device, memory_in_use, release_memory, resolve_device, side_stream, to_device)


def test_cpu_is_the_cpu():
    assert resolve_device('cpu') == torch.device('cpu')
    assert memory_in_use(resolve_device('cpu')) == 0
    release_memory(resolve_device('cpu'))


@pytest.mark.parametrize('present, expected', [(True, 'cuda:0'), (False, 'cpu')])
def test_auto_takes_a_gpu_where_there_is_one(monkeypatch, present, expected):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: present)
    assert resolve_device('auto') == torch.device(expected)


@pytest.mark.parametrize('name', ['cuda', 'cuda:0'])
def test_cuda_without_cuda_is_an_error(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(DeviceError, match=f'{name}.*no CUDA'):
        resolve_device(name)


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    assert resolve_device('cuda') == torch.device('cuda', 0)
    assert resolve_device('cuda:1') == torch.device('cuda', 1)
    with pytest.raises(DeviceError, match='only 2 GPUs'):
        resolve_device('cuda:2')


@pytest.mark.parametrize('name', ['gpu', 'cuda:', 'cuda:x', 'cuda:-1', '', 'mps'])
def test_an_unknown_name_is_an_error_that_names_the_known(name):
    with pytest.raises(DeviceError, match='auto, cpu, cuda'):
        resolve_device(name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU here')
def test_memory_of_a_gpu_is_counted_and_given_back():
    device = resolve_device('cuda')
    before = memory_in_use(device)
    block = torch.empty(2 ** 20, device=device)
    assert memory_in_use(device) == before + 4 * 2 ** 20
    del block
    release_memory(device)
    assert memory_in_use(device) == before


def test_no_update_computes_on_the_stream_of_recordings(monkeypatch):
    in_turn = itertools.cycle(range(4))
    monkeypatch.setattr(torch.cuda, 'Stream', lambda device: next(in_turn))
    monkeypatch.setattr(device_module, 'recording_stream', lambda device: 2)
    assert [side_stream(torch.device('cuda', 0)) for _ in range(6)] == [0, 1, 3, 0, 1, 3]


def test_on_a_cpu_an_array_is_not_copied():
    array = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    tensor = to_device(array, torch.device('cpu'))
    assert np.shares_memory(tensor.numpy(), array) and tensor.dtype == torch.uint8


def test_what_is_there_already_is_not_copied():
    tensor = torch.zeros(4, 5, 3, dtype=torch.uint8)
    assert to_device(tensor, torch.device('cpu')) is tensor
    image = tensor.numpy()
    for each in (tensor, image):
        assert image_to_device(each, torch.device('cpu')) is each


@pytest.mark.parametrize('changed', [
    lambda image: image[..., ::-1], lambda image: image[::-1], lambda image: image[:, 2:5],
    lambda image: image.transpose(1, 0, 2)])
def test_arrays_of_any_order_and_of_nobody_to_write_are_sent_as_they_look(changed, recwarn):
    image = changed(np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8))
    for writable in (True, False):
        image.setflags(write=writable)
        sent = to_device(image, torch.device('cpu'))
        np.testing.assert_array_equal(sent.numpy(), image)
    assert not recwarn.list


class Recorded:
    """In place of a tensor: remembers what becomes of it."""

    def __init__(self):
        self.calls = []

    def pin_memory(self):
        self.calls.append('pin')
        return self

    def to(self, device, **options):
        self.calls.append((str(device), options))
        return self


def test_a_gpu_gets_one_copy_that_nobody_waits_for(monkeypatch):
    for send in (to_device, image_to_device):
        recorded = Recorded()
        monkeypatch.setattr(torch, 'from_numpy', lambda array: recorded)
        assert send(np.zeros((4, 5, 3), np.uint8), torch.device('cuda:1')) is recorded
        assert recorded.calls == ['pin', ('cuda:1', {'non_blocking': True})]


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU here')
def test_what_arrives_on_a_gpu_is_what_was_sent():
    device = torch.device('cuda:0')
    for seed in range(20):
        array = np.random.default_rng(seed).integers(0, 256, (1, 288, 288, 3), np.uint8)
        sent = to_device(array, device)
        # The copy is from memory of its own: the caller's may change at once.
        expected = array.copy()
        array[:] = 0
        np.testing.assert_array_equal(sent.cpu().numpy(), expected)
