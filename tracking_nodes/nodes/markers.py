"""The target as RViz markers: a frame one metre before the camera and the rays through it."""
from geometry_msgs.msg import Point

from tracking_nodes.nodes.drawing import COLOURS
from tracking_nodes.trackers.presence import State

from visualization_msgs.msg import Marker, MarkerArray

_LINE_WIDTH = 0.005
_TEXT_HEIGHT = 0.05


def markers_of_several(header, camera, targets):
    """
    Return the MarkerArray of targets, each in a namespace of its own; all earlier ones go.

    :param header: of the image.
    :param camera: a `CameraModel`.
    :param targets: list of `Target`.
    """
    shown = [Marker(header=header, action=Marker.DELETEALL)]
    for target in targets:
        for marker in target_markers(header, camera, target.state, target.location,
                                     target.label).markers:
            if marker.action == Marker.ADD:
                marker.ns = f'target {target.label}'
                shown.append(marker)
    return MarkerArray(markers=shown)


def target_markers(header, camera, state, location, identity):
    """
    Return markers in the camera's optical frame (z forward, x right, y down).

    :param header: of the image.
    :param camera: a `CameraModel`.
    :param state: a `State`; while lost or idle the markers are removed.
    :param location: a `Location`, or None without a target.
    :param identity: the target's id, str.
    :return: a MarkerArray of four markers: outline, ray through the centre, text, and frustum,
        the rays through the four corners.
    """
    if location is None or state in (State.IDLE, State.LOST):
        return MarkerArray(markers=[Marker(header=header, ns='target', action=Marker.DELETEALL)])
    x, y, width, height = (float(value) for value in location.box)
    rays = camera.rays([(x, y), (x + width, y), (x + width, y + height), (x, y + height),
                        (x + width / 2, y + height / 2)])
    *corners, centre = (Point(x=float(across), y=float(down), z=1.0) for across, down in rays)
    eye = Point()
    outline = _lines(header, 0, state, Marker.LINE_STRIP, [*corners, corners[0]])
    ray = _lines(header, 1, state, Marker.LINE_STRIP, [eye, centre])
    frustum = _lines(header, 3, state, Marker.LINE_LIST,
                     [point for corner in corners for point in (eye, corner)])
    text = _marker(header, 2, state)
    text.type, text.text = Marker.TEXT_VIEW_FACING, f'#{identity} {state.value}'
    text.pose.position = corners[0]
    text.scale.z = _TEXT_HEIGHT
    return MarkerArray(markers=[outline, ray, text, frustum])


def _lines(header, number, state, kind, points):
    marker = _marker(header, number, state)
    marker.type, marker.points = kind, points
    marker.scale.x = _LINE_WIDTH
    return marker


def _marker(header, number, state):
    marker = Marker(header=header, ns='target', id=number, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    blue, green, red = (value / 255 for value in COLOURS[state])
    marker.color.r, marker.color.g, marker.color.b, marker.color.a = red, green, blue, 1.0
    return marker
