"""What a frame reads back from the device: all that `locate` needs in one copy, and no more."""
from contextlib import contextmanager
import copy
import sys
import warnings

import numpy as np
import pytest
from small_trackers import clip, make, quick
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from tracking_nodes.nn.device import read_back
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime

GPU = torch.device('cuda:0')
# Operations for which a GPU is waited for; any of a shape that depends on numbers does so.
_WAITING = ('_local_scalar_dense', 'is_nonzero', 'equal', 'nonzero', 'masked_select', 'unique')
# What takes numbers out of a tensor without an operation, on a CPU.
_TAKING = {getattr(torch.Tensor, name): name for name in (
    'cpu', 'numpy', 'tolist', '__array__')}
# What makes a tensor of numbers of the host: on a GPU, a copy that is waited for.
_SENDING = {getattr(torch, name): name for name in ('tensor', 'as_tensor', 'asarray')}
CASES = {
    'edcf': ('edcf', {}),
    'edcf, all scales': ('edcf', {'semantic_scales': True, 'window_weight': 0.1}),
    'edcf, filter alone': ('edcf', {'semantic': False}),
    'rman': ('rman', {}),
    'rman in doubt': ('rman', {'present_threshold': 1.0}),
    'rman, two streams': ('rman', {'temporal': True}),
    'rman without regression': ('rman', {'box_regression': False}),
    'tsn': ('tsn', {'present_threshold': 0.0}),
    'tsn in doubt': ('tsn', {'present_threshold': 1.0}),
    'tsn without temporal': ('tsn', {'temporal_net': False}),
    'tsn without spatial': ('tsn', {'spatial_net': False}),
    'cstnet': ('cstnet', {}),
    'cstnet ref1': ('cstnet', {'refinement': 'ref1'}),
}


class _Operations(TorchDispatchMode):
    """Notes every operation for which a GPU would be waited for."""

    def __init__(self, noted):
        super().__init__()
        self._noted = noted

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.__name__.split('.')[0]
        if name.startswith(_WAITING) or (name.startswith('index') and any(
                each.dtype in (torch.bool, torch.uint8)
                for each in torch.utils._pytree.tree_leaves(args[1:])
                if isinstance(each, torch.Tensor))):
            self._noted.append(name)
        return function(*args, **(kwargs or {}))


class _Calls(TorchFunctionMode):
    """Notes every call that takes numbers out of a tensor, or sends some but by `to_device`."""

    def __init__(self, noted):
        super().__init__()
        self._noted = noted

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = _TAKING.get(function) or _SENDING.get(function)
        if name:
            self._noted.append(name)
        return function(*args, **(kwargs or {}))


@contextmanager
def waits(monkeypatch):
    """Yield a list of what a GPU would be waited for in this context; a read is two entries."""
    noted, from_numpy = [], torch.from_numpy

    def sent(array):
        if sys._getframe(1).f_code.co_name != 'to_device':
            noted.append('from_numpy')
        return from_numpy(array)

    with monkeypatch.context() as patched, _Calls(noted), _Operations(noted):
        patched.setattr(torch, 'from_numpy', sent)
        yield noted


def test_one_read_brings_several_tensors():
    given = (torch.arange(6).view(2, 3), torch.tensor(0.1), torch.zeros(0, 4),
             torch.tensor([1.5], dtype=torch.float64, requires_grad=True))
    found = read_back(*given)
    assert [each.shape for each in found] == [(2, 3), (), (0, 4), (1,)]
    for array, tensor in zip(found, given):
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, tensor.detach().double())


def test_what_is_read_is_a_copy():
    tensor = torch.ones(3, dtype=torch.float64)
    found, = read_back(tensor)
    tensor += 1
    assert found.tolist() == [1, 1, 1]


@pytest.mark.parametrize('wait', [
    lambda row: row.cpu(), lambda row: row.numpy(), lambda row: row.tolist(), np.asarray,
    lambda row: float(row[0]), lambda row: int(row[0]), lambda row: bool(row[0] > 0),
    lambda row: row[row > 0], lambda row: row[row.argmax()], lambda row: row.nonzero(),
    lambda row: row[0].item(), lambda row: torch.equal(row, row), lambda row: max(row),
    lambda row: torch.tensor([1.0]), lambda row: torch.from_numpy(np.zeros(2)),
    lambda row: row.masked_select(row > 0)])
