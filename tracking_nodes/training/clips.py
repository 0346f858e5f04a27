"""
Clips made from still pictures: cut-outs that move over moving backgrounds, their boxes exact.

A target drifts, grows, turns, is relit, blurred by its motion and now and then covered by another
cut-out; a second cut-out, often of the same picture, stands near it as a distractor.
"""
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tracking_nodes.errors import SequenceError

SMALLEST_AREA = 1000        # pixels of a mask; the smaller ones show too little
SMALLEST_SHARE = 0.25       # of its box; thinner ones are mostly background


@dataclass(frozen=True)
class CutOut:
    """A piece of a picture: pixels (h, w, 3) uint8 BGR, mask (h, w) uint8, 0 or 255."""

    pixels: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Stills:
    """Cut-outs and the pictures they are put before, (H, W, 3) uint8 each."""

    cut_outs: list
    backgrounds: list


@dataclass(frozen=True)
class Pose:
    """Where a cut-out is drawn: centre in pixels, scale, angle in radians."""

    centre: np.ndarray
    scale: float
    angle: float


def read_stills(folder):
    """
    Read masked photographs and backgrounds.

    :param folder: with `masked/images` beside `masked/masks/<stem>.png` (0 background, then one
        number per object) and `stills/*.jpg`.
    :return: `Stills`.
    :raises SequenceError: no cut-out or no background is there.
    """
    folder, cut_outs = Path(folder), []
    masks = sorted((folder / 'masked' / 'masks').glob('*.png'))
    for file in tqdm(masks, desc='reading masks', unit='file'):
        picture = cv2.imread(str(folder / 'masked' / 'images' / f'{file.stem}.jpg'))
        numbers = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if picture is None or numbers is None or picture.shape[:2] != numbers.shape:
            raise SequenceError(f'{file} has no picture {file.stem}.jpg of its size')
        cut_outs += cut_out_objects(picture, numbers)
    files = sorted((folder / 'stills').glob('*.jpg'))
    backgrounds = [cv2.imread(str(file)) for file in tqdm(files, desc='reading stills')]
    if not cut_outs or not backgrounds:
        raise SequenceError(f'{folder} needs masked/masks/*.png and stills/*.jpg, got '
                            f'{len(masks)} and {len(files)}')
    return Stills(cut_outs, backgrounds)


def cut_out_objects(picture, numbers):
    """Return the `CutOut` of every object of (H, W) numbers that is large and not cut off."""
    found = []
    for number in np.unique(numbers[numbers > 0]):
        mask = np.where(numbers == number, 255, 0).astype(np.uint8)
        x, y, width, height = cv2.boundingRect(mask)
        whole = x > 0 and y > 0 and x + width < mask.shape[1] and y + height < mask.shape[0]
        if whole and cv2.countNonZero(mask) >= max(SMALLEST_AREA,
                                                   SMALLEST_SHARE * width * height):
            box = np.s_[y:y + height, x:x + width]
            found.append(CutOut(picture[box].copy(), mask[box].copy()))
    return found


def synthetic_clip(stills, random, frames=2, size=320, pace=1.0):
    """
    Draw a clip.

    :param stills: `Stills`.
    :param random: `numpy.random.Generator` of all draws.
    :param frames: number of frames.
    :param size: width and height in pixels.
    :param pace: how much changes from frame to frame; 1 is about a second of video.
    :return: images, a list of (size, size, 3) uint8; boxes (frames, 4), around the target's mask.
    """
    target = _pick(stills.cut_outs, random)
    wanted = size * random.uniform(0.12, 0.35)
    first = Pose(size * random.uniform(0.35, 0.65, 2),
                 wanted / np.sqrt(cv2.countNonZero(target.mask)), random.uniform(-0.3, 0.3))
    poses = _walk(first, random, frames, wanted, pace)
    others = [_neighbour(stills, target, poses, random, wanted, pace)
              for _ in range(random.integers(0, 3))]
    cover = _pick(stills.cut_outs, random) if random.random() < 0.2 else None
    background = _pick(stills.backgrounds, random)
    placing = _background_placing(background, random, size)
    flip = random.random() < 0.5
    images, boxes = [], []
    for index in range(frames):
        image = _background(background, placing, random, size, pace)
        for other, path in others:
            image = _draw(image, other, path[index])[0]
        image, mask = _draw(image, target, poses[index])
        boxes.append(_mask_box(mask))
        if cover is not None and random.random() < 0.5:
            image = _draw(image, cover, _covering(poses[index], cover, random, wanted))[0]
        images.append(_relit(image, random, pace))
    boxes = np.array(boxes)
    if flip:
        images = [np.ascontiguousarray(image[:, ::-1]) for image in images]
        boxes[:, 0] = size - boxes[:, 0] - boxes[:, 2]
    return images, boxes


