"""What the training of CSTNet's two streams shares: its episodes, their terms, its validation."""
import numpy as np
import torch

from tracking_nodes.nn.two_way_head import TwoWayHead
from tracking_nodes.online.features import pool_boxes
from tracking_nodes.training import sources
from tracking_nodes.training.distillation import disturb
from tracking_nodes.training.episodes import ClipShots, Episodes, SequenceShots
from tracking_nodes.training.last_layers import cross_entropy, LAST_LAYERS, ranking
from tracking_nodes.training.loop import Training

HIDDEN = 512            # units of each fully connected layer
_HELD_EPISODES = 96     # that are validated on


def parser_of(name, description, epochs):
    """Return the parser of a training command with the options that both streams have."""
    parser = sources.parser_of(name, description, 'episodes', count=2000, batch=4, frames=200,
                               epochs=epochs)
    parser.add_argument('--last', choices=sorted(LAST_LAYERS), default='ridge',
                        help="last layer: solved on each episode's support, or one for all")
    return parser


class EpisodeTraining(Training):
    """
    A network that embeds boxes of clips, and the last layer that tells targets by it.

    The network has `embed(clips, corners)`, which returns embeddings (C, N, D) of boxes
    (C, N, 4) in clips (C, 3, F, S, S), and the maps they were pooled from.
    """

    term = 'classification'

    def __init__(self, options, network, optimiser, rules, frames):
        """
        Read the sources and begin.

        :param options: those of `parser_of`.
        :param network: a module with `embed` and `last`.
        :param optimiser: of its parameters.
        :param rules: `EpisodeRules`.
        :param frames: of a shot.
        """
        seen, held = sources.sequences_of(options)

        def shots(sequences):
            return SequenceShots(sequences, frames, options.frames)

        self.episodes = Episodes(*sources.sources_of(
            options, seen, shots, lambda stills: ClipShots(stills, frames)), rules, options.seed)
        self.held = (Episodes([shots(held)], [1.0], rules, options.seed) if len(held) > 1
                     else None)
        super().__init__(options, network, optimiser, options.examples, options.batch)

    def batches(self, order):
        numbers = order[:self.steps * self.batch] + self.epoch * self.examples
        return self.episodes.loader(numbers, self.batch, self.options.workers)

    def losses(self, batch):
        clips, corners, labels = batch
        logits, maps, clips = self._judge(disturbed(clips, self.generator), corners, labels)
        return {self.term: cross_entropy(logits, labels[:, 1]), **self.further(clips, maps)}

    def further(self, clips, maps):
        """
        Return more terms of the loss by name.

        :param clips: (C, 3, F, S, S).
        :param maps: as returned by the network's `embed`.
        """
        return {}

    def validate(self):
        """Return loss and area under the ROC curve on episodes of the held-out sequences."""
        if self.held is None:
            return {}
        losses, areas = [], []
        loader = self.held.loader(torch.arange(min(_HELD_EPISODES, self.examples)), self.batch)
        with torch.inference_mode():
            for clips, corners, labels in loader:
                logits, _, _ = self._judge(clips.float(), corners, labels)
                losses.append(cross_entropy(logits, labels[:, 1]).item())
                areas.append(ranking(logits, labels[:, 1]))
        return {'held_loss': float(np.mean(losses)), 'held_auc': float(np.mean(areas))}

    def _judge(self, clips, corners, labels):
        """Return the query's logits (E, M), the maps and clips of support and query in one."""
        clips = clips.flatten(0, 1)
        embeddings, maps = self.network.embed(clips, corners.flatten(0, 1))
        support, query = embeddings.unflatten(0, (-1, 2)).unbind(dim=1)
        return self.network.last(support, labels[:, 0], query), maps, clips


class Embedder(torch.nn.Module):
    """Base of the networks in training: the two layers of a `TwoWayHead` and a last layer."""

    def __init__(self, inputs, last, seed):
        """
        Make head and last layer.

        :param inputs: features of a box.
        :param last: a name in `LAST_LAYERS`.
        :param seed: of the head's weights.
        """
        super().__init__()
        self.head = TwoWayHead(inputs, HIDDEN, torch.Generator().manual_seed(seed))
        self.last = LAST_LAYERS[last](self.head.fc5.out_features)

    @staticmethod
    def pool(maps, corners, stride, offset, size):
        """Return (C * N, channels, size, size) of boxes (C, N, 4), by `features.pool_boxes`."""
        return torch.cat([pool_boxes(one[None], boxes, stride, offset, size)
                          for one, boxes in zip(maps, corners)])

    def head_tensors(self):
        """Return the tensors of the head's two layers by the names trackers read."""
        return {name: tensor.detach() for name, tensor in self.head.state_dict().items()
                if name.startswith(('fc4.', 'fc5.'))}


def disturbed(clips, generator):
    """
    Return clips changed in colour, brightness and sharpness, each by its own draw.

    :param clips: (E, 2, 3, F, S, S) uint8; support and query are changed apart.
    """
    rows = clips.flatten(0, 1).flatten(2, 3).float()
    return disturb(rows, generator).view(clips.shape)
