"""
A tracker behind TraX, the protocol through which the VOT toolkit talks to trackers.

    python -m tracking_nodes.clients.trax --tracker rman --set backbone=resnet18

The toolkit starts this program and speaks to it over standard input and output;
`tracking_benchmark vot-trackers` writes the line of its `trackers.ini`. TraX and the VOT toolkit
count pixels from 0, as the package does.
"""
import argparse
import math
import sys
from types import SimpleNamespace

from tracking_nodes.errors import ImageError, TrackingError
from tracking_nodes.evaluation.contender import parse_contenders
from tracking_nodes.geometry import as_box, polygon_to_box
from tracking_nodes.imaging import decode_bytes, decode_image
from tracking_nodes.trackers.base import Runtime

# By number of channels and bytes per value, as TraX's `MemoryImage` has them.
_MEMORY_ENCODINGS = {(3, 1): 'rgb8', (1, 1): 'mono8', (1, 2): 'mono16'}


def serve(tracker, name):
    """
    Answer requests on standard input until the toolkit is done.

    Every start begins anew; in between each image is located and learned from. The answer is a
    rectangle with the property `confidence`, the tracker's score in [0, 1], or 1 and 0 by presence
    where it has none.

    :param tracker: a `Tracker`.
    :param name: what the toolkit shall call it.
    :raises ImageError: an image cannot be read.
    :raises BoxError: a target cannot be started on.
    """
    from trax import Image, Rectangle, Region, Server, TraxStatus

    with Server([Region.RECTANGLE, Region.POLYGON], [Image.PATH, Image.MEMORY, Image.BUFFER],
                tracker_name=name) as server:
        while True:
            request = server.wait()
            if request.type == TraxStatus.INITIALIZE:
                [(region, _)] = request.objects
                box, score = to_box(region), 1.0
                tracker.start(to_image(request.image), box)
            elif request.type == TraxStatus.FRAME:
                found = tracker.locate(to_image(request.image))
                tracker.learn()
                box = found.box
                score = float(found.present) if math.isnan(found.score) else found.score
            else:
                return
            server.status([(Rectangle.create(*box), {'confidence': score})])


def to_box(region):
    """
    Return the axis-aligned box of a TraX region.

    :param region: a `trax.Rectangle` or `trax.Polygon`.
    :return: (4,), x, y, w, h in 0-based pixels.
    """
    if region.type == 'rectangle':
        return as_box(region.bounds())
    return polygon_to_box([number for corner in region for number in corner])


def to_image(channels):
    """
    Return the colour image of a TraX request.

    :param channels: {channel: `trax.FileImage`, `trax.MemoryImage` or `trax.BufferImage`}.
    :return: (H, W, 3) uint8, BGR.
    :raises ImageError: it is missing or cannot be read.
    """
    image = channels.get('color')
    if image is None:
        raise ImageError(f'the request has no colour image, only {", ".join(channels) or "none"}')
    if image.type() == 'path':
        try:
            with open(image.path(), 'rb') as file:
                return decode_bytes(file.read())
        except (OSError, ImageError) as error:
            raise ImageError(f'{image.path()}: {error}') from error
    if image.type() == 'buffer':
        return decode_bytes(image.buffer())
    pixels = image.array()
    height, width, count = pixels.shape
    return decode_image(SimpleNamespace(
        height=height, width=width, encoding=_MEMORY_ENCODINGS[count, pixels.itemsize],
        is_bigendian=sys.byteorder == 'big', step=width * count * pixels.itemsize,
        data=pixels.tobytes()))


def main(arguments=None):
    """Load a tracker, serve it, and return the exit status."""
    parser = argparse.ArgumentParser(prog='python -m tracking_nodes.clients.trax',
                                     description='Serve a tracker to the VOT toolkit.')
    parser.add_argument('--tracker', required=True, metavar='NAME[:LABEL]',
                        help="a tracker of the package or of OpenCV's")
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE',
                        help='setting of the tracker; repeatable')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--device', default='auto')
    parser.add_argument('--half', action='store_true')
    parser.add_argument('--models', default='', metavar='DIR')
    parser.add_argument('--learning', default='inline', metavar='MODE')
    options = parser.parse_args(arguments)
    try:
        [contender] = parse_contenders(
            [options.tracker], options.set,
            Runtime(options.device, options.half, options.seed, options.models,
                    options.learning))
        tracker = contender.create()
        # Before the toolkit's clock runs.
        tracker.warm_up()
        serve(tracker, contender.label)
    except TrackingError as error:
        sys.stderr.write(f'tracking_nodes.clients.trax: {error}\n')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
