"""
Drive a tracker node in a process of its own with a camera at a fixed rate, and say what happened.

    python test/measure_node.py --frames 2000 --tracker static SEQUENCE

SEQUENCE is anything tracking_benchmark reads; its frames are played forwards and backwards so
that the target moves on smoothly. Prints a table; --json FILE writes the numbers. --overhead
instead says what the node costs over the bare tracker, for static and edcf, at 640x480 and
1920x1080, raw and JPEG: the share of the frame time that is not the tracker's.
"""
import argparse
from array import array
from dataclasses import dataclass, replace
from itertools import islice
import json
import os
from pathlib import Path
import threading
import time

from coded_images import header, write_code
import cv2
from node_harness import Answer, Client, start_node, wait
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CompressedImage, Image

from tracking_nodes.geometry import iou
from tracking_nodes.nodes.conversions import image_message
from tracking_nodes.nodes.qos import RELIABLE, SENSOR_DATA
from tracking_nodes.sequences.catalog import open_sequences

from vision_msgs.msg import Detection2DArray

_SETTLE = 2.0
PARTS = ('queue', 'decode', 'locate', 'predict', 'publish', 'learn')
# Outside of the tracker; what passes between the camera and the callback is not in any part.
NODE_PARTS = ('queue', 'decode', 'predict', 'publish')
SIZES = ((640, 480), (1920, 1080))


@dataclass(frozen=True)
class Drive:
    """What is measured: which tracker, how many images per second, how they travel."""

    tracker: str = 'static'
    frames: int = 2000
    rate: float = 30.0
    compressed: bool = False
    reliable: bool = False
    parameters: tuple = ()


class Camera:
    """Publishes prepared messages at a fixed rate; `sent` maps a stamp to the image's index."""

    def __init__(self, client, images, drive):
        kind, topic = ((CompressedImage, '/image/compressed') if drive.compressed else
                       (Image, '/image'))
        # The client's own raw publisher would make the node take the raw topic.
        client.destroy_publisher(client.image)
        self._publisher = client.create_publisher(
            kind, topic, RELIABLE if drive.reliable else SENSOR_DATA)
        self._messages = [_message(image, drive.compressed) for image in images]
        self.sent = {}

    def matched(self):
        """Return whether the node listens."""
        return self._publisher.get_subscription_count() > 0

    def run(self, count, rate):
        """Publish `count` images, `rate` per second, back and forth."""
        order = _back_and_forth(len(self._messages))
        begin = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begin + number / rate - time.monotonic()))
            index = order[number % len(order)]
            message = self._messages[index]
            stamp = time.time_ns()
            message.header = header(stamp)
            self.sent[stamp] = index
            self._publisher.publish(message)
        return time.monotonic() - begin


def _message(image, compressed):
    if not compressed:
        return image_message(image, header(0))
    data = cv2.imencode('.jpg', image)[1].tobytes()
    return CompressedImage(format='jpeg', data=array('B', data))


def _back_and_forth(length):
    return list(range(length)) + list(range(length - 2, 0, -1))


