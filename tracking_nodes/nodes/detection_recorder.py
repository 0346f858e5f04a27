"""A node that collects a tracker's detections and writes them as results and as a bag."""
from dataclasses import dataclass
import signal
import sys
import threading
import time

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions

from tracking_nodes.errors import SettingError, TrackingError
from tracking_nodes.evaluation.recorded import Answers, match_answers
from tracking_nodes.evaluation.results import Result, write_result
from tracking_nodes.nodes import parameters, qos
from tracking_nodes.nodes.conversions import (
    best_hypothesis, message_to_box, stamp_to_nanoseconds)
from tracking_nodes.nodes.replay import open_sequence
from tracking_nodes.parameters import setting, Settings
from tracking_nodes.sequences.recording import write_recorded_detections
from tracking_nodes.sequences.sequence import checked_name

from vision_msgs.msg import Detection2DArray

# Seconds; what was lost on the way is sent again within 3 s, the usual heartbeat of DDS.
_LAST_ANSWERS_WITHIN = 5.0


@dataclass(frozen=True)
class RecorderSettings(Settings):
    """Parameters of the recorder, read at its start."""

    bag: str = setting('', 'folder of the bag the detections are written to; empty: none')
    results: str = setting('', 'results folder to write to; empty: none; needs sequence')
    sequence: str = setting('', 'the bag or sequence that is replayed, with its ground truth')
    image_topic: str = setting('', "the bag's image topic; empty: its only one")
    label: str = setting('node', 'name of the tracker in the results folder')


class DetectionRecorder(Node):
    """Subscribe `detections` and keep what arrives until it is saved."""

    def __init__(self):
        """
        Begin to record.

        :raises TrackingError: nothing to write was asked for, the label cannot name a folder, or
            the sequence cannot be read.
        """
        super().__init__('detection_recorder')
        parameters.declare(self, RecorderSettings)
        self.settings = settings = parameters.read(self, RecorderSettings)
        if not settings.bag and not settings.results:
            raise SettingError('nothing to write: set bag or results to a folder')
        if settings.results and not settings.sequence:
            raise SettingError('results needs sequence: the bag or sequence that is replayed')
        checked_name(settings.label)
        self._sequence = (open_sequence(settings.sequence, settings.image_topic)
                          if settings.results else None)
        self._unanswered = set(self._sequence.stamps.tolist()) if self._sequence else set()
        self._rows = []
        self._recorded = []
        self.create_subscription(Detection2DArray, 'detections', self._take,
                                 qos.copy(qos.RELIABLE_ALL))

    def finish(self):
        """Take what has arrived, and wait a little for answers that the sequence lacks so far."""
        end = time.monotonic() + _LAST_ANSWERS_WITHIN
        while time.monotonic() < end:
            known = len(self._rows)
            rclpy.spin_once(self, timeout_sec=0.01)
            if len(self._rows) == known and not self._unanswered:
                return

    def save(self):
        """
        Write what was asked for.

        :raises TrackingError: the detections do not fit to the sequence, or nothing was received.
        """
        topic = self.resolve_topic_name('detections')
        if not self._rows:
            raise TrackingError(f'no message on {topic}: remap detections to the topic of the '
                                'tracker')
        stamps, boxes, scores, received = zip(*self._rows)
        answers = Answers(np.array(stamps, dtype=np.int64), np.array(boxes), np.array(scores),
                          np.array(received))
        if self.settings.bag:
            write_recorded_detections(self.settings.bag, topic, self._recorded)
        if self.settings.results:
            self._save_results(answers)

    def _take(self, message):
        stamp, box, score = stamp_to_nanoseconds(message.header.stamp), np.full(4, np.nan), 0.0
        if message.detections:
            target = message.detections[0]
            hypothesis = best_hypothesis(target)
            box = message_to_box(target.bbox)
            score = hypothesis.score if hypothesis is not None else 0.0
        self._unanswered.discard(stamp)
        self._rows.append((stamp, box, score, time.monotonic()))
        if self.settings.bag:
            self._recorded.append((time.time_ns(), serialize_message(message)))

    def _save_results(self, answers):
        settings, sequence = self.settings, self._sequence
        run, unanswered = match_answers(answers, sequence)
        record = {'label': settings.label, 'sequence': sequence.name,
                  'attributes': list(sequence.attributes),
                  'made_by': {'topic': self.resolve_topic_name('detections'),
                              'frames without an answer': unanswered}}
        write_result(settings.results, settings.label, sequence.name,
                     Result(run, sequence.boxes, record))
        print(f'{len(answers.stamps)} answers for {len(sequence)} frames of {sequence.name}, '
              f'{unanswered} frames without')


def main(args=None):
    """Record until Ctrl-C, then write; return the exit status."""
    # With rclpy's own handlers nothing can be taken any more after the signal.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    told_to_end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_end.set())
    try:
        recorder = DetectionRecorder()
        while not told_to_end.is_set():
            rclpy.spin_once(recorder, timeout_sec=0.1)
        recorder.finish()
        recorder.save()
    except TrackingError as error:
        print(f'detection_recorder: {error}', file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
