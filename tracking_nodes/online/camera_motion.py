"""
How the camera moved between two images, by sparse optical flow of the background.

Corners outside of the target (Shi, Tomasi 1994) are followed by pyramidal Lucas-Kanade (Bouguet
2000), and RANSAC finds the similarity that most of them agree on, as BoT-SORT compensates for its
camera (Aharon, Orfaig, Bobrovsky 2022, section 3.2). What moves by itself beside the target is an
outlier, and so is a target that the box misses.
"""
import cv2
import numpy as np

from tracking_nodes.geometry import xywh_to_xyxy

# Of the image in which the flow is found: finer ones only cost time.
_LONGEST_SIDE = 320
_CORNERS = {'maxCorners': 200, 'qualityLevel': 0.01, 'minDistance': 8, 'blockSize': 5}
_FLOW = {'winSize': (15, 15), 'maxLevel': 3}
_TOLERANCE = 1.0        # of a corner from where the similarity puts it, pixels of that image
_FEWEST = 12


class CameraFlow:
    """
    Looks at one image after the other and says how the camera moved since the one before.

    OpenCV's RANSAC draws from a generator of its own that begins anew in each call, so the same
    images give the same motion.
    """

    def __init__(self):
        """Begin without an image."""
        self.reset()

    def reset(self):
        """Forget the last image."""
        self._before = self._free = None

    def step(self, image, box):
        """
        Return the camera's motion from the last image to this one.

        :param image: (H, W, 3) uint8, BGR.
        :param box: (x, y, w, h) of the target in it, or NaN: its pixels are not background.
        :return: (2, 3) float64, the similarity that carries a pixel of the last image's background
            to where it is in this one, in the coordinates of boxes; None for a first image, one
            of another size, or where too few corners agree.
        """
        height, width = image.shape[:2]
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        share = min(1.0, _LONGEST_SIDE / max(height, width))
        if share < 1:
            grey = cv2.resize(grey, (max(1, round(share * width)), max(1, round(share * height))),
                              interpolation=cv2.INTER_AREA)
        zoom = np.array([width / grey.shape[1], height / grey.shape[0]])
        before, free = self._before, self._free
        self._before, self._free = (grey, zoom), _background(grey.shape, box, zoom)
        if before is None or before[0].shape != grey.shape or (before[1] != zoom).any():
            return None
        return _similarity(before[0], grey, free, zoom)


def _background(shape, box, zoom):
    """Return the (H, W) uint8 mask of what is not target; the box is in pixels of the image."""
    mask = np.full(shape, 255, np.uint8)
    if np.isfinite(box).all():
        corners = xywh_to_xyxy(box).reshape(2, 2) / zoom
        limits = np.clip([np.floor(corners[0]), np.ceil(corners[1])], 0, shape[::-1]).astype(int)
        mask[limits[0, 1]:limits[1, 1], limits[0, 0]:limits[1, 0]] = 0
    return mask


def _similarity(before, now, mask, zoom):
    corners = cv2.goodFeaturesToTrack(before, mask=mask, **_CORNERS)
    if corners is None or len(corners) < _FEWEST:
        return None
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, now, corners, None, **_FLOW)
    kept = found.ravel() == 1
    if kept.sum() < _FEWEST:
        return None
    # Pixel centres count from 0 here, pixel corners in boxes.
    places = [(points[kept, 0].astype(np.float64) + 0.5) * zoom for points in (corners, moved)]
    matrix, agree = cv2.estimateAffinePartial2D(
        *places, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE * zoom.max())
    if matrix is None or agree.sum() < _FEWEST:
        return None
    return matrix
