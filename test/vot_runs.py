"""A workspace of the VOT toolkit, the toolkit at work in it, and what it leaves there."""
from importlib.util import find_spec
import os
from pathlib import Path
import subprocess
import sys

import cv2
import numpy as np
import pytest

needs_toolkit = pytest.mark.skipif(
    find_spec('vot') is None or find_spec('trax') is None,
    reason='vot-toolkit and vot-trax are not installed')


def write_workspace(folder, stack, clips):
    """Write what makes a folder with sequences a workspace: their names and the stack's text."""
    (folder / 'sequences' / 'list.txt').write_text(''.join(f'{clip}\n' for clip in clips))
    (folder / 'stack.yaml').write_text(stack)
    (folder / 'config.yaml').write_text(
        'registry: [./trackers.ini]\nstack: ./stack.yaml\nsequences: sequences\n')


def write_sequence(folder, clip, corners=False, fps=30):
    """
    Write a clip as VOT lays out sequences, with ground truth in quarters of a pixel.

    Quarters are exact in the 32 bits of TraX, so nothing differs by rounding.

    :param corners: write slanted polygons in place of rectangles.
    :param fps: frames per second that the sequence says it has.
    """
    (folder / 'color').mkdir(parents=True)
    for index, image in enumerate(clip.images()):
        cv2.imwrite(str(folder / 'color' / f'{index + 1:08d}.jpg'), image)
    rows = np.round(clip.boxes * 4) / 4
    if corners:
        x, y, width, height = rows.T
        rows = np.stack([x, y + 3, x + width - 5, y, x + width, y + height - 3, x + 5,
                         y + height], axis=-1)
    (folder / 'groundtruth.txt').write_text(
        ''.join(','.join(f'{value:.2f}' for value in row) + '\n' for row in rows))
    (folder / 'sequence').write_text(
        f'channels.color=color/%08d.jpg\nfps={fps}\nformat=default\nname={folder.name}\n')


def toolkit(action, folder, *arguments):
    """Run one command of the toolkit's command line."""
    result = subprocess.run(
        [sys.executable, Path(__file__).parent / 'vot_toolkit.py', action, '--workspace', folder,
         *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        env={**os.environ, 'VOT_RESULTS_BINARY': 'false', 'OMP_NUM_THREADS': '1'})
    assert result.returncode == 0 and 'success' in result.stdout, result.stdout


def trajectory(workspace, tracker, experiment, clip):
    """Return the toolkit's boxes (N, 4), NaN for codes, and its codes (N,), 0 where a box is."""
    lines = (workspace / 'results' / tracker / experiment / clip
             / f'{clip}_001.txt').read_text().splitlines()
    boxes, codes = np.full((len(lines), 4), np.nan), np.zeros(len(lines), dtype=int)
    for index, line in enumerate(lines):
        numbers = [float(part) for part in line.split(',')]
        if len(numbers) == 4:
            boxes[index] = numbers
        else:
            codes[index] = numbers[0]
    return boxes, codes
