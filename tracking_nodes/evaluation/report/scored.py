"""What each protocol's `metrics.json` says of the trackers of a results folder."""
from dataclasses import dataclass, replace
import json
from pathlib import Path

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation import protocols, results
from tracking_nodes.evaluation.metrics import (Metric, NORMALISED_THRESHOLDS,
                                               PRECISION_THRESHOLDS, SUCCESS_THRESHOLDS)
from tracking_nodes.evaluation.same_sequences import common, differences

_FILE, _COMMON_FILE = 'metrics.json', 'metrics_common.json'
_EMPTY = ('{} holds no results; nothing was run to its end. Give the --out folder of '
          'tracking_benchmark run')


@dataclass(frozen=True)
class Scored:
    """
    The scores of one protocol.

    name, summary: of the protocol. folder: where its results lie. out: where what is made of them
    is written. variant: key of `metrics.VARIANTS`. metrics: the `Metric`s that any tracker has a
    number for. trackers: {label: `Scores` as a dictionary}.
    """

    name: str
    summary: str
    folder: Path
    out: Path
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
    def protocol(self):
        """The `Protocol`, as far as scoring needs it."""
        return _protocol(self.name.replace(':', '_'))

    @property
    def by_tracker(self):
        """{tracker: names of the sequences it was scored on}, best tracker first."""
        return {label: list(self.trackers[label]['sequences']) for label in self.labels}

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


def read_scored(folder, out=None):
    """
    Return the scores of every protocol that a results folder holds, one-pass evaluation first.

    :param folder: a results folder.
    :param out: the folder that its scores were written into, when another.
    :return: list of `Scored`, at least one.
    :raises TrackingError: it holds no results, or a file cannot be read.
    """
    folder, out = Path(folder), Path(out or folder)
    paths = [path for path in (out / _FILE, *sorted(out.glob(f'*/{_FILE}'))) if path.is_file()]
    found = [scored for scored in (_read(path, folder / path.parent.relative_to(out))
                                   for path in paths) if scored.trackers]
    if not found:
        raise TrackingError(_EMPTY.format(folder))
    return found


def read_compared(folder):
    """
    Return the `Scored` that a report compared trackers by, from its folder of one protocol.

    :raises TrackingError: there is none, or it cannot be read.
    """
    shared = folder / _COMMON_FILE
    return _read(shared if shared.is_file() else folder / _FILE, folder)


def on_common_sequences(scored):
    """
    Return the scores over the sequences that all trackers have, and write them.

    :param scored: a `Scored`.
    :return: a `Scored`, the same where all trackers have the same sequences; None where they have
        none in common.
    """
    (scored.out / _COMMON_FILE).unlink(missing_ok=True)
    if not differences(scored.by_tracker):
        return scored
    names = common(scored.by_tracker)
    if not names:
        return None
    protocol = scored.protocol
    scores = protocol.score(results.StoredResults(scored.folder, names), scored.variant)
    root = scored.out.parent if protocol.folder else scored.out
    results.write_scores(root, protocol, scores, scored.variant, _COMMON_FILE)
    return _read(scored.out / _COMMON_FILE, scored.folder)


def _protocol(folder_name):
    """Return the `Protocol` whose results lie in a folder of this name, or None."""
    for name in sorted(protocols.names(), key=len, reverse=True):
        if folder_name == name or folder_name.startswith(f'{name}_'):
            # Of an option only the name is needed: it decides how to run, not how to score.
            option = folder_name[len(name) + 1:]
            return replace(protocols.get(name), name=f'{name}:{option}' if option else name)
    return None


def _read(path, folder):
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
        return Scored(name, protocols.summary(name.partition(':')[0]), folder,
                      path.parent, content['variant'], known, trackers)
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
