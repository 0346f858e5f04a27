"""A tracker of the package, or of OpenCV's, as the got10k toolkit runs trackers."""
import got10k.trackers
import numpy as np

from tracking_nodes.evaluation.contender import Contender
from tracking_nodes.geometry import as_box
from tracking_nodes.trackers.base import Runtime


class Got10kTracker(got10k.trackers.Tracker):
    """
    Any tracker, for the experiments of got10k.

        ExperimentGOT10k('/path/to/GOT-10k', subset='val').run(Got10kTracker('rman'))

    got10k hands images over as RGB `PIL.Image`s, and boxes as the benchmark's files have them.
    """

    def __init__(self, tracker, values=None, runtime=None, *, label='', origin=0):
        """
        Load the tracker.

        :param tracker: its name in the registry or among OpenCV's.
        :param values: mapping of setting to value, for those that differ from the defaults.
        :param runtime: a `Runtime`.
        :param label: what got10k names its results; the tracker's name when ''.
        :param origin: coordinate of the first pixel in the benchmark's boxes: 1 for OTB, UAV123
            and Temple-Color, 0 for the others.
        :raises SettingError: unknown tracker or setting.
        """
        # All repetitions would have the same seed; another seed is another label.
        super().__init__(label or tracker, is_deterministic=True)
        self._origin = np.array([origin, origin, 0, 0])
        self._tracker = Contender(self.name, tracker, dict(values or {}),
                                  runtime or Runtime()).create()
        self._tracker.warm_up()

    def init(self, image, box):
        """Start on the box (x, y, w, h) of a benchmark's file."""
        self._tracker.start(_pixels(image), as_box(box) - self._origin)

    def update(self, image):
        """Return the box (4,) in the next image, counted as the benchmark's file does."""
        found = self._tracker.locate(_pixels(image))
        self._tracker.learn()
        return found.box + self._origin


def _pixels(image):
    """Return (H, W, 3) uint8 BGR of an RGB `PIL.Image`."""
    return np.ascontiguousarray(np.asarray(image)[..., ::-1])
