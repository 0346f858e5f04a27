"""CUDA graphs: what a GPU computes on tensors of the same shape is recorded once and replayed."""
import threading

import torch

from tracking_nodes.nn.device import recording_stream

# PyTorch asks for some calls before a recording, in which libraries choose their algorithms.
_REHEARSALS = 3
# The frames and what learns beside them record in threads of their own; CUDA lets one at a time.
_recording = threading.Lock()


def replays(device, wanted):
    """
    Return whether what is computed on a device is recorded and replayed.

    :param device: a torch device.
    :param wanted: whether it is asked for; on a CPU it never happens.
    """
    return wanted and device.type == 'cuda'


def graphed(function, device, wanted):
    """
    Return a function that replays another one on a GPU, or that one itself elsewhere.

    It has to launch the same kernels on the same shapes in every call, and to read nothing back.

    :param function: of one tensor to a list of tensors, without gradients.
    :param device: torch device that it computes on.
    :param wanted: whether to replay at all.
    """
    return _Graphed(function, device) if replays(device, wanted) else function


class _Graphed:
    """Recordings of a function, one for each shape that it was called with."""

    def __init__(self, function, device):
        self._function, self._device, self._recorded = function, device, {}

    def __call__(self, given):
        key = given.shape, given.dtype
        if key not in self._recorded:
            held = given.clone()
            self._recorded[key] = held, *record(lambda: self._function(held), self._device)
        held, graph, results = self._recorded[key]
        held.copy_(given)
        graph.replay()
        # The next replay writes over them, and a frame may look twice.
        return [result.clone() for result in results]


def record(function, device, changed=()):
    """
    Record what a function launches, after some calls for nothing.

    :param function: of nothing. It computes on tensors that stay where they are.
    :param device: the GPU.
    :param changed: tensors that it changes in place; they are left as they are.
    :return: the graph, and what the function returned, which every replay computes anew.
    """
    with _recording:
        before = [each.detach().clone() for each in changed]
        here, aside = torch.cuda.current_stream(device), recording_stream(device)
        aside.wait_stream(here)
        try:
            with torch.cuda.stream(aside):
                for _ in range(_REHEARSALS):
                    function()
        finally:
            here.wait_stream(aside)
            for each, value in zip(changed, before):
                each.detach().copy_(value)
        graph = torch.cuda.CUDAGraph()
        # What another thread does meanwhile is none of the recording's business.
        with torch.cuda.graph(graph, stream=aside, capture_error_mode='thread_local'):
            results = function()
    return graph, results
