"""Square training images from photographs, photographs with boxes, and annotated videos."""
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tracking_nodes.errors import SequenceError
from tracking_nodes.geometry import area_side, xywh_to_cxcywh
from tracking_nodes.training.boxed_photographs import read_boxes

SIDE = 256          # pixels of a square
CONTEXT = 2.4       # side of the square around a box, in sides of the box: target about 107 pixels
SMALLEST = 12       # pixels; smaller boxes hold too little detail to enlarge
FRAME_STEP = 6      # videos change little from frame to frame
HELD_OUT = 8        # every eighth clip and photograph is kept for validation


def training_squares(data, seed=0):
    """
    Collect the squares of a data folder.

    :param data: folder with `stills/*.jpg`, `masked/images` with `masked/boxes.csv`, and
        `video/*.mp4` beside `<clip>.txt` or `<clip>.mot.txt`; parts may be missing.
    :param seed: of the choice of squares and of mirroring.
    :return: (training, held out), each (N, 256, 256, 3) uint8, BGR. No clip or photograph is
        in both.
    :raises SequenceError: the folder holds none of the parts, or a file cannot be read.
    """
    data, random = Path(data), np.random.default_rng(seed)
    parts = ([], [])
    for source in (_stills, _boxed_photographs, _clips):
        for number, squares in source(data, random):
            parts[number % HELD_OUT == 0].extend(squares)
    if not all(parts):
        raise SequenceError(f'{data} has no training images: expected stills/*.jpg, '
                            'masked/boxes.csv or video/*.mp4, at least two of a kind')
    return tuple(np.stack([square[:, ::random.choice((-1, 1))] for square in part])
                 for part in parts)


def _stills(data, random):
    """Yield (number, two squares as large as fit)."""
    for number, path in enumerate(_progress(sorted(data.glob('stills/*.jpg')), 'stills')):
        image = _read_image(path)
        height, width = image.shape[:2]
        side = min(height, width)
        yield number, [_cut(image, random.uniform(0, width), random.uniform(0, height), side)
                       for _ in range(2)]


def _boxed_photographs(data, random):
    """Yield (number, one square around one of the boxes)."""
    if not (data / 'masked' / 'boxes.csv').is_file():
        return
    boxes = read_boxes(data)
    for number, name in enumerate(_progress(sorted(boxes), 'masked')):
        image = _read_image(data / 'masked' / 'images' / name)
        yield number, _around(image, boxes[name], random)


def _clips(data, random):
    """Yield (number, one square around a box of every sixth frame)."""
    for number, path in enumerate(_progress(sorted(data.glob('video/*.mp4')), 'video')):
        boxes = _clip_boxes(path)
        video = cv2.VideoCapture(str(path))
        squares, frame = [], 0
        while video.grab():
            if frame % FRAME_STEP == 0 and frame in boxes:
                squares += _around(video.retrieve()[1], boxes[frame], random)
            frame += 1
        if frame == 0:
            raise SequenceError(f'{path} has no frame that OpenCV can decode')
        yield number, squares


def _clip_boxes(path):
    """Return {frame from 0: list of x, y, w, h} of `<clip>.txt` or `<clip>.mot.txt`."""
    single, several = path.with_suffix('.txt'), path.with_suffix('.mot.txt')
    if single.is_file():
        rows = np.loadtxt(single, delimiter=',', ndmin=2)
        return {frame: [row] for frame, row in enumerate(rows)}
    if not several.is_file():
        raise SequenceError(f'{path} has neither {single.name} nor {several.name}')
    boxes = {}
    for row in np.loadtxt(several, delimiter=',', ndmin=2):
        boxes.setdefault(int(row[0]) - 1, []).append(row[2:6])
    return boxes


def _around(image, boxes, random):
    """Return a list of one square around one of the boxes, or none where all are too small."""
    usable = [box for box in boxes if np.isfinite(box).all() and min(box[2:]) >= SMALLEST]
    if not usable:
        return []
    box = usable[random.integers(len(usable))]
    centre_x, centre_y = xywh_to_cxcywh(box)[:2]
    return [_cut(image, centre_x, centre_y, CONTEXT * area_side(box))]


def _cut(image, centre_x, centre_y, side):
    """Return the square around a point, moved and shrunk to lie in the image, at `SIDE`."""
    height, width = image.shape[:2]
    side = int(round(min(side, height, width)))
    left = int(np.clip(centre_x - side / 2, 0, width - side))
    top = int(np.clip(centre_y - side / 2, 0, height - side))
    square = image[top:top + side, left:left + side]
    shrinks = side > SIDE
    return cv2.resize(square, (SIDE, SIDE),
                      interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _read_image(path):
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SequenceError(f'{path} is not an image that OpenCV can read')
    return image


def _progress(paths, name):
    return tqdm(paths, desc=f'reading {name}', unit='file')
