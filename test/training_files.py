"""Small folders to train on, written by the tests of the training commands."""
import cv2
import numpy as np

from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.training.pairs import View


def write_sequences(folder, count, frames=12):
    """Write tiny videos with ground truth, each in a folder of its own."""
    for seed in range(count):
        sequence = SyntheticSequence(frames, seed=seed)
        clip = folder / f'clip{seed}'
        clip.mkdir(parents=True)
        for number, image in enumerate(sequence.images()):
            cv2.imwrite(str(clip / f'{number:04}.jpg'), image)
        np.savetxt(clip / 'groundtruth.txt', sequence.boxes, delimiter=',')


def marked_view(box=(40.0, 30.0, 20.0, 45.0)):
    """Return a black picture with a white target."""
    image = np.zeros((120, 160, 3), np.uint8)
    x, y, width, height = map(int, box)
    image[y:y + height, x:x + width] = 255
    return View(image, np.array(box))


def white(image):
    """Return left, top, right, bottom of what is white."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


class OneTarget:
    """A source of views of one target each time it is asked."""

    def __init__(self, level):
        self.level = level

    def draw(self, random):
        view = View(np.full((60, 60, 3), self.level, np.uint8), np.array([20., 20, 15, 15]))
        return view, view


def write_stills(folder):
    """Write one masked picture, with its box in boxes.csv, and one background."""
    random = np.random.default_rng(0)
    for name in ('masked/images', 'masked/masks', 'stills'):
        (folder / name).mkdir(parents=True)
    picture = cv2.resize(random.integers(0, 256, (12, 12, 3), dtype=np.uint8), (160, 160))
    mask = np.zeros((160, 160), np.uint8)
    mask[40:110, 30:120] = 1
    cv2.imwrite(str(folder / 'masked' / 'images' / 'a.jpg'), picture)
    (folder / 'masked' / 'boxes.csv').write_text('image,x,y,w,h,class\na.jpg,30,40,90,70,block\n')
    cv2.imwrite(str(folder / 'masked' / 'masks' / 'a.png'), mask)
    cv2.imwrite(str(folder / 'stills' / 'b.jpg'), picture)
