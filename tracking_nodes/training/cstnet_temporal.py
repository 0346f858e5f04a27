"""
Train CSTNet's temporal stream: `python -m tracking_nodes.training.cstnet_temporal --out FILE ...`.

C3D and the two layers behind it learn which cuboids of a four-frame clip hold the target (eq. 5
to 9), on episodes of sequences and of synthetic clips. The paper starts from weights of
Sports-1M (`--start`) and trains with AdaGrad at 1e-4, the defaults here. Without such weights
`--imitation` lets conv5b learn, beside that, what an ImageNet ResNet-18 sees in the last frame.
"""
import json

import torch
from torch import nn
from torch.nn import functional

from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.c3d import C3d, FRAMES, LAYERS, load_c3d
from tracking_nodes.nn.weights import Preprocessing
from tracking_nodes.online.features import FeatureSettings
from tracking_nodes.online.temporal_stream import TemporalSettings
from tracking_nodes.training import episode_training, sources
from tracking_nodes.training.distillation import explained, imitation_loss
from tracking_nodes.training.episodes import EpisodeRules
from tracking_nodes.training.loop import cosine, run_program

CONTEXT, SIZE = TemporalSettings().temporal_scale, TemporalSettings().temporal_size
_GRADIENT_NORM = 5.0
_MEASURED_EPISODES = 64
# C3D's cell 0 has its centre at pixel 8, the teacher's at 0.5.
_TEACHER_SHIFT = 8


def main(arguments=None):
    """Run the command line; `arguments` are those of the process where None."""
    parser = episode_training.parser_of('cstnet_temporal', "Train CSTNet's temporal stream.", 20)
    parser.add_argument('--start', default='', metavar='FILE',
                        help='weights of C3D to start from, such as those of Sports-1M')
    parser.add_argument('--width', type=float, default=1.0,
                        help="factor on C3D's channels where there is no --start")
    parser.add_argument('--imitation', type=float, default=0.0,
                        help='weight of the imitation of ResNet-18')
    parser.add_argument('--optimiser', choices=('adagrad', 'adamw'), default='adagrad')
    parser.add_argument('--rate', type=float, default=1e-4, help='of learning, at the start')
    options = sources.parsed(parser, arguments)
    TemporalTraining(options).run()


class TemporalNetwork(episode_training.Embedder):
    """C3D, head, last layer, and the linear map that imitates the teacher."""

    def __init__(self, c3d, last, teacher_channels, seed):
        """
        Make what follows C3D.

        :param c3d: a `C3d`; its weights are trained.
        :param last: a name in `LAST_LAYERS`.
        :param teacher_channels: that are imitated; 0 for none.
        :param seed: of the head's weights.
        """
        super().__init__(c3d.channels * FeatureSettings().pool_size ** 2, last, seed)
        self.c3d = c3d.requires_grad_(True)
        if teacher_channels:
            generator = torch.Generator().manual_seed(seed)
            self.imitate = nn.Conv2d(c3d.channels, teacher_channels, 1)
            nn.init.normal_(self.imitate.weight, std=c3d.channels ** -0.5, generator=generator)
            nn.init.zeros_(self.imitate.bias)

    def embed(self, clips, corners):
        """Return embeddings (C, N, D) of boxes (C, N, 4) in clips, and conv5b's maps."""
        maps = self.maps(clips)
        features = self.pooled(maps, corners)
        return self.head.embed(features).unflatten(0, corners.shape[:2]), maps

    def maps(self, clips):
        """Return the maps of conv5b, (C, channels, 14, 14), of clips (C, 3, 4, 224, 224)."""
        with torch.autocast('cpu', dtype=torch.bfloat16):
            return self.c3d(clips.contiguous(memory_format=torch.channels_last_3d)).float()

    def pooled(self, maps, corners):
        """Return the features (C * N, channels * 9) of the boxes, RoIAlign 3x3."""
        return self.pool(maps, corners, self.c3d.stride, self.c3d.offset,
                         FeatureSettings().pool_size).flatten(1)


