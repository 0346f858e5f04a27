"""A sequence written as a folder of images with TLD's ground truth, which the package reads."""
from pathlib import Path

import cv2
import numpy as np

from tracking_nodes.geometry import xywh_to_xyxy

_JPEG_QUALITY = 95


def write_folder(sequence, folder):
    """
    Write a sequence; files of the same names are overwritten.

    :param sequence: `Sequence`.
    :param folder: made when missing; gets `img/000000.jpg` ... and `gt.txt`, left, top, right
        and bottom of every frame in 0-based pixels, nan where the target is absent.
    """
    images = Path(folder) / 'img'
    images.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(sequence.images()):
        cv2.imwrite(str(images / f'{index:06d}.jpg'), image,
                    [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    np.savetxt(images.parent / 'gt.txt', xywh_to_xyxy(sequence.boxes), fmt='%.4f', delimiter=',')
