"""Decoding of images: every encoding against its own definition, and what is refused."""
from array import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tracking_nodes import imaging
from tracking_nodes.errors import ImageError
from tracking_nodes.imaging import decode_bytes, decode_compressed, decode_image

WIDTH, HEIGHT = 12, 10
# Where each pattern has its red, first green, second green and blue pixel: (row, column).
BAYER = {'rggb': ((0, 0), (0, 1), (1, 0), (1, 1)), 'bggr': ((1, 1), (0, 1), (1, 0), (0, 0)),
         'gbrg': ((1, 0), (0, 0), (1, 1), (0, 1)), 'grbg': ((0, 1), (0, 0), (1, 1), (1, 0))}


@pytest.fixture
def random():
    """Return a seeded random generator."""
    return np.random.default_rng(5)


def make_message(pixels, encoding, padding=0, big_endian=False):
    """Return an image message of an (H, W[, C]) array, its rows padded with 0xEE bytes."""
    stored = pixels.astype(pixels.dtype.newbyteorder('>' if big_endian else '<'))
    rows = stored.reshape(len(pixels), -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xEE)
    return SimpleNamespace(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
                           is_bigendian=int(big_endian), step=rows.shape[1],
                           data=array('B', rows.tobytes()))


def scaled(values):
    """Return 16-bit values as 8 bits, by the definition."""
    return np.rint(values.astype(np.float64) * 255 / 65535).astype(np.uint8)


@pytest.mark.parametrize('padding', [0, 1, 4])
@pytest.mark.parametrize('encoding, order', [
    ('bgr8', 'bgr'), ('rgb8', 'rgb'), ('bgra8', 'bgra'), ('rgba8', 'rgba'), ('8UC3', 'bgr'),
    ('8UC4', 'bgra'), ('mono8', 'm'), ('8UC1', 'm')])
def test_8_bit_channels_land_where_they_belong(random, encoding, order, padding):
    shape = (HEIGHT, WIDTH) if order == 'm' else (HEIGHT, WIDTH, len(order))
    pixels = random.integers(0, 256, shape, dtype=np.uint8)
    image = decode_image(make_message(pixels, encoding, padding))
    expected = (np.stack([pixels] * 3, axis=-1) if order == 'm'
                else pixels[..., [order.index(channel) for channel in 'bgr']])
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('encoding, order', [
    ('mono16', 'm'), ('16UC1', 'm'), ('bgr16', 'bgr'), ('rgb16', 'rgb'), ('bgra16', 'bgra'),
    ('rgba16', 'rgba')])
def test_16_bit_channels_are_scaled_and_rounded(random, encoding, order, big_endian):
    shape = (HEIGHT, WIDTH) if order == 'm' else (HEIGHT, WIDTH, len(order))
    pixels = random.integers(0, 65536, shape, dtype=np.uint16)
    pixels.reshape(-1)[:3] = 0, 65535, 256
    image = decode_image(make_message(pixels, encoding, 2, big_endian))
    expected = (np.stack([scaled(pixels)] * 3, axis=-1) if order == 'm'
                else scaled(pixels)[..., [order.index(channel) for channel in 'bgr']])
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize('encoding, luma_at', [('yuv422', 1), ('uyvy', 1), ('yuv422_yuy2', 0),
                                               ('yuyv', 0)])
