"""The search of SiamRCNN over the whole image, for GSTP and for re-detection by other trackers."""
from dataclasses import dataclass

import numpy as np
import torch

from tracking_nodes.errors import NotStartedError
from tracking_nodes.geometry import area_side, xywh_to_cxcywh, xywh_to_xyxy, xyxy_to_xywh
from tracking_nodes.nn.device import (
    convolution_type, frozen, PRECISIONS, read_back, resolve_device, to_device)
from tracking_nodes.nn.graphs import graphed
from tracking_nodes.nn.siam_rcnn import load_siam_rcnn
from tracking_nodes.online.pictures import resized
from tracking_nodes.online.regions import cut
from tracking_nodes.parameters import setting, Settings

TEMPLATE_SIDE = 192         # pixels of the template image
# Sides of the target in the template image; what is smaller or larger was not trained for.
_LEAST, _MOST = 32, 0.7 * TEMPLATE_SIDE


@dataclass(frozen=True)
class GlobalSearchSettings(Settings):
    """Parameters of the detector that searches the whole image."""

    detector_weights: str = setting(
        '', 'weights file of SiamRCNN; empty for the shipped one, random:resnet18 or '
        'random:resnet50 for random weights')
    detector_target: float = setting(
        64.0, "side that a small target is enlarged to in the detector's image, pixels",
        minimum=16.0, maximum=512.0, source='section 2.3: trained on 64 to 256')
    detector_largest_target: float = setting(
        256.0, "side that a large target is shrunk to in the detector's image, pixels",
        minimum=16.0, maximum=1024.0, source='section 2.3')
    detector_longest: int = setting(
        800, "longest side of the detector's image, pixels; larger images are shrunk, whatever "
        "the target's size", minimum=64, maximum=4096, source='speed')
    detector_proposals: int = setting(
        32, 'proposals that the RoI head judges', minimum=1, maximum=1000,
        source='speed; Faster R-CNN has 300', live=True)
    detector_precision: str = setting(
        'auto', 'of the detector on a CPU; auto is bfloat16 where the processor computes in it',
        choices=PRECISIONS, source='as of the other networks')


@dataclass(frozen=True)
class Candidates:
    """
    What looks like the target, best first.

    boxes: (M, 4) x, y, w, h in pixels of the image, float64. scores: (M,) in [0, 1], 0.5 is the
    point of doubt. There may be none.
    """

    boxes: np.ndarray
    scores: np.ndarray


class GlobalSearch:
    """SiamRCNN with the template of one target; the template's features are computed once."""

    def __init__(self, settings, runtime):
        """
        Load the detector.

        :param settings: `GlobalSearchSettings` or a subclass.
        :param runtime: object with `device`, `half`, `models`, `seed` and `graphs`, as of
            trackers.
        :raises WeightsError: its weights are missing, damaged or of another network.
        """
        self.settings = settings
        self.device = resolve_device(runtime.device)
        self._type = convolution_type(self.device, settings.detector_precision, runtime.half)
        self._network = load_siam_rcnn(settings.detector_weights, runtime.models, runtime.seed)
        self._network.to(self.device, memory_format=torch.channels_last)
        self._see = graphed(lambda pixels: [self._network.features(pixels)], self.device,
                            runtime.graphs)
        self.reset()

    def start(self, image, box):
        """
        Take a target.

        :param image: (H, W, 3) uint8, BGR.
        :param box: (4,) x, y, w, h in pixels.
        """
        settings, side = self.settings, area_side(box)
        wanted = np.clip(side, settings.detector_target, settings.detector_largest_target)
        self._longest = min(settings.detector_longest, round(max(image.shape[:2]) * wanted / side))
        shown = np.clip(side * self._longest / max(image.shape[:2]), _LEAST, _MOST)
        region = cut(image, xywh_to_cxcywh(box)[:2], TEMPLATE_SIDE * side / shown, TEMPLATE_SIDE)
        corners = torch.from_numpy(region.from_image(xywh_to_xyxy(box))).float()
        with frozen(self.device, self._type):
            self._template = self._network.template(self._features(region.pixels),
                                                    corners[None].to(self.device))

    def search(self, image, seen=None):
        """
        Return the `Candidates` in a whole image.

        Its longest side is resized to what it was in the frame of the start, so that the target
        is as large as there if it is as large in the image.

        :param image: (H, W, 3) uint8, BGR.
        :param seen: what `see` returned of `view(image)`; None to look now.
        :raises NotStartedError: no target was given.
        """
        height, width = image.shape[:2]
        size = self._shown_size(image)
        with frozen(self.device, self._type):
            boxes, scores = self._network.detect(
                self.see(self.view(image)) if seen is None else seen, self._template, size,
                proposals=self.settings.detector_proposals)
        boxes, scores = read_back(boxes, scores)
        boxes = boxes * np.tile([width / size[1], height / size[0]], 2)
        return Candidates(xyxy_to_xywh(boxes), scores)

    def view(self, image):
        """Return the image (h, w, 3) uint8 as the network is to see it."""
        return resized(image, *self._shown_size(image)[::-1])

    def see(self, view):
        """Return the maps of a view, in which the target has no part."""
        with frozen(self.device, self._type):
            return self._features(view)

    def reset(self):
        """Forget the target."""
        self._template = self._longest = None

    def _shown_size(self, image):
        """Return the (height, width) that an image is resized to."""
        if self._template is None:
            raise NotStartedError('no target to search for: call start(image, box) first')
        scale = self._longest / max(image.shape[:2])
        return tuple(max(round(side * scale), 1) for side in image.shape[:2])

    def _features(self, image):
        pixels = to_device(image, self.device).permute(2, 0, 1)[None].float()
        return self._see(pixels.contiguous(memory_format=torch.channels_last))[0]
