"""
GSTP: globally spatial-temporal perception, a long-term tracker.

Li, Wang, Gao, Li and Hu, "Globally Spatial-Temporal Perception: a Long-Term Tracking System",
ICIP 2020. SiamRCNN looks for what is like the first frame's target in the whole of every image,
and the motion model chooses among what it finds. Nothing is learned online.
"""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.geometry import clip_box, iou, xywh_to_cxcywh
from tracking_nodes.online.box_correction import BoxCorrection
from tracking_nodes.online.global_search import GlobalSearch, GlobalSearchSettings
from tracking_nodes.online.motion_model import MotionModel, MotionSettings
from tracking_nodes.parameters import setting
from tracking_nodes.trackers.base import Location, Tracker
from tracking_nodes.trackers.probability import ProbabilitySettings
from tracking_nodes.trackers.robust import ROBUST_ABLATION, RobustSettings
from tracking_nodes.trackers.stages import stage
from tracking_nodes.trackers.together import Looker


@dataclass(frozen=True)
class GstpSettings(RobustSettings, ProbabilitySettings, MotionSettings, GlobalSearchSettings):
    """Parameters of GSTP."""

    present_threshold: float = setting(
        0.5, 'score from which the target is believed present', minimum=0.0, maximum=1.0,
        source="the RoI head's own point of doubt", live=True)
    box_correction: float = setting(
        0.5, "share of the difference between the first box given and the detector's own box of "
        'the same image, by which all its later boxes are corrected', minimum=0.0, maximum=1.0,
        source='measured; 0 is the paper')


# Overlap from which a box and one of the detector's candidates are of the same thing.
_SAME = 0.4


class Gstp(Looker, Tracker):
    """
    GSTP and, by its settings, SiamRCNN alone.

    An absent target has the score of what looked most like it, and the box it was last seen in.
    """

    settings_class = GstpSettings
    whole_image = True
    ablation = {'SiamRCNN': {'motion': False}, 'GSTP': {}}
    # It searches the whole image in any case.
    robust_ablation = {row: changes for row, changes in ROBUST_ABLATION.items()
                       if 'redetection' not in changes}

    def __init__(self, settings=None, runtime=None):
        super().__init__(settings, runtime)
        self._detector = GlobalSearch(self.settings, self.runtime)
        self.device = self._detector.device
        self._motion = (MotionModel(self.settings, self.runtime) if self.settings.motion
                        else None)
        self._reset()

    @property
    def looker(self):
        """Return itself."""
        return self

    def views(self, image):
        """Return the whole image in the detector's size."""
        return self._detector.view(image)[None]

    def see(self, views):
        """Return the detector's maps, a list of one."""
        return [self._detector.see(views[0])]

    def _start(self, image, box):
        self._box = box
        self._detector.start(image, box)
        self._correction = BoxCorrection(self._detector.search(image).boxes, box,
                                         self.settings.box_correction)
        if self._motion is not None:
            self._motion.start(image, _centre(box))

    def _locate(self, image):
        height, width = image.shape[:2]
        with stage('detection'):
            found = self._detector.search(image, *self.look(image))
        scores = found.scores
        if self._motion is not None:
            with stage('motion model'):
                distribution = self._motion.predict(image)
                scores = self._motion.rescored(found.boxes, scores, distribution)
        self._found = found.boxes, scores
        best = int(scores.argmax()) if len(scores) else None
        score = 0.0 if best is None else float(scores[best])
        present = score >= self.settings.present_threshold
        if present:
            self._box = self._correction.applied(found.boxes[best:best + 1])[0]
        if self._motion is not None:
            self._motion.see(_centre(self._box) if present else None)
        return Location(clip_box(self._box, width, height), self.settings.probability(score),
                        present)

    def _learn(self):
        return False

    def _judge(self, boxes):
        """Return the best score of the candidates that are of the same thing as a box, or 0."""
        if self._found is None:
            return super()._judge(boxes)
        found, scores = self._found
        if not len(found):
            return np.zeros(len(boxes))
        same = iou(boxes[:, None], self._correction.applied(found)[None]) >= _SAME
        return np.where(same, scores, 0.0).max(axis=1)

    def _relocate(self, box):
        # The next frame is searched as a whole in any case.
        self._box = box

    def _reset(self):
        self._box = self._correction = self._found = self._foreseen = None
        self._detector.reset()
        if self._motion is not None:
            self._motion.reset()


def _centre(box):
    return xywh_to_cxcywh(box)[:2]
