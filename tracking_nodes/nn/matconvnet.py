"""Convolutions of a MatConvNet model file, such as `imagenet-vgg-m.mat` that MDNet starts from."""
import numpy as np
import scipy.io
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
        content = scipy.io.loadmat(path, squeeze_me=True, struct_as_record=False)
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise WeightsError(f'{path} is not a readable MATLAB file: {error}; download '
                           'imagenet-vgg-m.mat again') from error
    tensors = {}
    for layer in np.atleast_1d(content.get('layers', [])):
        if getattr(layer, 'type', '') != 'conv':
            continue
        if len(np.atleast_1d(getattr(layer, 'weights', []))) != 2:
            raise WeightsError(f'{path}: layer {layer.name} has no pair of weights and biases; '
                               'use a model saved by MatConvNet 1.0-beta17 or later')
        kernel, bias = layer.weights
        kernel = np.asarray(kernel, dtype=np.float32)  # (h, w, in, out)
        kernel = kernel.reshape(kernel.shape + (1,) * (4 - kernel.ndim))
        tensors[f'{layer.name}.weight'] = torch.from_numpy(
            np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        tensors[f'{layer.name}.bias'] = torch.from_numpy(
            np.array(bias, dtype=np.float32).reshape(-1))
    if not tensors:
        raise WeightsError(f'{path} has no convolutions in a cell array "layers"; is it a '
                           'MatConvNet SimpleNN model?')
    return tensors, _mean_colour(content)


def _mean_colour(content):
    holders = (getattr(content.get('meta'), 'normalization', None), content.get('normalization'))
    for normalization in holders:
        average = np.atleast_1d(getattr(normalization, 'averageImage', []))
        if average.size >= 3:
            return tuple(float(value) for value in average.reshape(-1, 3).mean(axis=0))
    return _MDNET_MEAN
