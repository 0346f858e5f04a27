"""A tracker around another one, whose settings and runtime are the other's."""
from tracking_nodes.trackers.base import Tracker


class Wrapped(Tracker):
    """
    Base of what is put around a tracker.

    Settings and runtime are the tracker's; set here they are set there.
    """

    def __init__(self, tracker):
        """Wrap a `Tracker`."""
        self._tracker = tracker
        super().__init__(tracker.settings, tracker.runtime)

    @property
    def settings_class(self):
        """Return the class of the tracker's settings."""
        return self._tracker.settings_class

    @property
    def settings(self):
        """Return the tracker's settings."""
        return self._tracker.settings

    @settings.setter
    def settings(self, settings):
        self._tracker.settings = settings
        self._set(settings)

    @property
    def runtime(self):
        """Return the tracker's runtime."""
        return self._tracker.runtime

    @runtime.setter
    def runtime(self, runtime):
        self._tracker.runtime = runtime

    def sent(self, image):
        """Return what the tracker does: both look at the same."""
        return self._tracker.sent(image)

    @property
    def method(self):
        """Return the class of the tracker."""
        return self._tracker.method

    @property
    def looker(self):
        """Return the tracker's."""
        return self._tracker.looker

    def _judge(self, boxes):
        return self._tracker.judge(boxes)

    def _set(self, settings):
        """Take over settings in what is not the tracker's own."""
