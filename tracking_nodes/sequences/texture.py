"""Textures made from noise."""
import cv2
import numpy as np


def texture(random, height, width, coarsest):
    """
    Return noise of several scales, each finer one weaker.

    :param random: `numpy.random.Generator`.
    :param height: in pixels.
    :param width: in pixels.
    :param coarsest: pixels between the values of the coarsest noise.
    :return: (height, width, 3) float32 in 0..255.
    """
    total, cell, weight = np.zeros((height, width, 3), np.float32), coarsest, 1.0
    while cell >= 2:
        grid = random.random((height // cell + 2, width // cell + 2, 3), dtype=np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        cell, weight = cell // 2, 0.7 * weight
    return cv2.normalize(total, None, 0, 255, cv2.NORM_MINMAX)
