"""Cut-outs drawn into pictures at a pose, and which pixels they cover there."""
from dataclasses import dataclass

import cv2
import numpy as np

# Below this scale pixels are skipped, which shows as flicker.
_SKIPPING = 0.6


@dataclass(frozen=True)
class Pose:
    """Where a cut-out is drawn: centre in pixels, scale, angle in radians."""

    centre: np.ndarray
    scale: float
    angle: float


@dataclass(frozen=True)
class Cover:
    """
    The pixels of an image that a cut-out covers.

    rows, columns: slices of the image, without any pixel where the cut-out is outside. mask:
    (rows, columns) float32, the share of each pixel that is covered.
    """

    rows: slice
    columns: slice
    mask: np.ndarray

    def box(self):
        """Return (4,) around the pixels that are covered by half; NaN where there are none."""
        inside = (self.mask > 0.5).astype(np.uint8)
        if not inside.any():
            return np.full(4, np.nan)
        x, y, width, height = cv2.boundingRect(inside)
        return np.array([self.columns.start + x, self.rows.start + y, width, height], float)


def cover(cut_out, pose, shape):
    """
    Return the `Cover` of a cut-out at a pose.

    :param cut_out: `CutOut`.
    :param pose: `Pose`.
    :param shape: (height, width, ...) of the image.
    """
    return _placed(cut_out, pose, shape)[0]


def draw(image, cut_out, pose):
    """
    Return an image with a cut-out drawn over it, and its `Cover`.

    :param image: (H, W, 3) uint8, left as it is.
    :param cut_out: `CutOut`.
    :param pose: `Pose`.
    """
    covered, matrix = _placed(cut_out, pose, image.shape)
    image = image.copy()
    if covered.mask.size:
        pixels = cv2.blur(cut_out.pixels, (2, 2)) if pose.scale < _SKIPPING else cut_out.pixels
        drawn = cv2.warpAffine(pixels, matrix, covered.mask.shape[::-1],
                               borderMode=cv2.BORDER_REPLICATE)
        window, mask = image[covered.rows, covered.columns], covered.mask[..., None]
        window[:] = (mask * drawn + (1 - mask) * window).astype(np.uint8)
    return image, covered


def section(picture, scale, corner, size):
    """
    Return a section of a picture, mirrored at its borders.

    :param picture: (h, w, 3) uint8.
    :param scale: pixels of the section per pixel of the picture.
    :param corner: (left, top) of the section in pixels of the scaled picture.
    :param size: (width, height) of the section.
    """
    matrix = np.array([[scale, 0, -corner[0]], [0, scale, -corner[1]]])
    return cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REFLECT_101)


def _placed(cut_out, pose, shape):
    """Return the `Cover`, and the (2, 3) matrix from pixels of the cut-out to its window."""
    height, width = cut_out.mask.shape
    cosine, sine = np.cos(pose.angle) * pose.scale, np.sin(pose.angle) * pose.scale
    turning = np.array([[cosine, -sine], [sine, cosine]])
    shift = pose.centre - turning @ [(width - 1) / 2, (height - 1) / 2]
    # A pixel more on every side: interpolation reaches so far.
    corners = np.array([[x, y] for x in (-1, width) for y in (-1, height)]) @ turning.T + shift
    limit = [shape[1], shape[0]]
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, limit).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, limit).astype(int)
    matrix = np.concatenate([turning, (shift - [left, top])[:, None]], axis=1)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    if mask.size:
        whole = cv2.blur(cut_out.mask, (2, 2)) if pose.scale < _SKIPPING else cut_out.mask
        mask = cv2.warpAffine(whole, matrix, mask.shape[::-1])
    return Cover(slice(top, bottom), slice(left, right), mask.astype(np.float32) / 255), matrix
