"""
A stand-in for CUDA graphs on a CPU, one that keeps what a graph keeps.

It records operations with the very tensors and numbers that they took. A recording computes
nothing that lasts, as a capture does; a replay runs the same operations on the same memory, and
none of the Python code that led to them.
"""
from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tracking_nodes.nn import graphs

# Operations that a recording cannot hold: they read back, or their result's shape depends on data.
FORBIDDEN = ('_local_scalar_dense', 'nonzero', 'masked_select', 'unique', 'is_nonzero')
# Those that make a tensor of the host's numbers.
FROM_HOST = ('lift_fresh', 'lift', 'lift_fresh_copy', 'from_file')


def names(seen):
    """Return the names, without overloads, of operations that a `Recorder` has seen."""
    return {name.split('.')[0] for name, _ in seen}


def tensors(values):
    """Return all tensors in nested lists, tuples and mappings."""
    return [each for each in tree_leaves(values) if isinstance(each, torch.Tensor)]


class Recorder(TorchDispatchMode):
    """Remembers every operation, and shape and type of each tensor that it takes."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        self.seen.append((function.__name__, tuple(
            (tuple(each.shape), each.dtype) for each in tensors((args, kwargs)))))
        return function(*args, **kwargs)


class Stream:
    """In place of a CUDA stream."""

    def __init__(self, device):
        self.device = device

    def wait_stream(self, other):
        """Have nothing to wait for."""


class Graph(Recorder):
    """
    In place of a CUDA graph.

    made: all of them. replayed: how often.
    """

    made = []

    def __init__(self):
        super().__init__()
        self.replayed = 0
        self._calls, self._own, self._before = [], set(), {}
        self.made.append(self)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        for each in tensors([value for argument, value in zip(function._schema.arguments, args)
                             if argument.alias_info is not None and argument.alias_info.is_write]):
            if _place(each) not in self._own | self._before.keys():
                self._before[_place(each)] = (each.untyped_storage(),
                                              each.untyped_storage().clone())
        given = {_place(each) for each in tensors((args, kwargs))}
        results = super().__torch_dispatch__(function, types, args, kwargs)
        new = {_place(each) for each in tensors(results)} - given
        self._own |= new
        self._calls.append((function, args, kwargs or {}, results, bool(new)))
        return results

    def __exit__(self, *error):
        super().__exit__(*error)
        # A capture runs nothing.
        for storage, before in self._before.values():
            storage.copy_(before)
        self._before.clear()

    def replay(self):
        """Compute once more, from what is in the same memory now into the same memory."""
        self.replayed += 1
        with torch.no_grad():
            for function, args, kwargs, results, new in self._calls:
                again = function(*args, **kwargs)
                if new:
                    for old, value in zip(tensors(results), tensors(again)):
                        old.copy_(value)


def _place(tensor):
    return tensor.untyped_storage().data_ptr()


def stand_in(monkeypatch):
    """Let recordings go through `Graph`, and return the list of those that are made."""
    @contextmanager
    def entered(stream):
        yield

    @contextmanager
    def recording(graph, stream, capture_error_mode):
        assert capture_error_mode == 'thread_local'
        with graph:
            yield
    # Not by PyTorch's name: a real one would be kept.
    monkeypatch.setattr(graphs, 'recording_stream', Stream)
    monkeypatch.setattr(torch.cuda, 'current_stream', Stream)
    monkeypatch.setattr(torch.cuda, 'stream', entered)
    monkeypatch.setattr(torch.cuda, 'graph', recording)
    monkeypatch.setattr(torch.cuda, 'CUDAGraph', Graph)
    monkeypatch.setattr(Graph, 'made', [])
    return Graph.made
