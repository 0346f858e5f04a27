"""Every error the package raises on purpose; messages carry the value and the remedy."""


class TrackingError(Exception):
    """Base of all errors of this package that a user can act on."""


class BoxError(TrackingError):
    """A target box is not usable: NaN, no area, or outside of its image."""


class ImageError(TrackingError):
    """An image is not usable: wrong size, step, encoding or damaged bytes."""


class SettingError(TrackingError):
    """A parameter is unknown, has the wrong type or lies outside of its range."""


class WeightsError(TrackingError):
    """A weights file is missing, damaged or does not fit the network."""


class DeviceError(TrackingError):
    """The device asked for does not exist here."""


class SequenceError(TrackingError):
    """A sequence, bag or ground-truth file cannot be read."""


class NotStartedError(TrackingError):
    """A tracker was asked to locate or learn before a target was given."""


class BenchmarkError(TrackingError):
    """Some jobs of a benchmark failed; the others are done, and `scores` has their scores."""

    def __init__(self, message, scores):
        """Keep what `run_benchmark` would have returned."""
        super().__init__(message)
        self.scores = scores
