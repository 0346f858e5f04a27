"""
ImageNet VID: `Data/VID/<split>/.../<video>/` beside `Annotations/VID/<split>/.../<video>/`.

Olga Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV 2015. Every
track of a video is a sequence `<video>.<track>`, from its first to its last frame. Boxes are
xmin, ymin, xmax, ymax in pixels from 0, the last pixel included, as the got10k toolkit reads
them. Every file of annotations is read once, when the video is listed.
"""
from functools import partial
import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.folder import FolderSequence, has_images, image_files
from tracking_nodes.sequences.ground_truth import GroundTruth
from tracking_nodes.sequences.layouts.layout import Layout
from tracking_nodes.sequences.lazy import LazySequence, list_or_stand_in

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
TAGS = ('occluded', 'generated')


class _VidSequence(FolderSequence):
    """A track, whose annotations are in one file per frame."""

    def __init__(self, name, files, truth, annotations):
        super().__init__(name, files, truth)
        self._annotations = annotations

    def where(self, index):
        return str(self._annotations / f'{self.sources[index].stem}.xml')


def find_tracks(video, annotations):
    """
    Return the tracks of one video that are seen at least twice.

    :param video: folder of its images.
    :param annotations: folder of its XML files, one per image.
    :return: list of sequences, in the order of the tracks.
    :raises SequenceError: an unreadable file of annotations.
    """
    tracks = {}
    for file in sorted(annotations.glob('*.xml')):
        for track, values in _objects(file):
            tracks.setdefault(track, {})[int(file.stem)] = values
    return [LazySequence(f'{video.name}.{track}', video, _read, f'{video.name}.{track}', video,
                         annotations, frames)
            for track, frames in sorted(tracks.items()) if len(frames) > 1]


def _objects(file):
    """Yield (track, [x, y, w, h, occluded, generated]) of every object in a file."""
    try:
        for item in ElementTree.parse(file).iter('object'):
            left, top, right, bottom = (float(item.findtext(f'bndbox/{corner}'))
                                        for corner in CORNERS)
            flags = [float(item.findtext(tag, '0')) for tag in TAGS]
            yield (int(item.findtext('trackid')),
                   [left, top, right - left + 1, bottom - top + 1, *flags])
    except (ElementTree.ParseError, TypeError, ValueError) as error:
        raise SequenceError(f'{file} is no annotation of ImageNet VID (object, trackid, '
                            f'bndbox): {error}') from error


def _read(name, video, annotations, frames):
    first, last = min(frames), max(frames)
    files = [file for file in image_files(video) if first <= int(file.stem) <= last]
    if len(files) != last - first + 1:
        raise SequenceError(f'{video} has {len(files)} images for the frames {first} to {last} '
                            f'that {annotations} has')
    rows = np.full((len(files), 6), np.nan)
    rows[np.array(list(frames)) - first] = list(frames.values())
    tags = {tag: rows[:, 4 + column] == 1 for column, tag in enumerate(TAGS)}
    return _VidSequence(name, files, GroundTruth(rows[:, :4], tags=tags), annotations)


def _root(folder):
    """Return the folder that holds `Data/VID` and `Annotations/VID`, or None."""
    return next((place for place in (folder, *folder.parents)
                 if (place / 'Data' / 'VID').is_dir()
                 and (place / 'Annotations' / 'VID').is_dir()), None)


def _find(folder):
    root = _root(folder)
    data = root / 'Data' / 'VID'
    places = sorted(Path(place) for place, _, files in os.walk(data if folder == root else folder)
                    if files)
    return [sequence for video in places if has_images(video)
            for sequence in list_or_stand_in(video.name, video, partial(
                find_tracks, video, root / 'Annotations' / 'VID' / video.relative_to(data)))]


def _matches(folder):
    root = _root(folder)
    return root is not None and (
        folder == root or root / 'Data' / 'VID' in (folder, *folder.parents))


IMAGENET_VID = Layout('vid', 'ImageNet VID: Data/VID/, Annotations/VID/; one sequence per track',
                      _matches, _find)
