"""The stored runs of one protocol, read when asked for."""
from tracking_nodes.evaluation import results


def stored_runs(scored):
    """
    Return which runs a protocol's folder holds of the sequences that were scored.

    :param scored: a `Scored`.
    :return: {sequence: {trial: [trackers]}}, sorted; trial '' where a sequence has one only.
    """
    found = {name: {} for name in scored.sequences}
    for tracker, stems in results.stored(scored.folder, found).items():
        for stem in stems:
            name, trial = _split(stem, found)
            if name is not None and tracker in scored.trackers:
                found[name].setdefault(trial, []).append(tracker)
    return {name: dict(sorted(trials.items())) for name, trials in found.items()}


def read_run(scored, tracker, sequence, trial=''):
    """Return one `Result`."""
    return results.read_result(scored.folder, tracker,
                               f'{sequence}.{trial}' if trial else sequence)


def _split(stem, names):
    """Return sequence and trial of a file name; a sequence's own name may hold points."""
    if stem in names:
        return stem, ''
    name, point, trial = stem.rpartition('.')
    while point:
        if name in names:
            return name, stem[len(name) + 1:]
        name, point, _ = name.rpartition('.')
    return None, ''
