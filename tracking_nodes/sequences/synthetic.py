"""A small clip made from a seed: a textured target over a moving background, its box exact."""
import cv2
import numpy as np

from tracking_nodes.sequences.sequence import camera_stamps, DEFAULT_RATE, Sequence
from tracking_nodes.sequences.texture import texture

WIDTH, HEIGHT = 320, 240
_PATCH_WIDTH, _PATCH_HEIGHT = 48, 36


class SyntheticSequence(Sequence):
    """
    A target that sways and grows, the background drifts, the light changes, noise is added.

    320x240 pixels at 30 Hz, or a multiple. Two of the same seed are identical.
    """

    def __init__(self, frames=120, seed=0, name='synthetic', scale=1):
        """
        Lay out the motion; images are drawn when asked for.

        :param frames: number of frames.
        :param seed: of textures and noise.
        :param scale: whole number that the image's sides are multiplied by.
        """
        self._seed, self._scale = seed, scale
        phase = np.arange(frames) / DEFAULT_RATE
        growth = 1.0 + 0.35 * np.sin(0.9 * phase)
        size = growth[:, None] * np.array([_PATCH_WIDTH, _PATCH_HEIGHT])
        center = np.stack([WIDTH * (0.5 + 0.32 * np.sin(1.3 * phase)),
                           HEIGHT * (0.5 + 0.28 * np.sin(1.9 * phase + 0.5))], axis=-1)
        self._path = np.concatenate([center - size / 2, size], axis=-1)
        super().__init__(name, scale * self._path, camera_stamps(frames))

    def images(self):
        """Yield every frame, (240 scale, 320 scale, 3) uint8 BGR."""
        random = np.random.default_rng(self._seed)
        background = texture(random, 2 * HEIGHT, 2 * WIDTH, coarsest=64)
        patch = texture(random, _PATCH_HEIGHT, _PATCH_WIDTH, coarsest=16)
        for index, box in enumerate(self._path):
            drift = np.array([[1, 0, -0.6 * index], [0, 1, -0.3 * index]])
            image = cv2.warpAffine(background, drift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_WRAP)
            image = _paste(image, patch, box)
            light = 1.0 + 0.15 * np.sin(0.05 * index)
            image = light * image + random.normal(0, 4, image.shape)
            image = np.clip(image, 0, 255).astype(np.uint8)
            yield image if self._scale == 1 else cv2.resize(
                image, None, fx=self._scale, fy=self._scale)


def _paste(image, patch, box):
    """Return the image with the patch drawn over exactly the box, to fractions of a pixel."""
    x, y, width, height = box
    across, down = width / patch.shape[1], height / patch.shape[0]
    # Pixel centres are at half a pixel from their edges.
    placing = np.array([[across, 0, x + across / 2 - 0.5], [0, down, y + down / 2 - 0.5]])
    cover = cv2.warpAffine(np.ones(patch.shape[:2], np.float32), placing, (WIDTH, HEIGHT))
    drawn = cv2.warpAffine(patch, placing, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    return cover[..., None] * drawn + (1 - cover[..., None]) * image
