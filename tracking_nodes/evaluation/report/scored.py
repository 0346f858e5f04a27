"""What each protocol's `metrics.json` says of the trackers of a results folder."""
from dataclasses import dataclass, replace
import json
from pathlib import Path

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation import protocols, results
from tracking_nodes.evaluation.metrics import (Metric, NORMALISED_THRESHOLDS,
                                               PRECISION_THRESHOLDS, SUCCESS_THRESHOLDS)

_FILE = 'metrics.json'
_EMPTY = ('{} holds no results; nothing was run to its end. Give the --out folder of '
          'tracking_benchmark run')


@dataclass(frozen=True)
class Scored:
    """
    The scores of one protocol.

    name, summary: of the protocol. folder: where its results lie. variant: key of
    `metrics.VARIANTS`. metrics: the `Metric`s that any tracker has a number for. trackers:
    {label: `Scores` as a dictionary}.
    """

    name: str
    summary: str
    folder: Path
    variant: str
    metrics: tuple
    trackers: dict

    @property
    def labels(self):
        """Labels of the trackers, the best by the first metric first."""
        return _best_first(self.trackers, self.metrics[0]) if self.metrics else list(self.trackers)

    def has(self, key):
        """Return whether any tracker has a number for this metric."""
        return any(metric.key == key for metric in self.metrics)

    @property
    def sequences(self):
        """Names of all sequences that any tracker ran, sorted."""
        return sorted({name for entry in self.trackers.values() for name in entry['sequences']})


def protocols_in(folder):
    """
    Return the `Protocol`s that a results folder holds results of, one-pass evaluation first.

    :raises TrackingError: it holds none.
    """
    folder, found = Path(folder), []
    if results.stored(folder):
        found.append(protocols.get('ope'))
    for path in sorted(entry for entry in folder.glob('*') if entry.is_dir()):
        protocol = _protocol(path.name)
        if protocol is not None and results.stored(path):
            found.append(protocol)
    if not found:
        raise TrackingError(_EMPTY.format(folder))
    return found


def read_scored(folder):
    """
    Return the scores of every protocol that a results folder holds, one-pass evaluation first.

    :param folder: a results folder.
    :return: list of `Scored`, at least one.
    :raises TrackingError: it holds no results, or a file cannot be read.
    """
    folder = Path(folder)
    paths = [path for path in (folder / _FILE, *sorted(folder.glob(f'*/{_FILE}')))
             if path.is_file()]
    found = [scored for scored in map(_read, paths) if scored.trackers]
    if not found:
        raise TrackingError(_EMPTY.format(folder))
    return found


def _protocol(folder_name):
    """Return the `Protocol` whose results lie in a folder of this name, or None."""
    for name in sorted(protocols.names(), key=len, reverse=True):
        if folder_name == name or folder_name.startswith(f'{name}_'):
            # Of an option only the name is needed: it decides how to run, not how to score.
            option = folder_name[len(name) + 1:]
            return replace(protocols.get(name), name=f'{name}:{option}' if option else name)
    return None


def _read(path):
    try:
        content = json.loads(path.read_text())
        trackers = content['trackers'] if 'protocol' in content else {
            label: {**entry, 'curves': {**_curves(entry), **entry['curves']}}
            for label, entry in content['trackers'].items()}
        declared = [Metric(**row) for row in content['metrics']] if 'metrics' in content \
            else protocols.get('ope').metrics
        known = tuple(metric for metric in declared if any(
            entry['overall'].get(metric.key) is not None for entry in trackers.values()))
        name = content.get('protocol', 'ope')
        return Scored(name, protocols.summary(name.partition(':')[0]), path.parent,
                      content['variant'], known, trackers)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(f'{path} cannot be read ({error}); score the folder again with '
                            'tracking_benchmark report') from error


def _curves(entry):
    """Return the curves of one-pass evaluation, which its file keeps among the numbers."""
    overall = entry['overall']
    return {name: {'title': title, 'x_label': label, 'y_label': 'share of frames',
                   'x': x.tolist(), 'y': overall[key]}
            for name, key, title, label, x in (
                ('success', 'success', 'success', 'overlap threshold', SUCCESS_THRESHOLDS),
                ('precision', 'precision', 'precision', 'centre error threshold, pixels',
                 PRECISION_THRESHOLDS),
                ('norm_precision', 'normalised', 'normalised precision',
                 'centre error threshold, shares of the target', NORMALISED_THRESHOLDS))
            if key in overall}


def _best_first(trackers, metric):
    sign = -1 if metric.higher_is_better else 1

    def key(label):
        value = trackers[label]['overall'].get(metric.key)
        return (value is None, 0 if value is None else sign * value, label)

    return sorted(trackers, key=key)
