"""Convolutions of a MatConvNet model file, such as `imagenet-vgg-m.mat` that MDNet starts from."""
import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError
import torch

from tracking_nodes.errors import WeightsError

_MDNET_MEAN = (128.0, 128.0, 128.0)


def read_matconvnet(path):
    """
    Read the convolutions of a MatConvNet SimpleNN model.

    :param path: a .mat file with a cell array `layers` of structs.
    :return: ({'<layer>.weight': (out, in, h, w), '<layer>.bias': (out,)} float32 tensors, mean
        of the images the network was trained on, RGB 0..255: the file's averageImage, or 128 as
        MDNet subtracts where there is none).
    :raises WeightsError: not such a file.
    """
    try:
        content = scipy.io.loadmat(path, struct_as_record=False)
    except (MatReadError, OSError, ValueError, TypeError, NotImplementedError) as error:
        raise WeightsError(f'{path} is not a readable MATLAB file: {error}; download '
                           'imagenet-vgg-m.mat again') from error
    tensors = {}
    for layer in map(_only, np.ravel(content.get('layers', []))):
        if _only(getattr(layer, 'type', '')) != 'conv':
            continue
        name, parts = _only(layer.name), np.ravel(getattr(layer, 'weights', []))
        if len(parts) != 2:
            raise WeightsError(f'{path}: layer {name} has no pair of weights and biases; '
                               'use a model saved by MatConvNet 1.0-beta17 or later')
        # MATLAB drops trailing dimensions of one: (h, w, in, out), or less.
        kernel = parts[0].reshape(parts[0].shape + (1,) * (4 - parts[0].ndim))
        kernel = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), dtype=np.float32)
        tensors[f'{name}.weight'] = torch.from_numpy(kernel)
        tensors[f'{name}.bias'] = torch.from_numpy(parts[1].astype(np.float32).ravel())
    if not tensors:
        raise WeightsError(f'{path} has no convolutions in a cell array "layers"; is it a '
                           'MatConvNet SimpleNN model?')
    return tensors, _mean_colour(content)


def _mean_colour(content):
    """Return the average colour; older files have `normalization` outside of `meta`."""
    meta = _only(content.get('meta', ''))
    for holder in (getattr(meta, 'normalization', ''), content.get('normalization', '')):
        average = getattr(_only(holder), 'averageImage', np.empty(0))
        if average.size >= 3:
            return tuple(float(value) for value in average.reshape(-1, 3).mean(axis=0))
    return _MDNET_MEAN


def _only(value):
    """Return what MATLAB wraps into a 1x1 array."""
    return np.ravel(value)[0] if np.size(value) else ''
