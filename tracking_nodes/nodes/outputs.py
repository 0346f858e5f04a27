"""Everything the tracker node publishes, except diagnostics."""
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String
from vision_msgs.msg import Detection2DArray, VisionInfo
from visualization_msgs.msg import MarkerArray

from tracking_nodes.nodes import qos
from tracking_nodes.nodes.conversions import (
    detection, detections, image_message, nanoseconds_to_stamp)
from tracking_nodes.nodes.drawing import draw
from tracking_nodes.nodes.markers import target_markers
from tracking_nodes.trackers.presence import State


class Outputs:
    """The node's lifecycle publishers; they publish only while the node is active."""

    def __init__(self, node, health):
        """
        Create the publishers.

        :param node: the lifecycle node.
        :param health: the `Health` that gets notices of incompatible subscriptions.
        """
        self._node, self._health = node, health
        self._last_state = None
        self._publishers = []
        self._detections = self._publisher(Detection2DArray, '~/detections', qos.RELIABLE)
        self._predicted = self._publisher(Detection2DArray, '~/predicted', qos.RELIABLE)
        self._state = self._publisher(String, '~/state', qos.LATCHED)
        self._vision_info = self._publisher(VisionInfo, '~/vision_info', qos.LATCHED)
        self._debug_image = self._publisher(Image, '~/debug_image', qos.RELIABLE)
        self._markers = self._publisher(MarkerArray, '~/markers', qos.RELIABLE)

    def close(self):
        """Destroy the publishers."""
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def _publisher(self, kind, topic, profile):
        publisher = self._node.create_lifecycle_publisher(
            kind, topic, qos.copy(profile),
            event_callbacks=qos.publisher_events(
                self._node.resolve_topic_name(topic), self._health),
            qos_overriding_options=qos.overridable())
        self._publishers.append(publisher)
        return publisher

    @property
    def want_image(self):
        """Return whether somebody looks at the debug image."""
        return self._debug_image.get_subscription_count() > 0

    def announce(self, method):
        """Publish the latched description of what makes the detections."""
        message = VisionInfo(
            method=method,
            database_location=f'{self._node.get_fully_qualified_name()}/class_id')
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._vision_info.publish(message)
        self._last_state = None

    def publish_state(self, state):
        """Publish the state if it is not the one published last."""
        if state is not self._last_state:
            self._state.publish(String(data=state.value))
            self._last_state = state

    def publish(self, header, target):
        """
        Publish the answer to one image.

        :param header: of the image.
        :param target: the `Target`; without one, or while it is lost, the array is empty.
        """
        self._detections.publish(_answer(header, target))
        self.publish_state(target.state)

    def predict(self, header, target, box, stamp):
        """
        Publish where the target is at another time than that of the image.

        :param header: of the image.
        :param target: the `Target`.
        :param box: (x, y, w, h) at that time; None without a target.
        :param stamp: that time, ns.
        """
        then = Header(stamp=nanoseconds_to_stamp(stamp), frame_id=header.frame_id)
        self._predicted.publish(_answer(then, target, box))

    def show(self, header, image, target, camera):
        """
        Publish what people look at, where somebody does.

        :param image: (H, W, 3) uint8 BGR, or None where it was not decoded.
        :param camera: function from (width, height) of the image to its `CameraModel`.
        """
        if image is None:
            return
        identity = str(target.epoch)
        if self.want_image:
            shown = draw(image, target.state, target.location, identity)
            self._debug_image.publish(image_message(shown, header))
        if self._markers.get_subscription_count() > 0:
            label = f'#{identity} {target.state.value}'
            self._markers.publish(target_markers(
                header, camera((image.shape[1], image.shape[0])), target.state,
                target.location, label))


def _answer(header, target, box=None):
    """Return the message with the target, at its own box unless another is given."""
    if target.state not in (State.TRACKING, State.UNCERTAIN):
        return detections(header)
    location = target.location
    return detections(header, [detection(
        header, location.box if box is None else box, min(max(location.score, 0.0), 1.0),
        target.class_id, str(target.epoch))])
