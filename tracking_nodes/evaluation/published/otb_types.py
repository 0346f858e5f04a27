"""
Boxes from the ways in which OTB's MATLAB toolkit keeps what trackers answered, its `type`.

=========  =============================================================================
type       rows of `res`
=========  =============================================================================
rect       x, y, w, h
ivtAff     IVT's x, y and 2x2 matrix, row by row: the template, `tmplsize` (w, h), around its
           middle, to the image
L1Aff      L1's 2x2 matrix, row by row, and y, x: pixels 1 to `tmplsize` (h, w), as row and column,
           to the image, rounded
4corner    two rows a frame, x and y of four corners
affine     the same
=========  =============================================================================

A box is the one around the corners. IVT's are edges of the box; all others are pixels that belong
to it, so that it is one pixel wider than they are apart. With these a rectangle on which IVT
(`run_IVT`: middle x + w / 2) or L1 (corner pixels x to x + w - 1) started comes back as it was.
`LK_Aff` and `SIMILARITY` are refused: it was not checked what the toolkit's matrices map.
"""
import numpy as np

from tracking_nodes.errors import TrackingError
from tracking_nodes.geometry import polygon_to_box

_COLUMNS = {'rect': 4, 'ivtAff': 6, 'L1Aff': 6, '4corner': 4, 'affine': 4}


def boxes_of(rows, kind, template, path):
    """
    Return the boxes of a result.

    :param rows: its `res`, numbers.
    :param kind: its `type`.
    :param template: its `tmplsize`, two numbers, or None; only of the types that need it.
    :param path: of the file, for messages.
    :return: (N, 4) x, y, w, h, from the pixel that `rows` count from.
    :raises TrackingError: another type or shape, or no size of the template.
    """
    try:
        rows = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TrackingError(f'{path} does not hold numbers of every frame ({error})') from error
    if kind not in _COLUMNS or rows.ndim != 2 or rows.shape[1] != _COLUMNS[kind] or (
            kind in ('4corner', 'affine') and len(rows) % 2):
        raise TrackingError(f'{path} holds results of type {kind!r} and shape {rows.shape}; known '
                            f'are {", ".join(_COLUMNS)} with {sorted(set(_COLUMNS.values()))} '
                            'columns, those of corners with two rows a frame')
    if kind == 'rect':
        return rows
    if kind in ('4corner', 'affine'):
        return _around_pixels(rows.reshape(-1, 2, 4))
    size = np.array([] if template is None else template, dtype=np.float64).ravel()
    if len(size) != 2:
        raise TrackingError(f'{path} has results of type {kind!r} without the tmplsize that they '
                            'are relative to')
    if kind == 'ivtAff':
        corners = np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]]) * size[:, None] / 2
        moved = rows[:, 2:].reshape(-1, 2, 2) @ corners + rows[:, :2, None]
        return polygon_to_box(moved.swapaxes(1, 2).reshape(-1, 8))
    corners = np.array([[1, size[0], 1, size[0]], [1, 1, size[1], size[1]]])
    moved = rows[:, :4].reshape(-1, 2, 2) @ corners + rows[:, 4:, None]
    # MATLAB rounds halves away from zero; rows come before columns.
    return _around_pixels(np.copysign(np.floor(np.abs(moved) + 0.5), moved)[:, ::-1])


def _around_pixels(corners):
    """Return the boxes (N, 4) that the pixels at corners, (N, 2, 4) x and y, belong to."""
    boxes = polygon_to_box(corners.swapaxes(1, 2).reshape(-1, 8))
    return boxes + [0, 0, 1, 1]
