"""Boxes of one video from the files in which tools of the field keep them."""
from dataclasses import dataclass
import json
from pathlib import Path

import numpy as np

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation.published.otb_types import boxes_of
from tracking_nodes.evaluation.run import FAILED, SKIPPED, STARTED, TRACKED
from tracking_nodes.geometry import polygon_to_box

SUFFIXES = ('.txt', '.csv', '.mat', '.json')


@dataclass(frozen=True)
class Published:
    """
    One run as a file holds it.

    boxes: (N, 4) x, y, w, h as written, NaN rows where there is none. events: (N,) int8, codes of
    `run.py`, or None for a run without resets. fps: frames per second, or None. first_pixel:
    what the format is known to count pixels from, or None. regions: as of `Run`, where there are
    polygons.
    """

    boxes: np.ndarray
    events: np.ndarray | None = None
    fps: float | None = None
    first_pixel: int | None = None
    regions: list | None = None


def read_published(path, video):
    """
    Read the runs on one video from a text, MATLAB or JSON file.

    :param path: of the file.
    :param video: function that says whether a name is that of the video, for JSON of several.
    :return: list of `Published`; OTB's robustness evaluations have several in a file.
    :raises TrackingError: the file, and in text the line, that cannot be read.
    """
    readers = {'.mat': _read_mat, '.json': _read_json}
    return readers.get(Path(path).suffix.lower(), _read_text)(Path(path), video)


def _read_text(path, video):
    """
    Read one line per frame: a box, a polygon, or one of VOT's codes 0, 1 and 2.

    pytracking, pysot, got10k and the VOT toolkit write so; numbers are separated by commas, tabs
    or spaces.
    """
    regions, events = [], []
    for number, line in enumerate(_text(path).splitlines(), 1):
        try:
            values = [float(word) for word in line.replace(',', ' ').replace(';', ' ').split()]
        except ValueError:
            values = []
        if len(values) == 1 and values[0] in (SKIPPED, STARTED, FAILED):
            regions.append([np.nan] * 4)
            events.append(int(values[0]))
        elif len(values) == 4 or len(values) >= 6 and len(values) % 2 == 0:
            regions.append(values)
            events.append(TRACKED)
        else:
            raise TrackingError(f'{path}, line {number}: {line.strip()!r} is no box x,y,w,h, no '
                                'polygon and none of the codes 0, 1, 2')
    if not regions:
        raise TrackingError(f'{path} is empty')
    events, regions = np.array(events, dtype=np.int8), [np.array(row) for row in regions]
    boxes = np.array([row if len(row) == 4 else polygon_to_box(row) for row in regions])
    return [Published(boxes, None if (events == TRACKED).all() else events,
                      regions=None if all(len(row) == 4 for row in regions) else regions)]


def _read_mat(path, video):
    """Read OTB's MATLAB results: a cell `results` of structs with `res`, `otb_types` by `type`."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        runs = np.atleast_1d(loadmat(path, squeeze_me=True, struct_as_record=False)['results'])
        # A single frame has lost its axis.
        found = [(np.atleast_2d(run.res), str(getattr(run, 'type', 'rect')),
                  getattr(run, 'tmplsize', None), _number(run, 'fps')) for run in runs]
    except (OSError, ValueError, KeyError, AttributeError, MatReadError,
            NotImplementedError) as error:
        raise TrackingError(f'{path} is no result of the OTB toolkit ({error}); it holds a cell '
                            'array "results" with a field "res", and is older than MATLAB 7.3'
                            ) from error
    return [Published(boxes_of(rows, kind, template, path), None, fps, 1)
            for rows, kind, template, fps in found]


def _read_json(path, video):
    """Read tracker_benchmark's [{'res': boxes}], {video: boxes} or boxes alone."""
    try:
        content = json.loads(_text(path))
    except ValueError as error:
        raise TrackingError(f'{path} is not JSON ({error})') from error
    if isinstance(content, dict) and not {'res', 'boxes'} & set(content):
        found = [name for name in content if video(name)]
        if not found:
            raise TrackingError(f'{path} has no boxes of the video; it has '
                                f'{", ".join(list(content)[:5])} ...')
        content = content[found[0]]
    if isinstance(content, list) and content and isinstance(content[0], dict):
        return [_read_entry(entry, path) for entry in content]
    return [_read_entry(content, path)]


def _read_entry(content, path):
    """Return one run: boxes alone, or a dictionary of them and what else is known."""
    if not isinstance(content, dict):
        return Published(boxes_of(content, 'rect', None, path))
    boxes = boxes_of(content.get('res', content.get('boxes')), content.get('resType', 'rect'),
                     content.get('tmplsize'), path)
    return Published(boxes, None, content.get('fps'), 1 if 'res' in content else None)


def _number(struct, name):
    value = getattr(struct, name, None)
    return float(value) if isinstance(value, (int, float)) and np.isfinite(value) else None


def _text(path):
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise TrackingError(f'{path} cannot be read ({error})') from error
