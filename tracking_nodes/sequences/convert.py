"""`dataset_to_bag`: sequences, image folders and videos to rosbag2."""
import argparse
import logging
from pathlib import Path
import sys

from tracking_nodes.errors import TrackingError
from tracking_nodes.sequences.bags import (GROUND_TRUTH_TOPIC, IMAGE_TOPIC, STORAGES, write_bag)
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.mcap_repair import repair_mcap


def convert(paths, out, **options):
    """
    Write every sequence at some paths to a bag.

    :param paths: what `open_sequences` takes.
    :param out: the bag's folder when there is one sequence, else the folder that gets one bag
        per sequence.
    :param options: passed to `write_bag`.
    :return: yields (sequence, path of its bag) when it is written.
    :raises TrackingError: a sequence cannot be read, or a bag exists.
    """
    sequences = [sequence for path in paths for sequence in open_sequences(path)]
    for sequence in sequences:
        path = Path(out) if len(sequences) == 1 else Path(out) / sequence.name
        write_bag(sequence, path, **options)
        yield sequence, path


def main(arguments=None):
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(levelname)s: %(message)s')
    try:
        if options.repair:
            if len(options.sequences) != 1:
                raise TrackingError('--repair takes one mcap file and the name of the new one')
            messages = repair_mcap(options.sequences[0], options.out)
            print(f'{options.out}: at least {messages} messages saved')
            return 0
        written = convert(options.sequences, options.out, storage=options.storage,
                          compressed=options.image == 'jpeg', rate=options.rate,
                          image_topic=options.topic,
                          ground_truth_topic=options.ground_truth_topic)
        for sequence, path in written:
            print(f'{path}: {len(sequence)} frames of {sequence.name}')
    except TrackingError as error:
        print(f'dataset_to_bag: {error}', file=sys.stderr)
        return 1
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog='dataset_to_bag', description='Convert tracking sequences to rosbag2: images on a '
        'camera topic, ground truth as vision_msgs/Detection2DArray.')
    parser.add_argument('sequences', nargs='+', metavar='SEQUENCE',
                        help='sequence folder of a benchmark, SET:FOLDER, folder of '
                             'several, image folder, video or bag')
    parser.add_argument('out', metavar='OUT',
                        help='bag to write; with several sequences, the folder for their bags')
    parser.add_argument('--storage', choices=sorted(STORAGES), default='mcap',
                        help='rosbag2 storage (default: %(default)s)')
    parser.add_argument('--image', choices=('jpeg', 'raw'), default='jpeg',
                        help='jpeg: CompressedImage, bytes of JPEG and PNG files as they are; '
                             'raw: Image, bgr8 (default: %(default)s)')
    parser.add_argument('--rate', type=_positive, metavar='HZ',
                        help="camera rate (default: the video's, else 30; GOT-10k 10)")
    parser.add_argument('--topic', default=IMAGE_TOPIC,
                        help='image topic, without /compressed (default: %(default)s)')
    parser.add_argument('--ground-truth-topic', default=GROUND_TRUTH_TOPIC,
                        help='ground truth topic (default: %(default)s)')
    parser.add_argument('--repair', action='store_true',
                        help='SEQUENCE is an mcap file that was cut short, OUT the mcap file '
                             'that gets what is whole of it')
    return parser


def _positive(text):
    value = float(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text} is not a positive number')
    return value


if __name__ == '__main__':
    sys.exit(main())
