"""Box refinement for trackers: exact boxes from rough ones, on maps that are there already."""
import numpy as np
import torch

from tracking_nodes.errors import NotStartedError, SettingError
from tracking_nodes.nn.box_refinement import load_box_refinement
from tracking_nodes.nn.device import convolution_type, frozen, read_back, resolve_device

# Pixels; a box without area encloses nothing.
_SMALLEST_SIDE = 1.0


class BoxRefiner:
    """
    The network and the template of one target; no other state.

    All corners are (left, top, right, bottom) in pixels of the search region that the maps are
    of. The network was trained on regions of `search_scale` 5 and `search_size` 288, see
    `online.features`; boxes that lie far from the target's size there come out worse.

    backbone: name of the network whose maps are seen. taps: names of its layers, in order.
    """

    def __init__(self, weights, runtime):
        """
        Load the network.

        :param weights: file of weights, see `load_box_refinement`; '' for the shipped one.
        :param runtime: a `trackers.base.Runtime`.
        :raises WeightsError: the file is missing, damaged or of another network.
        """
        self._device = resolve_device(runtime.device)
        # For a few boxes, a CPU takes longer to convert to bfloat16 than it gains.
        self._kind = convolution_type(self._device, 'float32', runtime.half)
        network = load_box_refinement(weights, runtime.models)
        self._network = network.to(self._device, memory_format=torch.channels_last)
        self._described = None
        self.backbone = network.backbone
        self.taps = tuple(tap.name for tap in network.taps)

    def reset(self):
        """Forget the template."""
        self._described = None

    def start(self, maps, corners):
        """
        Take the target's look in the first frame as the template.

        :param maps: list of (1, C, H, W) float, one per tap, as the backbone gives them.
        :param corners: (4,) of the target.
        :raises SettingError: the maps are of other layers or of another backbone.
        """
        expected = [tap.channels for tap in self._network.taps]
        got = [one.shape[1] for one in maps]
        if got != expected:
            raise SettingError(
                f'maps of {got} channels cannot be refined on: the weights are of '
                f'{"+".join(self.taps)} of {self.backbone}, of {expected} channels; use these '
                'layers, or weights that were trained on yours')
        with frozen(self._device, self._kind):
            self._described = self._network.describe(
                self._network.template(maps, self._rows(np.reshape(corners, (1, 4)))))

    def refine(self, maps, corners):
        """
        Return the exact boxes near rough ones.

        :param maps: list of (1, C, H, W) float, as of `start`.
        :param corners: (N, 4) of the rough boxes.
        :return: corners (N, 4) float64 of the refined boxes, and (N,) float64 in [0, 1], how well
            each will overlap the target; near 0 beside it and on other objects.
        :raises NotStartedError: there is no template.
        """
        if self._described is None:
            raise NotStartedError('the box refiner has no template; call start() with the first '
                                  "frame's box before refine()")
        if not len(corners):
            return np.zeros((0, 4)), np.zeros(0)
        with frozen(self._device, self._kind):
            refined, _, logits = self._network(maps, self._described, self._rows(corners)[None])
            return tuple(read_back(refined, logits.sigmoid()))

    def _rows(self, corners):
        """Return corners as a tensor on the device, of boxes that have an area."""
        rows = np.array(corners, dtype=np.float32)
        rows[:, 2:] = np.maximum(rows[:, 2:], rows[:, :2] + _SMALLEST_SIDE)
        return torch.from_numpy(rows).to(self._device)
