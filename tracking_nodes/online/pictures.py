"""
What is done to images where they lie: by OpenCV to arrays, by `nn.resampling` to tensors.

An image is (H, W, 3) uint8, a NumPy array or a tensor, and what comes of it is of the same kind,
on the same device. Whoever looks at an image need not ask which of the two it is.
"""
from functools import singledispatch

import cv2
import numpy as np
import torch

from tracking_nodes.nn import resampling


@singledispatch
def square(image, left, top, side, size):
    """
    Return a square of whole pixels, resized to (size, size, 3); beyond the border the edge.

    :param left: of the square; some of it has to lie in the image.
    :param top: of the square.
    :param side: of the square.
    :param size: of the result, averaged over where it is smaller, interpolated otherwise.
    """
    piece = image[max(top, 0):top + side, max(left, 0):left + side]
    before = max(-top, 0), max(-left, 0)
    after = side - before[0] - piece.shape[0], side - before[1] - piece.shape[1]
    if any(before) or any(after):
        piece = cv2.copyMakeBorder(piece, before[0], after[0], before[1], after[1],
                                   cv2.BORDER_REPLICATE)
    return resized(piece, size, size)


@singledispatch
def resized(image, width, height):
    """Return the whole image as (height, width, 3), neither side or both of them shrunk."""
    shrinks = width * height < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height),
                      interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


@singledispatch
def warped(image, corner, step, size):
    """
    Return (size, size, 3), interpolated at places a fixed step apart.

    :param corner: (x, y) of the result's corner in the image.
    :param step: (across, down) pixels of the image per pixel of the result.
    """
    # warpAffine counts pixel centres from 0, everything else here counts pixel corners.
    left, top = (first + 0.5 * each - 0.5 for first, each in zip(corner, step))
    return cv2.warpAffine(
        image, np.array([[step[0], 0, left], [0, step[1], top]]), (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


@singledispatch
def crops(image, rows, size):
    """
    Return pieces (N, size, size, 3), each interpolated by itself.

    :param rows: (N, 4), centre x, y, width, height of the pieces in the image.
    """
    pieces = np.empty((len(rows), size, size, 3), dtype=np.uint8)
    for piece, (x, y, across, down) in zip(pieces, rows):
        scale = np.array([size / across, size / down])
        shift = -(np.array([x, y]) - (across / 2, down / 2)) * scale
        # warpAffine counts pixel centres from 0, boxes count pixel corners.
        shift += 0.5 * scale - 0.5
        matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
        cv2.warpAffine(image, matrix, (size, size), dst=piece, borderMode=cv2.BORDER_REPLICATE)
    return pieces


@singledispatch
def turned(image, middle, degrees):
    """
    Return the image turned anticlockwise, of the same size.

    :param middle: (x, y) that stays in place, counted in centres of pixels.
    """
    matrix = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


@singledispatch
def blurred(image, deviation):
    """Return the image under a Gaussian of a standard deviation in pixels."""
    return cv2.GaussianBlur(image, (0, 0), deviation)


@singledispatch
def mirrored(image):
    """Return the image, left to right."""
    return np.ascontiguousarray(image[:, ::-1])


@singledispatch
def padded(image, left, top, width, height, colour):
    """
    Return the image inside of a larger one (height, width, 3) of one colour.

    :param left: of the image in the result.
    :param top: of the image in the result.
    :param colour: three numbers.
    """
    result = np.empty((height, width, 3), np.uint8)
    result[:] = colour
    result[top:top + image.shape[0], left:left + image.shape[1]] = image
    return result


@singledispatch
def kept(image):
    """Return the image in memory of its own."""
    return image.copy()


@singledispatch
def stacked(*images):
    """Return images of one size as (N, h, w, 3)."""
    return np.stack(images)


@singledispatch
def joined(*batches):
    """Return batches (n, h, w, 3) of images as one."""
    return np.concatenate(batches)


square.register(torch.Tensor, resampling.square)
resized.register(torch.Tensor, resampling.resized)
warped.register(torch.Tensor, resampling.warped)
crops.register(torch.Tensor, resampling.crops)
turned.register(torch.Tensor, resampling.turned)
blurred.register(torch.Tensor, resampling.blurred)
mirrored.register(torch.Tensor, resampling.mirrored)
padded.register(torch.Tensor, resampling.padded)
kept.register(torch.Tensor, torch.clone)
stacked.register(torch.Tensor, lambda *images: torch.stack(images))
joined.register(torch.Tensor, lambda *batches: torch.cat(batches))
