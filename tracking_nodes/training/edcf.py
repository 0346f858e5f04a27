"""
Train EDCF on pairs of patches: `python -m tracking_nodes.training.edcf --out FILE ...`.

Pairs come from any sequences the package reads (`--sequences`, folders of ILSVRC VID, GOT-10k,
videos, bags ...) and from synthetic clips (`--stills`). `--losses` says which terms of eq. 15 are
trained: `low high recon` is EDCF and CACFNet+, `high recon` EDSiam, `high` SiamFC, `low` CACFNet.
"""
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tracking_nodes.nn.correlation_filter import (
    centre_cells, cosine_window, cross_correlate, gaussian_label, respond, solve_filter,
    windows_around)
from tracking_nodes.nn.encoder_decoder import (
    Decoder, DEEP_CELLS, DEEP_STRIDE, Encoder, FINE_CELLS, FINE_STRIDE, normalised, PATCH)
from tracking_nodes.trackers.edcf import AROUND, EdcfSettings
from tracking_nodes.training import edcf_losses
from tracking_nodes.training.distillation import disturb
from tracking_nodes.training.drawing import DrawnByRules
from tracking_nodes.training.loop import exponential, run_program, Training
from tracking_nodes.training.pairs import ClipViews, make_pair, PairRules, SequenceViews
from tracking_nodes.training.sources import parsed, parser_of, sequences_of, sources_of
from tracking_nodes.training.tracking_check import TrackingCheck

_MOMENTUM, _WEIGHT_DECAY = 0.9, 5e-4
_GRADIENT_NORM = 5.0
_LOSSES = ('low', 'high', 'recon')
_HELD_PAIRS = 128       # that are validated on
_RESPONSE = 17          # cells per side of the semantic response


def main(arguments=None):
    """Run the command line; `arguments` are those of the process where None."""
    parser = parser_of('edcf', 'Train EDCF on pairs.', 'pairs', count=4000, batch=16, frames=120,
                       epochs=10)
    parser.add_argument('--losses', nargs='+', default=list(_LOSSES), choices=_LOSSES,
                        help='terms of eq. 15')
    parser.add_argument('--start', type=Path, metavar='FILE',
                        help='checkpoint of edcf_imitation whose encoder to start from')
    parser.add_argument('--width', type=float, default=1.0,
                        help="factor on the channels of conv1 to conv4; 1 is the paper's")
    parser.add_argument('--padding', type=float, default=EdcfSettings().padding,
                        help='context around the target, in its sides')
    parser.add_argument('--rates', type=float, nargs=2, default=(1e-2, 1e-5),
                        metavar=('FIRST', 'LAST'), help='of the exponential decay')
    parser.add_argument('--checked', type=int, default=6,
                        help='held-out sequences that are tracked after every epoch')
    options = parsed(parser, arguments)
    PairTraining(options).run()


class Pairs(DrawnByRules):
    """Pairs of patches by `PairRules`, from sources that draw (View, View)."""

    def make(self, drawn, random):
        """Return (template, search, shift), see `Pair`, as tensors with channels first."""
        pair = make_pair(drawn, self.rules, random)
        template, search = (torch.from_numpy(patch).permute(2, 0, 1)
                            for patch in (pair.template, pair.search))
        return template, search, torch.tensor(pair.shift.tolist())


