"""A detector as small as one can be: red and blue rectangles in images, as Detection2DArray."""
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from tracking_nodes.imaging import decode_image
from tracking_nodes.nodes.conversions import detection, detections

from vision_msgs.msg import Detection2DArray

COLOURS = {'blue': (255, 0, 0), 'red': (0, 0, 255)}


class BlobDetector(Node):
    """
    Subscribe `image`, publish `candidates`.

    identities: the id given to what is found of each class, as a detector that tracks would.
    """

    def __init__(self, **options):
        super().__init__('blob_detector', **options)
        self.identities = {'blue': 'blue-1', 'red': 'red-1'}
        self._publisher = self.create_publisher(Detection2DArray, 'candidates', 10)
        self.create_subscription(Image, 'image', self._detect, 10)

    def _detect(self, message):
        image = decode_image(message)
        found = [detection(message.header, box, 0.9, name, self.identities[name])
                 for name, box in _blobs(image)]
        self._publisher.publish(detections(message.header, found))


def _blobs(image):
    for name, colour in COLOURS.items():
        rows, columns = np.nonzero((image == colour).all(axis=2))
        if rows.size:
            yield name, (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)


def paint(image, name, box):
    """Draw a rectangle that the detector finds, in place; box is x, y, w, h in pixels."""
    x, y, width, height = box
    image[y:y + height, x:x + width] = COLOURS[name]
    return image
