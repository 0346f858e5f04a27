"""Everything the tracker node publishes, except diagnostics."""
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from tracking_nodes.nodes import qos
from tracking_nodes.nodes.conversions import (
    detection, detections, image_message, nanoseconds_to_stamp)
from tracking_nodes.nodes.drawing import draw
from tracking_nodes.nodes.markers import markers_of_several, target_markers
from tracking_nodes.trackers.presence import State

from vision_msgs.msg import Detection2DArray, VisionInfo
from visualization_msgs.msg import MarkerArray


class Outputs:
    """The node's lifecycle publishers; they publish only while the node is active."""

    def __init__(self, node, health, several=False):
        """
        Create the publishers.

        :param node: the lifecycle node.
        :param health: the `Health` that gets notices of incompatible subscriptions.
        :param several: whether there may be more than one target.
        """
        self._node, self._health, self._several = node, health, several
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

    def publish(self, header, targets, state):
        """
        Publish the answer to one image.

        :param header: of the image.
        :param targets: list of `Target`; the array holds none of one that is lost.
        :param state: the best `State` of all.
        """
        self._detections.publish(detections(header, [
            _detection(header, target, target.location.box) for target in targets
            if _seen(target)]))
        self.publish_state(state)

    def predict(self, header, predictions):
        """
        Publish where targets are at another time than that of the image.

        :param header: of the image.
        :param predictions: list of a `Target`, its box (x, y, w, h) and the time that it is for,
            ns; the message has the latest of these times, or that of the image.
        """
        items = []
        for target, box, stamp in predictions:
            if _seen(target):
                items.append(_detection(_at(header, stamp), target, box))
        latest = max((stamp for _, _, stamp in predictions), default=None)
        self._predicted.publish(detections(
            header if latest is None else _at(header, latest), items))

    def show(self, header, image, targets, camera):
        """
        Publish what people look at, where somebody does.

        :param image: (H, W, 3) uint8 BGR, or None where it was not decoded.
        :param targets: list of `Target`, at least one.
        :param camera: function from (width, height) of the image to its `CameraModel`.
        """
        if image is None:
            return
        if self.want_image:
            self._debug_image.publish(image_message(draw(image, targets), header))
        if self._markers.get_subscription_count() > 0:
            model, first = camera((image.shape[1], image.shape[0])), targets[0]
            self._markers.publish(markers_of_several(header, model, targets) if self._several else
                                  target_markers(header, model, first.state, first.location,
                                                 first.label))


def _seen(target):
    return target.state in (State.TRACKING, State.UNCERTAIN)


def _detection(header, target, box):
    return detection(header, box, min(max(target.location.score, 0.0), 1.0), target.class_id,
                     target.label)


def _at(header, stamp):
    return Header(stamp=nanoseconds_to_stamp(stamp), frame_id=header.frame_id)