class Network(nn.Module):
    """Encoder and decoder, and the terms of eq. 15 on pairs."""

    def __init__(self, width, losses, padding):
        """
        Make both; the decoder only where there is a reconstruction loss.

        :param width: of the encoder.
        :param losses: some of 'low', 'high', 'recon'.
        :param padding: context around the target, in its sides.
        """
        super().__init__()
        has_deep = 'high' in losses or 'recon' in losses
        self.encoder, self.names = Encoder(width, norms=True, has_deep=has_deep), losses
        self.decoder = Decoder() if 'recon' in losses else None
        self.settings = EdcfSettings(padding=padding)
        self.register_buffer('fade', cosine_window(FINE_CELLS, FINE_CELLS), persistent=False)

    def forward(self, templates, searches, shifts):
        """
        Return the terms by name.

        :param templates: (N, 3, W, W) BGR, 0..255, W the settings' `wide_patch`: the patch and the
            contexts around it.
        :param searches: (N, 3, 255, 255).
        :param shifts: (N, 2) down and across, pixels of the target from the middle.
        """
        terms = {}
        with torch.autocast(templates.device.type, torch.bfloat16):
            first = self.encoder.first(searches)
            if 'low' in self.names:
                wide = self.encoder.first(templates)
                fine_wide, fine = self.encoder.fine(wide), self.encoder.fine(first)
                middle = centre_cells(wide, FINE_CELLS)
            else:
                middle = self.encoder.first(centre_cells(templates, PATCH))
            if self.encoder.has_deep:
                deep_template, deep = self.encoder.deep(middle), self.encoder.deep(first)
            if 'recon' in self.names:
                pictures = self.decoder(torch.cat([deep_template, deep]))
        if 'low' in self.names:
            terms['low'] = self._low(fine_wide.float(), fine.float(), shifts)
        if 'high' in self.names:
            terms['high'] = self._high(deep_template.float(), deep.float(), shifts)
        if 'recon' in self.names:
            truth = torch.cat([centre_cells(templates, PATCH), searches])
            terms['recon'] = edcf_losses.reconstruction_loss(pictures.float(), normalised(truth))
        return terms

    def _low(self, wide, fine, shifts):
        """Return eq. 8, the filter solved on the template and answered on the search patch."""
        settings, cells = self.settings, FINE_CELLS
        windows = windows_around(wide, cells, settings.context_cells,
                                 AROUND[:settings.context_patches]) * self.fade
        weights = solve_filter(
            windows[:, 0], gaussian_label(cells, cells, settings.label_cells), settings.ridge,
            windows[:, 1:], settings.context_weight)
        labels = torch.stack([gaussian_label(cells, cells, settings.label_cells,
                                             shift / FINE_STRIDE) for shift in shifts])
        return edcf_losses.tracking_loss_low(respond(fine * self.fade, weights), labels)

    def _high(self, template, deep, shifts):
        cells = DEEP_CELLS + 1 - _RESPONSE
        logits = self.encoder.logits(cross_correlate(centre_cells(template, cells), deep))
        labels = edcf_losses.semantic_labels(shifts, _RESPONSE, DEEP_STRIDE)
        return edcf_losses.tracking_loss_high(logits, labels)


class PairTraining(Training):
    """Pairs, held-out pairs, and the network."""

    def __init__(self, options):
        """
        Read what pairs are made of and make the network.

        :param options: of the command line.
        """
        seen, held = sequences_of(options)
        rules = PairRules(options.padding, EdcfSettings(padding=options.padding).wide_patch, PATCH)
        sources = sources_of(
            options, seen, lambda them: SequenceViews(them, most=options.frames), ClipViews)
        self.pairs = Pairs(*sources, rules, options.seed)
        self.held = Pairs([SequenceViews(held, most=options.frames)], [1.0], rules,
                          options.seed) if held else None
        self.check = TrackingCheck(held, options.padding, options.losses, options.checked)
        torch.manual_seed(options.seed)
        network = Network(options.width, options.losses, options.padding)
        if options.start:
            state = torch.load(options.start, weights_only=True)['network']
            own = network.encoder.state_dict()
            network.encoder.load_state_dict({name: state[name] for name in own})
        network.to(memory_format=torch.channels_last)
        optimiser = torch.optim.SGD(network.parameters(), lr=options.rates[0], momentum=_MOMENTUM,
                                    weight_decay=_WEIGHT_DECAY)
        super().__init__(options, network, optimiser, options.examples, options.batch)

    def batches(self, order):
        numbers = order[:self.steps * self.batch] + self.epoch * self.examples
        return self.pairs.loader(numbers, self.batch, self.options.workers)

    def losses(self, batch):
        return self._terms(batch, disturbed=True)

    def before_step(self):
        nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT_NORM)

    def validate(self):
        """Return the terms on pairs of the held-out sequences, and how well those are tracked."""
        if self.held is None:
            return {}
        loader = self.held.loader(np.arange(min(_HELD_PAIRS, self.examples)), self.batch)
        with torch.inference_mode():
            rows = [self._terms(examples, disturbed=False) for examples in loader]
        means = {f'held_{name}': float(np.mean([row[name].item() for row in rows]))
                 for name in rows[0]}
        return {**means, **self.check.score(self.network.encoder)}

    def finished(self):
        return self.network.encoder.folded(), {
            'origin': 'tracking_nodes.training.edcf', 'losses': ' '.join(self.options.losses),
            'padding': json.dumps(self.options.padding)}

    def rate(self, done):
        return exponential(*self.options.rates, done)

    def _terms(self, examples, disturbed):
        templates, searches, shifts = examples
        templates, searches = templates.float(), searches.float()
        if disturbed:
            templates = disturb(templates, self.generator)
            searches = disturb(searches, self.generator)
        return self.network(templates.contiguous(memory_format=torch.channels_last),
                            searches.contiguous(memory_format=torch.channels_last), shifts)


if __name__ == '__main__':
    run_program(main)
