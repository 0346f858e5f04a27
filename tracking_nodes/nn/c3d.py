"""
C3D conv1a to conv5b, the temporal backbone of CSTNet.

Tran et al., "Learning Spatiotemporal Features with 3D Convolutional Networks", ICCV 2015, with the
pooling of CSTNet's Table I: a clip of four frames leaves conv3b as one.
"""
import torch
from torch import nn
from torch.nn import functional

from tracking_nodes.nn import weights as files
from tracking_nodes.nn.normalisation import Normalisation
from tracking_nodes.nn.plain import he_initialise

FRAMES = 4
# Name, channels, and size of the max pooling over (time, height, width) that follows.
LAYERS = (
    ('conv1a', 64, (1, 2, 2)), ('conv2a', 128, (2, 2, 2)),
    ('conv3a', 256, ()), ('conv3b', 256, (2, 2, 2)),
    ('conv4a', 512, ()), ('conv4b', 512, (1, 2, 2)),
    ('conv5a', 512, ()), ('conv5b', 512, ()),
)
# The classifier of Sports-1M that the published files end with.
_HEAD = ('fc6', 'fc7', 'fc8')
# Of the PyTorch file in circulation (github.com/DavideA/c3d-pytorch).
_OTHER_NAMES = {'conv1': 'conv1a', 'conv2': 'conv2a'}
# Frames of Sports-1M as the published network takes them: 0..255, minus the mean picture's mean.
SPORTS_1M = files.Preprocessing('bgr', 1.0, (90.25, 97.66, 101.41), (1.0, 1.0, 1.0))


def channels_of(width):
    """Return the channels of each layer at a share of the published width."""
    return tuple(max(1, round(width * channels)) for _, channels, _ in LAYERS)


class C3d(nn.Module):
    """
    Eight 3x3x3 convolutions with ReLU.

    channels: of the map it gives. stride and offset: where its cells lie in the image, as in
    `nn.backbones.Backbone`. extra: tensors of the weights file that belong to what follows.
    """

    stride, offset = 16, 8.0

    def __init__(self, channels, preprocessing=SPORTS_1M):
        """
        Make the layers.

        :param channels: of the eight layers.
        :param preprocessing: a `weights.Preprocessing`.
        """
        super().__init__()
        before = 3
        for (name, _, _), number in zip(LAYERS, channels):
            self.add_module(name, nn.Conv3d(before, number, 3, padding=1))
            before = number
        self.channels, self.preprocessing, self.extra = before, preprocessing, {}
        self.normalise = Normalisation(preprocessing)

    def forward(self, clip):
        """
        Return the maps of conv5b (eq. 7 of CSTNet, layer by layer).

        :param clip: (N, 3, 4, H, W) float, BGR, 0..255.
        :return: (N, channels, H / 16, W / 16).
        """
        maps = self.normalise(clip)
        frames = maps.shape[2]
        maps = maps.transpose(1, 2).flatten(1, 2).contiguous(memory_format=torch.channels_last)
        for name, _, pool in LAYERS:
            layer = getattr(self, name)
            weight = folded(layer.weight, frames)
            maps = functional.conv2d(maps, weight, layer.bias.repeat(frames), padding=1)
            maps = functional.relu(maps)
            if pool:
                maps = functional.max_pool2d(maps, pool[1:])
                if pool[0] == 2:
                    maps = maps.unflatten(1, (-1, 2, len(layer.bias))).amax(dim=2).flatten(1, 2)
                    frames //= 2
        return maps


def folded(weight, frames):
    """
    Return the 2D kernel that does the same to frames which stand side by side as channels.

    That is exact, on a CPU two to six times as fast as 3D convolution, and its gradients are
    right: oneDNN's of bfloat16 3D convolutions over two frames are not always finite.

    :param weight: (O, I, 3, 3, 3), for a padding of 1 in time.
    :param frames: T.
    :return: (T O, T I, 3, 3): block (t, s) is the tap from frame s to frame t.
    """
    outputs, inputs = weight.shape[:2]
    reach = frames - 1
    taps = functional.pad(weight, (0, 0, 0, 0, reach, reach))
    rows = torch.stack([taps[:, :, frames - t:2 * frames - t] for t in range(frames)])
    return rows.permute(0, 1, 3, 2, 4, 5).reshape(frames * outputs, frames * inputs, 3, 3)


def load_c3d(weights='', models='', seed=0, width=1.0):
    """
    Return a C3D on the CPU, frozen; how wide it is, the weights file says.

    :param weights: '' for the manifest's file, 'random' for seeded random weights, or a file:
        a path, or a name searched in `models`, `TRACKING_MODELS` and the package. Beside files
        of this package, the published weights of Sports-1M load: Caffe's
        `conv3d_deepnetA_sport1m_iter_1900000.caffemodel` (github.com/facebook/C3D) and
        `c3d.pickle` (github.com/DavideA/c3d-pytorch).
    :param models: folder searched first, or ''.
    :param seed: of random weights.
    :param width: of random weights, as a share of the published channels.
    :raises WeightsError: a file is missing, damaged or of another network.
    """
    if weights == 'random':
        network = C3d(channels_of(width))
        he_initialise(network, seed)
    else:
        loaded = (files.read_weights(files.find_weights(weights, models), SPORTS_1M) if weights
                  else files.default_weights('c3d', models))
        network = _filled(loaded)
    return network.eval().requires_grad_(False)


def _filled(loaded):
    tensors = {_own_name(name): tensor for name, tensor in loaded.tensors.items()
               if not name.startswith(_HEAD)}
    # Any width does where a bias is missing: `fill` names it.
    widths = [len(tensors.get(f'{name}.bias', (0,))) for name, _, _ in LAYERS]
    network = C3d(widths, loaded.preprocessing)
    own = network.state_dict()
    files.fill(own, tensors, loaded.origin)
    network.extra = {name: tensor for name, tensor in tensors.items() if name not in own}
    return network


def _own_name(name):
    layer, _, kind = name.rpartition('.')
    return f'{_OTHER_NAMES.get(layer, layer)}.{kind}'
