"""
Make docs/pictures: `python docs/make_pictures.py`, or `make pictures`.

A tracker follows the synthetic target beside OpenCV's, and what the node and the report show of it
becomes the pictures: nothing is drawn by hand. The page needs chromium.
"""
import argparse
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile

import cv2
import numpy as np
from PIL import Image

from tracking_nodes.evaluation.benchmark import run_benchmark
from tracking_nodes.evaluation.contender import parse_contenders, peer_contenders
from tracking_nodes.evaluation.report.writer import write_report
from tracking_nodes.nodes.drawing import draw
from tracking_nodes.nodes.target import Target
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.trackers.presence import Thresholds

PEERS = ('csrt', 'kcf')
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
COLOURS = 128
# Pixels of the browser's window.
PAGE = 1100, 900


def main(arguments=None):
    """Make the pictures; return the exit status, 1 where there is no browser."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path(__file__).parent / 'pictures',
                        help='folder to write to (default: %(default)s)')
    parser.add_argument('--tracker', default='edcf', help='default: %(default)s')
    parser.add_argument('--frames', type=int, default=120,
                        help='length of the sequence (default: %(default)s)')
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    sequence = SyntheticSequence(options.frames)
    runtime = Runtime(device='cpu')
    save(debug_images(registry.create(options.tracker, None, runtime), sequence),
         options.out / 'debug_image.png')
    with tempfile.TemporaryDirectory() as folder:
        contenders = (parse_contenders([options.tracker], [], runtime)
                      + peer_contenders(PEERS, runtime)[0])
        run_benchmark(contenders, [sequence], folder)
        page = write_report(folder, [sequence])
        save(cv2.imread(str(Path(folder) / 'success.png')), options.out / 'success.png')
        return screenshot(page, options.out / 'report.png')


def debug_images(tracker, sequence, count=3):
    """
    Return some debug images of a run beside each other.

    :param tracker: a `Tracker` without a target.
    :param sequence: a `Sequence`.
    :param count: how many, spread over the run.
    :return: (H, count * W, 3) uint8 BGR.
    """
    target, shown = Target(tracker, Thresholds()), []
    chosen = np.linspace(0, len(sequence.boxes) - 1, count + 1).round()[1:]
    for index, image in enumerate(sequence.images()):
        if index == 0:
            target.start(image, sequence.boxes[0], 'target')
            continue
        target.follow(image)
        target.judge()
        if index in chosen:
            shown.append(draw(image, [target]))
        target.learn()
    return np.hstack(shown)


def screenshot(page, path):
    """Save how a page looks; return the exit status."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.stderr.write(f'{path} is not made: no chromium here (apt install chromium)\n')
        return 1
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'page.png'
        subprocess.run(
            [browser, '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
             '--disable-dev-shm-usage', '--virtual-time-budget=5000',
             f'--window-size={PAGE[0]},{PAGE[1]}', f'--screenshot={file}',
             page.resolve().as_uri()], check=True, capture_output=True)
        save(cv2.imread(str(file)), path)
    return 0


def save(image, path):
    """Write a (H, W, 3) uint8 BGR image as a small PNG, with few colours."""
    few = Image.fromarray(image[..., ::-1]).quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f'wrote {path}, {path.stat().st_size / 1000:.0f} kB')


if __name__ == '__main__':
    sys.exit(main())
