"""
Times and confidences of a run, from the files that tools write beside its boxes.

==================  =====================================================================
tool                files beside SEQUENCE.txt or SEQUENCE_001.txt
==================  =====================================================================
pytracking, pysot   `SEQUENCE_time.txt`, a number a line
got10k, VOT MATLAB  `SEQUENCE_time.txt`, a column per repetition; for OTB in a folder `times`
VOT Python, pysot   `SEQUENCE_001_time.value`, `SEQUENCE_001_confidence.value`
others              `SEQUENCE_confidence.txt`, `SEQUENCE.value`
==================  =====================================================================
"""
import logging
import re

import numpy as np

from tracking_nodes.errors import TrackingError

_LOGGER = logging.getLogger(__name__)
_REPETITION = re.compile(r'_(\d{3})$')
_TIMES = ('{}_time.txt', '{}_time.value', 'times/{}_time.txt')
_CONFIDENCES = ('{}_confidence.value', '{}_confidence.txt', '{}.value')


def read_times(path, frames):
    """
    Return the seconds of every frame.

    :param path: of the file of boxes.
    :param frames: how many frames it has.
    :return: (N,) float64, NaN in lines without a number; None where there is no such file.
    :raises TrackingError: the file, and the line, that cannot be read, or does not fit.
    """
    return _read(path, frames, _TIMES)


def read_confidences(path, frames):
    """
    Return the confidence in every frame.

    Those that leave 0 to 1 are no probabilities and cannot be compared with others': they are
    left out, said by a warning. Parameters, result and errors are those of `read_times`.
    """
    found = _read(path, frames, _CONFIDENCES)
    if found is not None and (np.nanmin(found) < 0 or np.nanmax(found) > 1):
        _LOGGER.warning('confidences of %s go from %g to %g: they are left out, scores lie '
                        'between 0 and 1', path, np.nanmin(found), np.nanmax(found))
        return None
    return found


def _read(path, frames, forms):
    numbered = _REPETITION.search(path.stem)
    stems = [path.stem] + ([path.stem[:numbered.start()]] if numbered else [])
    places = (path.parent / form.format(stem) for stem in stems for form in forms)
    file = next((place for place in places if place.exists()), None)
    if file is None:
        return None
    repetition = int(numbered[1]) - 1 if numbered else 0
    values = [_value(file, number, line, repetition)
              for number, line in enumerate(file.read_text().splitlines(), 1)]
    if len(values) != frames or np.isnan(values).all():
        raise TrackingError(f'{file} has {len(values)} lines with '
                            f'{np.isfinite(values).sum()} numbers for {frames} frames')
    return np.array(values)


def _value(file, number, line, repetition):
    """Return the number of a line, of the repetition where there is one each; NaN if none."""
    try:
        words = [float(word) for word in line.replace(',', ' ').split()]
    except ValueError:
        raise TrackingError(f'{file}, line {number}: {line.strip()!r} is no number') from None
    if len(words) > 1 and repetition >= len(words):
        raise TrackingError(f'{file}, line {number}: {len(words)} columns, and none of repetition '
                            f'{repetition + 1}')
    return words[repetition if len(words) > 1 else 0] if words else np.nan
