"""The target of the node: its tracker, its number, and what became of it."""
from tracking_nodes.trackers.base import Location
from tracking_nodes.trackers.presence import Presence


class Target:
    """
    A tracker together with the target it was given last; used by one thread only.

    name: the id it was given under, or '' where the node numbers it. epoch: counts the targets
    given, from 1. identity: a detector's id of the target, or ''. location: the last `Location`,
    or None.
    """

    def __init__(self, tracker, thresholds):
        """
        Begin without a target.

        :param tracker: a `Tracker` that is not started.
        :param thresholds: a `Thresholds`; may be replaced at any time.
        """
        self.tracker = tracker
        self.thresholds = thresholds
        self.name = ''
        self.epoch = 0
        self.identity = ''
        self.class_id = ''
        self.location = None
        self._presence = Presence()
        self._size = None

    @property
    def state(self):
        """Return the `State`."""
        return self._presence.state

    @property
    def label(self):
        """Return the id that the target is published under."""
        return self.name or str(self.epoch)

    @property
    def given(self):
        """Return whether there is a target, be it lost."""
        return self.tracker.started

    def start(self, image, box, class_id, identity='', taken=()):
        """
        Begin with a new target, or again with one that a detector knows as the one before.

        :param image: (H, W, 3) uint8 BGR.
        :param box: (x, y, w, h) in this image.
        :param class_id: what is published as its class.
        :param identity: a detector's id of it, or ''; the same as before keeps the epoch.
        :param taken: names of other targets, which a new epoch must not be the same as.
        :raises BoxError: the box cannot be started on; the target so far is kept.
        """
        try:
            self.tracker.start(image, box)
        finally:
            if not self.tracker.started:
                self.forget()
        if not identity or identity != self.identity:
            self.epoch += 1
            while str(self.epoch) in taken:
                self.epoch += 1
        self.identity = identity
        self.class_id = class_id
        self.location = Location(box, 1.0, True)
        self._size = image.shape[1], image.shape[0]
        self._presence.begin()

    def follow(self, image):
        """
        Find the target in the next image, without judging the answer.

        :return: (width, height) of the images before where this one's differs, otherwise None.
        """
        size = image.shape[1], image.shape[0]
        before = self._size if size != self._size else None
        if before:
            self.tracker.relocate(_scaled(self.location.box, before, size))
            self._size = size
        self.location = self.tracker.locate(image)
        return before

    def judge(self):
        """Take the last location into the state."""
        self._presence.update(self.location, self.thresholds)

    def confirm(self, identity):
        """Count doubts anew, as a detector sees the target where it was, under this id or ''."""
        self._presence.confirm()
        self.identity = identity or self.identity

    def learn(self):
        """Let the tracker learn from the last image."""
        self.tracker.learn()

    def forget(self):
        """Have no target any more; the tracker's weights stay loaded."""
        self.tracker.reset()
        self.identity = ''
        self.location = None
        self._presence.end()

    @property
    def progress(self):
        """Return the tracker's `Progress` of learning the target."""
        return self.tracker.progress


def _scaled(box, before, after):
    ratio = after[0] / before[0], after[1] / before[1]
    return box * [ratio[0], ratio[1], ratio[0], ratio[1]]
