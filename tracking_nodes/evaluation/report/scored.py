"""What each protocol's `metrics.json` says of the trackers of a results folder."""
from dataclasses import dataclass
import json
from pathlib import Path

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.metrics import (Metric, METRICS, PRECISION_THRESHOLDS,
                                               SUCCESS_THRESHOLDS)

_FILE = 'metrics.json'


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
        raise TrackingError(f'{folder} holds no results; nothing was run to its end. Give the '
                            '--out folder of tracking_benchmark run')
    return found


def _read(path):
    try:
        content = json.loads(path.read_text())
        trackers = {label: {'curves': _curves(entry), **entry}
                    for label, entry in content['trackers'].items()}
        declared = [Metric(**row) for row in content['metrics']] if 'metrics' in content \
            else METRICS
        name = content.get('protocol', 'ope')
        return Scored(name, protocols.get(name).summary, path.parent, content['variant'],
                      tuple(metric for metric in declared if any(
                          entry['overall'].get(metric.key) is not None
                          for entry in trackers.values())), trackers)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(f'{path} cannot be read ({error}); score the folder again with '
                            'tracking_benchmark report') from error


def _curves(entry):
    """Return the curves of one-pass evaluation, which its file keeps among the numbers."""
    overall = entry['overall']
    return {key: {'title': key, 'x_label': label, 'y_label': 'share of frames',
                  'x': x.tolist(), 'y': overall[key]}
            for key, label, x in (
                ('success', 'overlap threshold', SUCCESS_THRESHOLDS),
                ('precision', 'centre error threshold, pixels', PRECISION_THRESHOLDS))
            if key in overall}


def _best_first(trackers, metric):
    sign = -1 if metric.higher_is_better else 1

    def key(label):
        value = trackers[label]['overall'].get(metric.key)
        return (value is None, 0 if value is None else sign * value, label)

    return sorted(trackers, key=key)
