"""Square pieces of an image, resized; for trackers that do not see the whole image."""
from dataclasses import dataclass

import numpy as np
import torch

from tracking_nodes.geometry import copied
from tracking_nodes.online.pictures import resized, square, warped


@dataclass(frozen=True)
class Region:
    """
    A square piece of an image and how to get from image to piece.

    pixels: (size, size, 3) uint8, BGR, where the image is. left, top: image coordinates of its
    corner. scale: pixels of the piece per pixel of the image.
    """

    pixels: np.ndarray | torch.Tensor
    left: float
    top: float
    scale: float

    def from_image(self, points):
        """
        Return corner coordinates of the image in those of the piece.

        :param points: (..., 2) or (..., 4), an array or a tensor; the result is as this.
        """
        points = copied(points)
        points[..., 0::2] -= self.left
        points[..., 1::2] -= self.top
        points *= self.scale
        return points

    def to_image(self, points):
        """Return (..., 2) or (..., 4) corner coordinates of the piece in those of the image."""
        points = np.asarray(points, dtype=np.float64)
        return points / self.scale + np.resize([self.left, self.top], points.shape[-1])


def cut(image, centre, side, size):
    """
    Cut a square and resize it; beyond the border the image's edge is repeated.

    :param image: (H, W, 3) uint8, an array or a tensor.
    :param centre: (x, y) in pixels.
    :param side: of the square, in pixels of the image; rounded to whole pixels.
    :param size: of the result, in pixels.
    :return: a `Region`.
    """
    height, width = image.shape[:2]
    side = max(int(round(side)), 2)
    left, top = (int(round(value - side / 2)) for value in centre)
    # A square entirely beside the image still shows its edge.
    left = min(max(left, 1 - side), width - 1)
    top = min(max(top, 1 - side), height - 1)
    return Region(square(image, left, top, side, size), left, top, size / side)


def sample(image, centre, sides, size):
    """
    Resample squares around one point exactly, to fractions of a pixel; no `Region` is needed.

    What shrinks by two or more is first averaged over whole pixels, then interpolated.

    :param image: (H, W, 3) uint8, an array or a tensor; beyond the border its edge is repeated.
    :param centre: (x, y) in pixels.
    :param sides: of the squares, in pixels of the image.
    :param size: of the results, in pixels.
    :return: list of (size, size, 3) uint8, one per side, where the image is.
    """
    factor, origin, cell = int(max(sides) / size), np.zeros(2), np.ones(2)
    if factor > 1:
        image, origin, cell = _shrunk(image, np.asarray(centre), max(sides), factor)
    squares = []
    for side in sides:
        corner = (np.asarray(centre) - side / 2 - origin) / cell
        squares.append(warped(image, corner.tolist(), (side / size / cell).tolist(), size))
    return squares


def _shrunk(image, centre, side, factor):
    """Return the square's part of the image at 1 / factor, its corner, and pixels per cell."""
    limit = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(centre - side / 2), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(centre + side / 2), low + 1, limit).astype(int)
    piece = image[low[1]:high[1], low[0]:high[0]]
    cells = np.maximum(np.round((high - low) / factor), 1).astype(int)
    return resized(piece, *cells.tolist()), low, (high - low) / cells
