"""A sequence as a video with ground truth and results drawn on it."""
import cv2
import numpy as np

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.run import FAILED, SKIPPED, STARTED
from tracking_nodes.geometry import iou

TRUTH_COLOUR = (255, 255, 255)
COLOURS = ((60, 60, 255), (60, 220, 60), (255, 140, 40), (0, 200, 255), (255, 80, 255),
           (220, 220, 0), (140, 90, 255), (40, 140, 140))
_EVENTS = {SKIPPED: 'no new answer', STARTED: 'started', FAILED: 'failed'}


def write_video(path, sequence, runs):
    """
    Write an MP4 file of a sequence: ground truth in white, one colour per tracker.

    :param path: of the file, made or replaced.
    :param sequence: a `Sequence`.
    :param runs: {label: Run} of that sequence.
    :raises TrackingError: OpenCV cannot write the file, or a run has another length.
    """
    for label, run in runs.items():
        if len(run.boxes) != len(sequence):
            raise TrackingError(f'{label} has {len(run.boxes)} boxes for the {len(sequence)} '
                                f'frames of {sequence.name}; were other frames run?')
    with results.in_one_step(path, '.mp4') as partial:
        _write_frames(partial, sequence, runs)


def _write_frames(path, sequence, runs):
    writer, size = None, None
    try:
        for index, image in enumerate(sequence.images()):
            if writer is None:
                size = image.shape[1], image.shape[0]
                writer = _open(path, frame_rate(sequence.stamps), size)
            corners = None if sequence.polygons is None else sequence.polygons[index]
            canvas = draw(image, index, sequence.boxes[index], runs, corners)
            # A video has one size; a camera may change its own.
            writer.write(canvas if image.shape[1::-1] == size else cv2.resize(canvas, size))
    finally:
        if writer is not None:
            writer.release()


def draw(image, index, truth, runs, corners=None):
    """
    Return a copy of a frame with boxes and a line of text per tracker.

    :param image: (H, W, 3) uint8 BGR.
    :param index: the frame's number, 0-based.
    :param truth: (4,), NaN when absent.
    :param runs: {label: Run}.
    :param corners: (8,) x1, y1, ... x4, y4 of the ground truth's polygon, drawn beside its box.
    """
    canvas = image.copy()
    scale = max(0.35, canvas.shape[0] / 900)

    def write(row, words, colour):
        draw_text(canvas, (4, int(30 * scale * (row + 1))), words, colour, scale)

    draw_box(canvas, truth, TRUTH_COLOUR)
    if corners is not None and np.isfinite(corners).all():
        points = np.clip(np.round(corners), -1e6, 1e6).astype(np.int32).reshape(1, -1, 2)
        cv2.polylines(canvas, points, True, TRUTH_COLOUR, 1, cv2.LINE_AA)
    write(0, f'{index} ground truth' + ('' if np.isfinite(truth).all() else ' absent'),
          TRUTH_COLOUR)
    for row, (label, run) in enumerate(runs.items()):
        colour = COLOURS[row % len(COLOURS)]
        overlap = iou(run.boxes[index], truth)
        draw_box(canvas, run.boxes[index], colour, 2 if run.present[index] else 1)
        shown = '' if np.isnan(overlap) else f' IoU {overlap:.2f}'
        score = f' {run.scores[index]:.2f}' if run.scored else ''
        write(row + 1, f'{label}{score}{shown}{_happened(run, index)}', colour)
    return canvas


def draw_box(canvas, box, colour, thickness=1):
    """Draw a box (x, y, w, h) into an image, in place; nothing where it is NaN."""
    if np.isfinite(box).all():
        left, top, width, height = np.clip(np.round(box), -1e6, 1e6).astype(int).tolist()
        cv2.rectangle(canvas, (left, top), (left + width - 1, top + height - 1), colour, thickness,
                      cv2.LINE_AA)


def draw_text(canvas, place, text, colour, scale):
    """Write a line into an image, in place, from its lower left corner (x, y), dark around it."""
    for ink, thickness in (((0, 0, 0), 3), (colour, 1)):
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thickness,
                    cv2.LINE_AA)


def frame_rate(stamps):
    """Return frames per second from stamps in nanoseconds; 30 for a single frame."""
    return 30.0 if len(stamps) < 2 else float(1e9 / np.median(np.diff(stamps)))


def _happened(run, index):
    """Return what is to be said of a frame where not every frame was waited for, or a reset."""
    words = [] if run.events is None else [_EVENTS.get(int(run.events[index]))]
    if run.ages is not None and np.isfinite(run.ages[index]):
        words.append(f'{1e3 * run.ages[index]:.0f} ms old')
    return ''.join(f' {word}' for word in words if word)


def _open(path, rate, size):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), rate, size)
    if not writer.isOpened():
        raise TrackingError(f'OpenCV {cv2.__version__} cannot write {path} ({size[0]}x{size[1]}, '
                            'mp4v); is the folder writable?')
    return writer
