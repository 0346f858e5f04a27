"""The debug image: the box, its state and its score drawn on a copy of the frame."""
import cv2
import numpy as np

from tracking_nodes.trackers.presence import State

# BGR; chosen to differ in brightness too, for those who do not see the hue.
COLOURS = {
    State.TRACKING: (80, 220, 60), State.UNCERTAIN: (0, 200, 255), State.LOST: (60, 60, 230),
    State.IDLE: (200, 200, 200)}


def draw(image, state, location, identity):
    """
    Return a copy of the frame with what the tracker believes.

    :param image: (H, W, 3) uint8 BGR; not changed.
    :param state: a `State`.
    :param location: a `Location`, or None without a target.
    :param identity: the target's id, str.
    :return: (H, W, 3) uint8 BGR.
    """
    shown = image.copy()
    colour = COLOURS[state]
    text = state.value
    if location is not None:
        text = f'#{identity} {state.value} {location.score:.2f}'
        if np.isfinite(location.box).all():
            _draw_box(shown, location.box, colour, state)
    height = image.shape[0]
    scale = max(0.4, height / 900)
    origin = round(10 * scale), round(26 * scale)
    for width, ink in ((4, (0, 0, 0)), (1, colour)):
        cv2.putText(shown, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, ink,
                    max(1, round(width * scale)), cv2.LINE_AA)
    return shown


def _draw_box(shown, box, colour, state):
    # A box may lie far outside of the image; OpenCV takes 32-bit pixel numbers.
    limit = 10 * max(shown.shape[:2])
    left, top = np.clip(box[:2], -limit, limit)
    right, bottom = np.clip(box[:2] + box[2:], -limit, limit)
    thickness = max(1, round(shown.shape[0] / 240))
    cv2.rectangle(shown, (round(left), round(top)), (round(right), round(bottom)), colour,
                  1 if state is State.LOST else thickness, cv2.LINE_AA)
