"""
Train SiamRCNN: `python -m tracking_nodes.training.siam_rcnn --out FILE ...`.

Pairs come from any sequences the package reads and from synthetic clips with look-alikes; in some
the target is absent. Defaults are the paper's (section 2.3): SGD, momentum 0.9, weight decay 1e-4,
27 000 iterations, rate from 0.01 to 0.0001, targets of 64 to 256 pixels. Without a GPU, what
follows the backbone can be trained alone, behind features that are computed once: `--tuned`
without a stage, `--keep` and `--optimiser adamw`.
"""
import numpy as np
import torch
from torch import nn
from torchvision.ops import box_iou

from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.device import resolve_device
from tracking_nodes.nn.siam_rcnn import metadata_of, SHAPES, SiamRcnn
from tracking_nodes.nn.siam_rcnn_loss import siam_rcnn_loss
from tracking_nodes.training.distillation import disturb
from tracking_nodes.training.kept_features import KeptFeatures
from tracking_nodes.training.loop import exponential, run_program, Training
from tracking_nodes.training.pairs import ClipViews, SequenceViews
from tracking_nodes.training.search_pairs import SearchPairs, SearchRules
from tracking_nodes.training.sources import parsed, parser_of, sequences_of, sources_of

_MOMENTUM, _WEIGHT_DECAY = 0.9, 1e-4
_GRADIENT_NORM = 10.0
_HELD_PAIRS = 128       # that are validated on
_FOUND = 0.5            # overlap from which the target counts as found


def main(arguments=None):
    """Run the command line; `arguments` are those of the process where None."""
    parser = parser_of('siam_rcnn', 'Train SiamRCNN of GSTP.', 'pairs', count=8000, batch=8,
                       frames=120, epochs=27)
    parser.add_argument('--backbone', choices=sorted(SHAPES), default='resnet50')
    parser.add_argument('--tuned', nargs='*', default=['layer2', 'layer3'], metavar='STAGE',
                        help='stages of the backbone that are trained; none keeps it as it is')
    parser.add_argument('--keep', action='store_true',
                        help='train on the same pairs in every epoch, their features in memory; '
                        'only where no stage is tuned')
    parser.add_argument('--optimiser', choices=('sgd', 'adamw'), default='sgd')
    parser.add_argument('--rates', type=float, nargs=2, default=(1e-2, 1e-4),
                        metavar=('FIRST', 'LAST'), help='of the exponential decay')
    parser.add_argument('--weight', type=float, default=1.0,
                        help='lambda, weight of the regression losses')
    parser.add_argument('--search', type=int, default=SearchRules.search,
                        help='side of the search image, pixels')
    parser.add_argument('--largest', type=float, default=SearchRules.most,
                        help='side of the largest target in it, pixels')
    parser.add_argument('--device', default='auto', help='auto, cpu or cuda:N')
    options = parsed(parser, arguments)
    if options.keep and options.tuned:
        parser.error('--keep goes with a frozen backbone: give --tuned without a stage')
    SiamRcnnTraining(options).run()


class SiamRcnnTraining(Training):
    """Pairs, held-out pairs, and the network."""

    def __init__(self, options):
        """
        Read what pairs are made of and make the network.

        :param options: of the command line.
        """
        seen, held = sequences_of(options)
        rules = SearchRules(search=options.search, most=options.largest)
        sources = sources_of(
            options, seen, lambda them: SequenceViews(them, most=options.frames), ClipViews)
        self.pairs = SearchPairs(*sources, rules, options.seed)
        self.held = SearchPairs([SequenceViews(held, most=options.frames)], [1.0], rules,
                                options.seed) if held else None
        self.device, self.size = resolve_device(options.device), (options.search,) * 2
        torch.manual_seed(options.seed)
        backbone = load_backbone(options.backbone, '', options.models)
        network = SiamRcnn(backbone, SHAPES[options.backbone])
        for stage in options.tuned:
            backbone.stages[stage].requires_grad_(True)
        network.to(self.device, memory_format=torch.channels_last)
        super().__init__(options, network, _optimiser(options, network), options.examples,
                         options.batch)
        self.kept = None
        if options.keep:
            with self._mixed():
                self.kept = KeptFeatures(self.pairs, options.examples, options.batch, self._seen,
                                         options.seed, options.workers)

    def batches(self, order):
        if self.kept is not None:
            return self.kept.batches(order[:self.steps * self.batch], self.batch)
        numbers = order[:self.steps * self.batch] + self.epoch * self.examples
        return self.pairs.loader(numbers, self.batch, self.options.workers)

    def losses(self, batch):
        *images, truths = batch
        with self._mixed():
            object_features, features = (
                self._disturbed(*images) if self.kept is None
                else (one.to(self.device) for one in images))
            terms = siam_rcnn_loss(self.network, features, object_features,
                                   truths.to(self.device), self.size, self.generator)
        weight = self.options.weight
        return {name: term * (weight if name.endswith('box') else 1)
                for name, term in terms.items()}

    def before_step(self):
        nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT_NORM)

    def validate(self):
        """
        Return how held-out targets are found.

        found: share of those present whose best answer overlaps the truth. present, absent: mean
        score of the best answer in either case.
        """
        if self.held is None:
            return {}
        found, scores = [], ([], [])
        loader = self.held.loader(torch.arange(_HELD_PAIRS), 1)
        with torch.inference_mode(), self._mixed():
            for templates, boxes, searches, truths in loader:
                seen = self._seen(templates.float(), boxes, searches.float())
                answers, likely = self.network.detect(seen[1], seen[0], self.size)
                there = bool(torch.isfinite(truths).all())
                scores[there].append(float(likely[0]) if len(likely) else 0.0)
                if there:
                    best = box_iou(answers[:1].float().cpu(), truths)
                    found.append(bool((best >= _FOUND).any()))
        return {'found': float(np.mean(found)), 'present': float(np.mean(scores[1])),
                'absent': float(np.mean(scores[0]))}

    def finished(self):
        return self.network.file_tensors(), {
            'origin': 'tracking_nodes.training.siam_rcnn',
            **metadata_of(self.network, self.options.backbone)}

    def rate(self, done):
        return exponential(*self.options.rates, done)

    def _disturbed(self, templates, boxes, searches):
        templates, searches = (disturb(images.float(), self.generator)
                               for images in (templates, searches))
        return self._seen(templates, boxes, searches)

    def _seen(self, templates, boxes, searches):
        """Return the objects' features and the search images' features."""
        templates, searches = (
            images.to(self.device).contiguous(memory_format=torch.channels_last)
            for images in (templates, searches))
        with torch.set_grad_enabled(torch.is_grad_enabled() and bool(self.options.tuned)):
            features = self.network.features(searches)
            objects = self.network.template(self.network.features(templates),
                                            boxes.to(self.device))
        return objects, features

    def _mixed(self):
        return torch.autocast(self.device.type, torch.bfloat16)


def _optimiser(options, network):
    trained = [one for one in network.parameters() if one.requires_grad]
    if options.optimiser == 'adamw':
        return torch.optim.AdamW(trained, lr=options.rates[0], weight_decay=_WEIGHT_DECAY)
    return torch.optim.SGD(trained, lr=options.rates[0], momentum=_MOMENTUM,
                           weight_decay=_WEIGHT_DECAY)


if __name__ == '__main__':
    run_program(main)
