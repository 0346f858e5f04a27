"""A sequence as a camera shows it: each image is there at its stamp, on this machine's clock."""
from threading import Condition, Thread
import time

import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.imaging import decode_bytes
from tracking_nodes.sequences.sequence import EncodedImage

# How long before its stamp an image is read, so that a slow disk does not make the camera late.
_AHEAD_NS = 200_000_000


class LiveCamera:
    """
    Images that a thread reads and that nobody waits for.

    A tracker that is free takes the newest image that has arrived, as from a `VirtualClock`, whose
    place this takes; here time passes by itself. Images that a bag or a folder holds encoded are
    decoded by who takes them, as a node does; all others by the thread, as a camera does.
    """

    def __init__(self, sequence, first):
        """
        Prepare; nothing is read yet.

        :param sequence: the `Sequence` to show.
        :param first: index of the first image that is taken.
        """
        self._sequence, self._first, self._taken = sequence, first, first
        self._stamps = np.asarray(sequence.stamps)
        # Between the machine's clock and that of the stamps; None while the clock stands still.
        self._zero = None
        self._changed = Condition()
        self._read, self._error, self._closed = {}, None, False
        self._thread = Thread(target=self._run, name='camera', daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    @property
    def now(self):
        """The time in ns on the clock of the sequence's stamps."""
        if self._zero is None:
            return int(self._stamps[self._first])
        return time.monotonic_ns() - self._zero

    @property
    def late(self):
        """Return whether the image after the one taken last has arrived."""
        following = self._taken + 1
        return following < len(self._stamps) and int(self._stamps[following]) <= self.now

    def take(self, index):
        """Note that an image is taken: who asks for one here has waited for it."""
        self._taken = index

    def spend(self, nanoseconds):
        """Do nothing: what was measured has passed."""

    def images(self):
        """
        Yield the first image, and then the newest whenever the next one is asked for.

        The clock stands still at the first image's stamp until that one is there. After the last
        has arrived no other follows: a camera would have sent newer ones by then.

        :return: iterator of (index, (H, W, 3) uint8 BGR, time in ns at which it was taken).
        :raises SequenceError: there are fewer images than boxes of ground truth.
        """
        index, image = self._get(self._first)
        image, taken = _decoded(image), self.now
        self._zero = time.monotonic_ns() - taken
        yield index, image, taken
        while index + 1 < len(self._stamps) and (now := self.now) <= self._stamps[-1]:
            newest = int(np.searchsorted(self._stamps, now, side='right')) - 1
            index = max(newest, index + 1)
            self._sleep_until(self._stamps[index])
            taken = self.now
            index, image = self._get(index)
            yield index, _decoded(image), taken

    def _sleep_until(self, stamp):
        while (left := int(stamp) - self.now) > 0:
            time.sleep(left / 1e9)

    def _get(self, index):
        """Return an image as it was read and its index, or a newer one that has overtaken it."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or max(self._read, default=-1) >= index)
            if max(self._read, default=-1) < index:
                raise self._error
            self._forget(index)
            index = min(self._read)
            return index, self._read[index]

    def _run(self):
        try:
            count = 0
            for index, image in zip(range(len(self._stamps)), self._images()):
                if not self._due(index):
                    return
                with self._changed:
                    self._read[index] = image
                    newest = int(np.searchsorted(self._stamps, self.now, side='right')) - 1
                    self._forget(min(newest, max(self._read)))
                    self._changed.notify_all()
                count += 1
            if count < len(self._stamps):
                raise SequenceError(f'{self._sequence.name}: {count} images for '
                                    f'{len(self._stamps)} boxes of ground truth')
        except Exception as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _images(self):
        """Return an iterator over the frames, encoded where all of them are."""
        encoded = self._sequence.encoded_images()
        first = next(encoded, None)
        if first is None:
            return self._sequence.images()
        return self._encoded(first, encoded)

    def _encoded(self, first, others):
        yield first
        for index, image in enumerate(others, 1):
            yield self._sequence.image(index) if image is None else image

    def _due(self, index):
        """Wait until it is time to read on; return whether anybody still wants images."""
        with self._changed:
            while not self._closed:
                left = int(self._stamps[index]) - _AHEAD_NS - self.now
                if left <= 0:
                    return True
                self._changed.wait(left / 1e9)
            return False

    def _forget(self, index):
        """Let go of images before one that has overtaken them."""
        for earlier in [one for one in self._read if one < index]:
            del self._read[earlier]


def _decoded(image):
    return decode_bytes(image.data) if isinstance(image, EncodedImage) else image
