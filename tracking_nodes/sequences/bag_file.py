"""
Opening rosbags, and what to say when one cannot be opened.

For damaged bytes rosbags lets errors of every kind through (struct, zstd, sqlite, unicode), so all
of them are translated here.
"""
from contextlib import contextmanager
from pathlib import Path

from rosbags.highlevel import AnyReader

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.mcap_repair import find_truncated, scan_mcap
from tracking_nodes.sequences.messages import nanoseconds, typestore

BAG_SUFFIXES = ('.mcap', '.db3', '.bag')


def bag_files(path):
    """Return the files that hold the messages of a bag: its own, or those of its folder."""
    path = Path(path)
    if path.is_file():
        return [path]
    return sorted(file for file in path.iterdir()
                  if {*file.suffixes} & {*BAG_SUFFIXES} and file.is_file())


@contextmanager
def open_bag(path):
    """
    Open a rosbag2 (mcap or sqlite3, compressed too) or a ROS 1 bag.

    :param path: folder with metadata.yaml, or an .mcap, .db3 or .bag file.
    :return: context manager of a rosbags AnyReader.
    :raises SequenceError: missing, damaged or cut short, on opening or while reading.
    """
    path = Path(path)
    if not path.exists():
        raise SequenceError(f'bag {path} does not exist')
    try:
        reader = AnyReader([path], default_typestore=typestore())
        reader.open()
    except Exception as error:
        raise SequenceError(f'bag {path} cannot be read: {_explain(path, error)}') from error
    try:
        yield reader
    finally:
        reader.close()


def read_messages(reader, connections, start=None, stop=None):
    """
    Yield the messages of some topics in the order they were received.

    :param reader: from `open_bag`.
    :param connections: of the topics, as rosbags names them.
    :param start: first receive time wanted, nanoseconds.
    :param stop: receive time of the first message no longer wanted.
    :return: yields (stamp of the header or None, receive time, message), nanoseconds.
    :raises SequenceError: the bag is damaged here.
    """
    for _, stamp, received, message in _read(reader, connections, start, stop):
        yield stamp, received, message


def read_topics(reader, connections, stamps_only):
    """
    Read several topics in one pass, since each pass reads the images too.

    :param reader: from `open_bag`.
    :param connections: of the topics.
    :param stamps_only: topic whose messages are not kept, because they do not fit into memory.
    :return: {topic: list of (stamp of the header or None, receive time, message or None)}.
    :raises SequenceError: the bag is damaged.
    """
    topics = {connection.topic: [] for connection in connections}
    for topic, stamp, received, message in _read(reader, connections, None, None):
        topics[topic].append((stamp, received, None if topic == stamps_only else message))
    return topics


def find_topic(reader, path, topic, types):
    """
    Return the connections of a topic.

    :param topic: its name, with or without the leading slash.
    :param types: message types it may have.
    :raises SequenceError: not in the bag with such a type; the message lists what is.
    """
    name = '/' + topic.lstrip('/')
    found = [connection for connection in reader.connections
             if connection.topic == name and connection.msgtype in types]
    if not found:
        raise SequenceError(f'bag {path} has no topic {name} of {" or ".join(types)}; it has '
                            f'{list_topics(reader)}')
    return found


def list_topics(reader):
    """Return the topics of a bag with types and message counts, for an error message."""
    return ', '.join(f'{topic} ({info.msgtype}, {info.msgcount} messages)'
                     for topic, info in reader.topics.items()) or 'no topics at all'


def _read(reader, connections, start, stop):
    """Yield (topic, stamp of the header or None, receive time, message)."""
    try:
        for connection, received, data in reader.messages(connections, start, stop):
            message = reader.deserialize(data, connection.msgtype)
            header = getattr(message, 'header', None)
            stamp = nanoseconds(header.stamp) if header else None
            yield connection.topic, stamp, received, message
    except Exception as error:
        topics = ', '.join(sorted({connection.topic for connection in connections}))
        raise SequenceError(f'bag {reader.paths[0]}, topic {topics}: message cannot be read: '
                            f'{error!r}') from error


def _explain(path, error):
    truncated = find_truncated(path)
    if truncated is None:
        return str(error) or repr(error)
    end, messages = scan_mcap(truncated)
    return (f'{truncated} is cut short (the recorder was killed, or the disk was full). At least '
            f'{messages} messages in its first {end} bytes are whole; '
            f'"dataset_to_bag --repair {truncated} NEW.mcap" saves them')
