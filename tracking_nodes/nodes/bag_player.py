"""A node that replays a bag or a dataset's sequence as a camera would publish it."""
from array import array
from dataclasses import dataclass
import sys
import time

import cv2
import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from tracking_nodes.errors import SequenceError, TrackingError
from tracking_nodes.nodes import parameters, qos
from tracking_nodes.nodes.conversions import (
    image_message, nanoseconds_to_stamp, stamp_to_nanoseconds)
from tracking_nodes.nodes.replay import open_sequence
from tracking_nodes.parameters import setting, Settings
from tracking_nodes.sequences.sequence import EncodedImage

from vision_msgs.msg import Detection2DArray

# As most camera drivers, REP-2003.
_OFFERED = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10,
                      reliability=ReliabilityPolicy.RELIABLE)
# One side knows of the other before the other knows of it; this is how long that may last.
_SETTLE_SECONDS = 0.5
_ACKNOWLEDGE_SECONDS = 5.0
_SAY_SO_SECONDS = 2.0


@dataclass(frozen=True)
class PlayerSettings(Settings):
    """Parameters of the player, read at its start."""

    sequence: str = setting('', 'what to replay: a bag, or a sequence of a dataset')
    image_topic: str = setting('', "the bag's image topic; empty: its only one")
    rate: float = setting(0.0, 'images per second; 0: as recorded', minimum=0.0, maximum=1000.0)
    compressed: bool = setting(
        False, 'publish image/compressed instead of image, JPEG bytes as they are')
    clock: bool = setting(
        False, 'publish the stamps on /clock, for nodes with use_sim_time')
    wait_for_answer: bool = setting(
        False, 'publish an image only when the one before was answered on detections: no frame '
        'is lost, however slow the tracker')
    patience: float = setting(
        60.0, 'how long to wait for a subscriber or an answer, seconds', minimum=0.1,
        maximum=3600.0)
    frame_id: str = setting('camera', 'frame of the image headers')


class BagPlayer(Node):
    """
    Publish `image` or `image/compressed`, and `/clock` where asked for.

    Subscribes `detections` when it waits for answers.
    """

    def __init__(self):
        """
        Open what is to be replayed.

        :raises TrackingError: a parameter is wrong or the sequence cannot be read.
        """
        super().__init__('bag_player')
        parameters.declare(self, PlayerSettings)
        self.settings = settings = parameters.read(self, PlayerSettings)
        if not settings.sequence:
            raise SequenceError('nothing to replay: set the parameter sequence to a bag or a '
                                'sequence folder, -p sequence:=PATH')
        self.sequence = open_sequence(settings.sequence, settings.image_topic)
        topic, kind = self.resolve_topic_name('image'), Image
        if settings.compressed:
            topic, kind = f'{topic}/compressed', CompressedImage
        self._images = self.create_publisher(kind, topic, _OFFERED)
        self._clock = self.create_publisher(Clock, '/clock', 10) if settings.clock else None
        self._answered = -1
        if settings.wait_for_answer:
            self._answers = self.create_subscription(
                Detection2DArray, 'detections', self._take_answer, qos.copy(qos.RELIABLE))

    def play(self):
        """
        Publish every frame once.

        :raises TrackingError: nobody listens, or nobody answers, for longer than `patience`.
        """
        self._await_partners()
        began, first = time.monotonic(), int(self.sequence.stamps[0])
        for index, (stamp, image) in enumerate(self._frames()):
            due = index / self.settings.rate if self.settings.rate else (stamp - first) / 1e9
            if not self.settings.wait_for_answer or self.settings.rate:
                self._spin_until(lambda: False, began + due - time.monotonic())
            if self._clock is not None:
                self._clock.publish(Clock(clock=image.header.stamp))
            self._images.publish(image)
            if self.settings.wait_for_answer:
                self._await_answer(index, stamp)
        # The last images go with this process if nobody has them yet.
        self._images.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGE_SECONDS))
        self.get_logger().info(f'{len(self.sequence)} images of {self.sequence.name} published in '
                               f'{time.monotonic() - began:.1f} s')

    def _frames(self):
        """Yield (stamp in ns, message) of every frame."""
        make = self._compressed_messages if self.settings.compressed else self._raw_messages
        for stamp, message in zip(self.sequence.stamps.tolist(), make()):
            message.header = Header(stamp=nanoseconds_to_stamp(stamp),
                                    frame_id=self.settings.frame_id)
            yield stamp, message

    def _raw_messages(self):
        for image in self.sequence.images():
            yield image_message(image, Header())

    def _compressed_messages(self):
        for index, encoded in enumerate(self.sequence.encoded_images()):
            if encoded is None:
                image = self.sequence.image(index)
                encoded = EncodedImage('jpeg', cv2.imencode('.jpg', image)[1].tobytes())
            yield CompressedImage(format=encoded.codec, data=array('B', encoded.data))

    def _await_partners(self):
        topic, patience = self._images.topic_name, self.settings.patience
        silence = min(_SAY_SO_SECONDS, patience)
        if not self._listened_to(silence):
            self.get_logger().info(f'nobody has subscribed to {topic} so far: waiting for '
                                   f'{patience:g} s at most (patience)')
        if not self._listened_to(patience - silence):
            raise TrackingError(f'nobody subscribed to {topic} within {patience:g} s: is the '
                                'tracker active, and its image topic remapped to this one?')
        if self.settings.wait_for_answer:
            answers = self._answers.topic_name
            if not self._spin_until(lambda: self.count_publishers(answers) > 0, patience):
                raise TrackingError(f'nobody publishes {answers} within {patience:g} s: remap '
                                    'detections to the topic of the tracker')
        self._spin_until(lambda: False, _SETTLE_SECONDS)

    def _listened_to(self, seconds):
        return self._spin_until(lambda: self._images.get_subscription_count() > 0, seconds)

    def _await_answer(self, index, stamp):
        if not self._spin_until(lambda: self._answered >= stamp, self.settings.patience):
            raise TrackingError(
                f'image {index} (stamp {stamp} ns) was not answered on '
                f'{self._answers.topic_name} within {self.settings.patience:g} s')

    def _take_answer(self, message):
        self._answered = max(self._answered, stamp_to_nanoseconds(message.header.stamp))

    def _spin_until(self, condition, seconds):
        """Handle what arrives until the condition holds or the time is over; return it."""
        end = time.monotonic() + seconds
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                return False
            rclpy.spin_once(self, timeout_sec=min(left, 0.1))
        return True


def main(args=None):
    """Run the player; return the exit status."""
    rclpy.init(args=args)
    try:
        BagPlayer().play()
    except TrackingError as error:
        print(f'bag_player: {error}', file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