def test_yuv_follows_bt601(random, encoding, luma_at):
    luma = random.integers(16, 236, (HEIGHT, WIDTH))
    # Neighbours of a pair share u and v; kept near grey so that no channel saturates.
    chroma = random.integers(118, 139, (HEIGHT, WIDTH // 2, 2))
    packed = np.empty((HEIGHT, WIDTH, 2), np.uint8)
    chroma_at = 1 - luma_at
    packed[..., luma_at] = luma
    packed[:, 0::2, chroma_at], packed[:, 1::2, chroma_at] = chroma[..., 0], chroma[..., 1]
    y = 1.164 * (luma - 16.0)
    u, v = (np.repeat(chroma[..., k], 2, axis=1) - 128.0 for k in (0, 1))
    expected = np.stack([y + 2.018 * u, y - 0.391 * u - 0.813 * v, y + 1.596 * v], axis=-1)
    image = decode_image(make_message(packed, encoding, 3))
    assert np.abs(image - np.clip(expected, 0, 255)).max() <= 2


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('pattern', BAYER)
def test_bayer_keeps_measured_values_and_fills_between(random, pattern, bits):
    top = 2 ** bits
    mosaic = random.integers(0, top, (HEIGHT, WIDTH)).astype(f'uint{bits}')
    image = decode_image(make_message(mosaic, f'bayer_{pattern}{bits}'))
    values = scaled(mosaic) if bits == 16 else mosaic
    for (row, column), channel in zip(BAYER[pattern], (2, 1, 1, 0)):
        sites = np.zeros((HEIGHT, WIDTH), bool)
        sites[row::2, column::2] = True
        sites[[0, -1]], sites[:, [0, -1]] = False, False
        np.testing.assert_array_equal(image[sites, channel], values[sites])
    row, column = (int(place) + 2 for place in BAYER[pattern][0])
    around = values[row - 1:row + 2, column - 1:column + 2].astype(float)
    assert abs(image[row, column, 0] - around[::2, ::2].mean()) <= 1
    assert abs(image[row, column, 1] - (around.sum() - around[1, 1]
                                        - around[::2, ::2].sum()) / 4) <= 1


def test_big_endian_flag_does_not_matter_for_8_bits(random):
    pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode_image(make_message(pixels, 'bgr8', 0, True)), pixels)


def test_tight_bgr_is_not_copied(random):
    message = make_message(random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8), 'bgr8')
    assert np.shares_memory(decode_image(message), np.frombuffer(message.data, np.uint8))


def test_real_rclpy_messages(random):
    messages = pytest.importorskip('sensor_msgs.msg')
    pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    image = messages.Image(height=HEIGHT, width=WIDTH, encoding='rgb8', step=3 * WIDTH,
                           data=array('B', pixels.tobytes()))
    np.testing.assert_array_equal(decode_image(image), pixels[..., ::-1])
    png = cv2.imencode('.png', pixels)[1].tobytes()
    compressed = messages.CompressedImage(format='bgr8; png compressed bgr8',
                                          data=array('B', png))
    np.testing.assert_array_equal(decode_compressed(compressed), pixels)


def test_cv_bridge_of_a_distribution_gives_the_same_picture(random, monkeypatch):
    if imaging.cvtColor2 is None:
        pytest.skip('no cv_bridge that works with this NumPy')
    from rosbags.image import image_to_cvimage
    for name, encoding in imaging.ENCODINGS.items():
        shape = (HEIGHT, WIDTH, encoding.channels) if encoding.channels > 1 else (HEIGHT, WIDTH)
        dtype = np.dtype(encoding.dtype)
        pixels = random.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
        with monkeypatch.context() as context:
            message = make_message(pixels, name, 2)
            bridged = decode_image(message)
            context.setattr(imaging, 'cvtColor2', None)
            context.setattr(imaging, 'image_to_cvimage', image_to_cvimage, raising=False)
            np.testing.assert_array_equal(bridged, decode_image(message), err_msg=name)


@pytest.mark.parametrize('changes, words', [
    ({'encoding': '32FC1'}, "'32FC1' is not supported"),
    ({'encoding': ''}, "'' is not supported"),
    ({'step': 35}, 'step is 35 bytes, but 12 pixels of bgr8 take 36'),
    ({'step': 40}, '360 bytes of data, but 10 rows of 40 bytes are 400'),
    ({'data': bytes(300)}, '300 bytes of data, but 10 rows of 36 bytes are 360'),
    ({'data': b''}, '0 bytes of data'),
    ({'data': bytes(361)}, '361 bytes of data'),
    ({'width': 0}, '0x10 has no pixels'),
    ({'height': 0}, '12x0 has no pixels'),
    ({'width': 2 ** 31, 'height': 2 ** 31}, 'more than'),
    ({'encoding': 'mono16', 'step': 23}, 'step is 23 bytes'),
    ({'encoding': 'yuv422', 'width': 11}, '11 pixels wide'),
])
def test_unusable_messages_are_refused_with_the_value(changes, words):
    message = make_message(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 'bgr8')
    for field, value in changes.items():
        setattr(message, field, value)
    with pytest.raises(ImageError, match=words):
        decode_image(message)