def measure(images, box, drive, truth=None):
    """
    Run the node on images and return the numbers.

    :param images: list of (H, W, 3) uint8 BGR; a number is written into their first rows.
    :param box: (x, y, w, h) of the target in the first image.
    :param drive: a `Drive`.
    :param truth: (len(images), 4) boxes, or None.
    :return: dict of numbers, ready for JSON.
    """
    images = [write_code(image.copy(), index) for index, image in enumerate(images)]
    context = rclpy.Context()
    rclpy.init(context=context)
    client = Client(context)
    camera = Camera(client, images, drive)
    arrivals = {}
    client.create_subscription(
        Detection2DArray, f'{client.own}/detections',
        lambda message: arrivals.setdefault(Answer.of(message).stamp, time.time_ns()), 1000)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(client)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    node = _start_node(drive, box)
    try:
        wait(camera.matched, timeout=120)
        wait(lambda: client.diagnostics and client.status()[2]['lifecycle'] == 'active')
        cpu = _cpu_seconds(node.pid)
        seconds = camera.run(drive.frames, drive.rate)
        time.sleep(_SETTLE)
        cpu = _cpu_seconds(node.pid) - cpu
        diagnostics = [{item.key: item.value for item in status.values}
                       for status in client.diagnostics]
        answers = [Answer.of(message) for message in client.answers]
    finally:
        node.terminate()
        node.wait(10)
        executor.shutdown()
        spinning.join(5)
        # A publisher of raw images that stays would be taken by the node of the next run.
        client.destroy_node()
        rclpy.shutdown(context=context)
    return {'tracker': drive.tracker, 'rate': drive.rate, 'seconds': seconds,
            'size': f'{images[0].shape[1]}x{images[0].shape[0]}',
            'transport': 'compressed' if drive.compressed else 'raw',
            'QoS': 'reliable' if drive.reliable else 'sensor data',
            **_stamps(camera.sent, answers, drive.tracker == 'frame_code'),
            **_delays(camera.sent, arrivals), **_memory(diagnostics),
            **_costs(diagnostics[-1], cpu, len(answers)),
            **_accuracy(camera.sent, answers, truth)}


def overhead(images, box, drive):
    """
    Return one row for each tracker, size and transport: times, and the node's share of them.

    :param images: list of (H, W, 3) uint8 BGR, resized to each size.
    :param box: (x, y, w, h) of the target in the first image.
    :param drive: a `Drive` with the number of frames, the rate and the QoS.
    :return: list of dicts of numbers; the share is that of the medians.
    """
    rows = []
    for width, height in SIZES:
        ratio = width / images[0].shape[1], height / images[0].shape[0]
        resized = [cv2.resize(image, (width, height)) for image in images]
        for compressed in (False, True):
            for tracker in ('static', 'edcf'):
                numbers = measure(resized, np.multiply(box, ratio * 2), replace(
                    drive, tracker=tracker, compressed=compressed))
                parts = {part: numbers[f'{part} p50 (ms)'] for part in PARTS}
                node = sum(parts[part] for part in NODE_PARTS)
                rows.append({
                    'tracker': tracker, 'size': f'{width}x{height}',
                    'transport': 'JPEG' if compressed else 'raw', **parts,
                    'share': node / sum(parts.values()), 'answered': numbers['answered'],
                    'sent': numbers['sent'], 'delay': numbers['delay p50 (ms)']})
                print(_row(rows[-1]), flush=True)
    return rows


def _row(row):
    cells = [row['tracker'], row['size'], row['transport'],
             *(f'{row[part]:.2f}' for part in PARTS), f'{100 * row["share"]:.0f} %',
             f'{row["answered"]} / {row["sent"]}', f'{row["delay"]:.1f}']
    return f'| {" | ".join(cells)} |'


def _overhead_head():
    names = ['tracker', 'image', 'transport', *(f'{part} ms' for part in PARTS), 'node',
             'answered', 'stamp to arrival ms']
    return f'| {" | ".join(names)} |\n|{"---|" * len(names)}'


def _start_node(drive, box):
    parameters = {'tracker': drive.tracker, 'diagnostics_period': 0.5, 'seed': 1,
                  'image_qos': 'reliable' if drive.reliable else 'sensor_data',
                  'init_box': '"{:.6g} {:.6g} {:.6g} {:.6g}"'.format(*box),
                  **dict(drive.parameters)}
    return start_node(*(part for name, value in parameters.items()
                        for part in ('-p', f'{name}:={value}')))


