"""One table over several reports, as papers have it: trackers x sets of sequences."""
import json
from pathlib import Path

from tracking_nodes.errors import SettingError, TrackingError
from tracking_nodes.evaluation.report.comparisons import metric_column
from tracking_nodes.evaluation.report.scored import read_compared
from tracking_nodes.evaluation.report.tables import Table
from tracking_nodes.evaluation.report.writer import REMARKS
from tracking_nodes.evaluation.same_sequences import differences
from tracking_nodes.evaluation.table import headline


def across(name, reports, protocol, keys=()):
    """
    Return the `Table` of some metrics on several sets.

    Within a set trackers are compared over the sequences that all of them have, as in its report;
    below the table stands how many these are, and what the report remarks on them.

    :param name: of the table's files.
    :param reports: {name of the set: folder of its report}.
    :param protocol: a `Protocol`.
    :param keys: of its metrics; empty for those of the short table but speed.
    :raises SettingError: the protocol has no such metric.
    :raises TrackingError: a folder has no report of this protocol.
    """
    known = {metric.key: metric for metric in protocol.metrics}
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise SettingError(f'protocol {protocol.name} has no metric {unknown[0]!r}; known: '
                           f'{", ".join(known)}')
    metrics = ([known[key] for key in keys] if keys else
               [metric for metric in headline(protocol) if metric.key != 'fps'])
    scores, notes = {}, []
    for group, folder in reports.items():
        scores[group], remarks = _report(Path(folder), protocol)
        notes += [f'{group}: {len(scores[group].sequences)} sequences',
                  *(f'{group}: {line}' for line in remarks)]
    # Where a set has no common sequences its numbers are no competition.
    columns = [metric_column(metric, not differences(scored.by_tracker), group)
               for group, scored in scores.items() for metric in metrics]
    labels = dict.fromkeys(label for scored in scores.values() for label in scored.labels)
    rows = [(label, [scored.trackers.get(label, {'overall': {}})['overall'].get(metric.key)
                     for scored in scores.values() for metric in metrics]) for label in labels]
    return Table(name, f'{protocol.name} on {", ".join(reports)}', 'tracker', tuple(columns), rows,
                 notes=tuple(notes))


def has_report(folder, protocol):
    """Return whether a folder has a report with this protocol."""
    return protocol.name in _remarks(Path(folder))


def _report(folder, protocol):
    """Return the `Scored` and the remarks of a protocol in a report."""
    if not has_report(folder, protocol):
        raise TrackingError(f'{folder} has no report of {protocol.name}; make it with '
                            f'tracking_benchmark report {folder}')
    return read_compared(folder / protocol.folder), _remarks(folder)[protocol.name]


def _remarks(folder):
    file = folder / REMARKS
    return json.loads(file.read_text()) if file.is_file() else {}
