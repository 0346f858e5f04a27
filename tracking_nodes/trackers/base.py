"""
The contract of every tracker: start on a box, locate in the next frame, learn from what was seen.

Images are BGR, uint8, (H, W, 3), as OpenCV has them; boxes are (x, y, w, h), see `geometry`.
Trackers of this package take tensors of that form, too, and send a GPU the whole image, once.
Locating and learning are separate calls so that a caller can publish in between or leave
learning out. A tracker keeps all its state in the object: two trackers run side by side, and
every random draw comes from the tracker's own generators, seeded by `Runtime.seed`.
"""
from abc import ABC, abstractmethod
from dataclasses import dataclass
import time
from typing import ClassVar

import numpy as np

from tracking_nodes.errors import ImageError, NotStartedError, SettingError
from tracking_nodes.geometry import as_box, check_target
from tracking_nodes.parameters import Settings

# How updates of what is learned online run.
LEARNING = ('inline', 'background')


@dataclass(frozen=True)
class Runtime:
    """
    Where and how a tracker computes.

    device: 'auto', 'cpu' or 'cuda:N'. half: float16 features on a GPU. seed: of every random
    draw. models: directory searched first for weights, or '' for `TRACKING_MODELS` and the
    package's own. learning: 'inline', `learn` returns when all is learned, or 'background',
    updates run in a thread of their own and take effect between two frames when they are done,
    so that answers depend on the speed of the machine. graphs: whether a GPU replays the passes
    of the frozen networks and the steps of learning as CUDA graphs.
    """

    device: str = 'auto'
    half: bool = False
    seed: int = 0
    models: str = ''
    learning: str = 'inline'
    graphs: bool = False

    def __post_init__(self):
        if self.learning not in LEARNING:
            raise SettingError(f'learning = {self.learning!r} is not one of '
                               f'{", ".join(LEARNING)}')


@dataclass(frozen=True)
class Location:
    """
    Where a tracker believes the target is in one frame.

    box: (4,), x, y, w, h in pixels. score: in [0, 1], calibrated so that 0.5 is the point of
    doubt; NaN of a tracker of somebody else's that has none. present: whether the target is
    believed to be in the frame.
    """

    box: np.ndarray
    score: float
    present: bool


@dataclass(frozen=True)
class Progress:
    """
    How far the learning of a target has come.

    updates: how many changed the model. skipped: how many did not begin when they were due.
    failed: how many ended in an error in the background. running: whether one is under way
    there. taught: when the last frame came that the model has learned from, `time.monotonic()`
    seconds, None without a target.
    """

    updates: int
    skipped: int
    failed: int
    running: bool
    taught: float | None

    @property
    def age(self):
        """Return the seconds since the last frame that the model has learned from, or None."""
        return None if self.taught is None else time.monotonic() - self.taught


