"""
Convolutions of a Caffe model file, such as C3D's `conv3d_deepnetA_sport1m_iter_1900000`.

C3D's own Caffe counts the fields of a blob differently from today's: they hold a length beside
height and width (github.com/facebook/C3D, src/caffe/proto/caffe.proto of C3D-v1.0 and v1.1).
"""
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessages
import numpy as np
import torch

from tracking_nodes.errors import WeightsError

_SIZES = ('num', 'channels', 'length', 'height', 'width')


@dataclass(frozen=True)
class Layout:
    """
    Numbers of the few fields needed in one version of caffe.proto.

    layers: of `NetParameter`. name, blobs: of a layer. data: of a blob. sizes: of a blob's
    `_SIZES`, or () where a blob has `shape`, a message of repeated `dim`. shape: its number.
    """

    layers: int
    name: int
    blobs: int
    data: int
    sizes: tuple = ()
    shape: int = 0


C3D_1_0 = Layout(layers=2, name=4, blobs=6, data=6, sizes=(1, 2, 3, 4, 5))
C3D_1_1 = Layout(layers=100, name=1, blobs=7, data=5, shape=7)


def read_caffemodel(path):
    """
    Read the convolutions over time and space of a Caffe model.

    :param path: a .caffemodel file of C3D-v1.0 or C3D-v1.1.
    :return: {'<layer>.weight': (out, in, t, h, w), '<layer>.bias': (out,)} float32 tensors;
        layers of other kinds are left out.
    :raises WeightsError: not such a file, or cut short.
    """
    try:
        content = path.read_bytes()
        layers = next((found for found in (_layers(content, layout)
                                           for layout in (C3D_1_0, C3D_1_1)) if found), [])
    except (DecodeError, OSError) as error:
        raise WeightsError(f'{path} is not a whole Caffe model: {error}; copy or download it '
                           'again') from error
    tensors = {}
    for layer in layers:
        kernel = _array(layer.blobs[0], layer.name, path) if layer.blobs else np.empty(0)
        # In C3D-v1.0 matrices have five sizes as well, their length 1.
        if kernel.ndim == 5 and kernel.shape[2] > 1:
            if len(layer.blobs) != 2:
                raise WeightsError(f'{path}: layer {layer.name} has {len(layer.blobs)} blobs, '
                                   'expected weights and biases')
            bias = _array(layer.blobs[1], layer.name, path).ravel()
            tensors[f'{layer.name}.weight'] = torch.from_numpy(kernel.copy())
            tensors[f'{layer.name}.bias'] = torch.from_numpy(bias.copy())
    if not tensors:
        raise WeightsError(f'{path} has no convolutions over time; is it a model of C3D?')
    return tensors


def _array(blob, layer, path):
    """Return a view of a blob, its sizes of 1 in front kept."""
    shape = tuple(blob.shape.dim) if hasattr(blob, 'shape') else tuple(
        getattr(blob, size) for size in _SIZES)
    values = np.frombuffer(blob.data, '<f4')
    if values.size != np.prod(shape):
        raise WeightsError(f'{path}: layer {layer} has {values.size} values for the shape '
                           f'{shape}; copy or download it again')
    return values.reshape(shape)


def _layers(content, layout):
    """Return the layers of a file, or nothing where it is of another layout."""
    network = GetMessages([_described(layout)])['caffe.NetParameter']()
    network.ParseFromString(content)
    return network.layers


def _described(layout):
    """Return the messages of a layout for the protobuf library."""
    file = FileDescriptorProto(name='caffe.proto', package='caffe')

    def add(message, name, number, kind, of='', repeated=False):
        message.field.add(
            name=name, number=number, type=kind, type_name=f'.caffe.{of}' if of else None,
            label=FieldDescriptorProto.LABEL_REPEATED if repeated
            else FieldDescriptorProto.LABEL_OPTIONAL)

    network, layer, blob, shape = (file.message_type.add(name=name) for name in (
        'NetParameter', 'LayerParameter', 'BlobProto', 'BlobShape'))
    kinds = FieldDescriptorProto
    add(network, 'layers', layout.layers, kinds.TYPE_MESSAGE, 'LayerParameter', repeated=True)
    add(layer, 'name', layout.name, kinds.TYPE_STRING)
    add(layer, 'blobs', layout.blobs, kinds.TYPE_MESSAGE, 'BlobProto', repeated=True)
    # Packed numbers are bytes on the wire, and as such they need not be taken one by one.
    add(blob, 'data', layout.data, kinds.TYPE_BYTES)
    for name, number in zip(_SIZES, layout.sizes):
        add(blob, name, number, kinds.TYPE_INT32)
    if layout.shape:
        add(blob, 'shape', layout.shape, kinds.TYPE_MESSAGE, 'BlobShape')
    add(shape, 'dim', 1, kinds.TYPE_INT64, repeated=True)
    return file