def _pick(items, random):
    return items[random.integers(len(items))]


def _walk(pose, random, frames, side, pace):
    """Return one pose per frame: steady motion with some unrest."""
    poses, velocity = [pose], random.normal(0, 0.25 * side * pace, 2)
    growth, turn = random.normal(0, 0.08 * pace), random.normal(0, 0.12 * pace)
    for _ in range(frames - 1):
        pose = Pose(pose.centre + velocity + random.normal(0, 0.05 * side * pace, 2),
                    pose.scale * np.exp(growth), pose.angle + turn)
        poses.append(pose)
    return poses


def _neighbour(stills, target, poses, random, side, pace):
    """Return another cut-out, one time in two the target's own, and its poses beside it."""
    other = target if random.random() < 0.5 else _pick(stills.cut_outs, random)
    direction = random.uniform(0, 2 * np.pi)
    away = side * random.uniform(1.0, 2.5) * np.array([np.cos(direction), np.sin(direction)])
    scale = side * random.uniform(0.7, 1.3) / np.sqrt(cv2.countNonZero(other.mask))
    first = Pose(poses[0].centre + away, scale, random.uniform(-0.4, 0.4))
    return other, _walk(first, random, len(poses), 0.5 * side, pace)


def _covering(pose, cover, random, side):
    scale = 0.7 * side / np.sqrt(cv2.countNonZero(cover.mask))
    return Pose(pose.centre + random.normal(0, 0.45 * side, 2), scale, random.uniform(-3, 3))


def _background_placing(background, random, size):
    """Return [scale, left, top] of the picture under the frame."""
    scale = size / min(background.shape[:2]) * random.uniform(1.1, 1.8)
    room = np.array([background.shape[1], background.shape[0]]) * scale - size
    return np.array([scale, *(random.uniform(0.1, 0.9, 2) * room)])


def _background(picture, placing, random, size, pace):
    """Return the background of one frame and let the placing drift on."""
    scale, left, top = placing
    matrix = np.array([[scale, 0, -left], [0, scale, -top]])
    placing += [0, *random.normal(0, 8 * pace, 2)]
    placing[0] *= np.exp(random.normal(0, 0.01 * pace))
    return cv2.warpAffine(picture, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)


def _draw(image, cut_out, pose):
    """Return the image with a cut-out drawn over it, and the (H, W) float mask in the image."""
    size = image.shape[1], image.shape[0]
    height, width = cut_out.mask.shape
    cosine, sine = np.cos(pose.angle) * pose.scale, np.sin(pose.angle) * pose.scale
    turning = np.array([[cosine, -sine], [sine, cosine]])
    shift = pose.centre - turning @ [(width - 1) / 2, (height - 1) / 2]
    matrix = np.concatenate([turning, shift[:, None]], axis=1)
    shrinks = pose.scale < 0.6
    pixels, mask = cut_out.pixels, cut_out.mask
    if shrinks:
        pixels, mask = cv2.blur(pixels, (2, 2)), cv2.blur(mask, (2, 2))
    mask = cv2.warpAffine(mask, matrix, size).astype(np.float32) / 255
    drawn = cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    mixed = mask[..., None] * drawn + (1 - mask[..., None]) * image
    return mixed.astype(np.uint8), mask


def _mask_box(mask):
    """Return the box around a mask; NaN where the target is outside of the image."""
    x, y, width, height = cv2.boundingRect((mask > 0.5).astype(np.uint8))
    return np.array([x, y, width, height], float) if width and height else np.full(4, np.nan)


def _relit(image, random, pace):
    """Return the image in another light, and sometimes blurred along a direction."""
    image = cv2.convertScaleAbs(image, alpha=random.uniform(1 - 0.2 * pace, 1 + 0.2 * pace),
                                beta=random.uniform(-12 * pace, 12 * pace))
    if random.random() < 0.2:
        length = int(random.integers(3, 8))
        across, down = np.ones((1, length)), np.ones((length, 1))
        kernel = _pick([across, down, np.eye(length)], random)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    return image
