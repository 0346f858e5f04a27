"""Images that hold a number and a score, so that an answer tells which image it was made from."""
import numpy as np
from std_msgs.msg import Header

from tracking_nodes.nodes.conversions import nanoseconds_to_stamp

WIDTH, HEIGHT = 320, 240
BLOCK, BITS = 8, 24


def coded_image(number, score=1.0, width=WIDTH, height=HEIGHT):
    """Return a grey image with a number below 65536 and a score as black and white blocks."""
    image = np.full((height, width, 3), 90, np.uint8)
    return write_code(image, number, score)


def write_code(image, number, score=1.0):
    """Write a number and a score into the first rows of an image, in place."""
    code = number << 8 | round(score * 255)
    for bit in range(BITS):
        value = 255 if code >> bit & 1 else 0
        image[:BLOCK, bit * BLOCK:(bit + 1) * BLOCK] = value
    return image


def read_code(image):
    """Return (number, score) of a coded image; survives JPEG."""
    code = sum(1 << bit for bit in range(BITS)
               if image[2:6, bit * BLOCK + 2:bit * BLOCK + 6].mean() > 127)
    return code >> 8, (code & 255) / 255


def header(stamp, frame_id='camera'):
    """Return a header with a stamp in ns."""
    return Header(stamp=nanoseconds_to_stamp(stamp), frame_id=frame_id)
