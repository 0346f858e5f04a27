"""From pixels to rays of the camera: by its camera_info, or by a focal length without one."""
import cv2
import numpy as np

_PINHOLE_MODELS = ('plumb_bob', 'rational_polynomial')
_FISHEYE_MODEL = 'equidistant'


def camera_info_topic(image):
    """Return the topic of the camera_info that belongs to a raw image topic: its sibling."""
    return f'{image.rpartition("/")[0]}/camera_info'


def is_rectified(image):
    """Return whether an image topic is named as image_proc names rectified images."""
    return 'rect' in image.rpartition('/')[2]


class CameraModel:
    """
    Where the camera looks at through each pixel.

    The optical frame of REP-103: x right, y down, z forward.
    """

    def __init__(self, matrix, distortion=(), fisheye=False):
        """
        Take up an intrinsic matrix.

        :param matrix: (3, 3), for pixels of the image as it is sent.
        :param distortion: OpenCV's coefficients; () for none.
        :param fisheye: whether they are those of OpenCV's fisheye model.
        """
        self._matrix = np.asarray(matrix, dtype=np.float64)
        self._distortion = np.asarray(distortion, dtype=np.float64)
        self._fisheye = fisheye

    @classmethod
    def of(cls, size, focal_length=0.0, info=None, rectified=False):
        """
        Return the model of a camera.

        :param size: (width, height) of its image, pixels.
        :param focal_length: pixels, for a camera without calibration; 0: the image's width.
        :param info: sensor_msgs/CameraInfo, or None; without a calibration in it, it is ignored.
            For an image of another size it is scaled.
        :param rectified: whether the image is free of distortion already.
        """
        if info is None or not info.k[0] > 0 or not (info.width and info.height):
            focal_length = focal_length or size[0]
            return cls([[focal_length, 0, size[0] / 2], [0, focal_length, size[1] / 2], [0, 0, 1]])
        matrix = np.array(info.k).reshape(3, 3)
        if rectified and info.p[0] > 0:
            matrix = np.array(info.p).reshape(3, 4)[:, :3]
        scale = np.array([[size[0] / info.width], [size[1] / info.height], [1.0]])
        known = info.distortion_model in (*_PINHOLE_MODELS, _FISHEYE_MODEL)
        distortion = info.d if known and not rectified else ()
        return cls(matrix * scale, distortion, info.distortion_model == _FISHEYE_MODEL)

    def rays(self, points):
        """
        Return where the rays through pixels meet the plane one metre before the camera.

        :param points: (N, 2), x and y in pixels.
        :return: (N, 2), x and y in metres at z = 1.
        """
        points = np.asarray(points, dtype=np.float64).reshape(-1, 1, 2)
        if not self._distortion.size:
            homogeneous = cv2.convertPointsToHomogeneous(points)[:, 0]
            return (homogeneous @ np.linalg.inv(self._matrix).T)[:, :2]
        undistort = cv2.fisheye.undistortPoints if self._fisheye else cv2.undistortPoints
        return undistort(points, self._matrix, self._distortion)[:, 0]
