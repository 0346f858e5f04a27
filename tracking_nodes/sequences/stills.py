"""Cut-outs and the pictures they are put before, read from masked photographs."""
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
