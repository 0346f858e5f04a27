"""`dataset_to_bag`: sequences, image folders and videos to rosbag2."""
import argparse
import logging
from pathlib import Path
import sys

from tracking_nodes.errors import TrackingError
from tracking_nodes.sequences.bags import (GROUND_TRUTH_TOPIC, IMAGE_TOPIC, STORAGES, write_bag)
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.mcap_repair import repair_mcap
from tracking_nodes.sequences.same_video import join_targets, Video


def convert(paths, out, together=False, **options):
    """
    Write every sequence at some paths to a bag.

    :param paths: what `open_sequences` takes.
    :param out: the bag's folder when there is one bag to write, else the folder that gets all.
    :param together: whether the targets of one video go into one bag.
    :param options: passed to `write_bag`.
    :return: yields (`Video`, path of its bag) when it is written.
    :raises TrackingError: a sequence cannot be read, or a bag exists.
    """
    sequences = [sequence for path in paths for sequence in open_sequences(path)]
    videos = join_targets(sequences) if together else [
        Video(sequence.name, sequence, {}) for sequence in sequences]
    for video in videos:
        path = Path(out) if len(videos) == 1 else Path(out) / video.name
        write_bag(video.frames, path, targets=video.targets, **options)
        yield video, path


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
        written = convert(options.sequences, options.out, options.together,
                          storage=options.storage,
                          compressed=options.image == 'jpeg', rate=options.rate,
                          image_topic=options.topic,
                          ground_truth_topic=options.ground_truth_topic)
        for video, path in written:
            targets = f', {len(video.targets)} targets' if video.targets else ''
            print(f'{path}: {len(video.frames)} frames of {video.name}{targets}')
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
    parser.add_argument('--together', action='store_true',
                        help='write the targets of one video into one bag, told apart by the ids '
                             'of their detections; else each gets a bag with the images')
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
