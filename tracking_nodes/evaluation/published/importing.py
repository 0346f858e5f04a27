"""Published raw results as a tracker of a results folder."""
from dataclasses import replace
import hashlib
from pathlib import Path

import numpy as np

from tracking_nodes.errors import SettingError, TrackingError
from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.published.beside import read_confidences, read_times
from tracking_nodes.evaluation.published.files import read_published
from tracking_nodes.evaluation.published.find import result_files, same_video
from tracking_nodes.evaluation.run import Run, STARTED, TRACKED
from tracking_nodes.sequences.fingerprint import dataset_hash

_RESET_BASED = ('vot', 'vot_realtime')


def import_results(source, sequences, folder, label, protocol, first_pixel=None):
    """
    Write published results into a results folder, as if this package had run them.

    Presence is wherever there is a box. Scores and times are those of files beside the boxes; one
    rate for all frames may stand in the file itself. Where neither is, they are not known.

    :param source: the tracker's folder of results, or one file.
    :param sequences: the `Sequence`s to look for, with their ground truth.
    :param folder: the results folder.
    :param label: name of the tracker there; names of files may hold it too.
    :param protocol: the `Protocol` the results were made by.
    :param first_pixel: 0 or 1, what the files count pixels from; None for what the format says,
        0 where it does not.
    :return: names of sequences imported, and {name: why not} of the others.
    :raises TrackingError: the source does not exist.
    :raises SettingError: the label cannot be a folder's name.
    """
    if Path(label).name != label or label.startswith('.'):
        raise SettingError(f'label {label!r} cannot name a folder')
    source = Path(source)
    if not source.exists():
        raise TrackingError(f'{source} does not exist; give a folder or file of results')
    readable, refused = _open(sequences)
    dataset, done = dataset_hash(readable), []
    for sequence in readable:
        try:
            for trial, (path, found) in _trials(source, sequence, label, protocol).items():
                _check(found, protocol, path)
                run, digest = _run(path, found, sequence, trial, first_pixel)
                if protocol.name not in _RESET_BASED:
                    run = replace(run, events=None)
                results.write_result(
                    Path(folder) / protocol.folder, label,
                    results.file_name(sequence.name, trial),
                    results.Result.of(run, sequence, results.describe(
                        label, sequence, {'published': True},
                        {'file': path.name, 'sha256': digest}, dataset), trial))
            done.append(sequence.name)
        except TrackingError as error:
            refused[sequence.name] = str(error)
    return done, refused


def _open(sequences):
    """Return the sequences that can be read, and {name: why not} of the others."""
    readable, refused = [], {}
    for sequence in sequences:
        try:
            len(sequence)
            readable.append(sequence)
        except TrackingError as error:
            refused[sequence.name] = str(error)
    return readable, refused


def _trials(source, sequence, label, protocol):
    """Return {trial: (path, `Published`)} of what is there of one sequence."""
    files = result_files(source, sequence.name, label)
    if not files:
        raise TrackingError(f'no results in {source}')
    known = {trial.name: trial for trial in protocol.trials(sequence)}
    runs = [(name, path, run) for name, path in files.items()
            for run in read_published(path, lambda name: same_video(name, sequence.name))]
    if len(runs) > len(files):
        # A file of several runs has them in the order of the protocol's trials.
        if len(files) > 1 or len(runs) != len(known):
            raise TrackingError(f'{len(runs)} runs in {runs[0][1]}; protocol {protocol.name} has '
                                f'{len(known)} of {sequence.name}')
        return {trial: run[1:] for trial, run in zip(known.values(), runs)}
    if set(known) == {''}:
        if len(files) > 1:
            raise TrackingError(f'{len(files)} repetitions in {source}; protocol {protocol.name} '
                                'has one run per sequence')
        return {known['']: run[1:] for run in runs}
    # A single run is the first repetition.
    named = {name or next(iter(known)): run for name, *run in runs}
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise TrackingError(f'{source} has trials {", ".join(unknown)}, protocol {protocol.name} '
                            f'has {", ".join(known)}')
    return {known[name]: tuple(run) for name, run in named.items()}


def _run(path, found, sequence, trial, first_pixel):
    """Return the `Run` of one `Published` and the digest of its file."""
    count = len(sequence)
    # The toolkits of OTB write a run from its start on.
    before = trial.first if len(found.boxes) == count - trial.first else 0
    if len(found.boxes) + before != count:
        raise TrackingError(f'{path} has {len(found.boxes)} frames, {sequence.name} has {count}')
    offset = first_pixel if first_pixel is not None else found.first_pixel or 0
    boxes = np.concatenate([np.full((before, 4), np.nan), found.boxes - [offset, offset, 0, 0]])
    ran = ~np.isnan(boxes).any(axis=1)
    if found.events is not None:
        started = found.events == STARTED
        boxes[started] = sequence.boxes[started]
        ran |= started
    boxes[:trial.first] = np.nan
    regions = found.regions
    if regions is not None:
        # A box where there is no polygon: that of the start, too, which files do not hold.
        regions = [box if len(region) == 4 else region - offset
                   for box, region in zip(boxes, [boxes[0]] * before + regions)]
    height, width = sequence.image(0).shape[:2]
    run = Run(boxes, _scores(path, found, ran, before), ran,
              np.where(ran, _seconds(path, found, before), 0), (width, height), found.events,
              regions=regions)
    return run, hashlib.sha256(path.read_bytes()).hexdigest()


def _seconds(path, found, before):
    """Return (N,) seconds of the frames, from the file beside the boxes or from their rate."""
    times = read_times(path, len(found.boxes))
    if times is None:
        times = np.full(len(found.boxes), 1 / found.fps if found.fps else 0.0)
    return np.concatenate([np.zeros(before), np.nan_to_num(times)])


def _scores(path, found, ran, before):
    """Return (N,) confidences, NaN where no file has them; a start is certain, as in runs here."""
    scores = read_confidences(path, len(found.boxes))
    if scores is None:
        return np.full(len(ran), np.nan)
    scores = np.concatenate([np.zeros(before), scores])
    starts = (found.events == STARTED) if found.events is not None else (
        np.arange(len(ran)) == ran.argmax())
    scores[starts & np.isnan(scores)] = 1
    scores[~ran] = 0
    if np.isnan(scores).any():
        raise TrackingError(f'{path} has a box in frame {np.isnan(scores).argmax()} (from 0), but '
                            'no confidence is beside it')
    return scores


def _check(found, protocol, path):
    """Refuse results of another kind of protocol, which would be scored without a word."""
    reset = protocol.name in _RESET_BASED
    if reset and found.events is None:
        raise TrackingError(f'{path} was never started again, as protocol {protocol.name} wants '
                            'it; was it another protocol?')
    # The start alone is written down by runs without resets too, such as VOT's long-term ones.
    if not reset and found.events is not None and (found.events[1:] != TRACKED).any():
        raise TrackingError(f'{path} has starts and failures of a reset-based run; give '
                            '--protocol vot')