class TemporalTraining(episode_training.EpisodeTraining):
    """Network and, where it imitates one, its teacher."""

    term = 'temporal'

    def __init__(self, options):
        """Load or make C3D, and begin; `options` are those of the command line."""
        if options.start:
            c3d = load_c3d(options.start, options.models)
        elif options.imitation:
            c3d = _small_values(load_c3d('random', seed=options.seed, width=options.width))
        else:
            c3d = load_c3d('random', seed=options.seed, width=options.width)
        self.teacher = Teacher(options.models) if options.imitation else None
        network = TemporalNetwork(c3d, options.last, self.teacher.channels if self.teacher else 0,
                                  options.seed)
        kinds = {'adagrad': torch.optim.Adagrad, 'adamw': torch.optim.AdamW}
        optimiser = kinds[options.optimiser](network.parameters(), lr=options.rate)
        super().__init__(options, network, optimiser, EpisodeRules(CONTEXT, SIZE), FRAMES)
        if self.teacher:
            self.teacher.measure(self.episodes)

    def further(self, clips, maps):
        if self.teacher is None:
            return {}
        loss = imitation_loss(self.network.imitate(maps), self.teacher(clips))
        return {'imitation': self.options.imitation * loss}

    def before_step(self):
        nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT_NORM)

    def validate(self):
        """Return, beside the judgement of the queries, how well the teacher is imitated."""
        numbers = super().validate()
        if self.teacher and self.held:
            clips = torch.stack([self.held[number][0] for number in range(16)]).flatten(0, 1)
            with torch.inference_mode():
                raw = self.network.imitate(self.network.maps(clips.float()))
                share = explained(raw.movedim(1, -1), self.teacher(clips.float()).movedim(1, -1))
            numbers['explained'] = share.mean().item()
        return numbers

    def finished(self):
        gain = FeatureSettings().feature_rms / self._spread()
        c3d, head = self.network.c3d, self.network.head_tensors()
        # The tracker's classifier learns features of a known scale; fc4 takes the change back.
        head['fc4.weight'] = head['fc4.weight'] / gain
        projection = {'projection.weight': gain * torch.eye(c3d.channels),
                      'projection.bias': torch.zeros(c3d.channels)}
        return {**{name: tensor.detach() for name, tensor in c3d.state_dict().items()},
                **projection, **head}, {
            'origin': 'tracking_nodes.training.cstnet_temporal',
            'preprocessing': json.dumps(vars(c3d.preprocessing))}

    def rate(self, done):
        return cosine(self.options.rate, done)

    def _spread(self):
        """Return the root mean square of the features."""
        with torch.inference_mode():
            clips, corners, _ = (torch.stack(rows).flatten(0, 1) for rows in zip(
                *(self.episodes[number] for number in range(8))))
            features = self.network.pooled(self.network.maps(clips.float()), corners)
        return features.square().mean().sqrt().item()


class Teacher:
    """An ImageNet ResNet-18's layer2 and layer3 of a clip's last frame, on C3D's cells."""

    def __init__(self, models):
        """Load it; `models` is the folder searched first."""
        self.backbone = load_backbone('resnet18', models=models)
        self.backbone.to(memory_format=torch.channels_last)
        self.channels = sum(self.backbone.channels[tap] for tap in ('layer2', 'layer3'))
        self.spread = torch.ones(self.channels)

    def measure(self, episodes):
        """Find the standard deviation of each channel."""
        rows = [self(episodes[number][0].float()).movedim(1, -1).flatten(0, 2)
                for number in range(_MEASURED_EPISODES)]
        self.spread = torch.cat(rows).std(dim=0).clamp_min(1e-3)

    def __call__(self, clips):
        """Return (C, channels, 14, 14) in units of the channels' spread."""
        shift = _TEACHER_SHIFT
        image = functional.pad(clips[:, :, -1, shift:, shift:], (0, shift, 0, shift), 'replicate')
        with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
            layer2, layer3 = self.backbone(image.contiguous(memory_format=torch.channels_last),
                                           ['layer2', 'layer3'])
        maps = torch.cat([functional.avg_pool2d(layer2, 2), layer3], dim=1).float()
        return maps / self.spread[:, None, None]


def _small_values(c3d):
    """Return the same random C3D for inputs of unit spread, which train far faster."""
    fresh = C3d([getattr(c3d, name).out_channels for name, _, _ in LAYERS],
                Preprocessing('rgb', 255.0))
    fresh.load_state_dict(c3d.state_dict())
    return fresh


if __name__ == '__main__':
    run_program(main)
