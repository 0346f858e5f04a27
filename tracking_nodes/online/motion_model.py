"""
The motion model of GSTP (section 2.2): where the target is by its path and by the image.

HRNet sees the whole image and a heatmap of each of the last K positions, and answers with a
heatmap of the present one. By it the candidates of a detector are scored anew, so that what only
looks like the target, and is where the target cannot be, loses.
"""
from collections import deque
from dataclasses import dataclass
import json

import numpy as np
import torch
from torch import nn

from tracking_nodes.errors import SettingError, WeightsError
from tracking_nodes.geometry import xywh_to_cxcywh
from tracking_nodes.nn import weights as files
from tracking_nodes.nn.device import convolution_type, frozen, resolve_device, to_device
from tracking_nodes.nn.heatmaps import trajectory
from tracking_nodes.nn.hrnet import HRNet, STRIDE
from tracking_nodes.nn.normalisation import Normalisation
from tracking_nodes.nn.plain import he_initialise
from tracking_nodes.online.pictures import padded, resized
from tracking_nodes.parameters import setting, Settings

SIGMA = 3.0             # of the heatmaps, in pixels; GSTP section 2.2
NETWORK = 'gstp_motion'
# Of the shipped weights and of random ones; sides are multiples of 32.
WIDTH, SIZE = 8, (256, 192)
# Grey that the network takes as about zero, around an image of another shape than its own.
_PADDING = (104, 116, 124)


@dataclass(frozen=True)
class MotionSettings(Settings):
    """The motion model, and how much its word counts."""

    motion: bool = setting(
        True, "whether candidates are scored anew by the motion model; false is the paper's "
        'system without it', source='GSTP section 2.2')
    motion_history: int = setting(
        8, 'K, past positions that are seen; up to as many as the weights were trained with',
        minimum=1, maximum=64, source='not in the paper')
    motion_weights: str = setting(
        '', 'weights file of the motion model; empty for the shipped one, random for none')
    motion_weight: float = setting(
        4.0, 'how many times smaller, as a power of e, the odds of a candidate get where the '
        'motion model sees nothing but is sure of another', minimum=0.0, maximum=10.0,
        source='measured; not in the paper', live=True)


@dataclass(frozen=True)
class Letterbox:
    """
    Where an image lies in one of another size that shows all of it.

    scale: (across, down) pixels of the result per pixel of the image. corner: (x, y) of the
    image's first pixel in the result.
    """

    scale: np.ndarray
    corner: np.ndarray

    def from_image(self, points):
        """Return points (..., 2) of the image in pixels of the result."""
        return np.asarray(points, dtype=np.float64) * self.scale + self.corner


def letterboxed(image, width, height):
    """
    Resize an image as a whole, its shape kept, into the middle of a grey one.

    :param image: (H, W, 3) uint8, BGR.
    :param width: of the result, in pixels.
    :param height: of the result, in pixels.
    :return: (height, width, 3) uint8 where the image is, and a `Letterbox`.
    """
    size = np.array([image.shape[1], image.shape[0]])
    factor = min(np.array([width, height]) / size)
    inner = np.maximum(np.round(size * factor), 1).astype(int)
    corner = (np.array([width, height]) - inner) // 2
    result = padded(resized(image, *inner.tolist()), *corner.tolist(), width, height, _PADDING)
    return result, Letterbox(inner / size, corner)


@dataclass(frozen=True)
class Distribution:
    """
    Where the target may be in one image.

    values: (h, w) float32 in [0, 1], cells of `STRIDE` pixels of the network's image; 1 is
    certainty. letterbox: the image's place in the network's.
    """

    values: np.ndarray
    letterbox: Letterbox

    def at(self, points):
        """Return the values (M,) at points (M, 2) of the image, between the cells' centres."""
        limit = np.array(self.values.shape[::-1]) - 1
        cells = np.clip(self.letterbox.from_image(points) / STRIDE - 0.5, 0, limit)
        low = np.floor(cells).astype(int)
        high = np.minimum(low + 1, limit)
        across, down = (cells - low).T
        top, bottom = ((1 - across) * self.values[row, low[:, 0]]
                       + across * self.values[row, high[:, 0]] for row in (low[:, 1], high[:, 1]))
        return (1 - down) * top + down * bottom


class MotionNetwork(nn.Module):
    """
    HRNet over an image and the trajectory tensor.

    history: K, past positions it can be given. width: of the HRNet. size: (width, height) of the
    network's image in pixels.
    """

    def __init__(self, history, width, size):
        super().__init__()
        self.history, self.width, self.size = history, width, tuple(size)
        self.normalise = Normalisation(files.Preprocessing())
        self.hrnet = HRNet(3 + history, width)

    def forward(self, images, positions):
        """
        Return the heatmaps of the present positions.

        :param images: (N, 3, H, W) float, BGR, 0..255, of `size`.
        :param positions: (N, n, 2) x, y in pixels of these images, the oldest first, n at most
            `history`; NaN where the target was absent or the position is not known.
        :return: (N, H / 4, W / 4), not bounded.
        """
        past = trajectory(positions, self.history, *images.shape[2:], SIGMA)
        maps = torch.cat([self.normalise(images), past], dim=1)
        return self.hrnet(maps.contiguous(memory_format=torch.channels_last))[:, 0]

    def metadata(self):
        """Return what a weights file states beside the tensors, strings by name."""
        return {'history': str(self.history), 'width': str(self.width),
                'size': json.dumps(self.size)}


