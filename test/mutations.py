"""Messages with faults drawn at random: images, JPEGs, a detector's boxes, bytes on the wire."""
from array import array

from coded_images import coded_image, header
import cv2
from node_harness import candidate, compressed, SECOND
import numpy as np
from rclpy.serialization import serialize_message

from tracking_nodes.nodes.conversions import image_message

from vision_msgs.msg import Detection2DArray

ENCODINGS = ('bgr8', 'rgb8', 'mono8', 'mono16', 'bayer_rggb8', 'yuv422', 'yuv422_yuy2', '8UC3',
             '32FC1', '', 'purple17', 'bgra16')
WRONG_SIZES = (0, 1, 7, 100, 201, 601, 2 ** 31, 2 ** 32 - 1)
# Where a serialized image goes on behind its stamp: frame, sizes, encoding, pixels.
_BEHIND_STAMP, _WITHIN_HEAD = 12, 80


def small_image(stamp, as_jpeg=False, number=1):
    """Return an image message that is all right, raw or compressed."""
    image = coded_image(number, width=200, height=24)
    if not as_jpeg:
        return image_message(image, header(stamp))
    return compressed(array('B', cv2.imencode('.jpg', image)[1].tobytes()), stamp)


def mutated_image(rng, stamp):
    """Return an image message with one to three of its fields wrong."""
    message = small_image(stamp)
    for field in rng.choice(['width', 'height', 'step', 'encoding', 'data', 'endian', 'stamp'],
                            rng.integers(1, 4), replace=False):
        if field in ('width', 'height', 'step'):
            setattr(message, field, int(rng.choice(WRONG_SIZES)))
        elif field == 'encoding':
            message.encoding = str(rng.choice(ENCODINGS))
        elif field == 'data':
            length = int(rng.integers(0, 2 * len(message.data)))
            message.data = array('B', rng.bytes(length))
        elif field == 'endian':
            message.is_bigendian = int(rng.integers(0, 256))
        else:
            # An image that is ahead by less than a second costs the two after it.
            near = stamp // SECOND + int(rng.choice([-1, 1])) * int(rng.integers(10, 100))
            message.header.stamp.sec = int(rng.choice([near, rng.integers(-2 ** 31, 2 ** 31)]))
            message.header.stamp.nanosec = int(rng.choice([0, 999_999_999, 2 ** 32 - 1]))
    return message


def mutated_bytes(rng, message):
    """Return a message as it is sent, cut short or with some bytes behind its stamp changed."""
    data = bytearray(serialize_message(message))
    if rng.random() < 0.5:
        return bytes(data[:rng.integers(1, len(data))])
    for place in rng.integers(_BEHIND_STAMP, _WITHIN_HEAD, rng.integers(1, 8)):
        data[place] = int(rng.integers(0, 256))
    return bytes(data)


def mutated_jpeg(rng, message):
    """Return a compressed image with some of its bytes changed, and perhaps cut short."""
    data = np.array(message.data, np.uint8)
    places = rng.integers(0, len(data), rng.integers(1, 20))
    data[places] = rng.integers(0, 256, len(places))
    data = data[:rng.integers(0, len(data) + 1)] if rng.random() < 0.3 else data
    message.data = array('B', data.tobytes())
    return message


def mutated_boxes(rng):
    """Return a detector's message of three boxes with numbers that are none."""
    wild = [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-300, 1e300, 50.0]
    items = [candidate((1, 1, 1, 1), 'dog', float(rng.choice([0.9, np.nan, np.inf, -1])))
             for _ in range(3)]
    for item in items:
        item.bbox.center.position.x, item.bbox.center.position.y = map(float, rng.choice(wild, 2))
        item.bbox.size_x, item.bbox.size_y = map(float, rng.choice(wild, 2))
        item.bbox.center.theta = float(rng.choice([0.0, 0.5, np.nan, np.inf]))
        if rng.random() < 0.2:
            item.results = []
    return Detection2DArray(header=header(0), detections=items)
