"""Where a tool keeps the results of one video."""
from pathlib import Path
import re

from tracking_nodes.evaluation.published.files import SUFFIXES

_REPETITION = re.compile(r'^(.*)_(\d{3})$')
# Files beside the boxes: seconds, confidence, presence.
_OTHER = re.compile(r'_(times?|confidence|score|present|properties|run|event|age|region)$')


def same_video(one, other):
    """Return whether two names mean one video: `Jogging.1`, `jogging-1` and `Jogging_1` do."""
    return _plain(one) == _plain(other)


def result_files(folder, sequence, tracker):
    """
    Return the files with the results of one sequence, by trial.

    Found are, whatever their case: SEQUENCE.txt (pytracking, LaSOT), SEQUENCE_TRACKER.mat (OTB),
    SEQUENCE/SEQUENCE_001.txt (got10k, VOT, also below `baseline`), and one JSON file of all.

    :param folder: the tracker's folder of results, or a single file.
    :param sequence: name of the sequence.
    :param tracker: name of the tracker, which file names may hold.
    :return: {trial: path}; trial '' for a file without a repetition's number.
    """
    folder = Path(folder)
    if folder.is_file():
        return {'': folder}
    names, found = {_plain(sequence), _plain(f'{sequence}{tracker}')}, {}
    for place in [folder, *(entry for entry in _folders(folder) if entry.name == 'baseline')]:
        own = [entry for entry in _folders(place) if same_video(entry.name, sequence)]
        for path in sorted(file for where in (place, *own) for file in where.iterdir()
                           if file.suffix.lower() in SUFFIXES):
            numbered = _REPETITION.match(path.stem)
            if numbered and _plain(numbered[1]) in names:
                found[numbered[2]] = path
            elif _plain(path.stem) in names and not _OTHER.search(path.stem):
                found[''] = path
    return found


def _plain(name):
    return re.sub('[^a-z0-9]', '', name.lower())


def _folders(folder):
    return sorted(entry for entry in folder.iterdir() if entry.is_dir())