def test_every_way_to_wait_is_noted(wait, monkeypatch):
    with waits(monkeypatch) as noted:
        wait(torch.arange(3.0))
    assert noted


@pytest.mark.parametrize('case', CASES)
def test_a_located_frame_reads_once(case, monkeypatch):
    name, changes = CASES[case]
    images, boxes = clip()
    tracker = make(name, **changes)
    tracker.start(images[0], boxes[0])
    for image in images[1:5]:
        with waits(monkeypatch) as noted:
            location = tracker.locate(image)
        assert noted == ['cpu', 'numpy']
        assert np.isfinite(location.box).all() and isinstance(location.score, float)
        tracker.learn()


def on_a_gpu(tracker, monkeypatch):
    """Return a copy of a started tracker with all its tensors on a GPU that is only thought of."""
    def there(tensor, memo):
        moved = torch.empty(tensor.shape, dtype=tensor.dtype, device=GPU)
        if isinstance(tensor, torch.nn.Parameter):
            moved = torch.nn.Parameter(moved, tensor.requires_grad)
        return memo.setdefault(id(tensor), moved)

    with monkeypatch.context() as patched:
        for kind in (torch.Tensor, torch.nn.Parameter):
            patched.setattr(kind, '__deepcopy__', there)
        patched.setitem(copy._deepcopy_dispatch, torch.device, lambda *arguments: GPU)
        # Of the weights it starts with, on the CPU anywhere.
        patched.setitem(copy._deepcopy_dispatch, torch.Generator, lambda made, memo: made)
        return copy.deepcopy(tracker)


@pytest.mark.parametrize('case', CASES)
def test_everything_up_to_the_read_is_on_the_device(case, monkeypatch):
    """On a GPU without numbers: what mixes devices or asks for a number is an error there."""
    name, changes = CASES[case]
    images, boxes = clip()
    tracker = make(name, precision='float32', **changes)
    # A tensor, as on a GPU: earlier images of a clip are kept as they were.
    tracker.start(torch.from_numpy(images[0].copy()), boxes[0])
    reads = []

    def read(*tensors):
        assert {each.device for each in tensors} == {GPU}
        reads.append(sum(each.numel() for each in tensors))
        return [np.ones(each.shape) for each in tensors]

    def sent(array, device):
        assert device == GPU
        if isinstance(array, torch.Tensor):
            assert array.device == GPU
            return array
        return torch.empty(array.shape, dtype=getattr(torch, array.dtype.name), device=device)

    for module in list(sys.modules.values()):
        if module.__name__.startswith('tracking_nodes'):
            for each, replacement in (('read_back', read), ('to_device', sent)):
                if hasattr(module, each):
                    monkeypatch.setattr(module, each, replacement)
    with FakeTensorMode():
        on_a_gpu(tracker, monkeypatch).locate(images[1])
    assert len(reads) == 1 and reads[0] <= 10


def test_edcf_learns_without_a_read(monkeypatch):
    images, boxes = clip()
    tracker = make('edcf')
    tracker.start(images[0], boxes[0])
    for image in images[1:4]:
        tracker.locate(image)
        with waits(monkeypatch) as noted:
            tracker.learn()
        assert not noted


def test_the_detector_of_the_whole_image_reads_its_candidates_once(monkeypatch):
    images, boxes = clip()
    tracker = make('gstp', motion=False)
    tracker.start(images[0], boxes[0])
    seen = tracker.see(tracker.views(images[1]))[0]
    with waits(monkeypatch) as noted:
        tracker._detector.search(images[1], seen)
    assert noted.count('numpy') == noted.count('cpu') == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU here')
@pytest.mark.parametrize('case', CASES)
def test_a_gpu_is_waited_for_once_a_located_frame(case):
    name, changes = CASES[case]
    images, boxes = clip()
    tracker = registry.create(name, {**quick(name), **changes}, Runtime(device='cuda:0'))
    tracker.start(images[0], boxes[0])
    for number, image in enumerate(images[1:5]):
        torch.cuda.set_sync_debug_mode('warn')
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter('always')
            tracker.locate(image)
        torch.cuda.set_sync_debug_mode('default')
        # The first frame still makes what its kernels need.
        assert number == 0 or len([each for each in noted if 'synchroniz' in str(each)]) == 1
        tracker.learn()
