"""Cut-outs and backgrounds drawn from nothing, for clips where there are no photographs."""
import cv2
import numpy as np

from tracking_nodes.sequences.stills import CutOut, Stills
from tracking_nodes.sequences.texture import texture

_SIDE = 128                     # longest side of a cut-out, pixels
_BACKGROUND = 480, 640          # height, width
_GRAIN = 0.35                   # weight of the texture in a colour


def drawn_stills(random, cut_outs=24, backgrounds=8):
    """
    Draw textured ellipses and polygons with marks on them, and cluttered backgrounds.

    :param random: `numpy.random.Generator` of all draws.
    :param cut_outs: how many.
    :param backgrounds: how many.
    :return: `Stills`.
    """
    return Stills([_cut_out(random) for _ in range(cut_outs)],
                  [_marked(_BACKGROUND, 30, random) for _ in range(backgrounds)])


def _cut_out(random):
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    outline = _outline(random)
    cv2.fillPoly(mask, [outline], 255)
    x, y, width, height = cv2.boundingRect(outline)
    inside = np.s_[y:y + height, x:x + width]
    return CutOut(_marked(mask.shape, 8, random)[inside].copy(), mask[inside].copy())


def _outline(random):
    """Return the corners (N, 2) int32 of an ellipse or of a star-shaped polygon."""
    if random.random() < 0.4:
        corners, radii = 48, np.ones(48)
    else:
        corners = int(random.integers(4, 9))
        radii = random.uniform(0.6, 1, corners)
    angles = (np.arange(corners) + random.uniform(-0.25, 0.25)) * 2 * np.pi / corners
    sides = np.array([1, random.uniform(0.5, 1)])[random.permutation(2)]
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.round(_SIDE / 2 + (_SIDE / 2 - 1) * sides * radii[:, None] * unit).astype(np.int32)


def _marked(shape, marks, random):
    """Return (height, width, 3) uint8: a textured colour with discs and bars of other colours."""
    picture = np.tile(random.uniform(0, 255, 3), (*shape, 1))
    longest = max(shape)
    for _ in range(marks):
        place = tuple(int(value) for value in random.uniform(0, 1, 2) * shape[::-1])
        colour, size = random.uniform(0, 255, 3).tolist(), random.uniform(0.03, 0.12) * longest
        if random.random() < 0.5:
            cv2.circle(picture, place, int(size), colour, -1)
        else:
            end = tuple(int(value) for value in place + random.normal(0, 3 * size, 2))
            cv2.line(picture, place, end, colour, max(2, int(size / 2)))
    grain = texture(random, *shape, coarsest=64)
    return (_GRAIN * grain + (1 - _GRAIN) * picture).astype(np.uint8)
