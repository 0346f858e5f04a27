"""Train VGG-M conv1-3: `python -m tracking_nodes.training.vggm --data DIR --out FILE`."""
import argparse
import json
from pathlib import Path

import numpy as np
import torch

from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.training import distillation
from tracking_nodes.training.images import training_squares
from tracking_nodes.training.loop import add_options, cosine, run_program, Training

_BATCH = 16
_LEARNING_RATE = 1e-3


def main(arguments=None):
    """Run the command line; `arguments` are those of the process where None."""
    parser = argparse.ArgumentParser(prog='python -m tracking_nodes.training.vggm',
                                     description='Train VGG-M conv1-3 by distillation.')
    parser.add_argument('--data', type=Path, required=True,
                        help='folder with stills/, masked/ and video/')
    add_options(parser, epochs=8)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    VggmTraining(*training_squares(options.data, options.seed), options).run()


class VggmTraining(Training):
    """Squares, the teacher's answers to them, and the student."""

    def __init__(self, seen, held, options):
        """
        Compute the targets and make the student, or take it from the checkpoint.

        :param seen: squares to train on, (N, S, S, 3) uint8.
        :param held: squares to validate on.
        :param options: of the command line.
        """
        self.seen, self.held = seen, held
        teacher = load_backbone('resnet18', models=options.models)
        teacher = teacher.to(memory_format=torch.channels_last)
        self.targets = distillation.teacher_maps(teacher, seen)
        self.held_targets = distillation.teacher_maps(teacher, held)
        spread = self.targets[::7].float().flatten(0, 2).std(dim=0).clamp_min(1e-3)
        backbone = load_backbone('vggm', 'random', seed=options.seed)
        distillation.take_first_filters(backbone, teacher)
        student = distillation.Student(backbone, spread).to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(student.parameters(), lr=_LEARNING_RATE, weight_decay=1e-4)
        super().__init__(options, student, optimiser, len(seen), _BATCH)

    def losses(self, chosen):
        images = distillation.student_input(self.seen[chosen.numpy()])
        raw = self._forward(distillation.disturb(images, self.generator))
        return {'imitation': distillation.imitation_loss(raw, self._targets(self.targets, chosen))}

    def validate(self):
        """Return the loss and the mean explained variance by teacher layer, held-out squares."""
        shares, losses = [], []
        for start in range(0, len(self.held), _BATCH):
            chosen = torch.arange(start, min(start + _BATCH, len(self.held)))
            target = self._targets(self.held_targets, chosen)
            with torch.inference_mode():
                raw = self._forward(distillation.student_input(self.held[chosen.numpy()]))
            losses.append(distillation.imitation_loss(raw, target).item())
            shares.append(distillation.explained(raw, target))
        share = torch.stack(shares).mean(dim=0)
        return {'held_loss': float(np.mean(losses)),
                'explained_layer2': share[:256].mean().item(),
                'explained_layer3': share[256:].mean().item()}

    def finished(self):
        preprocessing = self.network.backbone.preprocessing
        return self.network.finished_tensors(), {
            'preprocessing': json.dumps(vars(preprocessing)),
            'origin': 'tracking_nodes.training.vggm: conv3 imitates layer2 and layer3 of ImageNet '
                      'ResNet-18'}

    def rate(self, done):
        return cosine(_LEARNING_RATE, done)

    def _forward(self, images):
        images = images.to(memory_format=torch.channels_last)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            return self.network(images).float()

    def _targets(self, targets, chosen):
        return targets[chosen].float() / self.network.spread


if __name__ == '__main__':
    run_program(main)
