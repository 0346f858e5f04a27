"""
The whole path once: a bag replayed over DDS into a running tracker node, recorded and scored.

Player, tracker and recorder are processes of their own, as on a robot. By default the player
sends an image when the one before was answered, so that the score does not depend on how fast
the machine is; with --rate it sends as a camera does, and frames the tracker drops are counted.
"""
import argparse
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import rclpy

from tracking_nodes.errors import SequenceError, TrackingError
from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.benchmark import score_folder
from tracking_nodes.evaluation.metrics import has_truth
from tracking_nodes.evaluation.report.writer import write_report
from tracking_nodes.evaluation.table import text_table
from tracking_nodes.evaluation.video import write_video
from tracking_nodes.nodes.replay import open_sequence
from tracking_nodes.sequences.bags import write_bag
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.synthetic import SyntheticSequence

IMAGES, DETECTIONS = '/camera/image', '/tracker/detections'
VARIANT = 'visible'
_SAMPLES = Path('out/sample')
# Of the folder that TRACKING_DATA names.
_REAL = Path('dev/otb/Crossing')
# Seconds; a loaded machine may take a minute to load and warm up a network.
_PATIENCE = 600.0
# Answers that wait for the recorder at most.
_DEEP = 1000


def main(arguments=None):
    """Run the demo; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except TrackingError as error:
        print(f'demo: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(description='Replay a bag into a tracker node and score it.')
    parser.add_argument('--bag', type=Path,
                        help='bag or sequence with ground truth (default: a sequence of '
                             '$TRACKING_DATA, or a sample made here)')
    parser.add_argument('--image-topic', default='', help="the bag's image topic")
    parser.add_argument('--tracker', default='edcf', help='default: %(default)s')
    parser.add_argument('--rate', type=float, default=0.0, metavar='HZ',
                        help='send images at this rate instead of as fast as they are answered')
    parser.add_argument('--out', type=Path, default=Path('out/demo'), help='default: %(default)s')
    return parser


def _run(options):
    bag = options.bag or sample_bag(os.environ.get('TRACKING_DATA'))
    sequence = open_sequence(bag, options.image_topic)
    box = first_box(sequence)
    print(f'{bag}: {len(sequence)} frames over DDS into {options.tracker} ...', flush=True)
    for label in results.stored(options.out):
        results.forget(options.out, label)
    began = time.monotonic()
    replay(bag, box, options)
    seconds = time.monotonic() - began
    scores = score_folder(options.out, VARIANT)
    results.write_summary(options.out, scores, VARIANT)
    report = write_report(options.out)
    video = options.out / 'video' / f'{sequence.name}.mp4'
    stored = results.read_result(options.out, options.tracker, sequence.name)
    write_video(video, sequence, {options.tracker: stored.run})
    print(f'\n{text_table(scores)}\n\n{seconds:.0f} s from the start of the nodes to the last '
          f'answer.\n'
          f'  {report}\n  {video}\n  {options.out / "success.png"}\n'
          f'  {options.out / "precision.png"}\n  {options.out / "summary.json"}\n'
          f'  {options.out / options.tracker / sequence.name}.txt')


def sample_bag(data):
    """
    Return the bag to replay when none was given; it is made at the first call.

    :param data: folder of real sequences, or None: then the clip is synthetic.
    :raises SequenceError: the folder does not hold the sequence used here.
    """
    sequence = open_sequences(Path(data) / _REAL)[0] if data else SyntheticSequence()
    bag = _SAMPLES / sequence.name
    if not bag.exists():
        bag.parent.mkdir(parents=True, exist_ok=True)
        write_bag(sequence, bag)
    return bag


def first_box(sequence):
    """
    Return the target's box in the first frame, as the parameter `init_box` takes it.

    :param sequence: a `Sequence`.
    :raises SequenceError: its first frame has no ground truth.
    """
    first = sequence.boxes[:1]
    if not has_truth(first).all():
        raise SequenceError(f'{sequence.name}: the first frame has no ground truth, so there is '
                            'no box to start on')
    # To the last bit, so that answers are those of an evaluation without DDS.
    return ', '.join(repr(float(value)) for value in first[0])


def replay(bag, box, options):
    """
    Run tracker, recorder and player until the last frame; the results folder is then written.

    :param bag: path of what is replayed.
    :param box: of the target in the first frame, as text.
    :param options: of the command line.
    :raises TrackingError: a process fails, or the tracker does not become active.
    """
    common = {'sequence': str(bag), 'image_topic': options.image_topic}
    environment = _isolated(options.out / 'log')
    processes = {}
    try:
        processes['tracker_node'] = _start(
            'tracker_node', {'tracker': options.tracker, 'init_box': box, 'use_sim_time': True,
                             'image_qos': 'reliable', 'autostart': False,
                             # Where nothing hurries, the machine's speed shall change nothing.
                             'learning': 'background' if options.rate else 'inline',
                             # The recorder may be far behind the player, and must miss nothing.
                             f'qos_overrides.{DETECTIONS}.publisher.depth': _DEEP},
            {'image': IMAGES}, environment)
        processes['detection_recorder'] = _start(
            'detection_recorder', {**common, 'results': str(options.out),
                                   'label': options.tracker},
            {'detections': DETECTIONS}, environment)
        _activate(processes)
        processes['bag_player'] = _start(
            'bag_player', {**common, 'clock': True, 'rate': options.rate,
                           'wait_for_answer': not options.rate, 'patience': _PATIENCE},
            {'image': IMAGES, 'detections': DETECTIONS}, environment)
        _await_end(processes, 'bag_player')
        processes['detection_recorder'].send_signal(signal.SIGINT)
        _await_end(processes, 'detection_recorder')
    finally:
        _stop(processes)


def _isolated(log):
    """Return the environment of the nodes: this machine only, a domain of their own."""
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
    variable, value = (('ROS_LOCALHOST_ONLY', '1') if os.environ.get('ROS_DISTRO') == 'humble'
                       else ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST'))
    os.environ.setdefault(variable, value)
    return {**os.environ, 'ROS_LOG_DIR': str(log.resolve())}


def _start(name, parameters, remappings, environment):
    command = [sys.executable, '-m', f'tracking_nodes.nodes.{name}', '--ros-args']
    for key, value in parameters.items():
        if value != '':
            # JSON is YAML: a path that looks like a number stays a string.
            command += ['-p', f'{key}:={json.dumps(value)}']
    for source, target in remappings.items():
        command += ['-r', f'{source}:={target}']
    # A group of its own, so that Ctrl-C reaches this process first and is passed on in order.
    return subprocess.Popen(command, env=environment, start_new_session=True)


def _activate(processes):
    """Configure and activate the tracker, and wait until the recorder listens to it."""
    rclpy.init(args=[])
    node = rclpy.create_node('demo')
    client = node.create_client(ChangeState, '/tracker/change_state')
    try:
        _await(client.service_is_ready, processes)
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            request = ChangeState.Request(transition=Transition(id=transition))
            answer = client.call_async(request)
            _await(lambda: _answered(node, answer), processes)
            if not answer.result().success:
                raise TrackingError('the tracker does not become active; its words are above')
        _await(lambda: node.count_subscribers(DETECTIONS), processes)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _answered(node, future):
    rclpy.spin_once(node, timeout_sec=0.1)
    return future.done()


def _await(condition, processes):
    """Wait until a condition holds, and for none of the processes to end."""
    end = time.monotonic() + _PATIENCE
    while not condition():
        _check(processes)
        if time.monotonic() > end:
            raise TrackingError(f'the nodes are not ready after {_PATIENCE:g} s; their words are '
                                'above')
        time.sleep(0.05)


def _await_end(processes, name):
    """Wait for a process to end well, and for none of the others to end."""
    while processes[name].poll() is None:
        _check(processes)
        time.sleep(0.05)
    if processes.pop(name).returncode:
        raise TrackingError(f'{name} failed; its words are above')


def _check(processes):
    for name, process in processes.items():
        if process.poll():
            raise TrackingError(f'{name} ended with status {process.returncode}; its words are '
                                'above')


def _stop(processes):
    for process in processes.values():
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in processes.values():
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == '__main__':
    sys.exit(main())
