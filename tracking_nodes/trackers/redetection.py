"""
Re-detection: a tracker that searches around its last box finds a lost target anywhere again.

When the tracker reports its target lost for some frames in a row, the global detector of the
long-term system GSTP searches the whole image for what the first frame showed. The tracker's own
classifier, which knows the target better, is asked about the detector's best boxes; the search
position moves to the first one that it accepts.
"""
from dataclasses import dataclass

from tracking_nodes.geometry import clip_box
from tracking_nodes.online.global_search import GlobalSearch, GlobalSearchSettings
from tracking_nodes.parameters import setting
from tracking_nodes.trackers.stages import stage
from tracking_nodes.trackers.wrapped import Wrapped


@dataclass(frozen=True)
class RedetectionSettings(GlobalSearchSettings):
    """When a lost target is searched for in the whole image, and what is believed of it."""

    redetection: bool = setting(
        False, 'whether the whole image is searched for a lost target; off where nothing is said, '
        "but on in the benchmark's long-term protocol", source='short-term papers: off')
    redetection_after: int = setting(
        5, 'frames in a row in which the tracker reports its target lost, before the image is '
        'searched', minimum=1, maximum=10000, source='most doubts pass sooner', live=True)
    redetection_every: int = setting(
        5, 'frames from one search to the next while the target is lost', minimum=1,
        maximum=10000, source='a search takes as long as several frames', live=True)
    redetection_candidates: int = setting(
        3, "best boxes of the detector that the tracker verifies, at a frame's cost each",
        minimum=1, maximum=64, source='cost', live=True)
    redetection_likeness: float = setting(
        0.5, "the detector's score from which one of its boxes is verified", minimum=0.0,
        maximum=1.0, source="the RoI head's own point of doubt", live=True)
    redetection_score: float = setting(
        0.6, "the tracker's own score from which a box of the detector is accepted",
        minimum=0.0, maximum=1.0, live=True,
        source='as score_high of the node: clearly above the point of doubt')


class Redetecting(Wrapped):
    """A tracker with a search of the whole image behind it."""

    def __init__(self, tracker, search=None):
        """
        Wrap a tracker and load the detector.

        :param tracker: a `Tracker` that can `verify` and whose settings are
            `RedetectionSettings`.
        :param search: a `GlobalSearch`; None loads the one that the settings name.
        """
        self._search = (search if search is not None else
                        GlobalSearch(tracker.settings, tracker.runtime))
        super().__init__(tracker)
        self._reset()

    @property
    def progress(self):
        """Return the `Progress` of the tracker."""
        return self._tracker.progress

    def _set(self, settings):
        self._search.settings = settings

    def _start(self, image, box):
        self._tracker.start(image, box)
        self._search.start(image, box)

    def _locate(self, image):
        found = self._tracker.locate(image)
        self._doubts = 0 if found.present else self._doubts + 1
        again = self._find_again(image) if self._search_is_due() else None
        self._moved = again is not None
        if not self._moved:
            return found
        # The tracker's own box: its size is the one that the tracker's next search builds on.
        self._tracker.relocate(again.box)
        self._doubts = 0
        return again

    def _learn(self):
        # What the tracker saw in this frame was not where the target turned out to be.
        return not self._moved and self._tracker.learn()

    def _probe(self):
        return self._tracker._probe()

    def _relocate(self, box):
        self._tracker.relocate(box)

    def _reset(self):
        self._tracker.reset()
        self._search.reset()
        self._doubts, self._moved = 0, False

    def _rehearse(self, image):
        super()._rehearse(image)
        self._find_again(image)

    def _search_is_due(self):
        settings = self.settings
        over = self._doubts - settings.redetection_after
        return over >= 0 and over % settings.redetection_every == 0

    def _find_again(self, image):
        """Return the first `Location` that the tracker accepts, or None."""
        settings, (height, width) = self.settings, image.shape[:2]
        with stage('re-detection'):
            candidates = self._search.search(image)
            alike = candidates.boxes[candidates.scores >= settings.redetection_likeness]
            for box in alike[:settings.redetection_candidates]:
                found = self._tracker.verify(image, clip_box(box, width, height))
                if found.present and found.score >= settings.redetection_score:
                    return found
        return None
