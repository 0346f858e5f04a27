"""
Where a target will be: a constant-velocity Kalman filter on the camera's own time stamps.

Centre and logarithms of width and height move with constant velocity, disturbed by white noise in
continuous time, so that irregular and missing images need nothing of their own (Bar-Shalom, Li,
Kirubarajan: Estimation with Applications to Tracking and Navigation, 2001, section 6.2.2). Noise
is relative to the target's size, as in DeepSORT (Wojke, Bewley, Paulus, ICIP 2017). Where the
camera's own motion is known, the velocity is that over the background, as in BoT-SORT (Aharon,
Orfaig, Bobrovsky 2022, section 3.2).

Only the velocity is the filter's: a box begins at the tracker's answer, and the velocity fades.
The filtered position lags behind a target that speeds up, and few targets go on as they are; both
were measured on OTB, see `docs/latency.md`.
"""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.geometry import area_side, cxcywh_to_xywh, xywh_to_cxcywh

# How answers that are late are moved to the time they are used at.
COMPENSATIONS = ('none', 'kalman', 'flow')
# Seconds; on OTB's ground truth at 30 Hz no better than a box that stays where it is beyond it.
LIMIT = 0.25
# Seconds; the share of a velocity that is left after so long is 1 / e.
_FADING = 0.2
# Seconds over which the camera's motion is averaged: a hand's shaking does not go on, a turn does.
# Measured on OTB: better than 0, 0.3 and 1.
_CAMERA_MEMORY = 0.1
_STILL = np.eye(2, 3)
# Of the squared distance between answer and prediction, in standard deviations: one in ten
# thousand of a chi-square with four degrees of freedom is larger.
_GATE = 23.5


@dataclass(frozen=True)
class MotionNoise:
    """
    What the filter takes for granted of targets and trackers, in units of the size sqrt(w h).

    position: standard deviation of the centre of an answer, and of log w and log h.
    acceleration: root of the spectral density of the white noise on the velocity, per s^1.5.
    velocity: standard deviation of the velocity at the start, per s. growth: the last two of log w
    and log h, as a share of those of the centre.
    """

    position: float = 0.05
    acceleration: float = 1.0
    velocity: float = 2.0
    growth: float = 0.1


