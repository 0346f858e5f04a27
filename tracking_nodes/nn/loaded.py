"""
Which weights files were read: noted where one is read, collected by who keeps a record.

Without PyTorch, so that trackers that do without it can note their files too.
"""
from contextlib import contextmanager
from contextvars import ContextVar
import hashlib
from pathlib import Path

_files = ContextVar('weights files read', default=None)


@contextmanager
def collected():
    """Yield a dictionary that fills with {file name: sha256} of the weights read meanwhile."""
    files = {}
    token = _files.set(files)
    try:
        yield files
    finally:
        _files.reset(token)


def note(path):
    """Note that a weights file is read; its sha256 is computed only where someone collects."""
    files = _files.get()
    if files is not None:
        files[Path(path).name] = sha256(path)


def sha256(path):
    """Return the sha256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        for block in iter(lambda: stream.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()
