"""The one place where the name of a device becomes a device, and where its memory is read."""
from contextlib import contextmanager
import ctypes
import functools
import gc
import os
import sys
import threading

import cv2
import numpy as np
import torch

from tracking_nodes.errors import DeviceError

# Numbers of the options in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 256 << 20
# Steps of priority: of a core that both want, the other thread gets three times as much.
_WAY = 5

PRECISIONS = ('auto', 'float32', 'bfloat16')


def resolve_device(name):
    """
    Return the torch device of a name; what is asked for is given or refused, never replaced.

    :param name: 'auto' (the first GPU, or the CPU where there is none), 'cpu', 'cuda', 'cuda:N'.
    :raises DeviceError: unknown name, or a GPU that is not there.
    """
    if name == 'auto':
        return torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')
    if name == 'cpu':
        return torch.device('cpu')
    kind, colon, number = name.partition(':')
    if kind != 'cuda' or (colon and not number.isdecimal()):
        raise DeviceError(f'no device {name!r}; use auto, cpu, cuda or cuda:N')
    index = int(number) if number else 0
    if not torch.cuda.is_available():
        raise DeviceError(f'device {name!r} was asked for, but PyTorch {torch.__version__} finds '
                          'no CUDA here; install a driver and a CUDA build of PyTorch, or use '
                          'auto or cpu')
    if index >= torch.cuda.device_count():
        raise DeviceError(f'device {name!r} was asked for, but there are only '
                          f'{torch.cuda.device_count()} GPUs; use cuda:0 to '
                          f'cuda:{torch.cuda.device_count() - 1}')
    return torch.device('cuda', index)


def device_name(name):
    """
    Return the model of the GPU that a name stands for, or '' for the CPU.

    :param name: as of `resolve_device`.
    """
    device = resolve_device(name)
    return torch.cuda.get_device_name(device) if device.type == 'cuda' else ''


def cuda_version():
    """Return the version of CUDA that PyTorch was built for, or None."""
    return torch.version.cuda


def side_stream(device):
    """
    Return a new stream beside the one that a GPU computes on otherwise; None on a CPU.

    :param device: a torch device.
    """
    if device.type != 'cuda':
        return None
    stream = torch.cuda.Stream(device)
    # PyTorch hands out some dozens of them in turn; what is launched here must never be recorded.
    return torch.cuda.Stream(device) if stream == recording_stream(device) else stream


@functools.cache
def recording_stream(device):
    """
    Return the stream of a GPU that CUDA graphs are recorded on, and nothing else happens on.

    :param device: a torch device.
    """
    return torch.cuda.Stream(device)


def to_device(array, device):
    """
    Return an array as a tensor on a device; on a CPU it is the array's own memory.

    A GPU gets it in one copy from pinned memory, and nobody waits for the copy's end but what
    computes with it.

    :param array: a NumPy array; or a tensor, which stays what it is where it is there already.
    :param device: a torch device.
    """
    if isinstance(array, torch.Tensor):
        return array.to(device)
    # PyTorch takes no other memory, such as an image's whose colours were put in another order.
    tensor = torch.from_numpy(np.require(array, requirements=('C', 'W')))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == 'cuda' else tensor


def image_to_device(image, device):
    """
    Return an image where it is to be cut and resized: sent to a GPU as a whole, or as it is.

    :param image: (H, W, 3) uint8, an array or a tensor.
    :param device: a torch device.
    """
    return image if device.type == 'cpu' else to_device(image, device)


def read_back(*tensors):
    """
    Return tensors of one device as NumPy arrays of the same shapes, float64, read in one copy.

    It waits until a GPU has computed all that was asked of it so far: what a frame is to know of
    it is best read in one call.
    """
    packed = torch.cat([each.detach().double().flatten() for each in tensors]).cpu().numpy()
    ends = np.cumsum([each.numel() for each in tensors])[:-1]
    return [part.reshape(each.shape) for part, each in zip(np.split(packed, ends), tensors)]


def computes_in_bfloat16():
    """Return whether the CPU has instructions for bfloat16; elsewhere it only costs time."""
    # Not in every PyTorch, and private: where it is missing, float32 is right anyway.
    supported = getattr(torch.cpu, '_is_avx512_bf16_supported', None)
    return supported is not None and bool(supported())


def convolution_type(device, precision, half):
    """
    Return the number type that frozen convolutions compute in.

    :param device: a torch device.
    :param precision: one of `PRECISIONS`, of a CPU; auto is bfloat16 where the processor
        computes in it, float32 elsewhere.
    :param half: whether a GPU computes in float16; otherwise in float32.
    """
    if device.type == 'cuda':
        return torch.float16 if half else torch.float32
    if precision == 'auto':
        precision = 'bfloat16' if computes_in_bfloat16() else 'float32'
    return getattr(torch, precision)


@contextmanager
def frozen(device, kind):
    """Compute without gradients, and convolutions in a number type, in this context."""
    with torch.no_grad(), torch.autocast(device.type, kind, enabled=kind != torch.float32):
        yield


def threads():
    """Return the number of threads that PyTorch computes with on the CPU."""
    return torch.get_num_threads()


def set_threads(count):
    """
    Let PyTorch and OpenCV compute with so many threads on the CPU, in all of this process.

    :param count: at least 1; 0 leaves both as they are.
    """
    if count:
        torch.set_num_threads(count)
        cv2.setNumThreads(count)


def give_way():
    """
    Let this thread, and those that it starts from now on, have the core when others do not.

    Only Linux knows the priority of a thread; elsewhere it stays.
    """
    if sys.platform == 'linux':
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _WAY)


def keep_freed_memory():
    """
    Let the C library keep up to 256 MB of freed memory in this process.

    Maps of some megabytes are otherwise given back and mapped anew in every frame, and each of
    their pages costs a fault: a tenth to a fifth of EDCF's time on a CPU. Only glibc knows it.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, 'mallopt'):
        library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)


def memory_in_use(device):
    """Return the bytes that tensors hold on a GPU; 0 for the CPU."""
    return torch.cuda.memory_allocated(device) if device.type == 'cuda' else 0


def peak_memory(device):
    """Return the most bytes that tensors held on a GPU so far; 0 for the CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == 'cuda' else 0


def release_memory(device):
    """Give memory that no tensor uses any more back to the GPU."""
    gc.collect()
    if device.type == 'cuda':
        with torch.cuda.device(device):
            torch.cuda.empty_cache()
