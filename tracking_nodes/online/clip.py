"""
The last frames of a video through one window, for networks that see several frames at once.

The window follows the target, so the earlier frames are needed at another place in every frame.
They are kept resized, wider than the window and on one grid of whole pixels, so that the window
is a slice of each; only where it leaves what is kept, or the target's size has changed, is a
frame resized again.
"""
from collections import deque
import math

import numpy as np

from tracking_nodes.geometry import area_side, xywh_to_cxcywh
from tracking_nodes.online.pictures import kept, stacked
from tracking_nodes.online.regions import Region, sample

# Side of what is kept of a frame, in windows: the window may move half its side before a frame
# has to be resized again.
KEPT = 2
# A window this much larger or smaller than asked for is left as it is.
SCALE_TOLERANCE = 1.1


class Clip:
    """A fixed number of frames, at first all the same."""

    def __init__(self, image, box, frames, scale, size):
        """
        Fill the clip with its first frame.

        :param image: (H, W, 3) uint8.
        :param box: (x, y, w, h) of the target.
        :param frames: number of frames.
        :param scale: side of the window in units of sqrt(w h) of the target.
        :param size: of the window, in pixels.
        """
        self._scale, self._size, self._zoom = scale, size, None
        self._frames = deque([_Frame(image)] * frames, maxlen=frames)
        self.window(box)

    def add(self, image):
        """Take in the next frame; the oldest one leaves."""
        self._frames.append(_Frame(image))

    def window(self, box):
        """
        Return the same window of all frames.

        :param box: (x, y, w, h), the window's centre and size.
        :return: a `Region`, whose pixels are (frames, size, size, 3), oldest first.
        """
        # Three times the image holds all of it and of its candidates, wherever the centre is.
        side = min(self._scale * area_side(box), 3 * max(self._frames[-1].image.shape[:2]))
        zoom = self._size / side
        if self._zoom is None or abs(math.log(zoom / self._zoom)) > math.log(SCALE_TOLERANCE):
            self._zoom = zoom
        corner = np.floor(xywh_to_cxcywh(box)[:2] * self._zoom - self._size / 2).astype(int)
        pixels = stacked(*(frame.part(corner, self._size, self._zoom) for frame in self._frames))
        return Region(pixels, *(corner / self._zoom), self._zoom)


class _Frame:
    """An image and a resized part of it; coordinates are whole pixels after resizing."""

    def __init__(self, image):
        # The caller may use its image's memory again.
        self.image = kept(image)
        self._part = self._corner = self._zoom = None

    def part(self, corner, size, zoom):
        """Return (size, size, 3) from a corner (x, y) on, of the image enlarged by zoom."""
        if self._zoom != zoom or not self._holds(corner, size):
            wide = KEPT * size
            self._zoom, self._corner = zoom, corner - (wide - size) // 2
            centre = (self._corner + wide / 2) / zoom
            self._part, = sample(self.image, centre, [wide / zoom], wide)
        left, top = corner - self._corner
        return self._part[top:top + size, left:left + size]

    def _holds(self, corner, size):
        inside = corner - self._corner
        return (inside >= 0).all() and (inside + size <= len(self._part)).all()
