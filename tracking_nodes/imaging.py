"""
From image messages and encoded bytes to (H, W, 3) uint8 BGR.

Colour conversion is that of the distribution's cv_bridge where there is one and of rosbags-image
elsewhere. Both get rows without padding and 8 bits per channel, so they give the same picture:
16-bit channels are first scaled by 255 / 65535 and rounded, the full range onto the full range.
"""
from importlib.util import find_spec
import logging
import subprocess
import sys
from types import SimpleNamespace
from typing import NamedTuple

import cv2
import numpy as np

from tracking_nodes.errors import ImageError
from tracking_nodes.image_headers import JPEG_START, PNG_START, stated_size

LOGGER = logging.getLogger(__name__)
MAXIMUM_PIXELS = 100_000_000
JPEG_SCAN, JPEG_END = b'\xff\xda', b'\xff\xd9'
YUYV = 'yuv422_yuy2'
CV_BRIDGE_TRIAL = (
    'import numpy; from cv_bridge.boost.cv_bridge_boost import cvtColor2; '
    'cvtColor2(numpy.zeros((2, 2), numpy.uint8), "mono8", "bgr8")')


def _has_cv_bridge():
    """
    Return whether a distribution's cv_bridge is there and works.

    One that was built for another major version of NumPy can be imported, and then ends the
    process with a segmentation fault when it is called; so another process tries it first.
    """
    if find_spec('cv_bridge') is None:
        return False
    trial = subprocess.run([sys.executable, '-c', CV_BRIDGE_TRIAL], capture_output=True)
    if trial.returncode:
        LOGGER.warning('the cv_bridge of this distribution does not work with NumPy %s; '
                       'rosbags-image is used instead', np.__version__)
    return trial.returncode == 0


if _has_cv_bridge():
    from cv_bridge.boost.cv_bridge_boost import cvtColor2
else:
    cvtColor2 = None
    from rosbags.image import image_to_cvimage


class Encoding(NamedTuple):
    """How pixels lie in memory, and the 8-bit encoding whose colour conversion they take."""

    colour: str
    dtype: str
    channels: int


def _encodings():
    """Return every sensor_msgs encoding that can be read, by name."""
    table = {
        'mono8': Encoding('mono8', 'u1', 1), '8UC1': Encoding('mono8', 'u1', 1),
        'mono16': Encoding('mono8', 'u2', 1), '16UC1': Encoding('mono8', 'u2', 1),
        '8UC3': Encoding('bgr8', 'u1', 3), '8UC4': Encoding('bgra8', 'u1', 4),
        'yuv422': Encoding('yuv422', 'u1', 2), 'uyvy': Encoding('yuv422', 'u1', 2),
        'yuv422_yuy2': Encoding(YUYV, 'u1', 2), 'yuyv': Encoding(YUYV, 'u1', 2),
    }
    for order in ('bgr', 'rgb', 'bgra', 'rgba'):
        table[f'{order}8'] = Encoding(f'{order}8', 'u1', len(order))
        table[f'{order}16'] = Encoding(f'{order}8', 'u2', len(order))
    for pattern in ('rggb', 'bggr', 'gbrg', 'grbg'):
        table[f'bayer_{pattern}8'] = Encoding(f'bayer_{pattern}8', 'u1', 1)
        table[f'bayer_{pattern}16'] = Encoding(f'bayer_{pattern}8', 'u2', 1)
    return table


ENCODINGS = _encodings()


