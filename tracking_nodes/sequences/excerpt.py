"""Part of a sequence, for a look at what a long run will bring."""
from itertools import islice

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.sequence import Sequence


class Excerpt(Sequence):
    """Every so many-th frame of a sequence, up to a number of them, under its name and stamps."""

    def __init__(self, sequence, frames=None, every=1):
        """
        Leave frames out.

        :param sequence: a `Sequence`.
        :param frames: how many frames to keep; to the end of a shorter sequence, as with None.
        :param every: distance of the frames that are kept, from the first on.
        :raises SequenceError: no frame would be left.
        """
        if frames is not None and frames < 1:
            raise SequenceError(f'{frames} frames of {sequence.name} are none; give 1 or more')
        if every < 1:
            raise SequenceError(f'every {every} frames of {sequence.name} cannot be; give 1 or '
                                'more')
        self._whole = sequence
        self._kept = kept = slice(None, None if frames is None else frames * every, every)
        polygons = sequence.polygons
        super().__init__(
            sequence.name, sequence.boxes[kept], sequence.stamps[kept],
            None if polygons is None else polygons[kept], sequence.attributes,
            {name: flags[kept] for name, flags in sequence.tags.items()}, sequence.sources,
            {name: numbers[kept] for name, numbers in sequence.values.items()})

    def images(self):
        return islice(self._whole.images(), *self._kept.indices(len(self._whole)))

    def image(self, index):
        return self._whole.image(self._inside(index))

    def encoded_images(self):
        return islice(self._whole.encoded_images(), *self._kept.indices(len(self._whole)))

    def where(self, index):
        return self._whole.where(self._inside(index))

    def _inside(self, index):
        """Return the number that a frame has in the whole sequence."""
        self._check_index(index)
        return index * self._kept.step
