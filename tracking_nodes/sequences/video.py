"""A sequence whose frames are in a video file."""
from contextlib import contextmanager
from pathlib import Path

import cv2

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.sequence import camera_stamps, DEFAULT_RATE, Sequence

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mpg', '.mpeg', '.mkv', '.mov', '.webm', '.m4v')
HIGHEST_RATE = 1000.0


@contextmanager
def open_video(file):
    """
    Open a video file for reading.

    :param file: path of the file.
    :return: context manager of a cv2.VideoCapture.
    :raises SequenceError: missing, or no video that OpenCV reads.
    """
    capture = cv2.VideoCapture(str(file))
    try:
        if not capture.isOpened():
            raise SequenceError(f'video {file} cannot be opened: missing, damaged, or a codec '
                                'that this OpenCV lacks')
        yield capture
    finally:
        capture.release()


def count_frames(file, expected=None):
    """
    Return the number of frames that can be read from a video.

    :param file: path of the file.
    :param expected: the number there should be; believed when the file's header agrees, because
        headers alone are often wrong and counting decodes the whole video.
    :return: number of frames.
    :raises SequenceError: not readable, or without a frame.
    """
    with open_video(file) as capture:
        if expected and int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == expected:
            return expected
        count = 0
        while capture.grab():
            count += 1
    if not count:
        raise SequenceError(f'video {file} has no frame that can be decoded')
    return count


def video_rate(file):
    """Return the frame rate a video file states, in Hz, or the default where it states none."""
    with open_video(file) as capture:
        rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if 0 < rate <= HIGHEST_RATE else DEFAULT_RATE


class VideoSequence(Sequence):
    """Frames in a video file; they are decoded when asked for."""

    def __init__(self, name, file, truth, first=0):
        """
        Hold a video.

        :param file: path of the video.
        :param truth: `GroundTruth` of N frames; the others are not part of the sequence.
        :param first: number of the video's frame, from 0, that is the sequence's first.
        """
        super().__init__(name, truth.boxes, camera_stamps(len(truth), video_rate(file)),
                         truth.polygons, tags=truth.tags, sources=[Path(file)],
                         values=truth.values)
        self.first, self._truth = first, truth

    def images(self):
        with self._open_at(0) as capture:
            for index in range(len(self)):
                yield self._read(capture, index)

    def image(self, index):
        self._check_index(index)
        with self._open_at(index) as capture:
            return self._read(capture, index)

    def where(self, index):
        return self._truth.where(index) or super().where(index)

    @contextmanager
    def _open_at(self, index):
        with open_video(self.sources[0]) as capture:
            # Seeking by number is not exact in every container, reading on is.
            for _ in range(self.first + index):
                capture.grab()
            yield capture

    def _read(self, capture, index):
        success, image = capture.read()
        if not success:
            raise SequenceError(f'video {self.sources[0]} ends before frame '
                                f'{self.first + index} of {self.first + len(self)}')
        return image
