"""
Say what the arithmetic of every tracker takes at least on a card, from its datasheet.

    python test/measure_floor.py --set backbone=resnet18 --card 't4:65e12:8.1e12:300e9'

Operations and bytes of a call of locate, and of the call of learn that has most of them within
`--frames` frames of a synthetic clip of 640x480, are counted here, on any machine. The floor is
that of `tracking_nodes.nn.arithmetic`: operations at the card's rate or bytes at its bandwidth,
whichever takes longer. Locating counts at the card's rate for float16 where the network computes
in it, learning at that for float32. A card is NAME:FLOAT16:FLOAT32:BANDWIDTH, operations and bytes
a second.
"""
import argparse

from tracking_nodes.evaluation.contender import parse_contenders
from tracking_nodes.nn.arithmetic import Ceilings, Count, counted
from tracking_nodes.parameters import specs
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime

NAMES = ('cstnet', 'gstp', 'rman', 'tsn', 'edcf')


def counts(contender, frames):
    """Return the `Count` of a call of locate, and of the largest call of learn."""
    clip = SyntheticSequence(frames, scale=2)
    images, tracker = list(clip.images()), contender.create()
    tracker.start(images[0], clip.boxes[0])
    locate, learn = [], []
    for image in images[1:]:
        locate.append(counted(lambda: tracker.locate(image)))
        learn.append(counted(tracker.learn))
    return (max(locate, key=lambda count: count.operations),
            max(learn, key=lambda count: (count.operations, count.bytes_moved),
                default=Count(0, 0)))


def parse_card(text):
    """Return the name, and the `Ceilings` of float16 and of float32."""
    name, half, single, bandwidth = text.split(':')
    return name, *(Ceilings(float(rate), float(bandwidth)) for rate in (half, single))


def main():
    """Count and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--tracker', action='append', default=[])
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE',
                        help='for the trackers that have the setting')
    parser.add_argument('--frames', type=int, default=12)
    parser.add_argument('--card', action='append', required=True)
    options = parser.parse_args()
    cards = [parse_card(text) for text in options.card]
    head = ['tracker', 'Gop a locate', 'MB', 'Gop an update', 'MB',
            *(f'{name} locate / update ms' for name, *_ in cards)]
    print(f'| {" | ".join(head)} |\n' + '|---' * len(head) + '|')
    for name in options.tracker or NAMES:
        known = {spec.name for spec in specs(registry.tracker_class(name).settings_class)}
        values = [text for text in options.set if text.split('=')[0] in known]
        contender, = parse_contenders([name], values, Runtime(device='cpu'))
        locate, learn = counts(contender, options.frames)
        cells = [name, *(f'{value:.3g}' for count in (locate, learn)
                         for value in (count.operations / 1e9, count.bytes_moved / 1e6))]
        cells += [f'{1e3 * half.floor(locate):.2f} / {1e3 * single.floor(learn):.2f}'
                  for _, half, single in cards]
        print(f'| {" | ".join(cells)} |', flush=True)


if __name__ == '__main__':
    main()
