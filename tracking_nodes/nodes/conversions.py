"""The only place where boxes, stamps and images become messages and messages become boxes."""
from array import array
import math

from builtin_interfaces.msg import Time
import numpy as np
from sensor_msgs.msg import Image
from vision_msgs.msg import BoundingBox2D, Detection2D, Detection2DArray, ObjectHypothesisWithPose


def stamp_to_nanoseconds(stamp):
    """Return a builtin_interfaces Time as integer nanoseconds."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def nanoseconds_to_stamp(nanoseconds):
    """Return integer nanoseconds as a builtin_interfaces Time."""
    seconds, rest = divmod(int(nanoseconds), 1_000_000_000)
    return Time(sec=seconds, nanosec=rest)


def box_to_message(box):
    """
    Return a box as BoundingBox2D.

    :param box: (x, y, w, h), (x, y) the top-left corner; the message holds the centre x + w/2.
    """
    x, y, width, height = (float(value) for value in box)
    message = BoundingBox2D()
    message.center.position.x = x + width / 2
    message.center.position.y = y + height / 2
    message.size_x = width
    message.size_y = height
    return message


def message_to_box(message):
    """
    Return a BoundingBox2D as a box; a turned one becomes the upright box around it.

    :return: array (4,), float64, x, y, w, h in pixels.
    """
    width, height = message.size_x, message.size_y
    theta = message.center.theta
    if theta:
        cosine, sine = abs(math.cos(theta)), abs(math.sin(theta))
        width, height = width * cosine + height * sine, width * sine + height * cosine
    return np.array([message.center.position.x - width / 2,
                     message.center.position.y - height / 2, width, height])


def detection(header, box, score, class_id, identity):
    """
    Return one Detection2D.

    :param header: of the image the box is in.
    :param box: (x, y, w, h) in pixels.
    :param score: in [0, 1].
    :param class_id: str.
    :param identity: str, the same as long as the target is the same.
    """
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = class_id
    hypothesis.hypothesis.score = float(score)
    return Detection2D(header=header, results=[hypothesis], bbox=box_to_message(box), id=identity)


def detections(header, items=()):
    """Return a Detection2DArray of Detection2D messages under an image's header."""
    return Detection2DArray(header=header, detections=list(items))


def best_hypothesis(message, classes=()):
    """
    Return the hypothesis of a Detection2D with the highest score, or None.

    :param classes: only these class ids; empty: all.
    """
    allowed = [result.hypothesis for result in message.results
               if not math.isnan(result.hypothesis.score)
               and (not classes or result.hypothesis.class_id in classes)]
    return max(allowed, key=lambda hypothesis: hypothesis.score, default=None)


def image_message(image, header):
    """
    Return an image as sensor_msgs/Image, bgr8.

    :param image: (H, W, 3) uint8 BGR.
    :param header: for the message.
    """
    message = Image(header=header, height=image.shape[0], width=image.shape[1], encoding='bgr8',
                    step=image.shape[1] * 3)
    # An array('B') is taken as it is; any other sequence is checked byte by byte.
    message.data = array('B', np.ascontiguousarray(image).tobytes())
    return message
