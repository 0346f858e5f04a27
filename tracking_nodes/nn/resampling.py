"""
Cutting and resizing of images on the device that they lie on, as OpenCV does it to arrays.

All images are (h, w, 3) uint8 tensors, all results contiguous ones on the same device. Places are
in pixels, and pixel k reaches from k to k + 1; beyond the border the edge is repeated. What is
enlarged is interpolated between the centres of pixels, what is shrunk is averaged over the area
of each pixel of the result, in float32 whatever autocast says.

Indices and weights are made on the device from a few numbers, so that a GPU is sent nothing
besides the image; only `crops` sends its boxes.
"""
import math

import torch
from torch.nn import functional

from tracking_nodes.nn.device import to_device


def square(image, left, top, side, size):
    """
    Return a square of whole pixels, resized to (size, size, 3).

    :param left: of the square; some of it has to lie in the image.
    :param top: of the square.
    :param side: of the square.
    :param size: of the result.
    """
    piece = image[max(top, 0):top + side, max(left, 0):left + side]
    resize = _averaged if side > size else _interpolated
    return resize(piece, (min(left, 0), min(top, 0)), (side / size, side / size), (size, size))


def resized(image, width, height):
    """Return the whole image as (height, width, 3), neither side or both of them shrunk."""
    rows, columns = image.shape[:2]
    resize = _averaged if width * height < rows * columns else _interpolated
    return resize(image, (0, 0), (columns / width, rows / height), (width, height))


def warped(image, corner, step, size):
    """
    Return (size, size, 3), interpolated at places a fixed step apart.

    :param corner: (x, y) of the result's corner in the image.
    :param step: (across, down) pixels of the image per pixel of the result.
    """
    # Of a large image only what is looked at becomes float.
    limits = image.shape[1], image.shape[0]
    low, high = zip(*(_span(first, first + size * each, limit)
                      for first, each, limit in zip(corner, step, limits)))
    part = image[low[1]:high[1], low[0]:high[0]]
    return _interpolated(part, [first - begin for first, begin in zip(corner, low)], step,
                         (size, size))


def crops(image, rows, size):
    """
    Return pieces (N, size, size, 3), each interpolated by itself.

    :param rows: NumPy array (N, 4) float64, centre x, y, width, height of the pieces.
    """
    sent = to_device(rows, image.device)
    places = (torch.arange(size, device=image.device) + 0.5) / size - 0.5
    across, down = (_in_shares(sent[:, axis, None] + sent[:, 2 + axis, None] * places,
                               image.shape[1 - axis]) for axis in (0, 1))
    return _at(image, across[:, None], down[:, :, None])


def turned(image, middle, degrees):
    """
    Return the image turned anticlockwise, of the same size.

    :param middle: (x, y) that stays in place, counted in centres of pixels.
    """
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    down, across = (torch.arange(length, device=image.device, dtype=torch.float64) - centre
                    for length, centre in zip(image.shape, middle[::-1]))
    down = down[:, None]
    places = (cosine * across - sine * down + middle[0] + 0.5,
              sine * across + cosine * down + middle[1] + 0.5)
    return _at(image, *(_in_shares(each, length)[None]
                        for each, length in zip(places, image.shape[1::-1])))[0]


def blurred(image, deviation):
    """Return the image under a Gaussian of a standard deviation; mirrored at its border."""
    # As wide as OpenCV's.
    reach = (round(6 * deviation + 1) | 1) // 2
    offsets = torch.arange(-reach, reach + 1, device=image.device)
    weights = torch.exp(-offsets.square() / (2 * deviation ** 2))
    weights = weights / weights.sum()
    for axis in (0, 1):
        last = image.shape[axis] - 1
        index = torch.arange(last + 1, device=image.device)[:, None] + offsets
        index = (last - (last - index.abs()).abs()).clamp(0, last)
        image = _summed(image, axis, index, weights.expand(index.shape))
    return _pixels(image)


def mirrored(image):
    """Return the image, left to right."""
    return image.flip(1)


def padded(image, left, top, width, height, colour):
    """
    Return the image inside of a larger one (height, width, 3) of one colour.

    :param left: of the image in the result.
    :param top: of the image in the result.
    :param colour: three numbers.
    """
    result = image.new_empty((height, width, 3))
    for channel, value in enumerate(colour):
        result[..., channel] = value
    result[top:top + image.shape[0], left:left + image.shape[1]] = image
    return result


def _interpolated(image, corner, step, size):
    """Return (height, width, 3) for a `size` (width, height), see `warped`."""
    across, down = (
        # In shares from the first on, to launch as few kernels as there may be.
        torch.arange(0.5, count, dtype=torch.float64, device=image.device)
        * (2 * each / length) + _in_shares(first, length)
        for first, each, count, length in zip(corner, step, size, image.shape[1::-1]))
    return _at(image, across[None, None], down[None, :, None])[0]


def _in_shares(places, length):
    """Return places along an axis as PyTorch counts them, -1 at its begin and 1 at its end."""
    return places * (2 / length) - 1


def _at(image, across, down):
    """Return (N, h, w, 3) at places, see `_in_shares`, that broadcast to (N, h, w) float64."""
    grid = torch.stack(torch.broadcast_tensors(across, down), dim=3).float()
    planes = image.permute(2, 0, 1).float().expand(len(grid), -1, -1, -1)
    found = functional.grid_sample(planes, grid, padding_mode='border', align_corners=False)
    return _pixels(found.permute(0, 2, 3, 1))


def _averaged(image, corner, step, size):
    """Return (height, width, 3) for a `size` (width, height), over cells of `step` >= 1."""
    for axis in (0, 1):
        count, length = size[1 - axis], image.shape[axis]
        image = _summed(image, axis, *_shares(corner[1 - axis], step[1 - axis], count, length,
                                              image.device))
    return _pixels(image)


def _shares(corner, step, count, length, device):
    """
    Return which pixels each cell of an axis covers, and which share of it each one is.

    :param corner: where the first cell begins.
    :param step: length of a cell.
    :param count: number of cells.
    :param length: of the axis, in pixels.
    :return: (count, n) indices and float32 shares, the latter adding up to 1.
    """
    begin = corner + step * torch.arange(count, device=device, dtype=torch.float64)[:, None]
    index = begin.floor() + torch.arange(math.ceil(step) + 1, device=device)
    inside = index - begin
    covered = (inside + 1).clamp(0, step) - inside.clamp(0, step)
    return index.clamp(0, length - 1).long(), (covered / step).float()


def _summed(image, axis, index, weights):
    """Return weighted sums along an axis, float32, of the pixels at an index (count, n)."""
    picked = image.index_select(axis, index.flatten()).unflatten(axis, index.shape)
    return (picked * weights.reshape(*weights.shape, *[1] * (2 - axis))).sum(axis + 1)


def _pixels(values):
    return values.round().to(torch.uint8, memory_format=torch.contiguous_format)


def _span(begin, end, length):
    """Return the first pixel that interpolation between two places needs, and one after all."""
    first = min(max(math.floor(begin) - 1, 0), length - 1)
    return first, max(min(math.ceil(end) + 1, length), first + 1)
