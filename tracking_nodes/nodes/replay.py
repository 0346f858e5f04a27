"""What the player, the recorder and the demo share: the one sequence that is replayed."""
from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.catalog import open_sequences


def open_sequence(path, image_topic=''):
    """
    Open the one sequence at a path.

    :param path: a bag, or anything else `open_sequences` knows.
    :param image_topic: of a bag; '' for its only one.
    :return: a `Sequence`.
    :raises SequenceError: it cannot be read, or there are several.
    """
    sequences = open_sequences(path, image_topic=image_topic or None)
    if len(sequences) > 1:
        names = ', '.join(sequence.name for sequence in sequences[:10])
        raise SequenceError(f'{path} holds {len(sequences)} sequences ({names}); replay one at a '
                            'time: convert them with dataset_to_bag and choose a bag')
    return sequences[0]
