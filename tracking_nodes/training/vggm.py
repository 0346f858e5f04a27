"""
Train VGG-M conv1-3: `python -m tracking_nodes.training.vggm --data DIR --out FILE`.

Beside FILE (.safetensors, half precision) lie FILE's `.jsonl` log, one line per epoch, and a
`.checkpoint.pt` from which `--resume` goes on.
"""
import argparse
import json
import math
from pathlib import Path
import time

import numpy as np
import safetensors.torch
import torch
from tqdm import tqdm

from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.weights import sha256
from tracking_nodes.training import distillation
from tracking_nodes.training.images import training_squares

_BATCH = 16
_LEARNING_RATE = 1e-3
_WARM_UP_STEPS = 200


def main(arguments=None):
    """Run the command line; `arguments` are those of the process where None."""
    parser = argparse.ArgumentParser(prog='python -m tracking_nodes.training.vggm',
                                     description='Train VGG-M conv1-3 by distillation.')
    parser.add_argument('--data', type=Path, required=True,
                        help='folder with stills/, masked/ and video/')
    parser.add_argument('--out', type=Path, required=True, help='.safetensors file to write')
    parser.add_argument('--models', default='', help='folder with the ResNet-18 weights')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--epochs', type=int, default=8, help='length of the cosine schedule')
    parser.add_argument('--minutes', type=float, default=math.inf,
                        help='stop after the epoch in which this time is over; go on by --resume')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--resume', action='store_true', help='go on from the checkpoint')
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    seen, held = training_squares(options.data, options.seed)
    run = Training(seen, held, options)
    started = time.monotonic()
    while run.epoch < options.epochs:
        run.train_epoch()
        run.save()
        if time.monotonic() - started > 60 * options.minutes:
            break
    left = options.epochs - run.epoch
    print(f'{options.out}: sha256 {sha256(options.out)}' if left == 0 else
          f'{left} of {options.epochs} epochs left: run again with --resume')


class Training:
    """Squares, targets, student and optimiser; everything that a checkpoint keeps."""

    def __init__(self, seen, held, options):
        """
        Compute the targets and make the student, or take it from the checkpoint.

        :param seen: squares to train on, (N, S, S, 3) uint8.
        :param held: squares to validate on.
        :param options: of the command line.
        """
        self.options, self.epoch = options, 0
        self.seen, self.held = seen, held
        teacher = load_backbone('resnet18', models=options.models)
        teacher = teacher.to(memory_format=torch.channels_last)
        self.targets = distillation.teacher_maps(teacher, seen)
        self.held_targets = distillation.teacher_maps(teacher, held)
        spread = self.targets[::7].float().flatten(0, 2).std(dim=0).clamp_min(1e-3)
        backbone = load_backbone('vggm', 'random', seed=options.seed)
        distillation.take_first_filters(backbone, teacher)
        self.student = distillation.Student(backbone, spread)
        self.student.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(self.student.parameters(), lr=_LEARNING_RATE,
                                           weight_decay=1e-4)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.steps = max(1, len(seen) // _BATCH)
        self.log_file = options.out.with_suffix('.jsonl')
        self.checkpoint_file = options.out.with_suffix('.checkpoint.pt')
        options.out.parent.mkdir(parents=True, exist_ok=True)
        if options.resume:
            self._restore()
        else:
            self.log_file.unlink(missing_ok=True)

    def train_epoch(self):
        """Go once over the training squares, validate, and write one line of the log."""
        started, losses = time.monotonic(), []
        order = torch.randperm(len(self.seen), generator=self.generator)
        for step in tqdm(range(self.steps), desc=f'epoch {self.epoch + 1}', unit='batch'):
            rate = self._set_rate(self.epoch * self.steps + step)
            chosen = order[step * _BATCH:(step + 1) * _BATCH]
            images = distillation.student_input(self.seen[chosen.numpy()])
            raw = self._forward(distillation.disturb(images, self.generator))
            loss = distillation.imitation_loss(raw, self._targets(self.targets, chosen))
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            losses.append(loss.item())
        self.epoch += 1
        line = {'epoch': self.epoch, 'loss': float(np.mean(losses)), 'rate': rate,
                'seconds': round(time.monotonic() - started, 1), **self.validate()}
        with open(self.log_file, 'a', encoding='utf-8') as stream:
            stream.write(json.dumps(line) + '\n')

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

    def save(self):
        """Write the checkpoint and the weights as they are now."""
        torch.save({'epoch': self.epoch, 'student': self.student.state_dict(),
                    'optimiser': self.optimiser.state_dict(),
                    'generator': self.generator.get_state()}, self.checkpoint_file)
        preprocessing = self.student.backbone.preprocessing
        safetensors.torch.save_file(
            self.student.finished_tensors(), self.options.out,
            metadata={'preprocessing': json.dumps(vars(preprocessing)),
                      'origin': 'tracking_nodes.training.vggm: conv3 imitates layer2 and layer3 '
                                'of ImageNet ResNet-18',
                      'epochs': str(self.epoch), 'seed': str(self.options.seed)})

    def _restore(self):
        kept = torch.load(self.checkpoint_file, weights_only=True)
        self.epoch = kept['epoch']
        self.student.load_state_dict(kept['student'])
        self.optimiser.load_state_dict(kept['optimiser'])
        self.generator.set_state(kept['generator'])

    def _forward(self, images):
        images = images.to(memory_format=torch.channels_last)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            return self.student(images).float()

    def _targets(self, targets, chosen):
        return targets[chosen].float() / self.student.spread

    def _set_rate(self, step):
        done = step / (self.options.epochs * self.steps)
        rate = _LEARNING_RATE * min(1, (step + 1) / _WARM_UP_STEPS) * (
            0.5 + 0.5 * math.cos(math.pi * done))
        for group in self.optimiser.param_groups:
            group['lr'] = rate
        return rate


if __name__ == '__main__':
    main()
