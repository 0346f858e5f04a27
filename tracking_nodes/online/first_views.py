"""Views of the first frame, changed as later frames may be; for filters that learn from it."""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.geometry import area_side, xywh_to_cxcywh, xywh_to_xyxy
from tracking_nodes.online.pictures import blurred, mirrored, stacked, turned
from tracking_nodes.online.regions import cut


@dataclass(frozen=True)
class Change:
    """
    How a view differs from the search region around the target.

    shift: (across, down) of its middle, in sides of the target. zoom: factor on its side. turn: in
    degrees around the target. blur: standard deviation in pixels of the view. mirrored: left to
    right.
    """

    shift: tuple = (0.0, 0.0)
    zoom: float = 1.0
    turn: float = 0.0
    blur: float = 0.0
    mirrored: bool = False


CHANGES = (Change(), Change(mirrored=True), Change(zoom=1.15), Change(zoom=0.87),
           Change(shift=(0.8, 0.5)), Change(shift=(-0.6, 0.9)), Change(blur=2.0),
           Change(turn=12.0), Change(turn=-12.0))


def first_views(image, box, scale, size, changes=CHANGES):
    """
    Return changed views of a target.

    :param image: (H, W, 3) uint8, BGR.
    :param box: (x, y, w, h).
    :param scale: side of an unchanged view in units of sqrt(w h).
    :param size: of the views, pixels.
    :param changes: a sequence of `Change`.
    :return: pixels (N, size, size, 3) uint8 where the image is, and corners (N, 4) of the target
        in them: left, top, right, bottom.
    """
    pixels, corners = zip(*(_view(image, box, scale, size, change) for change in changes))
    return stacked(*pixels), np.stack(corners)


def _view(image, box, scale, size, change):
    side, centre = area_side(box), xywh_to_cxcywh(box)[:2]
    # Three times the image holds all of it, wherever the centre is.
    whole = min(scale * side, 3 * max(image.shape[:2]))
    region = cut(image, centre + np.array(change.shift) * side, whole * change.zoom, size)
    pixels, corners = region.pixels, region.from_image(xywh_to_xyxy(box))
    if change.turn:
        middle = (corners[:2] + corners[2:]) / 2 - 0.5
        pixels = turned(pixels, middle.tolist(), change.turn)
    if change.blur:
        pixels = blurred(pixels, change.blur)
    if change.mirrored:
        pixels = mirrored(pixels)
        corners = np.array([size - corners[2], corners[1], size - corners[0], corners[3]])
    return pixels, corners