def _cpu_seconds(pid):
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def _stamps(sent, answers, coded):
    """Compare answers with what was sent; a coded answer tells which image it was made from."""
    stamps = [answer.stamp for answer in answers]
    # The first target's first answer is the box that was given.
    located = [answer for answer in answers if answer.box is not None][1:]
    wrong = sum(round(answer.box[1]) != sent.get(answer.stamp)
                for answer in located) if coded else None
    return {'sent': len(sent), 'answered': len(answers),
            'unknown stamps': sum(stamp not in sent for stamp in stamps),
            'repeated stamps': len(stamps) - len(set(stamps)),
            'answers out of order': int((np.diff(stamps) < 0).sum()),
            'answers made from another image': wrong}


def _delays(sent, arrivals):
    """Delay from the camera's stamp to the answer's arrival; a growing queue would raise it."""
    delays = np.array([arrivals[stamp] - stamp for stamp in sent if stamp in arrivals]) / 1e6
    quarter = max(1, len(delays) // 4)
    return {**{f'delay p{rank} (ms)': float(np.percentile(delays, rank)) for rank in (50, 95, 99)},
            'delay median, first quarter (ms)': float(np.median(delays[:quarter])),
            'delay median, last quarter (ms)': float(np.median(delays[-quarter:]))}


def _memory(diagnostics):
    """Compare the resident memory when the buffer of late boxes has filled with the end."""
    counts = [int(values.get('buffered images', 0)) for values in diagnostics]
    filled = next(index for index, count in enumerate(counts) if count >= max(counts) - 2)
    resident = [float(values['resident memory (MB)']) for values in diagnostics[filled:]]
    return {'memory when the buffer is full (MB)': resident[0],
            'memory halfway (MB)': resident[len(resident) // 2],
            'memory at the end (MB)': resident[-1], 'memory largest (MB)': max(resident)}


def _costs(values, cpu, answered):
    parts = {f'{part} p50 (ms)': float(values[f'{part} p50 (ms)'])
             for part in PARTS}
    drops = {key: int(value) for key, value in values.items()
             if key.startswith(('dropped', 'fault'))}
    return {**parts, **drops, 'buffered images': int(values['buffered images']),
            'node p99 stamp to published (ms)': float(
                values['image stamp to published p99 (ms)']),
            'share of the worker outside the tracker': float(values['time outside the tracker']),
            'CPU of the node per answer (ms)': 1e3 * cpu / max(1, answered)}


def _accuracy(sent, answers, truth):
    if truth is None:
        return {}
    overlaps = [0.0 if answer.box is None else float(iou(answer.box, truth[sent[answer.stamp]]))
                for answer in answers if answer.stamp in sent]
    return {'mean overlap of the answers': float(np.nanmean(overlaps))}


def main():
    """Measure on a sequence and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('sequence', help='a sequence folder, video or bag')
    parser.add_argument('--tracker', default='static', help="or frame_code, the tests' own")
    parser.add_argument('--frames', type=int, default=2000)
    parser.add_argument('--rate', type=float, default=30.0)
    parser.add_argument('--images', type=int, default=300, help='distinct images held in memory')
    parser.add_argument('--compressed', action='store_true')
    parser.add_argument('--reliable', action='store_true', help='camera and node, both')
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE')
    parser.add_argument('--overhead', action='store_true',
                        help='the table of what the node costs over the bare tracker')
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    (sequence,) = open_sequences(arguments.sequence)
    images = list(islice(sequence.images(), arguments.images))
    drive = Drive(arguments.tracker, arguments.frames, arguments.rate, arguments.compressed,
                  arguments.reliable, tuple(tuple(item.split('=', 1)) for item in arguments.set))
    if arguments.overhead:
        print(f'load {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores\n' + _overhead_head())
        numbers = overhead(images, sequence.boxes[0], drive)
    else:
        numbers = measure(images, sequence.boxes[0], drive, sequence.boxes[:len(images)])
        numbers = {'sequence': sequence.name, **numbers}
        for name, value in numbers.items():
            print(f'{name:42} {value:.3f}' if isinstance(value, float) else f'{name:42} {value}')
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2))


if __name__ == '__main__':
    main()
