"""
EDCF's networks: an AlexNet without padding that encodes a patch, and the decoder used in training.

Two representations of a 255x255 patch come out of the encoder (Wang et al., IJCAI 2018, section
4.1): 125x125x8 fine-grained cells before any pooling, and 22x22x256 semantic cells of conv5.
conv1 is padded by two pixels, which SiamFC's is not: only then are there 125 cells of conv1, and
there still are 22 of conv5.
"""
import torch
from torch import nn
from torch.nn import functional

from tracking_nodes.errors import WeightsError
from tracking_nodes.nn.weights import default_weights, find_weights, read_weights

NETWORK = 'edcf'
PATCH = 255          # pixels per side of a patch
FINE_CELLS, FINE_STRIDE, FINE_CHANNELS = 125, 2, 8
DEEP_CELLS, DEEP_STRIDE, DEEP_CHANNELS = 22, 8, 256
_MEAN, _SPREAD = 118.0, 60.0
# Channels, size, stride, padding and groups of the convolutions, as in Krizhevsky et al. 2012.
_LAYERS = {'conv1': (96, 11, 2, 2, 1), 'conv2': (256, 5, 1, 0, 2), 'conv3': (384, 3, 1, 0, 1),
           'conv4': (384, 3, 1, 0, 2), 'conv5': (DEEP_CHANNELS, 3, 1, 0, 2)}
# Channels, size, stride and padding that undo conv5 .. conv1 and the two poolings.
_DECODER = ((128, 3, 1, 0), (96, 3, 1, 0), (64, 3, 1, 0), (48, 4, 2, 0), (32, 5, 1, 0),
            (16, 3, 2, 0), (3, 11, 2, 2))


class Encoder(nn.Module):
    """The encoder; batch norms are there in training only and folded into the saved weights."""

    def __init__(self, width=1.0, norms=False, has_deep=True):
        """
        Make the layers, PyTorch's default initialisation.

        :param width: factor on the channels of conv1 to conv4; 1 is the paper's.
        :param norms: whether conv1 to conv4 are followed by batch norms.
        :param has_deep: whether there are conv2 to conv5; CACFNet has conv1 alone.
        """
        super().__init__()
        self.has_deep, channels = has_deep, 3
        self.layers = list(_LAYERS) if has_deep else ['conv1']
        for name in self.layers:
            out, size, stride, padding, groups = _LAYERS[name]
            out = out if name == 'conv5' else int(out * width)
            self.add_module(name, nn.Conv2d(channels, out, size, stride, padding, groups=groups))
            if name != 'conv5':
                self.add_module(f'norm{name[-1]}',
                                nn.BatchNorm2d(out) if norms else nn.Identity())
            channels = out
        self.fine = nn.Conv2d(self.conv1.out_channels, FINE_CHANNELS, 3, padding=1)
        # The semantic correlation is the logit of eq. 4 times a factor and plus an offset.
        self.factor = nn.Parameter(torch.tensor(10.0))
        self.offset = nn.Parameter(torch.tensor(-3.0))

    def first(self, patches):
        """
        Return conv1's maps, what both representations are made of.

        :param patches: (N, 3, S, S), BGR, 0..255.
        :return: (N, C, S', S'); S = 255 gives 125 cells, four pixels more give two cells more.
        """
        return functional.relu(self.norm1(self.conv1(normalised(patches))), inplace=True)

    def deep(self, first):
        """Return the semantic maps of conv1's maps; 125 cells become (N, 256, 22, 22)."""
        maps = functional.max_pool2d(first, 3, 2)
        maps = functional.relu(self.norm2(self.conv2(maps)), inplace=True)
        maps = functional.max_pool2d(maps, 3, 2)
        maps = functional.relu(self.norm3(self.conv3(maps)), inplace=True)
        maps = functional.relu(self.norm4(self.conv4(maps)), inplace=True)
        return self.conv5(maps)

    def forward(self, patches):
        """Return the fine-grained (N, 8, 125, 125) and the semantic maps of 255x255 patches."""
        first = self.first(patches)
        return self.fine(first), self.deep(first)

    def logits(self, correlation):
        """Return eq. 3's correlation as logits of eq. 4."""
        return correlation * self.factor + self.offset

    def folded(self):
        """Return the weights by name without batch norms: float32, detached, contiguous."""
        tensors = {name: getattr(self, name).detach().clone() for name in ('factor', 'offset')}
        for name in (*self.layers, 'fine'):
            conv, norm = getattr(self, name), getattr(self, f'norm{name[-1]}', None)
            weight, bias = conv.weight.detach(), conv.bias.detach()
            if isinstance(norm, nn.BatchNorm2d):
                factor = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
                weight = weight * factor[:, None, None, None]
                bias = (bias - norm.running_mean) * factor + norm.bias.detach()
            tensors[f'{name}.weight'] = weight.contiguous().clone()
            tensors[f'{name}.bias'] = bias.clone()
        return tensors


class DcfNet(nn.Module):
    """
    DCFNet's two convolutions in place of the fine-grained branch (Wang et al., arXiv:1704.04057).

    It sees patches at half the resolution, so that its cells are those of `Encoder.fine`.
    """

    has_deep = False

    def __init__(self):
        super().__init__()
        self.feature = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1))
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1)
        self.register_buffer('mean', torch.tensor([104.0, 117.0, 123.0])[:, None, None],
                             persistent=False)

    def first(self, patches):
        """Return patches (N, 3, S, S), BGR, 0..255, about zero on (S - 5) / 2 cells a side."""
        return functional.avg_pool2d(patches[:, :, 2:-3, 2:-3] - self.mean, 2)

    def fine(self, first):
        """Return 32 channels on the same cells, float32: the norm knows no bfloat16."""
        return self.norm(self.feature(first).float())


class Decoder(nn.Sequential):
    """Seven deconvolutions from conv5's cells back to the normalised patch (section 3.1)."""

    def __init__(self):
        layers, channels = [], DEEP_CHANNELS
        for out, size, stride, padding in _DECODER:
            layers.append(nn.ConvTranspose2d(channels, out, size, stride, padding))
            if out != 3:
                layers += [nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
        super().__init__(*layers)


def normalised(patches):
    """Return patches of 0..255 about zero and of about unit spread, the decoder's target."""
    return (patches - _MEAN) / _SPREAD


def load_encoder(weights='', models='', seed=0):
    """
    Return an encoder for tracking: no gradients, no batch norms, as wide as its file.

    :param weights: file, '' for the shipped one, 'random' for none (the paper's width).
    :param models: folder searched first for weights.
    :param seed: of random weights.
    :raises WeightsError: no such file, or not of this network.
    """
    if weights == 'random':
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Encoder().requires_grad_(False).eval()
    found = read_weights(find_weights(weights, models)) if weights else default_weights(
        NETWORK, models)
    try:
        if 'feature.0.weight' in found.tensors:
            encoder = DcfNet()
        else:
            encoder = Encoder(len(found.tensors['conv1.bias']) / _LAYERS['conv1'][0],
                              has_deep='conv2.weight' in found.tensors)
        encoder.load_state_dict(found.tensors)
    except (KeyError, RuntimeError) as error:
        raise WeightsError(f'{found.origin} does not hold the encoder of EDCF: {error}'
                           ) from error
    return encoder.requires_grad_(False).eval()
