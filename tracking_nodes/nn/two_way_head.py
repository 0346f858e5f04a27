"""
The fully connected layers of both streams of CSTNet: two of them, then a 2-way output.

Yao et al., "Robust Online Tracking via Contrastive Spatio-Temporal Aware Network", TIP 2021,
section III. Layers are named fc4 to fc6 as in MDNet (Nam and Han, CVPR 2016).
"""
from torch import nn
import torch.nn.functional as functional

from tracking_nodes.errors import WeightsError


class TwoWayHead(nn.Module):
    """Target or background, from the features of a box."""

    def __init__(self, inputs, hidden, generator):
        """
        Make a head with random weights.

        :param inputs: D, length of a box's features.
        :param hidden: H, units of each fully connected layer.
        :param generator: torch Generator of all initial weights.
        """
        super().__init__()
        self.fc4 = nn.Linear(inputs, hidden)
        self.fc5 = nn.Linear(hidden, hidden)
        self.fc6 = nn.Linear(hidden, 2)
        for layer in (self.fc4, self.fc5, self.fc6):
            bound = layer.in_features ** -0.5
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.zeros_(layer.bias)

    def embed(self, features):
        """Return (N, H), the vectors f of eq. 13, of features (N, D)."""
        return functional.relu(self.fc5(functional.relu(self.fc4(features))))

    def forward(self, features):
        """Return logits (N, 2), background first, of features (N, D)."""
        return self.fc6(self.embed(features))

    def load(self, tensors, origin):
        """
        Take trained fully connected layers; the 2-way layer always starts anew, as in MDNet.

        :param tensors: mapping with `fc4.weight`, `fc4.bias`, `fc5.weight`, `fc5.bias`.
        :param origin: the file, for messages.
        :raises WeightsError: a tensor is missing or has another shape.
        """
        own = {name: value for name, value in self.state_dict().items() if 'fc6' not in name}
        for name, value in own.items():
            if name not in tensors:
                raise WeightsError(f'{origin} has no {name}')
            if tensors[name].shape != value.shape:
                raise WeightsError(
                    f'{origin}: {name} is {tuple(tensors[name].shape)}, but with these settings '
                    f'it has to be {tuple(value.shape)}; leave hidden, pool_size and taps at '
                    'what the file was trained with, or do without the file')
        self.load_state_dict({name: tensors[name] for name in own}, strict=False)
