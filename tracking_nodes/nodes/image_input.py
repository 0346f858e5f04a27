"""Images in: raw or compressed after remapping, callbacks that never block, faults in words."""
import time

import numpy as np
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from tracking_nodes.errors import ImageError
from tracking_nodes.nodes import qos
from tracking_nodes.nodes.camera_model import camera_info_topic, CameraModel, is_rectified
from tracking_nodes.nodes.conversions import stamp_to_nanoseconds
from tracking_nodes.nodes.frames import Frame, FrameBuffer, NewestSlot, StampOrder

_SUFFIX = '/compressed'
_LOOK_EVERY = 0.2
_DISCOVERY = 3.0
_MANY_LOST = 30

_STAMP_WORDS = {
    StampOrder.REPEATED: 'images repeat the stamp of the image before: two cameras on one topic, '
                         'or a driver that does not stamp every image',
    StampOrder.OUT_OF_ORDER: 'images arrive out of order: those older than the newest are dropped',
    StampOrder.JUMPED_BACK: 'image stamps jumped back: the clock of the camera was set, an image '
                            'was stamped ahead of time, or a bag began again; boxes for earlier '
                            'images are refused from now on',
}


def image_topics(resolved):
    """
    Return the raw and the compressed topic of a camera.

    :param resolved: the base topic after remapping; one that was remapped to the compressed
        topic itself is understood too.
    """
    base = resolved[:-len(_SUFFIX)] if resolved.endswith(_SUFFIX) else resolved
    return {'raw': base, 'compressed': base + _SUFFIX}


def choose_transport(asked, current, publishers):
    """
    Return 'raw' or 'compressed'.

    :param asked: the parameter: 'auto', 'raw' or 'compressed'.
    :param current: what is subscribed now, or None.
    :param publishers: mapping of 'raw' and 'compressed' to the number of publishers.
    """
    if asked != 'auto':
        return asked
    if current and publishers[current]:
        return current
    if not publishers['raw'] and publishers['compressed']:
        return 'compressed'
    return 'raw' if publishers['raw'] or not current else current


class ImageInput:
    """
    The subscription of the camera.

    slot: the `NewestSlot` the worker takes frames from. buffer: the `FrameBuffer` of late boxes.
    """

    def __init__(self, node, settings, health):
        """
        Subscribe.

        :param node: the rclpy node.
        :param settings: `NodeSettings`; read when subscribing.
        :param health: the `Health` that counts.
        """
        self._node, self._settings, self._health = node, settings, health
        self.slot = NewestSlot()
        self.buffer = FrameBuffer(settings.buffer_seconds, settings.buffer_megabytes * 10 ** 6)
        self.topics = image_topics(node.resolve_topic_name('image'))
        self._camera_info = None
        self._info_subscription = qos.subscribe(
            node, CameraInfo, camera_info_topic(self.topics['raw']), self._take_camera_info,
            qos.SENSOR_DATA, health)
        self._order = StampOrder()
        self._transport = None
        self._subscription = None
        self._losses = 0
        self._seen = time.monotonic()
        self._look()
        # On a steady clock: discovery goes on while simulated time stands still.
        self._timer = node.create_timer(_LOOK_EVERY, self._look,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def topic(self):
        """Return the topic that is subscribed."""
        return self.topics[self._transport]

    def close(self):
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._info_subscription)
        self._unsubscribe()

    def camera(self, size, focal_length):
        """
        Return the `CameraModel` of the images.

        :param size: (width, height) of the image, pixels.
        :param focal_length: of `NodeSettings`, for as long as there is no camera_info.
        """
        return CameraModel.of(size, focal_length, self._camera_info,
                              is_rectified(self.topics['raw']))

    def _take_camera_info(self, message):
        size = message.width, message.height
        model = CameraModel.of(size, 0.0, message, is_rectified(self.topics['raw']))
        if not np.isfinite(model.rays([(0, 0)])).all():
            raise ImageError(f'the matrix {list(message.k)} with distortion {list(message.d)} '
                             'turns pixels into no rays')
        self._camera_info = message

    def _look(self):
        publishers = {transport: self._node.count_publishers(topic)
                      for transport, topic in self.topics.items()}
        chosen = choose_transport(self._settings.image_transport, self._transport, publishers)
        if chosen != self._transport:
            self._unsubscribe()
            self._subscribe(chosen)
        if publishers[chosen]:
            self._seen = time.monotonic()
            self._health.notice('camera', None)
        elif time.monotonic() - self._seen > _DISCOVERY:
            self._health.notice('camera', self._explain_silence(chosen, publishers))
            self._health.notice(f'qos {self.topic}', None)

    def _explain_silence(self, chosen, publishers):
        other = {'raw': 'compressed', 'compressed': 'raw'}[chosen]
        if publishers[other]:
            return (f'nobody publishes {self.topics[chosen]}, but there is {self.topics[other]}: '
                    f'set image_transport to auto or {other}')
        return (f'nobody publishes {self.topics[chosen]}: remap image to that of the camera '
                '(-r image:=/camera/image) or start the camera')

    def _subscribe(self, transport):
        compressed = transport == 'compressed'
        topic = self.topics[transport]
        self._transport = transport
        self._subscription = qos.subscribe(
            self._node, CompressedImage if compressed else Image, topic,
            self._compressed_received if compressed else self._raw_received,
            qos.PROFILES[self._settings.image_qos], self._health,
            remedy='Set image_qos to sensor_data. ', lost=self._lost)

    def _unsubscribe(self):
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._health.notice(f'qos {self.topic}', None)
            self._subscription = None

    def _raw_received(self, message):
        self._receive(message, compressed=False)

    def _compressed_received(self, message):
        self._receive(message, compressed=True)

    def _lost(self, count):
        """Take note of images that the middleware gave up on their way here."""
        self._health.dropped('lost_on_the_way', count)
        self._losses += count
        expected = self._losses + self._health.received
        if self._losses >= _MANY_LOST and self._losses > 0.05 * expected:
            self._health.notice('lost', (
                f'{self._losses} of {expected} images were lost between the camera and this '
                'node: too large for the buffers of the middleware. Set image_qos to reliable if '
                'the camera offers it, use compressed images, or enlarge the buffers (Fast DDS: '
                'the shared memory segment, net.core.rmem_max) for the camera and this node'))

    def _receive(self, message, compressed):
        frame = Frame(message, compressed, stamp_to_nanoseconds(message.header.stamp),
                      time.monotonic())
        self._health.frame_received()
        verdict = self._order.judge(frame.stamp)
        if verdict in _STAMP_WORDS:
            self._health.fault(f'stamp_{verdict}', _STAMP_WORDS[verdict])
        if verdict == StampOrder.OUT_OF_ORDER:
            self._health.dropped(verdict)
            return
        if verdict == StampOrder.JUMPED_BACK:
            self.buffer.clear()
        self.buffer.append(frame)
        if self.slot.put(frame):
            self._health.dropped('superseded')
