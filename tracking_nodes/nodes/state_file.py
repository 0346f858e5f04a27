"""The target in a file, so that a node that was killed can go on with it when started again."""
from dataclasses import dataclass
import io
import os
from pathlib import Path
import time
import zipfile

import cv2
import numpy as np

from tracking_nodes.errors import TrackingError
from tracking_nodes.geometry import check_target, iou
from tracking_nodes.trackers.presence import State

_SAVE_EVERY = 0.5
_LARGEST_FILE = 10_000_000
# Longest side of the picture in the file, and shortest at which it is looked for, pixels.
_PICTURE_SIDE, _SEARCH_SIDE = 128, 24
_SCALES = (0.9, 1.0, 1.1)
# Normalised correlation below which two pictures do not show the same: half of the variance.
_ALIKE = 0.7


@dataclass(frozen=True)
class SavedTarget:
    """
    What is needed to start again on a target.

    box: (4,), x, y, w, h in pixels of an image of `size` (width, height). picture: (h, w, 3)
    uint8 BGR, the inside of the box, shrunk. saved_at: time.time(). epoch, identity and class_id
    as of `Target`.
    """

    box: np.ndarray
    size: tuple
    picture: np.ndarray
    epoch: int
    identity: str
    class_id: str
    saved_at: float


def picture_of(image, box):
    """Return the inside of a box, longest side at most 128, or None where it is not all seen."""
    left, top = np.round(box[:2]).astype(int)
    right, bottom = np.round(box[:2] + box[2:]).astype(int)
    height, width = image.shape[:2]
    if min(left, top) < 0 or right > width or bottom > height or min(box[2:]) < 4:
        return None
    inside = image[top:bottom, left:right]
    ratio = min(1.0, _PICTURE_SIDE / max(inside.shape[:2]))
    size = [max(2, round(side * ratio)) for side in inside.shape[1::-1]]
    return cv2.resize(inside, size, interpolation=cv2.INTER_AREA)


def save(path, saved):
    """
    Write a `SavedTarget`; a reader finds the old one or the new one, never a half.

    :raises OSError: the file cannot be written.
    """
    path, content = Path(path), io.BytesIO()
    np.savez(content, box=saved.box, size=saved.size, picture=saved.picture, epoch=saved.epoch,
             identity=saved.identity, class_id=saved.class_id, saved_at=saved.saved_at)
    partial = path.with_name(f'{path.name}.partial')
    partial.write_bytes(content.getvalue())
    os.replace(partial, path)


def load(path):
    """
    Return the `SavedTarget` of a file.

    :raises FileNotFoundError: there is none.
    :raises TrackingError: it is not such a file, or damaged.
    """
    path = Path(path)
    if path.stat().st_size > _LARGEST_FILE:
        raise TrackingError(f'state_file {path} has {path.stat().st_size} bytes; a saved target '
                            f'has at most {_LARGEST_FILE}')
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as content:
            size = tuple(int(side) for side in content['size'])
            saved = SavedTarget(
                check_target(content['box'], *size), size, content['picture'],
                int(content['epoch']), str(content['identity']), str(content['class_id']),
                float(content['saved_at']))
        if saved.picture.ndim != 3 or saved.picture.shape[2] != 3 or (
                saved.picture.dtype != np.uint8 or max(saved.picture.shape) > _PICTURE_SIDE):
            raise ValueError(f'a picture of shape {saved.picture.shape}, {saved.picture.dtype}')
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile,
            TrackingError) as error:
        raise TrackingError(f'state_file {path} holds no saved target: {error}') from error
    return saved


def find(saved, image):
    """
    Look for the saved picture in an image.

    :param saved: a `SavedTarget`.
    :param image: (H, W, 3) uint8 BGR of the same size.
    :return: (box, likeness): where it is most alike, in the old size times 0.9 to 1.1, and the
        normalised correlation there, 0 where the picture has no texture or does not fit.
    """
    shrunk = min(1.0, _SEARCH_SIDE / min(saved.box[2:]))
    scene = cv2.resize(image, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
    best = saved.box, 0.0
    for scale in _SCALES:
        size = [max(2, round(side * shrunk * scale)) for side in saved.box[2:]]
        picture = cv2.resize(saved.picture, size, interpolation=cv2.INTER_AREA)
        if picture.std() < 2 or any(np.array(picture.shape[:2]) > scene.shape[:2]):
            continue
        likeness = cv2.matchTemplate(scene, picture, cv2.TM_CCOEFF_NORMED)
        _, peak, _, place = cv2.minMaxLoc(np.nan_to_num(likeness, posinf=0, neginf=0))
        if peak > best[1]:
            corner = np.array(place) / shrunk
            best = np.concatenate([corner, saved.box[2:] * scale]), float(peak)
    return best


class StateFile:
    """Saves the target while it is tracked, and hands it back once, for the first image."""

    def __init__(self, path, age, health):
        """
        Read what there is.

        :param path: of the file; '' for none.
        :param age: seconds after which a saved target is not resumed.
        :param health: the `Health` that gets what is wrong with the file.
        """
        self._path, self._age, self._health = path, age, health
        self._saved = self._read() if path else None
        self._written = 0.0

    @property
    def pending(self):
        """Return whether there is a saved target that was not handed back yet."""
        return self._saved is not None

    def hand_back(self, image):
        """
        Return the `SavedTarget` with its box in this image, or None; only the first call may.

        :param image: (H, W, 3) uint8 BGR.
        """
        saved, self._saved = self._saved, None
        age, size = time.time() - saved.saved_at, (image.shape[1], image.shape[0])
        if not 0 <= age <= self._age:
            return self._refuse(f'it is {age:.0f} s old, and state_age is {self._age:g} s')
        if size != saved.size:
            return self._refuse('images were {}x{} and are {}x{}'.format(*saved.size, *size))
        box, likeness = find(saved, image)
        if likeness < _ALIKE:
            return self._refuse(f'nothing in the image is like it: {likeness:.2f} at best, '
                                f'{_ALIKE:g} is needed')
        # Where it hardly moved, the old box is the better one: it is not on a coarse grid.
        box = saved.box if iou(box, saved.box) > 0.7 else box
        return SavedTarget(box, saved.size, saved.picture, saved.epoch, saved.identity,
                           saved.class_id, saved.saved_at)

    def keep(self, image, target):
        """Save a target that is tracked, twice a second; forget one that was given up."""
        now = time.monotonic()
        if not self._path or now - self._written < _SAVE_EVERY:
            return
        try:
            if target.state is State.TRACKING:
                self._write(image, target)
                self._written = now
            elif not target.given and self._saved is None:
                Path(self._path).unlink(missing_ok=True)
                self._written = now
        except OSError as error:
            self._written = now
            self._health.notice('state_file', f'state_file {self._path} cannot be written: '
                                f'{error}; a node started again will not know this target')

    def _write(self, image, target):
        picture = picture_of(image, target.location.box)
        if picture is None:
            return
        save(self._path, SavedTarget(
            np.array(target.location.box), (image.shape[1], image.shape[0]), picture,
            target.epoch, target.identity, target.class_id, time.time()))
        self._health.notice('state_file', None)

    def _read(self):
        try:
            return load(self._path)
        except FileNotFoundError:
            return None
        except (OSError, TrackingError) as error:
            self._health.fault('state_file', f'{error}; the node begins without a target')
            return None

    def _refuse(self, reason):
        self._health.inform(f'the target saved in {self._path} is not resumed: {reason}')
