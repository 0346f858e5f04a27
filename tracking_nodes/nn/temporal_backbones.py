"""
Networks over the frames of a clip, by name.

Each has `channels`, `stride` and `offset` (where its cells lie in the image, as in
`backbones.Backbone`), `preprocessing` and `extra`, the tensors of its weights file that belong to
what follows; called on clips (N, 3, 4, H, W), BGR 0..255, it returns maps (N, channels, H', W').
"""
from tracking_nodes.errors import SettingError
from tracking_nodes.nn.c3d import load_c3d
from tracking_nodes.nn.r3d import load_r3d18

NAMES = ('c3d', 'r3d_18')


def load_temporal_backbone(name, weights='', models='', seed=0, width=1.0):
    """
    Return a network over clips on the CPU, frozen and in evaluation mode.

    :param name: one of `NAMES`.
    :param weights: '' for the network's usual weights, 'random' for seeded random ones, or a
        file: a path, or a name searched in `models`, `TRACKING_MODELS` and the package.
    :param models: folder searched first, or ''.
    :param seed: of random weights.
    :param width: of a C3D with random weights, as a share of the published channels.
    :raises SettingError: unknown name.
    :raises WeightsError: a file is missing, damaged or of another network.
    """
    if name == 'c3d':
        return load_c3d(weights, models, seed, width)
    if name == 'r3d_18':
        return load_r3d18(weights, models, seed)
    raise SettingError(f'no temporal backbone {name!r}; known: {", ".join(NAMES)}')
