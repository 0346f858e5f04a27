"""
Train GSTP's motion model: `python -m tracking_nodes.training.motion_model --out FILE ...`.

An example is a frame and the positions of its target in the frames before, from sequences or from
synthetic clips; the loss is the mean squared error to the heatmap of the position in the frame
(section 2.2). The paper's sigma of 3 pixels is taken of each heatmap's own pixels: for past
positions those of the network's image, for the present one those of the network's answer, which
has a quarter of its resolution. Defaults are the schedule of section 2.3: Adam at 1e-3, 1e-4 from
170 and 1e-5 from 200 of 210 epochs on, whatever the number of epochs is.
"""
import numpy as np
import torch
from torch.nn import functional

from tracking_nodes.nn.device import convolution_type, read_back, resolve_device
from tracking_nodes.nn.heatmaps import heatmaps
from tracking_nodes.nn.hrnet import STRIDE
from tracking_nodes.online.motion_model import (
    MotionNetwork, MotionSettings, SIGMA, SIZE, WIDTH)
from tracking_nodes.online.peak import peak_at
from tracking_nodes.training.distillation import disturb
from tracking_nodes.training.loop import run_program, Training
from tracking_nodes.training.moments import ClipMoments, Moments, SequenceMoments
from tracking_nodes.training.sources import parsed, parser_of, sequences_of, sources_of

_RATE = 1e-3
_DROPS = (170 / 210, 200 / 210)     # of the schedule, where the rate falls to a tenth
_HELD_EXAMPLES = 256


def main(arguments=None):
    """Run the command line; `arguments` are those of the process where None."""
    parser = parser_of('motion_model', "Train GSTP's motion model.", 'examples', count=4000,
                       batch=16, frames=200, epochs=210)
    parser.add_argument('--width', type=int, default=WIDTH,
                        help="channels of HRNet's highest resolution; published are 32 and 48")
    parser.add_argument('--history', type=int, default=MotionSettings().motion_history,
                        help='K, past positions')
    parser.add_argument('--size', type=int, nargs=2, default=SIZE, metavar=('WIDTH', 'HEIGHT'),
                        help="of the network's image in pixels, multiples of 32")
    parser.add_argument('--rate', type=float, default=_RATE, help='of learning, at the start')
    parser.add_argument('--device', default='auto', help='auto, cpu or cuda:N')
    options = parsed(parser, arguments)
    if any(side < 32 or side % 32 for side in options.size):
        parser.error(f'--size {options.size[0]} {options.size[1]}: give multiples of 32')
    MotionTraining(options).run()


class MotionTraining(Training):
    """Examples, held-out examples, and the network."""

    def __init__(self, options):
        """
        Read what examples are made of and make the network.

        :param options: of the command line.
        """
        seen, held = sequences_of(options)

        def moments(sequences):
            return SequenceMoments(sequences, options.history, options.size, options.frames)

        self.moments = Moments(*sources_of(
            options, seen, moments,
            lambda stills: ClipMoments(stills, options.history, options.size)), options.seed)
        self.held = Moments([moments(held)], [1.0], options.seed) if held else None
        self.device = resolve_device(options.device)
        self.kind = (torch.bfloat16 if self.device.type == 'cuda'
                     else convolution_type(self.device, 'auto', half=False))
        torch.manual_seed(options.seed)
        network = MotionNetwork(options.history, options.width, options.size)
        network.to(self.device, memory_format=torch.channels_last)
        super().__init__(options, network, torch.optim.Adam(network.parameters(), options.rate),
                         options.examples, options.batch)

    def batches(self, order):
        numbers = order[:self.steps * self.batch] + self.epoch * self.examples
        return self.moments.loader(numbers, self.batch, self.options.workers)

    def losses(self, batch):
        images, past, truth = batch
        found = self._answer(disturb(images.float(), self.generator), past)
        return {'heatmap': heatmap_loss(found, truth.to(self.device))}

    def validate(self):
        """
        Return how held-out targets are found.

        held_mse: the loss. distance: from the answer's peak to the truth, in diagonals of the
        network's image, mean over the examples whose target is there and whose last seen
        position is known. stays: the same for the answer that it is still at that position.
        """
        if self.held is None:
            return {}
        losses, distances = [], []
        numbers = np.arange(min(_HELD_EXAMPLES, self.examples))
        with torch.inference_mode():
            for images, past, truth in self.held.loader(numbers, self.batch):
                found = self._answer(images.float(), past)
                losses += [heatmap_loss(*pair).item()
                           for pair in zip(found, truth.to(self.device))]
                distances += [pair for pair in map(distance_pair, found.cpu(), past, truth)
                              if pair is not None]
        diagonal = np.hypot(*self.options.size)
        peak, stays = np.mean(distances, axis=0) / diagonal if distances else (np.nan, np.nan)
        return {'held_mse': float(np.mean(losses)), 'distance': float(peak),
                'stays': float(stays)}

    def finished(self):
        folded = self.network.hrnet.folded().state_dict()
        return {f'hrnet.{name}': tensor.cpu() for name, tensor in folded.items()}, {
            'origin': 'tracking_nodes.training.motion_model', **self.network.metadata()}

    def rate(self, done):
        return self.options.rate * 0.1 ** sum(done >= drop for drop in _DROPS)

    def _answer(self, images, past):
        """Return heatmaps (N, h, w) of images (N, 3, H, W) and positions (N, K, 2)."""
        with torch.autocast(self.device.type, self.kind, enabled=self.kind != torch.float32):
            return self.network(images.to(self.device), past.to(self.device)).float()


def heatmap_loss(found, truth):
    """
    Return the mean squared error to the heatmap of the true positions (section 2.2).

    :param found: (..., h, w).
    :param truth: (..., 2) x, y in pixels of the network's image, NaN where the target is absent.
    """
    wanted = heatmaps(truth / STRIDE, *found.shape[-2:], SIGMA)
    return functional.mse_loss(found, wanted)


def distance_pair(found, past, truth):
    """
    Return how far the peak, and the last position seen, are from the truth, in pixels.

    :param found: (h, w) heatmap.
    :param past: (K, 2) x, y in pixels of the network's image, NaN where there is none.
    :param truth: (2,), as `past`.
    :return: (peak, last position), or None where the truth or all of the past is missing.
    """
    known = past[past.isfinite().all(dim=1)]
    if not len(known) or not truth.isfinite().all():
        return None
    cell, = read_back(peak_at(found[None])[1])
    peak = (cell[::-1] + 0.5) * STRIDE
    return float(np.linalg.norm(peak - truth.numpy())), float((known[-1] - truth).norm())


if __name__ == '__main__':
    run_program(main)
