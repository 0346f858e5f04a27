"""
Train box refinement: `python -m tracking_nodes.training.box_refinement --out FILE ...`.

The network sees the maps of a frozen backbone, of the search regions that trackers cut; they are
computed once and kept in memory, half a megabyte a pair. In every epoch rough boxes are drawn
anew.
"""
import torch
from torch import nn

from tracking_nodes.evaluation.measures.failure import failure_auc
from tracking_nodes.nn.backbones import load_backbone
from tracking_nodes.nn.box_refinement import (
    BoxRefinement, metadata_of, RefinementShape, taps_of)
from tracking_nodes.nn.box_refinement_loss import box_refinement_loss, overlaps
from tracking_nodes.nn.device import resolve_device
from tracking_nodes.training.boxed_photographs import PhotographViews
from tracking_nodes.training.kept_features import KeptFeatures
from tracking_nodes.training.loop import cosine, run_program, Training
from tracking_nodes.training.pairs import ClipViews, SequenceViews
from tracking_nodes.training.region_pairs import RegionPairs, RegionRules
from tracking_nodes.training.rough_boxes import rough_boxes, SPREADS
from tracking_nodes.training.sources import parsed, parser_of, sequences_of, sources_of

_WEIGHT_DECAY = 1e-2
_GRADIENT_NORM = 5.0
_HELD_PAIRS = 256       # that are validated on
_GOOD = 0.7             # overlap above which a box counts as exact
_STEP_WEIGHT = 0.5      # of the term of the steps, which is in tenths of a side


def main(arguments=None):
    """Run the command line; `arguments` are those of the process where None."""
    parser = parser_of('box_refinement', 'Train the refinement of rough boxes.', 'pairs',
                       count=10000, batch=32, frames=100, epochs=12)
    parser.add_argument('--photographs', type=float, default=0.35,
                        help='share of pairs from single photographs with boxes, in the folder of '
                        '--stills; the other shares give way')
    parser.add_argument('--backbone', default='resnet18', help='whose maps are seen')
    parser.add_argument('--backbone-weights', default='', help='file of the backbone; empty for '
                        'its usual one')
    parser.add_argument('--taps', nargs='+', default=['layer2', 'layer3'], metavar='LAYER',
                        help='layers of the backbone')
    parser.add_argument('--rate', type=float, default=1e-3, help='first, of AdamW')
    parser.add_argument('--device', default='auto', help='auto, cpu or cuda:N')
    BoxRefinementTraining(parsed(parser, arguments)).run()


class BoxRefinementTraining(Training):
    """Kept maps of pairs, of held-out pairs, and the network."""

    def __init__(self, options):
        """
        Read what pairs are made of, compute their maps, and make the network.

        :param options: of the command line.
        """
        seen, held = sequences_of(options)
        sources = _sources(options, seen)
        self.device = resolve_device(options.device)
        backbone = load_backbone(options.backbone, options.backbone_weights, options.models)
        self.backbone = backbone.to(self.device, memory_format=torch.channels_last)
        torch.manual_seed(options.seed)
        network = BoxRefinement(options.backbone, taps_of(backbone, options.taps),
                                RefinementShape())
        network.to(self.device, memory_format=torch.channels_last)
        super().__init__(options, network, torch.optim.AdamW(
            network.parameters(), lr=options.rate, weight_decay=_WEIGHT_DECAY), options.examples,
            options.batch)
        self.kept = self._features(RegionPairs(*sources, RegionRules(), options.seed),
                                   options.examples)
        self.held = held and self._features(
            RegionPairs([SequenceViews(held, most=options.frames)], [1.0], RegionRules(),
                        options.seed), _HELD_PAIRS)

    def batches(self, order):
        return self.kept.batches(order[:self.steps * self.batch], self.batch)

    def losses(self, batch):
        pooled, *maps, truths, same = (one.to(self.device) for one in batch)
        rough = rough_boxes(truths.cpu(), SPREADS, self.generator).to(self.device)
        with self._mixed():
            terms = box_refinement_loss(self.network, maps, pooled, rough, truths, same)
        return {**terms, 'step': _STEP_WEIGHT * terms['step']}

    def before_step(self):
        nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT_NORM)

    def validate(self):
        """Return how rough boxes in held-out pairs become better, see `judged`."""
        if not self.held:
            return {}
        batches = self.held.batches(torch.arange(_HELD_PAIRS), self.batch)
        with torch.inference_mode(), self._mixed():
            return judged(self.network, batches, torch.Generator().manual_seed(0))

    def finished(self):
        return self.network.file_tensors(), {
            'origin': 'tracking_nodes.training.box_refinement', **metadata_of(self.network)}

    def rate(self, done):
        return cosine(self.options.rate, done)

    def _features(self, pairs, count):
        with self._mixed():
            return KeptFeatures(pairs, count, self.batch, self._seen, self.options.seed,
                                self.options.workers)

    @torch.no_grad()
    def _seen(self, templates, boxes, searches):
        """Return the templates' cells and the search regions' maps."""
        maps, own = ([one.float() for one in self.backbone(
            images.to(self.device).contiguous(memory_format=torch.channels_last),
            self.options.taps)] for images in (searches, templates))
        return self.network.template(own, boxes.to(self.device)), *maps

    def _mixed(self):
        return torch.autocast(self.device.type, torch.bfloat16)