def load_motion_network(weights='', models='', seed=0, history=8):
    """
    Return a motion network on the CPU, frozen, without batch norms.

    :param weights: '' for the shipped file, 'random' for seeded random weights, or a file: a
        path, or a name searched in `models`, `TRACKING_MODELS` and the package.
    :param models: folder searched first, or ''.
    :param seed: of random weights.
    :param history: K of random weights.
    :raises WeightsError: a file is missing, damaged or of another network.
    """
    if weights == 'random':
        network = _folded(MotionNetwork(history, WIDTH, SIZE))
        he_initialise(network, seed)
        return network
    loaded = (files.read_weights(files.find_weights(weights, models)) if weights
              else files.default_weights(NETWORK, models))
    network = _folded(MotionNetwork(*_stated(loaded.origin)))
    files.fill(network.state_dict(), loaded.tensors, loaded.origin)
    return network


class MotionModel:
    """
    The path of one target and where it leads.

    `start` on a target; then, in every frame, `predict`, ask for the candidates' scores, and let
    the model `see` what was decided on.
    """

    def __init__(self, settings, runtime):
        """
        Load the network.

        :param settings: a `MotionSettings`; whether it says `motion` is for the caller to heed.
        :param runtime: a `trackers.base.Runtime`.
        :raises SettingError: `motion_history` is more than the weights know.
        """
        self.settings = settings
        self.device = resolve_device(runtime.device)
        network = load_motion_network(settings.motion_weights, runtime.models, runtime.seed,
                                      settings.motion_history)
        if settings.motion_history > network.history:
            raise SettingError(
                f'motion_history = {settings.motion_history}, but the weights '
                f'{settings.motion_weights or NETWORK} were trained with {network.history} past '
                f'positions; give at most {network.history}, or other motion_weights')
        self._network = network.to(self.device, memory_format=torch.channels_last)
        self._kind = convolution_type(self.device, 'auto', runtime.half)
        self.reset()

    def reset(self):
        """Forget the target; the weights stay loaded."""
        self._path = deque(maxlen=self.settings.motion_history)
        self._size = None

    def start(self, image, position):
        """
        Begin with the only position that is known.

        :param image: (H, W, 3) uint8, BGR.
        :param position: (x, y) of the target's centre in pixels of the image.
        """
        self.reset()
        self._size = _size_of(image)
        self.see(position)

    def predict(self, image):
        """
        Return the `Distribution` of the target's position in the next frame.

        :param image: (H, W, 3) uint8, BGR; its size may differ from the one before.
        """
        self._size = _size_of(image)
        pixels, letterbox = letterboxed(image, *self._network.size)
        path = letterbox.from_image(np.array(self._path) * self._size)
        with torch.inference_mode(), frozen(self.device, self._kind):
            shown = to_device(pixels, self.device).permute(2, 0, 1)[None].float()
            past = torch.from_numpy(path).to(self.device)[None].float()
            values = self._network(shown, past)[0].float().clamp(0, 1)
        return Distribution(values.cpu().numpy(), letterbox)

    def rescored(self, boxes, scores, distribution):
        """
        Return candidates' scores after what the motion model says.

        The odds of a candidate are divided by exp(motion_weight * (m - d)): d is the
        distribution's value at its centre, m the largest d of all candidates. So the candidate
        that fits the path best keeps its score, the others lose the more, the surer the model
        is; no score rises, and one of 0 or 1 stays. Where the distribution is flat or zero at
        all candidates, as it is after a long absence, all scores stay: it chooses between
        candidates and never decides by itself that the target is absent. The paper gives no
        rule.

        :param boxes: (M, 4) candidates, x, y, w, h in pixels of the image.
        :param scores: (M,) in [0, 1].
        :param distribution: of `predict` on this image.
        :return: (M,) in [0, 1].
        """
        scores = np.asarray(scores, dtype=np.float64)
        if not len(scores):
            return scores
        fit = distribution.at(xywh_to_cxcywh(boxes)[:, :2])
        factor = np.exp(self.settings.motion_weight * (fit - fit.max()))
        return scores * factor / (1 - scores * (1 - factor))

    def see(self, position):
        """
        Take in where the target was in the frame last given.

        :param position: (x, y) of its centre in pixels of that frame, None where it was absent.
        """
        # Kept as shares of the image, so that the path outlasts a change of resolution.
        self._path.append(np.full(2, np.nan) if position is None
                          else np.asarray(position, dtype=np.float64) / self._size)


def _size_of(image):
    return np.array([image.shape[1], image.shape[0]], dtype=np.float64)


def _folded(network):
    network.hrnet = network.hrnet.folded()
    return network.eval().requires_grad_(False)


def _stated(origin):
    """Return history, width and size of the network that a weights file is of."""
    stated = files.read_metadata(origin)
    try:
        return int(stated['history']), int(stated['width']), json.loads(stated['size'])
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f'{origin} does not state history, width and size of a motion model; give a file of '
            'tracking_nodes.training.motion_model') from error
