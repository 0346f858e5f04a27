"""A sequence whose frames are image files."""
from pathlib import Path
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
    return sorted((file for file in folder.iterdir()
                   if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith('.')),
                  key=_by_number)


def _by_number(file):
    """Return a sorting key that puts 2.jpg before 10.jpg."""
    return [(int(part), '') if part.isdigit() else (-1, part)
            for part in re.split(r'(\d+)', file.name)]


class FolderSequence(Sequence):
    """Frames in image files; they are read when asked for."""

    def __init__(self, name, files, boxes, *, rate=DEFAULT_RATE, polygons=None, attributes=()):
        """
        Hold the files of a sequence.

        :param files: paths, one per row of `boxes`.
        :param rate: camera rate in Hz.
        :raises SequenceError: not one file per box.
        """
        super().__init__(name, boxes, camera_stamps(len(files), rate), polygons, attributes)
        if len(files) != len(self.boxes):
            raise SequenceError(f'{name} has {len(files)} images for {len(self.boxes)} boxes')
        self.files = [Path(file) for file in files]

    def images(self):
        for index in range(len(self)):
            yield self.image(index)

    def image(self, index):
        self._check_index(index)
        file = self.files[index]
        try:
            return decode_bytes(file.read_bytes())
        except ImageError as error:
            raise ImageError(f'{file}: {error}') from error

    def encoded_images(self):
        for file in self.files:
            kind = FORMATS.get(file.suffix.lower())
            yield EncodedImage(kind, file.read_bytes()) if kind else None