def _sources(options, sequences):
    """Return sources of (View, View) and their shares, as `sources_of` and photographs."""
    sources, shares = sources_of(
        options, sequences, lambda them: SequenceViews(them, most=options.frames), ClipViews)
    if options.stills is None or not options.photographs:
        return sources, shares
    return ([*sources, PhotographViews(options.stills)],
            [*(share * (1 - options.photographs) for share in shares), options.photographs])


def judged(network, batches, generator):
    """
    Return how rough boxes become better.

    rough, refined, twice: mean overlap of the usual rough boxes of `SPREADS` with the target,
    of what they become, and of what that becomes. rough_good, refined_good, twice_good: share of
    overlaps above .7. correlation: of the answered overlap with the true one, on and beside
    targets and on other objects. ranking: area under the ROC curve of the answered overlap
    telling the target, whatever the rough box, from other objects and what lies beside it.

    :param network: a `BoxRefinement` in evaluation mode.
    :param batches: iterable of what `KeptFeatures.batches` yields, in order.
    :param generator: `torch.Generator` of the rough boxes.
    """
    found, answers, usual = [], [], SPREADS[0].count
    device = next(network.parameters()).device
    for batch in batches:
        pooled, *maps, truths, same = (one.to(device) for one in batch)
        described = network.describe(pooled)
        rough = rough_boxes(truths.cpu(), SPREADS, generator).to(device)
        refined, _, logits = network(maps, described, rough)
        refined = refined.view_as(rough)
        twice = network(maps, described, refined)[0].view_as(rough)
        goals = truths[:, None].expand_as(rough)
        rows = torch.stack([overlaps(boxes.flatten(0, 1), goals.flatten(0, 1)).view(
            rough.shape[:2]) for boxes in (rough, refined, twice)])
        found.append(rows[:, same > 0, :usual].flatten(1).cpu())
        answers.append(torch.stack([logits.sigmoid(), (rows[1] * same[:, None]).flatten()]).cpu())
    # In double, which mixed precision leaves alone.
    found, (told, true) = (torch.cat(rows, dim=1).double() for rows in (found, answers))
    names = 'rough', 'refined', 'twice'
    return {**dict(zip(names, found.mean(dim=1).tolist())),
            **dict(zip((f'{name}_good' for name in names),
                       (found > _GOOD).float().mean(dim=1).tolist())),
            'correlation': torch.corrcoef(torch.stack([told, true]))[0, 1].item(),
            'ranking': failure_auc(told.numpy(), true.numpy())}


if __name__ == '__main__':
    run_program(main)
