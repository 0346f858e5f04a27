"""
torchvision's r3d_18, a residual network over space and time, as it was trained on Kinetics-400.

Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018.
"""
from torch import nn
import torchvision

from tracking_nodes.nn import weights as files
from tracking_nodes.nn.normalisation import Normalisation
from tracking_nodes.nn.plain import he_initialise

_ENUM = 'R3D_18_Weights.KINETICS400_V1'
_STAGES = ('stem', 'layer1', 'layer2', 'layer3', 'layer4')
_HEAD = 'fc.'


class R3d18(nn.Module):
    """
    The stages stem to layer4; of a clip of four frames they leave one map.

    Attributes as those of `c3d.C3d`.
    """

    stride, offset, channels = 16, 0.5, 512

    def __init__(self, preprocessing):
        """
        Make the stages.

        :param preprocessing: a `weights.Preprocessing`.
        """
        super().__init__()
        network = torchvision.models.video.r3d_18(weights=None)
        for name in _STAGES:
            self.add_module(name, getattr(network, name))
        self.preprocessing, self.extra = preprocessing, {}
        self.normalise = Normalisation(preprocessing)

    def forward(self, clip):
        """
        Return the maps of layer4.

        :param clip: (N, 3, 4, H, W) float, BGR, 0..255.
        :return: (N, 512, H / 16, W / 16).
        """
        maps = self.normalise(clip)
        for name in _STAGES:
            maps = getattr(self, name)(maps)
        return maps[:, :, 0]

    def train(self, mode=True):
        """Train all but the batch norms: a clip of one target has no statistics to learn."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eval()
        return self


def load_r3d18(weights='', models='', seed=0):
    """
    Return an r3d_18 on the CPU, frozen.

    :param weights: '' for torchvision's weights of Kinetics-400, 'random' for seeded random
        ones, or a file: a path, or a name searched in `models`, `TRACKING_MODELS` and the package.
    :param models: folder searched first, or ''.
    :param seed: of random weights.
    :raises WeightsError: a file is missing, damaged or of another network.
    """
    if weights == 'random':
        network = R3d18(files.torchvision_preprocessing(_ENUM))
        he_initialise(network, seed)
    else:
        loaded = (files.read_weights(files.find_weights(weights, models),
                                     files.torchvision_preprocessing(_ENUM)) if weights
                  else files.default_weights('r3d_18', models, _ENUM))
        network = R3d18(loaded.preprocessing)
        own = network.state_dict()
        files.fill(own, loaded.tensors, loaded.origin)
        network.extra = {name: tensor for name, tensor in loaded.tensors.items()
                         if name not in own and not name.startswith(_HEAD)}
    return network.eval().requires_grad_(False)
