"""
A camera as a program of its own, told line by line what to show.

Each line on stdin is JSON: `stamps` in ns and `number`, that of the first image; `period` between
two images in seconds, `width`, `height` and `encoding` where they differ from the usual. A line on
stdout answers when all were sent. The end of stdin ends the camera in order.
"""
import json
import sys
import time

from coded_images import coded_image, header, HEIGHT, WIDTH
import cv2
import numpy as np
import rclpy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

# What a flood needs: nothing is overwritten before it is sent.
_QOS = QoSProfile(depth=1000)
_CONVERSIONS = {
    'bgr8': lambda image: image,
    'rgb8': lambda image: image[..., ::-1],
    'mono8': lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
    'bgra8': lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2BGRA),
    'mono16': lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint16) * 257,
}


def show(publisher, stamps, number, period=0.0, width=WIDTH, height=HEIGHT, encoding='bgr8'):
    """Publish an image for each stamp."""
    begin = time.monotonic()
    for index, stamp in enumerate(stamps):
        time.sleep(max(0.0, begin + index * period - time.monotonic()))
        image = coded_image(number + index, width=width, height=height)
        pixels = np.ascontiguousarray(_CONVERSIONS[encoding](image))
        publisher.publish(Image(
            header=header(stamp), width=width, height=height, encoding=encoding,
            step=pixels.strides[0], data=pixels.tobytes()))


def main():
    """Do what is told until there is no more."""
    rclpy.init()
    node = rclpy.create_node('camera')
    publisher = node.create_publisher(Image, 'image', _QOS)
    for line in sys.stdin:
        while not publisher.get_subscription_count():
            time.sleep(0.01)
        show(publisher, **json.loads(line))
        print('shown', flush=True)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
