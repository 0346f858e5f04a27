"""A GPU that is full: how it shows, one more try with what can be freed, and what to set."""
import torch

from tracking_nodes.nn.device import release_memory

# Settings that the memory a tracker needs grows with.
_SIZES = ('search_size', 'detector_longest')


def is_out_of_memory(error):
    """Return whether an exception says that a GPU has no memory left, in any of CUDA's ways."""
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    words = str(error)
    return isinstance(error, RuntimeError) and (
        'CUDA error: out of memory' in words or 'STATUS_ALLOC_FAILED' in words)


def with_room(device, on_full, work, *arguments):
    """
    Call what computes on a GPU, once more after freeing memory where there is too little.

    :param device: a torch device.
    :param on_full: called with the error of the first try.
    :param work: the function; it may have begun when the memory ran out.
    :param arguments: its arguments.
    :return: what it returns.
    :raises Exception: any other error of the first try, and every error of the second.
    """
    try:
        return work(*arguments)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        on_full(error)
    # Outside of the handler: the traceback would keep the tensors of the first try alive.
    release_memory(device)
    return work(*arguments)


def advice(tracker, settings):
    """
    Return in words what leaves more memory.

    :param tracker: its name.
    :param settings: the tracker's settings.
    """
    unused = () if getattr(settings, 'redetection', True) else ('detector_longest',)
    lower = [f'lower {tracker}.{name}' for name in _SIZES
             if hasattr(settings, name) and name not in unused]
    return ', '.join(['the GPU has no memory left: set half', *lower, 'choose another device '
                      'or end what else computes there'])
