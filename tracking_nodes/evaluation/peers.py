"""
OpenCV's trackers behind the package's contract, to be compared in the same run.

CSRT, KCF and MIL need the contrib build of OpenCV; Nano and ViT need their ONNX models in the
folder `peers` of the weights directory.
"""
from abc import abstractmethod
import os
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from tracking_nodes.errors import SettingError, WeightsError
from tracking_nodes.geometry import as_box
from tracking_nodes.nn.loaded import note
from tracking_nodes.trackers.base import Location, Tracker


class PeerTracker(Tracker):
    """
    A tracker of OpenCV: learns inside of locate, and takes boxes of whole pixels.

    When it says that it lost the target, the last box stays, with score 0 where it has a score.
    """

    kind = ''
    models: ClassVar[dict] = {}

    def __init__(self, settings=None, runtime=None):
        """Check that OpenCV has it and that its models are there."""
        super().__init__(settings, runtime)
        missing = self.missing(self.runtime)
        if missing:
            raise WeightsError(missing) if self.models else SettingError(missing)
        for file in self.models.values():
            note(_folder(self.runtime) / file)
        self._reset()

    @classmethod
    def missing(cls, runtime):
        """Return what keeps it from running here, in words, or ''."""
        if not hasattr(cv2, f'Tracker{cls.kind}_create'):
            return (f'OpenCV {cv2.__version__} has no Tracker{cls.kind}; install '
                    'opencv-contrib-python-headless')
        absent = [name for name in cls.models.values() if not (_folder(runtime) / name).is_file()]
        return f'{", ".join(absent)} not in {_folder(runtime)}' if absent else ''

    @abstractmethod
    def _build(self):
        """Return a new OpenCV tracker."""

    @abstractmethod
    def _score(self):
        """Return the score of the box found last, NaN where OpenCV gives none."""

    def _start(self, image, box):
        self._peer = self._build()
        self._peer.init(image, _whole_pixels(box, image.shape[1], image.shape[0]))
        self._box = box

    def _locate(self, image):
        found, box = self._peer.update(image)
        if found:
            self._box = as_box(box)
        # What has no score, NaN, has none of a lost target either.
        score = self._score() * bool(found)
        return Location(self._box.copy(), score, bool(found))

    def _learn(self):
        return False

    def _relocate(self, box):
        # OpenCV's trackers cannot be moved, only started again, which would forget the target.
        self._box = box

    def _reset(self):
        self._peer = self._box = None


class ClassicTracker(PeerTracker):
    """A tracker of OpenCV without a model file and without a score."""

    def _build(self):
        return getattr(cv2, f'Tracker{self.kind}_create')()

    def _score(self):
        return float('nan')


class NetworkTracker(PeerTracker):
    """A tracker of OpenCV with ONNX models, in `models` by the name of their parameter."""

    def _build(self):
        parameters = getattr(cv2, f'Tracker{self.kind}_Params')()
        for name, file in self.models.items():
            setattr(parameters, name, str(_folder(self.runtime) / file))
        return getattr(cv2, f'Tracker{self.kind}_create')(parameters)

    def _score(self):
        return float(np.clip(self._peer.getTrackingScore(), 0, 1))


class Csrt(ClassicTracker):
    """Correlation filter with channel and spatial reliability (Lukezic et al., CVPR 2017)."""

    kind = 'CSRT'


class Kcf(ClassicTracker):
    """Kernelised correlation filter (Henriques et al., TPAMI 2015)."""

    kind = 'KCF'


class Mil(ClassicTracker):
    """Multiple instance learning (Babenko et al., TPAMI 2011); OpenCV gives it no seed."""

    kind = 'MIL'


class Nano(NetworkTracker):
    """NanoTrack v2, a small Siamese network."""

    kind = 'Nano'
    models = {'backbone': 'nanotrackv2_backbone.onnx', 'neckhead': 'nanotrackv2_head.onnx'}


class Vit(NetworkTracker):
    """VitTrack, a small transformer."""

    kind = 'Vit'
    models = {'net': 'vittrack_2023sep.onnx'}


PEERS = {'csrt': Csrt, 'kcf': Kcf, 'mil': Mil, 'nano': Nano, 'vit': Vit}


def _folder(runtime):
    return Path(runtime.models or os.environ.get('TRACKING_MODELS', '')) / 'peers'


def _whole_pixels(box, width, height):
    """Return the part of a box inside of the image as integers, at least one pixel."""
    left, top = (int(np.clip(round(box[axis]), 0, limit - 1))
                 for axis, limit in enumerate((width, height)))
    right, bottom = (int(np.clip(round(box[axis] + box[axis + 2]), low + 1, limit))
                     for axis, (low, limit) in enumerate(((left, width), (top, height))))
    return left, top, right - left, bottom - top