class MotionFilter:
    """Kalman filter over (centre x, centre y, log w, log h) and their rates per second."""

    def __init__(self, noise=None):
        """
        Begin without a target.

        :param noise: a `MotionNoise`, or None for its defaults.
        """
        self._noise = noise or MotionNoise()
        self._share = np.array([1.0, 1.0, self._noise.growth, self._noise.growth])
        self.reset()

    @property
    def started(self):
        """Return whether there was an answer yet."""
        return self._stamp is not None

    def reset(self):
        """Forget all answers."""
        self._stamp, self._camera = None, np.zeros((3, 3))
        # Rows cx, cy, log w, log h; columns value and rate.
        self._mean, self._covariance = np.zeros((4, 2)), np.zeros((4, 2, 2))
        self._scale, self._answer = np.ones(4), None

    def update(self, stamp, box, camera=None, certain=True):
        """
        Take the answer to the next image.

        One that is too far from the prediction is no motion but a target found elsewhere: the
        filter begins anew on it. So it does where the stamps step back.

        :param stamp: of the image, ns.
        :param box: (4,), x, y, w, h; None, or NaN, where the target was not seen.
        :param camera: (2, 3), the similarity that carries a pixel of the image before to where
            its piece of background is in this one; None for a camera that stands still.
        :param certain: whether the target is believed to be there; otherwise the box is where it
            may be, and says nothing of its velocity.
        """
        if box is not None and not (np.isfinite(box).all() and min(box[2:]) > 0):
            box = None
        if self.started and stamp >= self._stamp:
            seconds = (stamp - self._stamp) / 1e9
            self._advance(seconds)
            self._carry(camera, seconds)
            self._stamp = stamp
            if box is not None and certain:
                self._correct(box)
            elif box is not None:
                self._answer = _measured(box)
        elif box is not None and certain:
            self.reset()
            self._begin(box)
            self._stamp = stamp
        else:
            self.reset()

    def at(self, stamp):
        """
        Return where the target is at a time, the camera moving on as it did lately.

        It comes from the last answer, or where that is missing from the filter's own position,
        with a velocity that fades.

        :param stamp: ns; before the last image it counts as that image's.
        :return: (4,), x, y, w, h.
        """
        seconds = _FADING * -np.expm1(-max(0.0, (stamp - self._stamp) / 1e9) / _FADING)
        begin = self._mean[:, 0] if self._answer is None else self._answer
        values = begin + (self._mean[:, 1] + self._camera_rate(begin[:2])) * seconds
        return cxcywh_to_xywh(np.concatenate([values[:2], np.exp(values[2:])]))

    def _begin(self, box):
        self._answer, self._scale = _measured(box), _scale(box)
        self._mean = np.stack([self._answer, np.zeros(4)], axis=1)
        self._covariance[:] = 0.0
        self._covariance[:, 0, 0] = (self._noise.position * self._scale) ** 2
        self._covariance[:, 1, 1] = (self._noise.velocity * self._share * self._scale) ** 2

    def _advance(self, seconds):
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        spread = np.array([[seconds ** 3 / 3, seconds ** 2 / 2], [seconds ** 2 / 2, seconds]])
        self._mean, self._answer = self._mean @ step.T, None
        density = (self._noise.acceleration * self._share * self._scale) ** 2
        self._covariance = step @ self._covariance @ step.T + density[:, None, None] * spread

    def _carry(self, camera, seconds):
        """Go over to the pixels of a new image."""
        camera = _STILL if camera is None else camera
        linear, zoom = camera[:, :2], np.sqrt(np.linalg.det(camera[:, :2]))
        self._mean[:2] = linear @ self._mean[:2]
        self._mean[:2, 0] += camera[:, 2]
        self._mean[2:, 0] += np.log(zoom)
        # Both directions are as uncertain, so that a rotation changes nothing.
        self._covariance[:2] *= zoom ** 2
        self._scale[:2] *= zoom
        if seconds > 0:
            # Rates per second: of the similarity, and of log w and log h.
            rates = np.concatenate([camera - _STILL, [[np.log(zoom), np.log(zoom), 0]]]) / seconds
            self._camera += (1 - np.exp(-seconds / _CAMERA_MEMORY)) * (rates - self._camera)

    def _correct(self, box):
        self._answer, self._scale = _measured(box), _scale(box)
        difference = self._answer - self._mean[:, 0]
        variance = self._covariance[:, 0, 0] + (self._noise.position * self._scale) ** 2
        if (difference ** 2 / variance).sum() > _GATE:
            self._begin(box)
            return
        gain = self._covariance[:, :, 0] / variance[:, None]
        self._mean += gain * difference[:, None]
        self._covariance -= gain[:, :, None] * self._covariance[:, None, :, 0]

    def _camera_rate(self, centre):
        return np.concatenate([self._camera[:2, :2] @ centre + self._camera[:2, 2],
                               self._camera[2, :2]])


class Extrapolator:
    """Answers moved from the time of their image to a later one, for a limited time."""

    def __init__(self, noise=None, limit=LIMIT):
        """
        Begin without a target.

        :param noise: a `MotionNoise`, or None for its defaults.
        :param limit: seconds after the last image with the target beyond which nobody knows.
        """
        self._filter, self._limit = MotionFilter(noise), round(1e9 * limit)
        self._box = self._seen = self._last = None

    def reset(self):
        """Forget the target."""
        self._filter.reset()
        self._box = self._seen = self._last = None

    def add(self, stamp, box, present, camera=None):
        """
        Take the answer to the next image.

        :param stamp: of the image, ns.
        :param box: (4,), x, y, w, h.
        :param present: whether the target is believed to be there; otherwise it teaches nothing.
        :param camera: as of `MotionFilter.update`.
        """
        self._filter.update(stamp, box, camera, present)
        self._box, self._last = box, stamp
        if present:
            self._seen = stamp

    def at(self, stamp):
        """
        Return the box at a time and the time it is for.

        Where the target was seen longer ago than the limit, that is the last answer and its time.

        :param stamp: ns, not before the last image.
        :return: (4,), x, y, w, h, and ns.
        """
        until = None if self._seen is None else self._seen + self._limit
        if until is None or not self._filter.started or until < self._last:
            return self._box, self._last
        stamp = min(stamp, until)
        return self._filter.at(stamp), stamp


def _measured(box):
    row = xywh_to_cxcywh(box)
    return np.concatenate([row[:2], np.log(row[2:])])


def _scale(box):
    side = area_side(box)
    return np.array([side, side, 1.0, 1.0])
