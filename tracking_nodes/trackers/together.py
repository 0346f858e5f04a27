"""
Several targets in one image: what their trackers look at goes through the network in one pass.

Each target has a tracker of its own, with its own box, memory and model. Only the frozen network
in front of them, which is the same, is shared: in one batch where the trackers look at regions of
their own, and once for all where they look at the whole image.
"""
from abc import ABC, abstractmethod
from itertools import groupby

import torch

from tracking_nodes.nn.device import image_to_device
from tracking_nodes.online.pictures import joined


class Looker(ABC):
    """
    A tracker that can look at an image in one pass with others of the same network.

    whole_image: whether views of one shape are the same for all targets. device: that it computes
    on; a GPU is sent the image once, as a whole, and everything is cut out there.
    """

    whole_image = False
    device: torch.device
    _foreseen = None

    @abstractmethod
    def views(self, image):
        """
        Return what the next `locate` in this image is to see of it.

        :param image: (H, W, 3) uint8, BGR.
        :return: (N, h, w, 3) uint8, BGR, where the image is.
        """

    @abstractmethod
    def see(self, views):
        """
        Return what the network makes of views; the target has no part in it.

        :param views: (T N, h, w, 3) uint8, BGR: those of T targets.
        :return: list of tensors whose first axis is a multiple of T, target by target.
        """

    def sent(self, image):
        """Return an image on the device."""
        return image_to_device(image, self.device)

    def foresee(self, image, seen):
        """Keep what `see` returned of an image, for the next `_locate` if that is in it."""
        self._foreseen = image, seen

    def look(self, image):
        """Return what the network sees of an image: foreseen, or looked at now."""
        (foreseen, seen), self._foreseen = self._foreseen or (None, None), None
        return seen if foreseen is image else self.see(self.views(image))


def look_together(trackers, image):
    """
    Let trackers with a target look at an image in as few passes as it takes.

    What they see is what each would see alone, up to rounding. Trackers that cannot share a pass
    are left to look by themselves. A GPU is sent the image once, in either case.

    :param trackers: list of `Tracker`, of the same settings and networks.
    :param image: (H, W, 3) uint8, BGR; `locate` has to be given this very array.
    :return: how many passes of the network that was; 0 where there was nothing to share.
    """
    if len(trackers) < 2:
        return 0
    sent = trackers[0].sent(image)
    for tracker in trackers:
        tracker.expect(image, sent)
    looked = [(looker, looker.views(sent)) for looker in
              (tracker.looker for tracker in trackers) if looker is not None]
    if len(looked) < 2:
        return 0
    groups = [list(group) for _, group in groupby(
        sorted(looked, key=_shape), key=_shape)]
    for group in groups:
        lookers, views = zip(*group)
        if lookers[0].whole_image:
            seen = [lookers[0].see(views[0])] * len(lookers)
        else:
            seen = zip(*(part.chunk(len(lookers)) for part in lookers[0].see(joined(*views))))
        for looker, own in zip(lookers, seen):
            looker.foresee(sent, list(own))
    return len(groups)


def _shape(looked):
    return looked[1].shape
