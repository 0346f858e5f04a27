"""A sequence whose frames are image files."""
import re

from tracking_nodes.errors import ImageError, SequenceError
from tracking_nodes.imaging import decode_bytes
from tracking_nodes.sequences.sequence import camera_stamps, DEFAULT_RATE, EncodedImage, Sequence

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.ppm', '.pgm', '.webp')
FORMATS = {'.jpg': 'jpeg', '.jpeg': 'jpeg', '.png': 'png'}


def image_files(folder):
    """Return the image files of a folder in the order of their numbers, [] where none are."""
    if not folder.is_dir():
        return []
    return sorted((file for file in folder.iterdir() if _is_image(file)), key=_by_number)


def has_images(folder):
    """Return whether a folder exists and has an image file."""
    return folder.is_dir() and any(_is_image(file) for file in folder.iterdir())


def _is_image(file):
    return file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith('.')


def _by_number(file):
    """Return a sorting key that puts 2.jpg before 10.jpg."""
    return [(int(part), '') if part.isdigit() else (-1, part)
            for part in re.split(r'(\d+)', file.name)]


class FolderSequence(Sequence):
    """Frames in image files; they are read when asked for."""

    def __init__(self, name, files, truth, *, rate=DEFAULT_RATE, attributes=()):
        """
        Hold the files of a sequence.

        :param files: list of `pathlib.Path`, one per frame of `truth`.
        :param truth: `GroundTruth`.
        :param rate: camera rate in Hz.
        :raises SequenceError: not one file per frame.
        """
        super().__init__(name, truth.boxes, camera_stamps(len(files), rate), truth.polygons,
                         attributes, truth.tags, files, truth.values)
        if len(files) != len(truth):
            raise SequenceError(f'{name} has {len(files)} images for {len(truth)} boxes')
        self._truth = truth

    def images(self):
        for index in range(len(self)):
            yield self.image(index)

    def image(self, index):
        self._check_index(index)
        file = self.sources[index]
        try:
            return decode_bytes(file.read_bytes())
        except (ImageError, OSError) as error:
            raise ImageError(f'{file}: {error}') from error

    def where(self, index):
        return self._truth.where(index) or str(self.sources[index])

    def encoded_images(self):
        for file in self.sources:
            kind = FORMATS.get(file.suffix.lower())
            yield EncodedImage(kind, file.read_bytes()) if kind else None
