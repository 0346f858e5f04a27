"""CUDA graphs: what a GPU computes on tensors of the same shape is recorded once and replayed."""
import torch

# PyTorch asks for some calls before a recording, in which libraries choose their algorithms.
_REHEARSALS = 3


def graphed(function, device, wanted):
    """
    Return a function that replays another one on a GPU, or that one itself elsewhere.

    It has to launch the same kernels on the same shapes in every call, and to read nothing back.

    :param function: of one tensor to a list of tensors, without gradients.
    :param device: torch device that it computes on.
    :param wanted: whether to replay at all.
    """
    return _Graphed(function) if wanted and device.type == 'cuda' else function


class _Graphed:
    """Recordings of a function, one for each shape that it was called with."""

    def __init__(self, function):
        self._function, self._recorded = function, {}

    def __call__(self, given):
        key = given.shape, given.dtype
        if key not in self._recorded:
            self._recorded[key] = _record(self._function, given)
        graph, held, results = self._recorded[key]
        held.copy_(given)
        graph.replay()
        # The next replay writes over them, and a frame may look twice.
        return [result.clone() for result in results]


def _record(function, given):
    """Return the graph, the tensor that it reads and those that it writes."""
    held, here, aside = given.clone(), torch.cuda.current_stream(), torch.cuda.Stream()
    aside.wait_stream(here)
    with torch.cuda.stream(aside):
        for _ in range(_REHEARSALS):
            function(held)
    here.wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # What another thread does meanwhile, such as learning, is none of the recording's business.
    with torch.cuda.graph(graph, capture_error_mode='thread_local'):
        results = function(held)
    return graph, held, results
