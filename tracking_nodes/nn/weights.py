"""
Where weights come from: a models directory, the package's own, or torchvision's download.

Every file named in `models/manifest.yaml` is checked against its sha256; other files load too,
with the preprocessing their own metadata states.
"""
from dataclasses import dataclass
import json
import os
from pathlib import Path
import pickle
import re

import safetensors
import safetensors.torch
import torch
import torchvision

from tracking_nodes.errors import WeightsError
from tracking_nodes.nn.caffe import read_caffemodel
from tracking_nodes.nn.loaded import note, sha256
from tracking_nodes.nn.matconvnet import read_matconvnet

import yaml

_CHECKPOINTS = ('.pth', '.pt', '.pickle')


@dataclass(frozen=True)
class Preprocessing:
    """
    What a network expects: (value / scale - mean) / std, channels in `order`.

    order: 'bgr' or 'rgb'. mean, std: one number per channel, in that order. scale: divides
    0..255 values first.
    """

    order: str = 'rgb'
    scale: float = 255.0
    mean: tuple = (0.485, 0.456, 0.406)
    std: tuple = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Weights:
    """
    Tensors by name as the file has them, and how to use them.

    origin: the file or download, for messages. stride_on: which convolution of a ResNet
    bottleneck is strided, 'conv2' (torchvision) or 'conv1' (Keras). bn_eps: epsilon of the
    batch norms, where there are any.
    """

    tensors: dict
    origin: str
    preprocessing: Preprocessing = Preprocessing()
    stride_on: str = 'conv2'
    bn_eps: float = 1e-5


@dataclass(frozen=True)
class ManifestEntry:
    """One file of `models/manifest.yaml`."""

    file: str
    network: str
    sha256: str
    preprocessing: Preprocessing
    source: str
    licence: str
    score: str = ''
    stride_on: str = 'conv2'
    bn_eps: float = 1e-5


def package_models():
    """
    Return the package's own `models` folder, in a source tree or an installation.

    :raises WeightsError: there is none above this file.
    """
    for parent in Path(__file__).resolve().parents:
        for folder in (parent / 'models', parent / 'share' / 'tracking_nodes' / 'models'):
            if (folder / 'manifest.yaml').is_file():
                return folder
    raise WeightsError(f'no models/manifest.yaml above {__file__}; install the package again')


def read_manifest():
    """Return all `ManifestEntry` rows of the package, in the file's order."""
    with open(package_models() / 'manifest.yaml', encoding='utf-8') as stream:
        rows = yaml.safe_load(stream)
    return [ManifestEntry(**{**row, 'preprocessing': _preprocessing(row['preprocessing'])})
            for row in rows]


def directories(models=''):
    """
    Return the folders searched for weights, first match wins.

    :param models: folder to search first, or ''.
    :raises WeightsError: `models` or `TRACKING_MODELS` names a folder that does not exist.
    """
    named = [('parameter models', models),
             ('environment variable TRACKING_MODELS', os.environ.get('TRACKING_MODELS', ''))]
    for origin, folder in named:
        if folder and not Path(folder).is_dir():
            raise WeightsError(f'{origin} = {folder!r} is not a directory')
    return [Path(folder) for _, folder in named if folder] + [package_models()]


def default_weights(network, models='', enum_name=''):
    """
    Return the weights a network is used with when nothing else is asked for.

    :param network: name as in the manifest, such as 'resnet18'.
    :param models: folder to search first, or ''.
    :param enum_name: torchvision's name of the fallback, such as
        'ResNet18_Weights.IMAGENET1K_V1', or ''.
    :raises WeightsError: nothing found, or what was found is damaged.
    """
    folders = directories(models)
    entries = [entry for entry in read_manifest() if entry.network == network]
    for folder in folders:
        for entry in entries:
            if (folder / entry.file).is_file():
                return read_weights(folder / entry.file)
    if enum_name:
        return _from_torchvision(enum_name, folders)
    known = ' and '.join(f'{entry.file} (sha256 {entry.sha256}, from: {entry.source})'
                         for entry in entries)
    raise WeightsError(f'no weights for {network}: {known or "no file in the manifest"}; '
                       f'searched {", ".join(map(str, folders))}')


def torchvision_preprocessing(enum_name):
    """Return the `Preprocessing` that goes with a weights enum of torchvision, by its name."""
    transforms = torchvision.models.get_weight(enum_name).transforms()
    return Preprocessing('rgb', 255.0, tuple(transforms.mean), tuple(transforms.std))


def find_weights(name, models=''):
    """
    Return the path of a weights file.

    :param name: a path, or a file name searched in `directories(models)`.
    :raises WeightsError: there is no such file.
    """
    folders = directories(models)
    for path in [Path(name)] + [folder / name for folder in folders]:
        if path.is_file():
            return path
    entries = [entry for entry in read_manifest() if entry.file == Path(name).name]
    where = f'; it comes from: {entries[0].source}' if entries else ''
    raise WeightsError(f'weights file {name} is neither a path nor in '
                       f'{", ".join(map(str, folders))}{where}')


