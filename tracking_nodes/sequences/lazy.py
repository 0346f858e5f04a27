"""A sequence that is opened when something beside its name is asked for."""
from functools import cached_property

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.sequence import checked_name, Sequence


class LazySequence(Sequence):
    """
    The name of a sequence, and how to open it.

    A dataset of thousands of sequences is listed without reading an annotation. The first
    question about frames opens the sequence, once; what is wrong with its files is said then.
    """

    def __init__(self, name, path, read, *arguments):
        """
        Remember how to open a sequence.

        :param path: of the file or folder that the sequence is read from, for messages.
        :param read: function at the top of a module, so that it can go to other processes; gets
            `arguments` and returns the `Sequence` of this name.
        """
        # The base class would need the boxes, which are not read yet.
        self.name, self.path = checked_name(name), path
        self._read, self._arguments = read, arguments

    @cached_property
    def opened(self):
        """Return the sequence itself; SequenceError where its files are not good."""
        return self._read(*self._arguments)

    @property
    def boxes(self):
        return self.opened.boxes

    @property
    def stamps(self):
        return self.opened.stamps

    @property
    def polygons(self):
        return self.opened.polygons

    @property
    def attributes(self):
        return self.opened.attributes

    @property
    def tags(self):
        return self.opened.tags

    @property
    def values(self):
        return self.opened.values

    @property
    def sources(self):
        return self.opened.sources

    def images(self):
        return self.opened.images()

    def image(self, index):
        return self.opened.image(index)

    def where(self, index):
        return self.opened.where(index)

    def encoded_images(self):
        return self.opened.encoded_images()


def list_or_stand_in(name, path, list_sequences):
    """
    Return what lies somewhere, or one sequence in its place that says why it cannot be listed.

    So a folder whose names only its damaged file could tell does not keep others from being
    listed.

    :param name: of the sequence in its place.
    :param path: of the file or folder.
    :param list_sequences: function that returns a list of sequences.
    """
    try:
        return list_sequences()
    except SequenceError as error:
        return [LazySequence(name, path, _say, str(error))]


def _say(text):
    raise SequenceError(text)
