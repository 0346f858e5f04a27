"""The beginning of a sequence, for a look at what a long run will bring."""
from itertools import islice

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.sequence import Sequence


class Excerpt(Sequence):
    """The first frames of a sequence, under its name."""

    def __init__(self, sequence, frames):
        """
        Cut a sequence off.

        :param sequence: a `Sequence`.
        :param frames: how many frames to keep; a shorter sequence is kept whole.
        :raises SequenceError: no frame would be left.
        """
        if frames < 1:
            raise SequenceError(f'{frames} frames of {sequence.name} are none; give 1 or more')
        self._whole = sequence
        polygons = sequence.polygons
        super().__init__(
            sequence.name, sequence.boxes[:frames], sequence.stamps[:frames],
            None if polygons is None else polygons[:frames], sequence.attributes,
            {name: flags[:frames] for name, flags in sequence.tags.items()}, sequence.sources,
            {name: numbers[:frames] for name, numbers in sequence.values.items()})

    def images(self):
        return islice(self._whole.images(), len(self))

    def image(self, index):
        self._check_index(index)
        return self._whole.image(index)

    def where(self, index):
        return self._whole.where(index)
