"""Late answers, extrapolated to the moment in which they are published."""
from tracking_nodes.nodes.frames import age
from tracking_nodes.online.camera_motion import CameraFlow
from tracking_nodes.online.extrapolation import Extrapolator


class Compensation:
    """What the answers so far say of where the target is now; used by one thread only."""

    def __init__(self, settings):
        """
        Begin without a target.

        :param settings: `NodeSettings`; where its `compensation` is 'none', nothing is kept.
        """
        self.wanted = settings.compensation != 'none'
        self._extrapolator = Extrapolator(settings.motion_noise, settings.compensation_limit)
        self._flow = CameraFlow() if settings.compensation == 'flow' else None

    def reset(self):
        """Forget the target and the last image."""
        self._extrapolator.reset()
        if self._flow is not None:
            self._flow.reset()

    def take(self, stamp, image, location):
        """
        Take the answer to the next image.

        :param stamp: of the image, ns.
        :param image: (H, W, 3) uint8, BGR.
        :param location: `Location` of the target in it.
        """
        if not self.wanted:
            return
        camera = None if self._flow is None else self._flow.step(image, location.box)
        self._extrapolator.add(stamp, location.box, location.present, camera)

    def at(self, stamp, now):
        """
        Return the box at the present and the time it is for.

        Where the clocks cannot be compared, or the image is from the future, that is the image's.

        :param stamp: of the last image, ns.
        :param now: the node's clock, ns; 0 while simulated time has not begun.
        :return: (4,), x, y, w, h, and ns.
        """
        comparable = (age(now, stamp) or 0) > 0
        return self._extrapolator.at(now if comparable else stamp)
