"""Part of a results folder with a name of its own, as OTB-2013 is of a run over OTB-2015."""
from dataclasses import dataclass
from pathlib import Path

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation import results
from tracking_nodes.sequences.catalog import find_sequences
from tracking_nodes.sequences.named_sets import split_name

FOLDER = 'sets'


@dataclass(frozen=True)
class Subset:
    """A name, the names of its sequences, and the folder that its report is written into."""

    name: str
    sequences: tuple
    out: Path


def open_subset(text, folder, protocols):
    """
    Return the `Subset` of a results folder that a path on the command line names.

    :param text: `<set>:<folder>` of a published set, or the path of a folder of sequences.
    :param folder: the results folder.
    :param protocols: the `Protocol`s that it holds results of.
    :raises SequenceError: there is nothing at the path, or less than the whole set.
    :raises TrackingError: the folder holds no results of any of these sequences.
    """
    known, path = split_name(text)
    name = known or path.resolve().name
    sequences = tuple(sequence.name for sequence in find_sequences(text))
    if not any(results.stored(Path(folder) / protocol.folder, sequences)
               for protocol in protocols):
        raise TrackingError(f'{folder} holds no results of any of the {len(sequences)} sequences '
                            f'of {text}')
    return Subset(name, sequences, Path(folder) / FOLDER / name)
