"""
Clips made from still pictures: cut-outs that move over moving backgrounds, their boxes exact.

A target drifts, grows, turns, is relit, blurred by its motion and now and then covered by another
cut-out; a second cut-out, often of the same picture, stands near it as a distractor.
"""
import cv2
import numpy as np

from tracking_nodes.sequences.compositing import draw, Pose, section


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
            image = draw(image, other, path[index])[0]
        image, covered = draw(image, target, poses[index])
        boxes.append(covered.box())
        if cover is not None and random.random() < 0.5:
            image = draw(image, cover, _covering(poses[index], cover, random, wanted))[0]
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
    placing += [0, *random.normal(0, 8 * pace, 2)]
    placing[0] *= np.exp(random.normal(0, 0.01 * pace))
    return section(picture, scale, (left, top), (size, size))


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