def test_encoding_and_size_may_change_between_messages(random):
    colour = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    grey = random.integers(0, 256, (4, 6), dtype=np.uint8)
    for pixels, encoding in ((colour, 'bgr8'), (grey, 'mono8'), (colour, 'rgb8')):
        assert decode_image(make_message(pixels, encoding)).shape[:2] == pixels.shape[:2]


def test_maximum_pixels_is_a_limit_of_both_kinds(random):
    pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    assert decode_image(make_message(pixels, 'bgr8'), WIDTH * HEIGHT).shape == pixels.shape
    with pytest.raises(ImageError, match='12x10 has more than 119 pixels'):
        decode_image(make_message(pixels, 'bgr8'), WIDTH * HEIGHT - 1)
    for suffix in ('.png', '.jpg', '.bmp'):
        data = cv2.imencode(suffix, pixels)[1].tobytes()
        assert decode_bytes(data, WIDTH * HEIGHT).shape == pixels.shape
        with pytest.raises(ImageError, match='12x10 has more than 119 pixels'):
            decode_bytes(data, WIDTH * HEIGHT - 1)


def test_a_huge_image_is_refused_before_it_is_decoded(monkeypatch):
    data = bytearray(cv2.imencode('.png', np.zeros((8, 8), np.uint8))[1])
    data[16:24] = (60000).to_bytes(4, 'big') * 2
    monkeypatch.setattr(cv2, 'imdecode', None)
    with pytest.raises(ImageError, match='60000x60000 has more than 100000000 pixels'):
        decode_bytes(data)


def test_16_bit_png_scales_like_mono16(random):
    grey = random.integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
    image = decode_bytes(cv2.imencode('.png', grey)[1])
    np.testing.assert_array_equal(image, np.stack([scaled(grey)] * 3, axis=-1))


def test_jpeg_bytes(random):
    smooth = cv2.resize(random.integers(0, 256, (4, 4, 3), dtype=np.uint8), (64, 48))
    image = decode_bytes(cv2.imencode('.jpg', smooth, [cv2.IMWRITE_JPEG_QUALITY, 98])[1])
    assert np.abs(image.astype(int) - smooth).mean() < 3


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('share', [0.02, 0.5, 0.95])
def test_bytes_cut_short_are_refused(random, suffix, share):
    pixels = random.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = cv2.imencode(suffix, pixels)[1].tobytes()
    with pytest.raises(ImageError, match='cut short|damaged'):
        decode_bytes(data[:int(share * len(data))])


def test_damaged_png_is_refused(random):
    data = bytearray(cv2.imencode('.png', random.integers(0, 256, (60, 80, 3), np.uint8))[1])
    data[len(data) // 2:len(data) // 2 + 40] = bytes(40)
    with pytest.raises(ImageError, match='damaged'):
        decode_bytes(data)


@pytest.mark.parametrize('data', [b'', b'no image at all', bytes(1000)])
def test_bytes_that_are_no_image_are_refused(data):
    with pytest.raises(ImageError):
        decode_bytes(data)


def test_compressed_depth_is_refused_by_name():
    message = SimpleNamespace(format='16UC1; compressedDepth png', data=b'\0' * 40)
    with pytest.raises(ImageError, match='16UC1; compressedDepth png'):
        decode_compressed(message)


def test_float_pixels_are_refused(random):
    data = cv2.imencode('.tiff', random.random((8, 8, 3)).astype(np.float32))[1]
    with pytest.raises(ImageError, match='float32'):
        decode_bytes(data)
