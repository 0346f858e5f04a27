"""What offline training knows of the spatial stream of CSTNet, as its weights file has it."""
from dataclasses import dataclass, field

from tracking_nodes.errors import WeightsError
from tracking_nodes.nn import weights as files
from tracking_nodes.online.features import Projection


@dataclass(frozen=True)
class SpatialWeights:
    """
    The parts of a file.

    origin: path of the file. has_backbone: whether it has the backbone's layers, fine-tuned.
    projection: a `Projection`, or None. head: tensors `fc4.*` and `fc5.*`, or none.
    """

    origin: str = ''
    has_backbone: bool = False
    projection: Projection | None = None
    head: dict = field(default_factory=dict)


def load_spatial_weights(name, backbone, taps, models=''):
    """
    Return the weights trained offline, or empty ones where there are none to be used.

    :param name: '' for those of the manifest, where it has some for this backbone, 'none', or a
        file: a path, or a name searched in `models`, `TRACKING_MODELS` and the package.
    :param backbone: name of the backbone.
    :param taps: its layers that are used.
    :param models: folder searched first, or ''.
    :raises WeightsError: the file is missing, damaged or was trained with other layers.
    """
    network = f'cstnet_spatial_{backbone}'
    if name == 'none' or (not name and all(entry.network != network
                                           for entry in files.read_manifest())):
        return SpatialWeights()
    loaded = (files.read_weights(files.find_weights(name, models)) if name
              else files.default_weights(network, models))
    tensors = loaded.tensors
    head = {key: tensor for key, tensor in tensors.items() if key.startswith(('fc4.', 'fc5.'))}
    trained = [key for key in tensors if key.startswith('projection.')]
    projection = None
    if trained:
        expected = [f'projection.{tap}.{kind}' for tap in taps for kind in ('weight', 'bias')]
        if sorted(trained) != sorted(expected):
            raise WeightsError(f'{loaded.origin} has {", ".join(sorted(trained))}; with these '
                               f'taps it has to have {", ".join(expected)}')
        projection = Projection([tensors[key][:, :, None, None] for key in expected[::2]],
                                [tensors[key] for key in expected[1::2]])
    return SpatialWeights(loaded.origin, len(tensors) > len(head) + len(trained), projection,
                          head)
