"""
The arithmetic floor: how long what a tracker computes takes at least on this machine.

Operations are those of matrix products and convolutions, as PyTorch's own counter has them; bytes
are what every operation reads and writes, as if nothing stayed in a cache or was fused. Both are
held against ceilings measured on the same device.
"""
from dataclasses import dataclass
import time

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

_SIDE, _COPIED = 2048, 64 << 20     # of the matrices, and elements that are copied
_REPEATS = 5


@dataclass(frozen=True)
class Count:
    """operations: additions and multiplications. bytes_moved: read and written."""

    operations: int
    bytes_moved: int


@dataclass(frozen=True)
class Ceilings:
    """operations: per second. bytes_moved: per second."""

    operations: float
    bytes_moved: float

    def floor(self, count):
        """Return the least seconds that a `Count` takes: the slower of the two decides."""
        return max(count.operations / self.operations, count.bytes_moved / self.bytes_moved)


def counted(call):
    """Return the `Count` of one call of a function."""
    traffic = _Traffic()
    with FlopCounterMode(display=False) as operations, traffic:
        call()
    return Count(operations.get_total_flops(), traffic.bytes_moved)


def measured_ceilings(device, kind):
    """
    Return the `Ceilings` of a device: the fastest of some matrix products and copies.

    :param device: a torch device.
    :param kind: number type of the products, as of `nn.device.convolution_type`.
    """
    matrix = torch.ones(_SIDE, _SIDE, device=device, dtype=kind)
    source = torch.ones(_COPIED, device=device)
    target = torch.empty_like(source)
    product = _fastest(lambda: matrix @ matrix, device)
    copy = _fastest(lambda: target.copy_(source), device)
    return Ceilings(2 * _SIDE ** 3 / product, 2 * source.nbytes / copy)


class _Traffic(TorchDispatchMode):
    """Adds up the bytes of the tensors that operations take and give."""

    def __init__(self):
        super().__init__()
        self.bytes_moved = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        # A view moves nothing.
        if not function.is_view:
            self.bytes_moved += sum(one.nbytes for one in tree_leaves((args, kwargs, result))
                                    if isinstance(one, torch.Tensor))
        return result


def _fastest(call, device):
    seconds = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        call()
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)
