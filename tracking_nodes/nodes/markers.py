"""The target as RViz markers: a frame one metre before the camera and the ray through it."""
from geometry_msgs.msg import Point
from visualization_msgs.msg import Marker, MarkerArray

from tracking_nodes.nodes.drawing import COLOURS
from tracking_nodes.nodes.target import State

_LINE_WIDTH = 0.005
_TEXT_HEIGHT = 0.05


def target_markers(header, size, focal_length, state, location, label):
    """
    Return markers in the camera's optical frame (z forward, x right, y down).

    :param header: of the image.
    :param size: (width, height) of the image in pixels.
    :param focal_length: pixels; 0 stands for the image's width.
    :param state: a `State`; while lost or idle the markers are removed.
    :param location: a `Location`, or None without a target.
    :param label: text beside the box.
    :return: a MarkerArray of three markers: outline, ray, text.
    """
    if location is None or state in (State.IDLE, State.LOST):
        return MarkerArray(markers=[Marker(header=header, ns='target', action=Marker.DELETEALL)])
    x, y, width, height = (float(value) for value in location.box)
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    project = _Projection(size, focal_length or size[0])
    outline = _line(header, 0, state, [project(*corner) for corner in corners])
    ray = _line(header, 1, state, [Point(), project(x + width / 2, y + height / 2)])
    text = _marker(header, 2, state)
    text.type, text.text = Marker.TEXT_VIEW_FACING, label
    text.pose.position = project(x, y)
    text.scale.z = _TEXT_HEIGHT
    return MarkerArray(markers=[outline, ray, text])


class _Projection:
    """From pixels to points one metre before a pinhole camera, centre in the image's middle."""

    def __init__(self, size, focal_length):
        self._centre = size[0] / 2, size[1] / 2
        self._focal_length = focal_length

    def __call__(self, x, y):
        return Point(x=(x - self._centre[0]) / self._focal_length,
                     y=(y - self._centre[1]) / self._focal_length, z=1.0)


def _line(header, number, state, points):
    marker = _marker(header, number, state)
    marker.type, marker.points = Marker.LINE_STRIP, points
    marker.scale.x = _LINE_WIDTH
    return marker


def _marker(header, number, state):
    marker = Marker(header=header, ns='target', id=number, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    blue, green, red = (value / 255 for value in COLOURS[state])
    marker.color.r, marker.color.g, marker.color.b, marker.color.a = red, green, blue, 1.0
    return marker
