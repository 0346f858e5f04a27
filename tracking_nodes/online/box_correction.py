"""How the box that was given differs from what a detector draws around the same object."""
import numpy as np
import torch
from torchvision.models.detection._utils import BoxCoder

from tracking_nodes.geometry import iou, xywh_to_xyxy, xyxy_to_xywh

# Below it the detector's boxes of the first frame are of something else.
_LEAST_OVERLAP = 0.5


class BoxCorrection:
    """
    A shift and a change of size, relative to the box, taken from one frame.

    Whoever gives the first box decides whether a cyclist's bicycle belongs to the target; a
    detector that was trained on other people's boxes decides anew, and alike in every frame.
    """

    def __init__(self, boxes, truth, share):
        """
        Take the difference.

        :param boxes: (M, 4) of a detector, x, y, w, h in pixels; the one that overlaps the truth
            most counts, and none where all overlap it little.
        :param truth: (4,) box that was given in the same image.
        :param share: of the difference that `applied` makes up for, in [0, 1].
        """
        self._coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        overlaps = iou(boxes, truth) if len(boxes) else np.zeros(1)
        self._steps = torch.zeros(1, 4, dtype=torch.float64)
        if overlaps.max() >= _LEAST_OVERLAP:
            best = boxes[overlaps.argmax()][None]
            self._steps = share * self._coder.encode_single(
                *(torch.from_numpy(xywh_to_xyxy(one)) for one in (truth[None], best)))

    def applied(self, boxes):
        """Return boxes (M, 4) as whoever gave the first one would draw them."""
        corners = torch.from_numpy(xywh_to_xyxy(boxes))
        steps = self._steps.expand(len(boxes), 4)
        return xyxy_to_xywh(self._coder.decode_single(steps, corners).numpy())