def read_weights(path, unstated=Preprocessing()):
    """
    Read a file of weights; one in the manifest is verified.

    Known are .safetensors, checkpoints of tensors (.pth, .pt, .pickle), MatConvNet's .mat and
    Caffe's .caffemodel.

    :param path: the file.
    :param unstated: `Preprocessing` of a file that does not state its own.
    :return: `Weights`, tensors in float32.
    :raises WeightsError: damaged, of an unknown kind, or its sha256 is not the manifest's.
    """
    path = Path(path)
    listed = {entry.file: entry for entry in read_manifest()}.get(path.name)
    if listed is not None:
        _verify(path, listed.sha256, listed.source)
    note(path)
    if path.suffix == '.mat':
        tensors, mean = read_matconvnet(path)
        return Weights(tensors, str(path),
                       Preprocessing(order='rgb', scale=1.0, mean=mean, std=(1.0, 1.0, 1.0)))
    if path.suffix == '.safetensors':
        tensors, metadata = _read_safetensors(path)
    elif path.suffix in _CHECKPOINTS:
        tensors, metadata = _read_checkpoint(path), {}
    elif path.suffix == '.caffemodel':
        tensors, metadata = read_caffemodel(path), {}
    else:
        raise WeightsError(f'{path}: unknown kind of weights file; known: .safetensors, '
                           f'{", ".join(_CHECKPOINTS)}, .mat, .caffemodel')
    tensors = {name: tensor.float() for name, tensor in tensors.items()}
    if listed is not None:
        return Weights(tensors, str(path), listed.preprocessing, listed.stride_on, listed.bn_eps)
    stated = json.loads(metadata.get('preprocessing', 'null'))
    return Weights(tensors, str(path),
                   preprocessing=_preprocessing(stated) if stated else unstated,
                   stride_on=metadata.get('stride_on', 'conv2'),
                   bn_eps=float(metadata.get('bn_eps', 1e-5)))


def read_metadata(path):
    """
    Return what a .safetensors file says of itself, strings by name.

    :raises WeightsError: it is no whole file of this kind.
    """
    return _read_safetensors(path)[1]


def fill(parameters, tensors, origin):
    """
    Copy a file's tensors into a network.

    :param parameters: what is filled, tensors by name.
    :param tensors: of the file, by the same names; further ones are left alone.
    :param origin: the file, for messages.
    :raises WeightsError: one is missing or of another shape.
    """
    missing = [name for name in parameters if name not in tensors]
    if missing:
        raise WeightsError(f'{origin} is not of this network: it lacks {", ".join(missing[:5])}')
    for name, parameter in parameters.items():
        if parameter.shape != tensors[name].shape:
            raise WeightsError(f'{origin}: {name} is {tuple(tensors[name].shape)}, '
                               f'expected {tuple(parameter.shape)}')
        with torch.no_grad():
            parameter.copy_(tensors[name])


def _verify(path, expected, source):
    got = sha256(path)
    if not got.startswith(expected):
        raise WeightsError(f'{path} is damaged or another version: sha256 {got}, expected '
                           f'{expected}; get it again from: {source}')


def _read_safetensors(path):
    try:
        with safetensors.safe_open(path, 'pt') as stream:
            return ({name: stream.get_tensor(name) for name in stream.keys()},
                    stream.metadata() or {})
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f'{path} is not a whole safetensors file: {error}; '
                           'copy or download it again') from error


def _read_checkpoint(path):
    try:
        tensors = torch.load(path, map_location='cpu', weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise WeightsError(f'{path} is not a checkpoint of tensors alone: {error}; '
                           'copy or download it again') from error
    if not isinstance(tensors, dict) or not all(map(torch.is_tensor, tensors.values())):
        raise WeightsError(f'{path} holds no plain mapping of names to tensors; '
                           'save the state_dict of the network alone')
    return tensors


def _from_torchvision(enum_name, folders):
    """Load the file of a torchvision enum: already in a models folder, cached, or downloaded."""
    enum = torchvision.models.get_weight(enum_name)
    file = enum.url.rsplit('/', 1)[-1]
    for folder in folders:
        if (folder / file).is_file():
            _verify(folder / file, re.search(r'-([0-9a-f]+)\.', file).group(1), enum.url)
            tensors = _read_checkpoint(folder / file)
            note(folder / file)
            break
    else:
        try:
            tensors = enum.get_state_dict(progress=True, check_hash=True, map_location='cpu',
                                          weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise WeightsError(
                f'{file} is not in {", ".join(map(str, folders))} and torchvision cannot '
                f'load it from its cache {torch.hub.get_dir()} or {enum.url}: {error}; download '
                'it by hand into one of these folders') from error
        note(Path(torch.hub.get_dir()) / 'checkpoints' / file)
    return Weights({name: tensor.float() for name, tensor in tensors.items()}, enum.url,
                   torchvision_preprocessing(enum_name))


def _preprocessing(row):
    return Preprocessing(row['order'], float(row['scale']), tuple(row['mean']),
                         tuple(row['std']))
