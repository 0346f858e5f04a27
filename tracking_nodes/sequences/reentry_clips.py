"""
Clips in which the target leaves the image and comes back, among others that look like it.

The target moves on smooth paths. It leaves across a border, stays away for a while, and comes
back across any border, or pops up at a place inside, as it does for a camera that was turned
away and back. Distractors, one at least with the very picture of the target, move through the
image all the time, behind the target where they meet it. Only a tracker that knows where each of
them was can tell a twin from the target that came back.
"""
from dataclasses import dataclass

import cv2
import numpy as np
from tqdm import tqdm

from tracking_nodes.sequences.compositing import cover, draw, Pose, section
from tracking_nodes.sequences.sequence import camera_stamps, Sequence
from tracking_nodes.sequences.stills import CutOut

SIZE = 480, 360                 # width, height in pixels
FRAMES = 240
POPPED_UP = 'popped_up'         # tag of the frames in which the target appears inside
AWAY = 15, 60                   # frames without the target, fewest and most
# The target has no box where less of it is in the image.
_SHOWN = 0.25
_LARGEST = 1.25                 # scale of a cut-out; the smallest is its inverse
_SIDES = 50, 68                 # at scale 1, so that turned boxes too are of 40 to 90 pixels
_VISIT = 30, 80                 # frames of a path through the image
_SPEED = 5, 8                   # mean of a path, pixels per frame
_TURN = 0.3                     # radians to either side
_PERIOD = 120, 300              # frames of what comes and goes


@dataclass(frozen=True)
class Actor:
    """A cut-out and its `Pose` in every frame, None where it is away."""

    cut_out: CutOut
    poses: list


@dataclass(frozen=True)
class Scene:
    """
    What is behind the actors, and the light.

    picture: (h, w, 3) uint8. scale: pixels of the image per pixel of it. corners: (N, 2) of the
    section that is shown. gains, offsets: (N,), of all pixel values. blurs: (N,), standard
    deviation in pixels; none where not positive.
    """

    picture: np.ndarray
    scale: float
    corners: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    blurs: np.ndarray


class ReentryClip(Sequence):
    """
    A clip that is drawn when asked for, any frame first.

    boxes are around what is in the image of the target's mask, NaN where that is less than a
    quarter of it. distractors: (D, N, 4), the same of the distractors. tags: `POPPED_UP`.
    """

    def __init__(self, name, size, scene, target, distractors, popped_up):
        """
        Hold the plan of a clip and find the boxes.

        :param size: (width, height) in pixels.
        :param scene: `Scene`.
        :param target: `Actor`.
        :param distractors: list of `Actor`, drawn in this order below the target.
        :param popped_up: (N,) bool.
        """
        self._shape, self._scene, self._actors = size[::-1], scene, [*distractors, target]
        *self.distractors, boxes = (_boxes(actor, self._shape) for actor in self._actors)
        self.distractors = np.array(self.distractors)
        super().__init__(name, boxes, camera_stamps(len(boxes)), tags={POPPED_UP: popped_up})

    def images(self):
        for index in range(len(self)):
            yield self.image(index)

    def image(self, index):
        self._check_index(index)
        scene = self._scene
        image = section(scene.picture, scene.scale, scene.corners[index], self._shape[::-1])
        for actor in self._actors:
            if actor.poses[index] is not None:
                image = draw(image, actor.cut_out, actor.poses[index])[0]
        levels = np.clip(np.arange(256) * scene.gains[index] + scene.offsets[index], 0, 255)
        image = cv2.LUT(image, levels.astype(np.uint8))
        blur = scene.blurs[index]
        return cv2.GaussianBlur(image, (0, 0), blur) if blur > 0.1 else image


def reentry_clip(stills, random, name='reentry', frames=FRAMES, size=SIZE):
    """
    Plan a clip.

    :param stills: `Stills` its pictures are taken from.
    :param random: `numpy.random.Generator` of all draws; one of the same state gives the same
        clip to the last bit.
    :param name: of the clip.
    :param frames: number of frames; in 240 the target comes back two or three times.
    :param size: (width, height) in pixels; the target has 40 to 90, as the square root of the
        area of its box.
    :return: `ReentryClip`; the whole target is in its first frame.
    """
    picture = _pick(stills.cut_outs, random)
    side = random.uniform(*_SIDES)
    others = [picture] + [picture if random.random() < 0.5 else _pick(stills.cut_outs, random)
                          for _ in range(random.integers(1, 4))]
    distractors = [_wanderer(_of_side(other, side), random, frames, size) for other in others]
    target, popped_up = _visitor(
        _of_side(picture, side), random, frames, size,
        np.array([actor.poses[0].centre for actor in distractors]))
    scene = _scene(_pick(stills.backgrounds, random), random, frames, size)
    return ReentryClip(name, size, scene, target, distractors, popped_up)


def reentry_clips(stills, seed, count, **form):
    """
    Return clips 0 to count - 1 of a seed; more of them leave the first as they are.

    :param stills: `Stills`.
    :param seed: not negative.
    :param count: number of clips.
    :param form: `frames` and `size` of `reentry_clip`.
    """
    return [reentry_clip(stills, np.random.default_rng((seed, number)), f'reentry_{number:03d}',
                         **form)
            for number in tqdm(range(count), desc='planning clips', unit='clip')]


