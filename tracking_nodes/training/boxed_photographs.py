"""Pairs of views of objects in photographs: many kinds of them, in surroundings of their own."""
import csv
from pathlib import Path

import cv2
import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.geometry import area_side
from tracking_nodes.training.pairs import View

SMALLEST = 24           # pixels of an object's mean side; smaller ones show too little
LARGEST = 0.7           # of the photograph's short side; around larger ones too little is seen
_STRETCH = 0.1          # standard deviation of the logarithm of what width gains and height loses
_MIRRORED = 0.25        # share of second views, relative to the first


def read_boxes(data):
    """
    Return the boxes of photographs by file name, lists of x, y, w, h in pixels.

    :param data: folder with `masked/images` and `masked/boxes.csv`: image,x,y,w,h,class.
    :raises SequenceError: there is no such table.
    """
    table = Path(data) / 'masked' / 'boxes.csv'
    if not table.is_file():
        raise SequenceError(f'{table} is missing: give a folder with masked/images and '
                            'masked/boxes.csv')
    boxes = {}
    with open(table, newline='', encoding='utf-8') as stream:
        for row in csv.DictReader(stream):
            boxes.setdefault(row['image'], []).append([float(row[key]) for key in 'xywh'])
    return boxes


class PhotographViews:
    """Whole objects with room around them; their photographs stay in memory as compressed."""

    def __init__(self, data):
        """
        Read the photographs once.

        :param data: folder, see `read_boxes`.
        :raises SequenceError: a photograph cannot be read, or none has a usable object.
        """
        self._objects = []
        for name, boxes in sorted(read_boxes(data).items()):
            file = Path(data) / 'masked' / 'images' / name
            if not file.is_file():
                raise SequenceError(f'{file} is missing, but masked/boxes.csv names it')
            content = np.fromfile(file, np.uint8)
            image = _decoded(content, file)
            self._objects += [(content, np.array(box)) for box in boxes
                              if _usable(np.array(box), *image.shape[:2])]
        if not self._objects:
            raise SequenceError(f'{data} has no box of an object of {SMALLEST} pixels or more '
                                'that does not touch the border of its photograph')

    def __len__(self):
        return len(self._objects)

    def draw(self, random):
        """Return two `View`s of one object, the second stretched and sometimes mirrored."""
        content, box = self._objects[random.integers(len(self._objects))]
        image = cv2.imdecode(content, cv2.IMREAD_COLOR)
        return View(image, box), _changed(image, box, random)


def _usable(box, height, width):
    inside = min(box[:2]) >= 1 and box[0] + box[2] <= width - 1 and box[1] + box[3] <= height - 1
    return inside and SMALLEST <= area_side(box) <= LARGEST * min(height, width)


def _changed(image, box, random):
    stretch = np.exp(random.normal(0, _STRETCH))
    size = np.round(np.array(image.shape[1::-1]) * [stretch, 1 / stretch]).astype(int)
    factor = np.tile(size / image.shape[1::-1], 2)
    image, box = cv2.resize(image, size.tolist()), box * factor
    if random.random() < _MIRRORED:
        image = np.ascontiguousarray(image[:, ::-1])
        box = np.array([image.shape[1] - box[0] - box[2], *box[1:]])
    return View(image, box)


def _decoded(content, file):
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if image is None:
        raise SequenceError(f'{file} is not an image that OpenCV can read')
    return image