def decode_image(message, maximum_pixels=MAXIMUM_PIXELS):
    """
    Return the picture of a sensor_msgs/Image.

    A bgr8 or 8UC3 message without padding is not copied: the result is then a view of the
    message's data, so treat it as read-only.

    :param message: object with the fields of sensor_msgs/Image, from rclpy or from a bag.
    :param maximum_pixels: largest width x height accepted.
    :return: (H, W, 3) uint8, BGR, C-contiguous.
    :raises ImageError: unknown encoding, no pixels, too many, or a step or data length that does
        not fit; the message names the value.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise ImageError(f'image encoding {message.encoding!r} is not supported; '
                         f'supported are {", ".join(sorted(ENCODINGS))}')
    _check_size(message.width, message.height, maximum_pixels)
    if encoding.colour.startswith('yuv') and message.width % 2:
        raise ImageError(f'{message.encoding} image is {message.width} pixels wide; '
                         'it has to be an even number')
    pixels = _pixels(message, encoding)
    if encoding.dtype == 'u2':
        pixels = _to_8_bits(pixels)
    if encoding.colour == YUYV:
        # Not every cv_bridge knows this order, but all know the one with the bytes swapped.
        return _to_bgr(pixels.view(np.uint16).byteswap().view(np.uint8), 'yuv422')
    return _to_bgr(pixels, encoding.colour)


def decode_compressed(message, maximum_pixels=MAXIMUM_PIXELS):
    """
    Return the picture of a sensor_msgs/CompressedImage, see `decode_bytes`.

    :param message: object with the fields of sensor_msgs/CompressedImage.
    :param maximum_pixels: largest width x height accepted.
    :return: (H, W, 3) uint8, BGR, C-contiguous.
    :raises ImageError: compressed depth, or bytes that are no whole image.
    """
    if 'compresseddepth' in message.format.lower():
        raise ImageError(f'compressed image format {message.format!r} holds depth, not a picture; '
                         'subscribe to the colour or infrared image')
    return decode_bytes(message.data, maximum_pixels)


def decode_bytes(data, maximum_pixels=MAXIMUM_PIXELS):
    """
    Return the picture that encoded bytes hold.

    :param data: JPEG, PNG, BMP, WebP, TIFF, PGM or PPM: bytes or an array of uint8.
    :param maximum_pixels: largest width x height accepted.
    :return: (H, W, 3) uint8, BGR, C-contiguous.
    :raises ImageError: damaged, cut short, or too large.
    """
    data = bytes(data)
    _check_whole(data)
    size = stated_size(data)
    if size is None:
        raise ImageError(f'compressed image of {len(data)} bytes that start with '
                         f'{data[:8].hex(" ")} is damaged or no JPEG, PNG, BMP, WebP, TIFF, PGM '
                         'or PPM')
    _check_size(*size, maximum_pixels)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise ImageError(f'compressed image of {len(data)} bytes cannot be decoded: '
                         f'{error.err or error}') from error
    if image is None:
        raise ImageError(f'compressed image of {len(data)} bytes that start with '
                         f'{data[:8].hex(" ")} is damaged')
    _check_size(image.shape[1], image.shape[0], maximum_pixels)
    if image.dtype == np.uint16:
        return _to_8_bits(image)
    if image.dtype != np.uint8:
        raise ImageError(f'compressed image has {image.dtype} pixels; only 8 and 16 bit '
                         'unsigned pixels are pictures')
    return image


def _check_size(width, height, maximum_pixels):
    if width <= 0 or height <= 0:
        raise ImageError(f'image of {width}x{height} has no pixels')
    if width * height > maximum_pixels:
        raise ImageError(f'image of {width}x{height} has more than {maximum_pixels} pixels')


def _check_whole(data):
    """Refuse JPEG and PNG bytes that end early: OpenCV fills up the missing part with grey."""
    if not data:
        raise ImageError('compressed image has no bytes')
    if data.startswith(JPEG_START) and data.rfind(JPEG_END) < data.rfind(JPEG_SCAN):
        raise ImageError(f'JPEG image is cut short after {len(data)} bytes: its end marker is '
                         'missing')
    if data.startswith(PNG_START) and b'IEND' not in data[-64:]:
        raise ImageError(f'PNG image is cut short after {len(data)} bytes: its end chunk is '
                         'missing')


def _pixels(message, encoding):
    """Return the message's data as (H, W) or (H, W, C) pixels in the machine's byte order."""
    width, height, step = message.width, message.height, message.step
    dtype = np.dtype(encoding.dtype).newbyteorder('>' if message.is_bigendian else '<')
    row_bytes = width * encoding.channels * dtype.itemsize
    if step < row_bytes:
        raise ImageError(f'image step is {step} bytes, but {width} pixels of {message.encoding} '
                         f'take {row_bytes}')
    data = np.frombuffer(message.data, np.uint8)
    if data.size != step * height:
        raise ImageError(f'image has {data.size} bytes of data, but {height} rows of {step} bytes '
                         f'are {step * height}')
    rows = np.ascontiguousarray(data.reshape(height, step)[:, :row_bytes])
    shape = (height, width) if encoding.channels == 1 else (height, width, encoding.channels)
    return rows.view(dtype).reshape(shape).astype(dtype.newbyteorder('='), copy=False)


def _to_8_bits(pixels):
    return cv2.convertScaleAbs(pixels, alpha=255 / 65535)


def _to_bgr(pixels, colour):
    if colour == 'bgr8':
        return pixels
    try:
        if cvtColor2 is not None:
            return cvtColor2(pixels, colour, 'bgr8')
        height, width = pixels.shape[:2]
        return image_to_cvimage(
            SimpleNamespace(height=height, width=width, encoding=colour, is_bigendian=False,
                            data=pixels), 'bgr8')
    except (cv2.error, RuntimeError) as error:
        height, width = pixels.shape[:2]
        raise ImageError(f'{colour} image of {width}x{height} cannot be converted to bgr8: '
                         f'{error}') from error
