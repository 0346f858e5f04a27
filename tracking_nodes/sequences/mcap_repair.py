"""
Mcap files that were cut short: what is whole, and a copy of that.

An mcap file is a sequence of records, one byte of kind and eight bytes of length before each
(https://mcap.dev/spec). A file that was never closed lacks the index and the closing records;
everything up to the last whole record is good.
"""
from pathlib import Path
import shutil
import struct

from tracking_nodes.errors import SequenceError

MAGIC = b'\x89MCAP0\r\n'
HEAD = struct.Struct('<BQ')
FOOTER, MESSAGE, MESSAGE_INDEX, DATA_END = 0x02, 0x05, 0x07, 0x0f
INDEX_ENTRY_BYTES, INDEX_HEAD_BYTES = 16, 6


def find_truncated(path):
    """Return the mcap file of a bag that lacks its end, or None."""
    path = Path(path)
    for file in sorted(path.glob('*.mcap')) if path.is_dir() else [path]:
        data_start = file.open('rb').read(len(MAGIC)) if file.suffix == '.mcap' else b''
        if data_start == MAGIC and not _is_closed(file):
            return file
    return None


def scan_mcap(file):
    """
    Measure how much of an mcap file is whole.

    :param file: path of an mcap file.
    :return: end of the last whole data record in bytes, and how many messages lie before it; of
        chunks without a message index no messages are counted.
    :raises SequenceError: not an mcap file.
    """
    size, messages = Path(file).stat().st_size, 0
    with open(file, 'rb') as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise SequenceError(f'{file} is not an mcap file')
        end = stream.tell()
        while True:
            head = stream.read(HEAD.size)
            if len(head) < HEAD.size:
                return end, messages
            kind, length = HEAD.unpack(head)
            if kind in (FOOTER, DATA_END) or stream.tell() + length > size:
                return end, messages
            messages += _count(kind, length)
            end = stream.seek(length, 1)


def repair_mcap(file, new_file):
    """
    Copy the whole records of an mcap file and close the copy properly.

    The copy has no index, which readers of mcap files make up by reading it once.

    :param file: path of the file that was cut short.
    :param new_file: path of the file to write.
    :return: number of messages counted in the copy, as `scan_mcap` does.
    :raises SequenceError: not an mcap file, nothing whole in it, or the new file exists.
    """
    end, messages = scan_mcap(file)
    if end == len(MAGIC):
        raise SequenceError(f'{file} has no whole record; nothing can be saved')
    if Path(new_file).exists():
        raise SequenceError(f'{new_file} exists already; give a new name')
    with open(file, 'rb') as source, open(new_file, 'wb') as target:
        shutil.copyfileobj(source, target)
        target.truncate(end)
        target.seek(end)
        target.write(HEAD.pack(DATA_END, 4) + bytes(4))
        target.write(HEAD.pack(FOOTER, 20) + bytes(20) + MAGIC)
    return messages


def _count(kind, length):
    if kind == MESSAGE:
        return 1
    if kind == MESSAGE_INDEX:
        return (length - INDEX_HEAD_BYTES) // INDEX_ENTRY_BYTES
    return 0


def _is_closed(file):
    with open(file, 'rb') as stream:
        stream.seek(max(0, file.stat().st_size - len(MAGIC)))
        return stream.read() == MAGIC
