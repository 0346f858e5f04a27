"""Strips of pictures around the frame where a tracker goes wrong."""
import cv2
import numpy as np

from tracking_nodes.evaluation.video import COLOURS, draw_box, draw_text, TRUTH_COLOUR
from tracking_nodes.geometry import iou

WIDTH = 320
# How many times as wide or as high as the target the lower row is, whichever is less.
CONTEXT = 2.0
_GAP, _LINE = 4, 16


def strip_frames(failure, count, step):
    """
    Return the frames that show how it began and what came of it.

    :param failure: a `Failure`.
    :param count: frames of the sequence.
    :param step: distance in frames of those before and after.
    :return: rising list: two before, where it goes wrong, halfway to where the loss begins, that
        frame and two after; those beyond the sequence are left out.
    """
    frame, begin = failure.frame, failure.begin
    wanted = {frame - 2 * step, frame - step, frame, (frame + begin) // 2, begin, begin + step,
              begin + 2 * step}
    return sorted(one for one in wanted if 0 <= one < count)


def draw_strip(sequence, failure, runs, step):
    """
    Return the strip: whole frames above, below them the surroundings of the target.

    Ground truth is white, the tracker and the peer have a colour each; below a picture stand its
    number, and overlap and score of both.

    :param sequence: a `Sequence`.
    :param failure: a `Failure` on it.
    :param runs: {label: `Run`} of the tracker and the peer, in this order.
    :param step: distance in frames of the pictures before and after.
    :return: (H, W, 3) uint8 BGR.
    """
    height, width = sequence.image(failure.frame).shape[:2]
    size = WIDTH, round(WIDTH * height / width)
    columns = [_column(sequence.image(frame), frame, sequence.boxes[frame], runs, size,
                       frame == failure.frame)
               for frame in strip_frames(failure, len(sequence), step)]
    gap = np.full((columns[0].shape[0], _GAP, 3), 32, dtype=np.uint8)
    return np.concatenate([part for column in columns for part in (column, gap)][:-1], axis=1)


def _column(image, frame, truth, runs, size, chosen):
    """Return whole frame, surroundings and the lines of text below each other."""
    whole = 0, 0, image.shape[1], image.shape[0]
    # Where there is no ground truth the tracker's own box shows what it follows instead.
    centre = truth if np.isfinite(truth).all() else next(iter(runs.values())).boxes[frame]
    parts = [_view(image, frame, truth, runs, region, size)
             for region in (whole, _surroundings(centre, *whole[2:]))]
    text = np.zeros((_LINE * (len(runs) + 1) + 6, size[0], 3), dtype=np.uint8)
    absent = '' if np.isfinite(truth).all() else ', target absent'
    lines = [(f'frame {frame}{absent}{" <- goes wrong here" if chosen else ""}', TRUTH_COLOUR)]
    for (label, run), colour in zip(runs.items(), COLOURS):
        overlap = iou(run.boxes[frame], truth)
        shown = '-' if np.isnan(overlap) else f'{overlap:.2f}'
        score = f', score {run.scores[frame]:.2f}' if run.scored else ''
        lines.append((f'{label}: IoU {shown}{score}', colour))
    for row, (words, colour) in enumerate(lines):
        draw_text(text, (4, _LINE * (row + 1)), words, colour, 0.42)
    return np.concatenate([*parts, text], axis=0)


def _view(image, frame, truth, runs, region, size):
    """Return a region x, y, w, h of a frame at a size, with the boxes drawn on it."""
    x, y, width, height = region
    scale = np.array([size[0] / width, size[1] / height])
    matrix = np.array([[scale[0], 0, -x * scale[0]], [0, scale[1], -y * scale[1]]])
    canvas = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    boxes = [(truth, TRUTH_COLOUR), *((run.boxes[frame], colour)
                                      for run, colour in zip(runs.values(), COLOURS))]
    for box, colour in boxes:
        draw_box(canvas, (np.asarray(box) - [x, y, 0, 0]) * np.tile(scale, 2), colour, 2)
    return canvas


def _surroundings(box, width, height):
    """Return the region x, y, w, h around a box, in the proportions of the image and inside it."""
    share = min(1.0, CONTEXT * max(box[2] / width, box[3] / height))
    region = np.array([width, height]) * share
    corner = np.clip(box[:2] + box[2:] / 2 - region / 2, 0, [width, height] - region)
    return (*corner, *region)