class Tracker(ABC):
    """
    Base of all trackers; subclasses implement the methods with a leading underscore.

    A subclass names its parameters in `settings_class`, and in `ablation` the rows of its paper's
    ablation, in the paper's order: row name to the settings that differ from the defaults; in
    `robust_ablation` those of the robust preset, where it has that. `learns` is whether its model
    changes while it tracks, inline or in the background.
    """

    settings_class = Settings
    learns = False
    ablation: ClassVar[dict] = {}
    robust_ablation: ClassVar[dict] = {}

    def __init__(self, settings=None, runtime=None):
        """
        Load everything the tracker needs to start; no target yet.

        :param settings: an object of `settings_class`, or None for its defaults.
        :param runtime: a `Runtime`, or None for its defaults.
        """
        self.settings = settings if settings is not None else self.settings_class()
        self.runtime = runtime if runtime is not None else Runtime()
        self.started = False
        # Set by those that can learn beside the frames, where the runtime says so.
        self._background = None
        self._changed, self._updates, self._taught = False, 0, None
        self._expected = None

    def start(self, image, box):
        """
        Forget any earlier target and begin to track the one in the box.

        :param image: (H, W, 3) uint8, BGR.
        :param box: (x, y, w, h) of the target in this image.
        :raises BoxError: the box cannot be started on; an earlier target is kept.
        :raises ImageError: the image is not an image of this form; an earlier target is kept.
        """
        height, width = check_image(image)
        box = check_target(box, width, height)
        self.reset()
        taught = time.monotonic()
        self._start(self.sent(image), box)
        self.started, self._taught = True, taught

    def locate(self, image):
        """
        Find the target in the next frame.

        :param image: (H, W, 3) uint8, BGR.
        :return: a `Location`.
        :raises NotStartedError: no target was given yet.
        """
        self._require_target()
        check_image(image)
        (expected, sent), self._expected = self._expected or (None, None), None
        self._take_over()
        return self._locate(sent if expected is image else self.sent(image))

    def learn(self):
        """
        Take up what the last located frame taught, by the tracker's own update schedule.

        In the background this begins an update, skips it while one is running, or puts it off
        while frames are late (`online.background.updates_in_time`). What one has learned counts
        from the next call of `locate` or `learn` after its end; the error it ended in is raised
        by the next `learn`, and the model stays as it was.

        :return: whether the model changed since the last call.
        :raises NotStartedError: no target was given yet.
        """
        self._require_target()
        now = time.monotonic()
        if self._background is not None:
            self._background.check()
        self._take_over()
        if self._learn():
            self._note_update(now)
        changed, self._changed = self._changed, False
        return changed

    def verify(self, image, box):
        """
        Say what `locate` would say had it searched around a box; nothing of the tracker changes.

        Not even its random draws do: it goes on as if it had not been asked.

        :param image: (H, W, 3) uint8, BGR.
        :param box: (x, y, w, h) where something else than this tracker suspects the target.
        :return: a `Location`.
        :raises NotStartedError: no target was given yet.
        :raises NotImplementedError: the tracker cannot search elsewhere without moving there.
        """
        self._require_target()
        check_image(image)
        probe = self._probe()
        probe._relocate(as_box(box))
        return probe._locate(self.sent(image))

    def judge(self, boxes):
        """
        Say what the tracker's own model thinks of boxes in the image that was located in last.

        To be asked before that image is learned from: some forget it then, and have no opinion.

        :param boxes: (N, 4).
        :return: (N,) in [0, 1], NaN where it has no opinion.
        :raises NotStartedError: no target was given yet.
        """
        self._require_target()
        return self._judge(np.asarray(boxes, dtype=np.float64))

    def relocate(self, box):
        """
        Move the search position without learning, for re-detection or a change of resolution.

        :param box: (x, y, w, h) around which the next frame is searched.
        """
        self._require_target()
        self._relocate(as_box(box))

    def reset(self):
        """Forget the target and all that was learned of it; the weights stay loaded."""
        self.started = False
        if self._background is not None:
            self._background.drop()
        self._changed, self._updates, self._taught = False, 0, None
        self._expected = None
        self._reset()

    def warm_up(self, width=640, height=480):
        """Run once on noise, so that the first real frame is not the slow one; then reset."""
        noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        self.start(noise, (width * 0.4, height * 0.4, width * 0.2, height * 0.2))
        self._rehearse(noise)
        self.reset()

    def sent(self, image):
        """Return an image where the tracker looks at it; as it is, where nothing else is said."""
        return image

    def expect(self, image, sent):
        """Keep what `sent` returned of an image, for the next `locate` if that is in it."""
        self._expected = image, sent

    @property
    def looker(self):
        """Return the `Looker` that shares passes of the network for this one; None without."""
        return None

    @property
    def method(self):
        """Return the class that says where the target is, whatever was put around it."""
        return type(self)

    @property
    def progress(self):
        """Return the `Progress` of learning the target at hand."""
        beside = self._background
        return Progress(self._updates, beside.skipped if beside else 0,
                        beside.failed if beside else 0, beside is not None and beside.running,
                        self._taught)

    def _take_over(self):
        """Let an update that has ended in the background take effect."""
        begun = None if self._background is None else self._background.take_over()
        if begun is not None:
            self._note_update(begun)

    def _submit(self, snapshot, train, adopt):
        """Begin an update in the background as `BackgroundLearner.submit`, on the latest model."""
        self._take_over()
        return self._background.submit(snapshot, train, adopt)

    def _note_update(self, taught):
        self._changed, self._taught = True, taught
        self._updates += 1

    def _require_target(self):
        if not self.started:
            raise NotStartedError('no target yet: call start(image, box) first')

    def _rehearse(self, image):
        """Do once, with a target, all that a frame may ask for."""
        self.locate(image)
        self.learn()

    def _judge(self, boxes):
        """Return the opinion (N,) of the model of boxes (N, 4); none where it has none."""
        return np.full(len(boxes), np.nan)

    def _probe(self):
        """Return a started tracker like this one, whose locating leaves this one as it is."""
        raise NotImplementedError(f'{type(self).__name__} cannot verify a box')

    @abstractmethod
    def _start(self, image, box):
        """Begin on a checked image and box; state of earlier targets is already gone."""

    @abstractmethod
    def _locate(self, image):
        """Return the `Location` in a checked image."""

    @abstractmethod
    def _learn(self):
        """Return whether the model changed by now; what is learned beside the frames has not."""

    @abstractmethod
    def _relocate(self, box):
        """Take the box as the last known position."""

    @abstractmethod
    def _reset(self):
        """Forget the target and seed all generators anew."""


def check_image(image):
    """
    Return (height, width) of an image a tracker accepts, an array or a tensor.

    :raises ImageError: not (H, W, 3) uint8 or empty.
    """
    shape, kind = getattr(image, 'shape', None), getattr(image, 'dtype', None)
    # A tensor's type by its name: what only lists trackers and results does without PyTorch.
    known = str(kind) in ('uint8', 'torch.uint8')
    if shape is None or len(shape) != 3 or shape[2] != 3 or not known or 0 in shape:
        raise ImageError(f'a tracker takes (H, W, 3) uint8 BGR images, got shape {shape}, '
                         f'type {kind}; convert it with tracking_nodes.imaging first')
    return shape[0], shape[1]
