"""A node that evaluates trackers on bags, every frame in order, as fast as the tracker goes."""
from dataclasses import dataclass
import logging
import sys

from rcl_interfaces.msg import ParameterDescriptor
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from tracking_nodes.errors import SettingError, TrackingError
from tracking_nodes.evaluation.benchmark import run_benchmark, score_folder
from tracking_nodes.evaluation.contender import parse_contenders
from tracking_nodes.evaluation.metrics import has_truth, VARIANTS
from tracking_nodes.evaluation.report.writer import write_report
from tracking_nodes.evaluation.running.here import Here
from tracking_nodes.evaluation.table import text_table
from tracking_nodes.nodes import parameters, qos
from tracking_nodes.nodes.conversions import (
    detection, detections, image_message, nanoseconds_to_stamp)
from tracking_nodes.parameters import setting, Settings, specs
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.trackers.base import Runtime

from vision_msgs.msg import Detection2DArray

_LISTS = {
    'bags': 'bags to evaluate on; sequence folders and videos work as well',
    'trackers': 'trackers to evaluate, NAME or NAME:LABEL; default edcf',
    'settings': 'tracker settings that differ from the defaults, KEY=VALUE for all trackers or '
                'LABEL.KEY=VALUE for one',
}


@dataclass(frozen=True)
class EvaluatorSettings(Settings):
    """Parameters of the evaluator beside its lists, all read at its start."""

    output: str = setting('', 'results folder; a folder that holds part of them is completed')
    image_topic: str = setting('', "the bags' image topic; empty: their only one")
    ground_truth_topic: str = setting(
        '', 'Detection2DArray topic of the bags; empty: one named ground_truth')
    ground_truth_file: str = setting(
        '', 'x,y,w,h line per frame, for one bag without a ground truth topic')
    variant: str = setting(
        'visible', 'whose reading of success and precision; visible leaves frames without ground '
        'truth out', choices=tuple(VARIANTS))
    device: str = setting('auto', 'where trackers compute: auto, cpu or cuda:N')
    half: bool = setting(False, 'float16 features; only on a GPU')
    seed: int = setting(0, 'seed of every random draw', minimum=0, maximum=2 ** 31 - 1)
    models: str = setting(
        '', 'directory searched first for weights; empty: TRACKING_MODELS, then the package')
    overwrite: bool = setting(
        False, 'delete what the results folder holds of these trackers first')
    publish: bool = setting(
        False, 'publish ~/image, ~/detections and ~/ground_truth of each frame')
    frame_id: str = setting('camera', 'frame of the published headers')


class BagEvaluator(Node):
    """Publish `~/image`, `~/detections` and `~/ground_truth` where asked for."""

    def __init__(self):
        """
        Read the parameters.

        :raises SettingError: a parameter is wrong, or there is no bag or output.
        """
        super().__init__('bag_evaluator')
        for spec in specs(EvaluatorSettings):
            descriptor = parameters.descriptor(spec)
            descriptor.read_only = True
            self.declare_parameter(spec.name, spec.default, descriptor)
        self.settings = settings = parameters.read(self, EvaluatorSettings)
        lists = {name: self._string_list(name, words) for name, words in _LISTS.items()}
        if not lists['bags'] or not settings.output:
            raise SettingError("set bags and output, as in -p bags:=\"['FOLDER']\" -p "
                               'output:=results')
        runtime = Runtime(settings.device, settings.half, settings.seed, settings.models)
        self.contenders = parse_contenders(lists['trackers'] or ['edcf'], lists['settings'],
                                           runtime)
        self.bags = lists['bags']
        if settings.publish:
            self._image = self.create_publisher(Image, '~/image', qos.copy(qos.RELIABLE))
            self._answer, self._truth = (
                self.create_publisher(Detection2DArray, name, qos.copy(qos.RELIABLE))
                for name in ('~/detections', '~/ground_truth'))

    def evaluate(self):
        """
        Run all trackers on all bags, write the results folder and its report.

        :raises TrackingError: a bag cannot be read, has no ground truth, or a tracker cannot run.
        """
        settings = self.settings
        sequences = [sequence for bag in self.bags for sequence in open_sequences(
            bag, settings.image_topic or None, settings.ground_truth_topic or None,
            settings.ground_truth_file or None)]
        run_benchmark(
            self.contenders, sequences, settings.output, executor=Here(self._show),
            variant=settings.variant, overwrite=settings.overwrite)
        scores = score_folder(settings.output, settings.variant)
        self.get_logger().info(f'{write_report(settings.output)}\n{text_table(scores)}')

    def _string_list(self, name, words):
        # An empty list has no type in rclpy, so that there is no default to declare.
        descriptor = ParameterDescriptor(description=words, read_only=True)
        self.declare_parameter(name, Parameter.Type.STRING_ARRAY, descriptor)
        return [item for item in self.get_parameter_or(name).value or [] if item]

    def _show(self, sequence, index, image, box, score, present):
        rclpy.spin_once(self, timeout_sec=0)
        if not self.settings.publish:
            return
        header = Header(stamp=nanoseconds_to_stamp(sequence.stamps[index]),
                        frame_id=self.settings.frame_id)
        truth = sequence.boxes[index]
        self._image.publish(image_message(image, header))
        self._answer.publish(detections(
            header, [detection(header, box, score, 'target', sequence.name)] if present else []))
        self._truth.publish(detections(
            header, [detection(header, truth, 1, 'target', sequence.name)]
            if has_truth(truth) else []))


class _ToRos(logging.Handler):
    """Hands the library's log to the node's, and so to /rosout."""

    def __init__(self, node):
        super().__init__()
        self._logger = node.get_logger()

    def emit(self, record):
        # rclpy ties a severity to the line that logs.
        if record.levelno >= logging.WARNING:
            self._logger.warning(self.format(record))
        else:
            self._logger.info(self.format(record))


def main(args=None):
    """Evaluate; return the exit status."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = BagEvaluator()
        logging.basicConfig(level=logging.INFO, format='%(message)s', handlers=[_ToRos(node)])
        node.evaluate()
    except TrackingError as error:
        sys.stderr.write(f'bag_evaluator: {error}\n')
        return 1
    except OSError as error:
        sys.stderr.write(f'bag_evaluator: {error}; what is done is kept, and the same command '
                         'goes on from there once this is repaired\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write('bag_evaluator: interrupted; what is done is kept, and the same command '
                         'goes on from there\n')
        return 130
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
