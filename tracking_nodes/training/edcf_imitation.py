"""
First stage of EDCF's training: conv5 imitates an ImageNet ResNet-18, cell by cell.

`python -m tracking_nodes.training.edcf_imitation --data DIR --out FILE`. The paper trains on the
two million boxes of ILSVRC VID; where there are far fewer, an encoder that starts from another
network's features needs less of them. conv5's 256 channels have one target each: the 128 of
layer2, and the first 128 principal components of layer3, enlarged to the same cells.
"""
import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.encoder_decoder import DEEP_CELLS, DEEP_CHANNELS, Encoder, PATCH
from tracking_nodes.training.distillation import as_images, disturb
from tracking_nodes.training.images import training_squares
from tracking_nodes.training.loop import add_options, cosine, run_program, Training

_BATCH = 16
_LEARNING_RATE = 2e-3
# conv5's cell 0 has its centre at pixel 41, a cell of layer2 at eight times its number.
_FIRST_CELL = 5
_TEACHER_BATCH = 16


def main(arguments=None):
    """Run the command line; `arguments` are those of the process where None."""
    parser = argparse.ArgumentParser(prog='python -m tracking_nodes.training.edcf_imitation',
                                     description="Train EDCF's encoder to imitate a ResNet-18.")
    parser.add_argument('--data', type=Path, required=True,
                        help='folder with stills/, masked/ and video/')
    parser.add_argument('--width', type=float, default=1.0,
                        help="factor on the channels of conv1 to conv4; 1 is the paper's")
    add_options(parser, epochs=8)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    seen, held = training_squares(options.data, options.seed)
    ImitationTraining(seen, held, options).run()


class Teacher:
    """ResNet-18's layer2 and layer3 as 256 standardised channels on the cells of conv5."""

    def __init__(self, backbone, squares):
        """
        Fit principal components and spread of the channels.

        :param backbone: a ResNet-18 `Backbone`.
        :param squares: (N, 256, 256, 3) uint8, BGR.
        """
        self.backbone = backbone.to(memory_format=torch.channels_last)
        rows = [self._layers(squares[start:start + _TEACHER_BATCH])
                for start in range(0, len(squares), _TEACHER_BATCH)]
        layer3 = torch.cat([rest.flatten(2).transpose(1, 2).flatten(0, 1) for _, rest in rows])
        kept = DEEP_CHANNELS - rows[0][0].shape[1]
        covariance = torch.cov(layer3.T.double())
        self.components = torch.linalg.eigh(covariance)[1][:, -kept:].float()
        maps = torch.cat([self._project(*row) for row in rows])
        self.mean = maps.mean(dim=(0, 2, 3), keepdim=True)
        self.spread = maps.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-3)

    def maps(self, squares):
        """Return the targets of squares, (N, 256, 22, 22) bfloat16."""
        found = []
        for start in tqdm(range(0, len(squares), _TEACHER_BATCH), desc='teacher', unit='batch'):
            maps = self._project(*self._layers(squares[start:start + _TEACHER_BATCH]))
            found.append(((maps - self.mean) / self.spread).bfloat16())
        return torch.cat(found)

    def _layers(self, squares):
        with torch.inference_mode(), torch.autocast('cpu', dtype=torch.bfloat16):
            layer2, layer3 = self.backbone(as_images(squares), ['layer2', 'layer3'])
        layer3 = functional.interpolate(layer3.float(), layer2.shape[2:], mode='bilinear',
                                        align_corners=False)
        cells = slice(_FIRST_CELL, _FIRST_CELL + DEEP_CELLS)
        return layer2.float()[:, :, cells, cells], layer3[:, :, cells, cells]

    def _project(self, layer2, layer3):
        return torch.cat([layer2, torch.einsum('nchw,ck->nkhw', layer3, self.components)], dim=1)


class ImitationTraining(Training):
    """Squares, the teacher's answers to them, and the encoder."""

    def __init__(self, seen, held, options):
        """
        Compute the targets and make the encoder, or take it from the checkpoint.

        :param seen: squares to train on, (N, 256, 256, 3) uint8.
        :param held: squares to validate on.
        :param options: of the command line.
        """
        self.seen, self.held = seen, held
        teacher = Teacher(load_backbone('resnet18', models=options.models), seen[::40])
        self.targets, self.held_targets = teacher.maps(seen), teacher.maps(held)
        torch.manual_seed(options.seed)
        encoder = Encoder(options.width, norms=True).to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(encoder.parameters(), lr=_LEARNING_RATE, weight_decay=1e-4)
        super().__init__(options, encoder, optimiser, len(seen), _BATCH)

    def losses(self, chosen):
        images = disturb(_patches(self.seen[chosen.numpy()]), self.generator)
        return {'imitation': functional.mse_loss(self._forward(images),
                                                 self.targets[chosen].float())}

    def validate(self):
        """Return the loss on the held-out squares, and the share of variance explained."""
        losses = []
        for start in range(0, len(self.held), _BATCH):
            with torch.inference_mode():
                found = self._forward(_patches(self.held[start:start + _BATCH]))
            target = self.held_targets[start:start + _BATCH].float()
            losses.append((found - target).square().mean(dim=(0, 2, 3)))
        # In the targets' units the variance is 1.
        error = torch.stack(losses).mean(dim=0)
        return {'held_loss': error.mean().item(),
                'explained_layer2': 1 - error[:128].mean().item(),
                'explained_layer3': 1 - error[128:].mean().item()}

    def finished(self):
        return self.network.folded(), {
            'origin': 'tracking_nodes.training.edcf_imitation: conv5 imitates layer2 and layer3 '
                      'of ImageNet ResNet-18'}

    def rate(self, done):
        return cosine(_LEARNING_RATE, done)

    def _forward(self, images):
        images = images.to(memory_format=torch.channels_last)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            return self.network(images)[1].float()


def _patches(squares):
    return as_images(np.ascontiguousarray(squares[:, :PATCH, :PATCH]))


if __name__ == '__main__':
    run_program(main)