def _pick(items, random):
    return items[random.integers(len(items))]


def _of_side(cut_out, side):
    """Return a cut-out resized to an area of side squared."""
    height, width = cut_out.mask.shape
    scale = side / np.sqrt(height * width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return CutOut(*(cv2.resize(part, size, interpolation=way)
                    for part in (cut_out.pixels, cut_out.mask)))


def _wave(random, frames, low, high):
    """Return (frames,) values that go slowly to and fro between two."""
    along = np.arange(frames) / random.uniform(*_PERIOD) + random.random()
    return low + (high - low) * (0.5 + 0.5 * np.sin(2 * np.pi * along))


def _poses(centres, random):
    """Return a list of `Pose`, one for each of the centres (N, 2)."""
    reach = np.log(_LARGEST)
    scales = np.exp(_wave(random, len(centres), -reach, reach))
    return list(map(Pose, centres, scales, _wave(random, len(centres), -_TURN, _TURN)))


def _wanderer(cut_out, random, frames, size):
    """Return an `Actor` that is in the image all the time."""
    centres = [_wave(random, frames, random.uniform(0.08, 0.3) * length,
                     random.uniform(0.7, 0.92) * length) for length in size]
    return Actor(cut_out, _poses(np.stack(centres, axis=1), random))


def _visitor(cut_out, random, frames, size, occupied):
    """
    Return an `Actor` that goes and comes, and (frames,) bool, where it popped up.

    :param occupied: (D, 2) centres of the others in the first frame.
    """
    poses, popped_up = [None] * frames, np.zeros(frames, bool)
    # As far from a border the target is wholly on one side of it, however it is turned.
    reach = 0.5 * _LARGEST * np.hypot(*cut_out.mask.shape) + 2
    start = max((_inside(random, size, reach) for _ in range(30)),
                key=lambda place: np.hypot(*(occupied - place).T).min())
    due = free = 0
    inside = True
    while due < frames:
        visit = _poses(_path(start, random, size, reach), random)
        seen = np.flatnonzero(np.isfinite(_boxes(Actor(cut_out, visit), size[::-1])[:, 0]))
        # What shows too little of the target for a box is part of the absence.
        due = max(due, free + seen[0])
        free = due - seen[0] + len(visit)
        poses[due - seen[0]:free] = visit
        popped_up[due:due + 1] = inside and due > 0
        due += seen[-1] - seen[0] + 1 + random.integers(AWAY[0], AWAY[1] + 1)
        inside = random.random() < 0.5
        start = _inside(random, size, reach) if inside else _outside(random, size, reach)
    return Actor(cut_out, poses[:frames]), popped_up


def _inside(random, size, reach):
    """Return a place (2,) at which the whole target is in the image."""
    reach = np.minimum(reach, 0.45 * np.array(size))
    return random.uniform(reach, size - reach)


def _outside(random, size, reach):
    """Return a place (2,) beside a border at which nothing of the target is in the image."""
    place = random.uniform(0.15, 0.85, 2) * size
    across = random.integers(2)
    place[across] = -reach if random.random() < 0.5 else size[across] + reach
    return place


def _path(start, random, size, reach):
    """Return the places (N, 2) of a Bezier curve through the image and out of it."""
    bends = random.uniform(0.25, 0.75, (2, 2)) * size
    points = np.array([start, *bends, _outside(random, size, reach)])
    length = np.hypot(*np.diff(_bezier(points, 50), axis=0).T).sum()
    return _bezier(points, int(np.clip(length / random.uniform(*_SPEED), *_VISIT)))


def _bezier(points, count):
    """Return (count, 2) of the cubic curve with control points (4, 2)."""
    along = np.linspace(0, 1, count)[:, None]
    return sum(weight * along ** power * (1 - along) ** (3 - power) * point
               for power, (weight, point) in enumerate(zip((1, 3, 3, 1), points)))


def _scene(picture, random, frames, size):
    """Return the `Scene` of a picture that drifts behind the actors."""
    shown = np.array(picture.shape[1::-1])
    scale = random.uniform(1.1, 1.5) * (size / shown).max()
    room = shown * scale - size
    corners = [_wave(random, frames, *np.sort(random.uniform(0, length, 2))) for length in room]
    return Scene(picture, scale, np.stack(corners, axis=1), _wave(random, frames, 0.75, 1.2),
                 _wave(random, frames, -12, 12), _wave(random, frames, -1.5, 1.2))


def _boxes(actor, shape):
    """Return (N, 4), the boxes around what is in the image, NaN where that is too little."""
    whole, boxes = actor.cut_out.mask.sum() / 255, np.full((len(actor.poses), 4), np.nan)
    for index, pose in enumerate(actor.poses):
        if pose is not None:
            covered = cover(actor.cut_out, pose, shape)
            if covered.mask.sum() >= _SHOWN * whole * pose.scale ** 2:
                boxes[index] = covered.box()
    return boxes
