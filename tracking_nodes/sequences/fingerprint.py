"""One short text that says which data a result was measured on."""
import hashlib

import numpy as np


def dataset_hash(sequences):
    """
    Return the SHA-256 of what a run depends on, the same wherever the dataset lies.

    Of every sequence, in the order of the names: name, number of frames, boxes and polygons as
    they were read, bit by bit, and name and size of each file that holds frames. Contents of
    those files are left out, since reading them would take as long as a run: an image that
    changed but kept its size to the byte is not noticed. Neither are attributes and tags, which
    change no result of a tracker.

    :param sequences: list of `Sequence`.
    :return: 64 hexadecimal digits.
    :raises SequenceError: a sequence cannot be read.
    """
    total = hashlib.sha256()
    for sequence in sorted(sequences, key=lambda sequence: sequence.name):
        total.update(_describe(sequence).encode())
        for numbers in (sequence.boxes, sequence.polygons):
            total.update(b'none' if numbers is None else _bytes(numbers))
    return total.hexdigest()


def sequence_fingerprint(sequence):
    """Return 16 digits of one sequence's hash, its stamps too: what its results belong to."""
    digest = hashlib.sha256(dataset_hash([sequence]).encode())
    digest.update(sequence.stamps.tobytes())
    return digest.hexdigest()[:16]


def _describe(sequence):
    """Return name, length and files of a sequence, one a line."""
    files = [f'{file.name} {file.stat().st_size}' for file in sequence.sources]
    return '\n'.join([sequence.name, str(len(sequence)), *files, ''])


def _bytes(numbers):
    """Return the bytes of float64 numbers, the same on every machine; there are many NaN."""
    return np.where(np.isnan(numbers), np.nan, numbers).astype('<f8').tobytes()
