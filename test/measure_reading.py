"""
Say how fast bags are read, beside rosbags alone with the same decoding, and what evaluation adds.

    python test/measure_reading.py [SEQUENCE] --frames 300

SEQUENCE is anything tracking_benchmark reads; without it a made-up clip of 640x480. Its frames
are written to an mcap as JPEG and as raw images. Prints a table; the best of several rounds, in
which the readers take turns, counts.
"""
import argparse
from itertools import islice
from pathlib import Path
import tempfile
import time

import cv2
import numpy as np
from rosbags.highlevel import AnyReader

from tracking_nodes.evaluation.ope import run_ope
from tracking_nodes.sequences.bags import BagSequence, write_bag
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.messages import typestore
from tracking_nodes.sequences.sequence import camera_stamps, Sequence
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.registry import create


class Pictures(Sequence):
    """Frames held in memory: what is left of a run is the evaluation."""

    def __init__(self, images):
        """Give every frame the same box."""
        super().__init__('pictures', [[10, 10, 40, 40]] * len(images), camera_stamps(len(images)))
        self._images = images

    def images(self):
        """Yield every frame."""
        yield from self._images


def read_with_rosbags(path):
    """Yield the pictures of a bag with rosbags and nothing of ours."""
    with AnyReader([path], default_typestore=typestore()) as reader:
        connections = [connection for connection in reader.connections
                       if connection.topic.startswith('/camera')]
        for connection, _, data in reader.messages(connections):
            message = reader.deserialize(data, connection.msgtype)
            if 'Compressed' in connection.msgtype:
                yield cv2.imdecode(message.data, cv2.IMREAD_COLOR)
            else:
                # A copy, since the view of a bag's bytes cannot be drawn on.
                yield message.data.reshape(message.height, message.width, 3).copy()


def seconds(task):
    """Return how long a function takes."""
    begin = time.perf_counter()
    task()
    return time.perf_counter() - begin


def drain(images):
    """Read every picture."""
    for image in images:
        image.shape


def measure(images, folder, rounds):
    """Yield (what, milliseconds per frame) for JPEG, raw images and the evaluation."""
    count, pictures = len(images), Pictures(images)
    for kind, compressed in (('JPEG', True), ('raw', False)):
        path = folder / kind
        write_bag(pictures, path, compressed=compressed)
        tasks = {
            f'{kind}: rosbags alone': lambda: drain(read_with_rosbags(path)),
            f'{kind}: BagSequence.images': lambda: drain(bag.images()),
            f'{kind}: opening a BagSequence': lambda: BagSequence(path),
        }
        bag = BagSequence(path)
        taken = [[seconds(task) for task in tasks.values()] for _ in range(rounds)]
        yield from zip(tasks, np.min(taken, axis=0) * 1e3 / count)
    idle = min(seconds(lambda: drain(pictures.images())) for _ in range(rounds))
    run = min(seconds(lambda: run_ope(create('static'), pictures)) for _ in range(rounds))
    yield 'one-pass evaluation, nothing tracked', (run - idle) * 1e3 / count


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('sequence', nargs='?', help='sequence to take the frames of')
    parser.add_argument('--frames', type=int, default=300, help='number of frames')
    parser.add_argument('--rounds', type=int, default=5, help='rounds of which the best counts')
    options = parser.parse_args()
    sequence = (open_sequences(options.sequence)[0] if options.sequence
                else SyntheticSequence(options.frames))
    images = list(islice(sequence.images(), options.frames))
    if not options.sequence:
        images = [cv2.resize(image, (640, 480)) for image in images]
    print(f'{len(images)} frames of {images[0].shape[1]}x{images[0].shape[0]}')
    with tempfile.TemporaryDirectory() as folder:
        for what, milliseconds in measure(images, Path(folder), options.rounds):
            print(f'{what:38} {milliseconds:8.4f} ms a frame {1e3 / milliseconds:10.0f} frames/s')


if __name__ == '__main__':
    main()
