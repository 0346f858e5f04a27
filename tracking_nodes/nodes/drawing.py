"""The debug image: boxes, their states and their scores drawn on a copy of the frame."""
import cv2
import numpy as np

from tracking_nodes.trackers.presence import State

# BGR; chosen to differ in brightness too, for those who do not see the hue.
COLOURS = {
    State.TRACKING: (80, 220, 60), State.UNCERTAIN: (0, 200, 255), State.LOST: (60, 60, 230),
    State.IDLE: (200, 200, 200)}


def draw(image, targets):
    """
    Return a copy of the frame with what is believed of targets, a line of text for each.

    :param image: (H, W, 3) uint8 BGR; not changed.
    :param targets: list of `Target`, or what has `state`, `location` and `label` as these do.
    :return: (H, W, 3) uint8 BGR.
    """
    shown, scale = image.copy(), max(0.4, image.shape[0] / 900)
    for line, target in enumerate(targets):
        colour, location, text = COLOURS[target.state], target.location, target.state.value
        if location is not None:
            text = f'#{target.label} {target.state.value} {location.score:.2f}'
            if np.isfinite(location.box).all():
                corner = _draw_box(shown, location.box, colour, target.state)
                if len(targets) > 1:
                    _write(shown, f'#{target.label}', corner, scale, colour)
        _write(shown, text, (round(10 * scale), round((26 + 30 * line) * scale)), scale, colour)
    return shown


def _write(shown, text, origin, scale, colour):
    for width, ink in ((4, (0, 0, 0)), (1, colour)):
        cv2.putText(shown, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, ink,
                    max(1, round(width * scale)), cv2.LINE_AA)


def _draw_box(shown, box, colour, state):
    """Draw a box and return its top left corner."""
    # A box may lie far outside of the image; OpenCV takes 32-bit pixel numbers.
    limit = 10 * max(shown.shape[:2])
    left, top = np.clip(box[:2], -limit, limit)
    right, bottom = np.clip(box[:2] + box[2:], -limit, limit)
    thickness = max(1, round(shown.shape[0] / 240))
    corner = round(left), round(top)
    cv2.rectangle(shown, corner, (round(right), round(bottom)), colour,
                  1 if state is State.LOST else thickness, cv2.LINE_AA)
    return corner
