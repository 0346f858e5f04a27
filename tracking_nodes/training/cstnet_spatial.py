"""
Train CSTNet's spatial stream: `python -m tracking_nodes.training.cstnet_spatial --out FILE ...`.

The backbone, a projection of each of its layers and the two layers behind learn which boxes of a
search region hold the target (eq. 1 to 4), on episodes of sequences and of synthetic clips. The
paper trains by SGD with momentum 0.9, weight decay 0.005, rate 1e-4, 100 epochs and 256
proposals, the defaults here: an episode has 128 in its support and 128 in its query.
"""
import json

import torch
from torch import nn

from tracking_nodes.nn.backbones import load_backbone, names
from tracking_nodes.nn.plain import use_constant_norms
from tracking_nodes.online.features import FeatureSettings, Projection, tap_names
from tracking_nodes.training import episode_training, sources
from tracking_nodes.training.episodes import EpisodeRules
from tracking_nodes.training.loop import cosine, run_program

_MOMENTUM, _WEIGHT_DECAY = 0.9, 0.005
_OPTIMISERS = {
    'sgd': lambda parameters, rate: torch.optim.SGD(
        parameters, rate, momentum=_MOMENTUM, weight_decay=_WEIGHT_DECAY),
    'adamw': lambda parameters, rate: torch.optim.AdamW(
        parameters, rate, weight_decay=_WEIGHT_DECAY),
}
_GRADIENT_NORM = 5.0
_MEASURED_EPISODES = 16     # for principal components and scale


def main(arguments=None):
    """Run the command line; `arguments` are those of the process where None."""
    parser = episode_training.parser_of('cstnet_spatial', "Train CSTNet's spatial stream.", 100)
    parser.add_argument('--backbone', choices=names(), default='vggm')
    parser.add_argument('--start', default='', metavar='FILE',
                        help='weights of the backbone to start from; empty for its usual ones')
    parser.add_argument('--frozen', action='store_true',
                        help='train only what is behind the backbone')
    parser.add_argument('--optimiser', choices=sorted(_OPTIMISERS), default='sgd')
    parser.add_argument('--rate', type=float, default=1e-4, help='of learning, at the start')
    parser.add_argument('--negative-overlap', type=float, default=0.7,
                        help='overlap up to which a box is background; eq. 1 leaves no gap')
    options = sources.parsed(parser, arguments)
    SpatialTraining(options).run()


class SpatialNetwork(episode_training.Embedder):
    """Backbone, projections, head and last layer."""

    def __init__(self, backbone, settings, last, seed, frozen):
        """
        Make what follows the backbone; the projections wait for `fit`.

        :param backbone: a `Backbone`.
        :param settings: the `FeatureSettings` that the tracker will have.
        :param last: a name in `LAST_LAYERS`.
        :param seed: of the head's weights.
        :param frozen: whether the backbone stays as it is.
        """
        channels, taps = settings.feature_channels, tap_names(settings)
        super().__init__(len(taps) * channels * settings.pool_size ** 2, last, seed)
        self.settings, self.taps, self.frozen = settings, taps, frozen
        self.backbone = backbone.requires_grad_(not frozen)
        self.backbone.to(memory_format=torch.channels_last)
        if not frozen:
            use_constant_norms(backbone.stages)
        self.projections = nn.ModuleList(
            nn.Conv2d(backbone.channels[tap], channels, 1) for tap in taps)

    def fit(self, clips):
        """Begin the projections with the principal components over clips (C, 3, 1, S, S)."""
        with torch.no_grad():
            found = Projection.fit([maps.movedim(1, -1).flatten(0, -2)
                                    for maps in self._layers(clips)],
                                   self.settings.feature_channels, self.settings.feature_rms)
            for layer, weight, bias in zip(self.projections, found.weights, found.biases):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)

    def embed(self, clips, corners):
        """Return embeddings (C, N, D) of boxes (C, N, 4) in clips, and the projected maps."""
        maps = self.maps(clips)
        backbone, size = self.backbone, self.settings.pool_size
        pooled = torch.cat([
            self.pool(projected, corners, backbone.stride[tap], backbone.offset[tap], size)
            for tap, projected in zip(self.taps, maps)], dim=1)
        return self.head.embed(pooled.flatten(1)).unflatten(0, corners.shape[:2]), maps

    def maps(self, clips):
        """Return the projected maps of the taps, of clips (C, 3, 1, S, S)."""
        return [projection(layer)
                for projection, layer in zip(self.projections, self._layers(clips))]

    def _layers(self, clips):
        images = clips[:, :, -1].contiguous(memory_format=torch.channels_last)
        with torch.autocast('cpu', dtype=torch.bfloat16), torch.set_grad_enabled(
                torch.is_grad_enabled() and not self.frozen):
            return [maps.float() for maps in self.backbone(images, self.taps)]


class SpatialTraining(episode_training.EpisodeTraining):
    """Network and optimiser by the options of the command line."""

    term = 'spatial'

    def __init__(self, options):
        """Load the backbone and begin; `options` are those of the command line."""
        settings = FeatureSettings(backbone=options.backbone)
        backbone = load_backbone(options.backbone, options.start, options.models,
                                 seed=options.seed)
        network = SpatialNetwork(backbone, settings, options.last, options.seed, options.frozen)
        trained = [one for one in network.parameters() if one.requires_grad]
        rules = EpisodeRules(settings.search_scale, settings.search_size, positive_overlap=0.7,
                             negative_overlap=options.negative_overlap)
        super().__init__(options, network, _OPTIMISERS[options.optimiser](trained, options.rate),
                         rules, frames=1)
        if not options.resume:
            network.fit(self._measured())

    def before_step(self):
        nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT_NORM)

    def finished(self):
        network, settings = self.network, self.network.settings
        tensors = {} if self.options.frozen else network.backbone.file_tensors()
        head = network.head_tensors()
        weight = head['fc4.weight'].clone()
        # Each tap's share of fc4's inputs takes back what scaling its projection changes.
        shares = weight.split(settings.feature_channels * settings.pool_size ** 2, dim=1)
        with torch.inference_mode():
            maps = network.maps(self._measured())
        for tap, layer, projected, share in zip(network.taps, network.projections, maps, shares):
            gain = settings.feature_rms / projected.square().mean().sqrt()
            tensors[f'projection.{tap}.weight'] = gain * layer.weight.detach().flatten(1)
            tensors[f'projection.{tap}.bias'] = gain * layer.bias.detach()
            share /= gain
        return {**tensors, **head, 'fc4.weight': weight}, {
            'origin': 'tracking_nodes.training.cstnet_spatial',
            'preprocessing': json.dumps(vars(network.backbone.preprocessing))}

    def rate(self, done):
        return cosine(self.options.rate, done)

    def _measured(self):
        return torch.cat([self.episodes[number][0]
                          for number in range(_MEASURED_EPISODES)]).float()


if __name__ == '__main__':
    run_program(main)
