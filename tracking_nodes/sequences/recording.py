"""Messages received from a running system, written to a bag as they came."""
from pathlib import Path

from rosbags.rosbag2 import Writer, WriterError

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.bags import BAG_VERSION, OFFERED, STORAGES
from tracking_nodes.sequences.messages import DETECTIONS, typestore


def write_recorded_detections(path, topic, recorded, storage='mcap'):
    """
    Write a Detection2DArray topic to a new bag.

    :param path: folder to make.
    :param topic: name of the topic.
    :param recorded: (time of reception in nanoseconds, serialized message) of every message.
    :param storage: 'mcap' or 'sqlite3'.
    :raises SequenceError: the folder exists.
    """
    try:
        with Writer(Path(path), version=BAG_VERSION, storage_plugin=STORAGES[storage]) as writer:
            connection = writer.add_connection(topic, DETECTIONS, typestore=typestore(),
                                               offered_qos_profiles=[OFFERED])
            for received, data in recorded:
                writer.write(connection, received, data)
    except WriterError as error:
        raise SequenceError(f'bag {path} cannot be written: {error}') from error
