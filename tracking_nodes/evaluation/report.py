"""A results folder as plots and one HTML page that needs no other file."""
import base64
import io
import json
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.metrics import mean_values, METRICS, VARIANTS
from tracking_nodes.evaluation.plots import precision_plot, success_plot
from tracking_nodes.evaluation.report_page import PAGE

_DIGITS = {'cle': 1, 'fps': 1, 'fps_got10k': 1}


def write_report(folder):
    """
    Write success and precision plots (PNG, SVG) and `report.html` into a results folder.

    :param folder: a results folder with a summary.
    :return: path of the page.
    :raises TrackingError: the folder holds no results.
    """
    folder = Path(folder)
    try:
        content = json.loads((folder / 'metrics.json').read_text())
        variant, metrics = content['variant'], content['trackers']
    except (OSError, ValueError, KeyError) as error:
        raise TrackingError(f'{folder / "metrics.json"} cannot be read ({error}); give the --out '
                            'folder of tracking_benchmark run') from error
    if not metrics:
        raise TrackingError(f'{folder} holds no results; nothing was run to its end')
    plots = []
    for name, figure in (('success', success_plot(metrics)),
                         ('precision', precision_plot(metrics))):
        figure.savefig(folder / f'{name}.svg')
        buffer = io.BytesIO()
        figure.savefig(buffer, format='png', dpi=150)
        (folder / f'{name}.png').write_bytes(buffer.getvalue())
        plots.append({'name': name, 'data': base64.b64encode(buffer.getvalue()).decode()})
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    records = _records(folder)
    page = environment.from_string(PAGE).render(
        plots=plots, variant=variant, rule=VARIANTS[variant], metrics=METRICS,
        overall=_overall(metrics), sequences=_sequences(metrics),
        attributes=_attributes(metrics, records), contenders=_contenders(records))
    results.write_text(folder / 'report.html', page)
    return folder / 'report.html'


def _overall(metrics):
    """Return rows of the overall table: tracker, count of sequences, frames and cells."""
    best = {metric.key: _best(metric, [row['overall'][metric.key] for row in metrics.values()])
            for metric in METRICS}
    return [{'tracker': tracker, 'sequences': len(row['sequences']),
             'frames': row['overall']['frames'],
             'cells': [_cell(metric.key, row['overall'][metric.key], best[metric.key])
                       for metric in METRICS]}
            for tracker, row in sorted(metrics.items(),
                                       key=lambda item: -item[1]['overall']['auc'])]


def _sequences(metrics):
    """Return the AUC of every sequence and tracker."""
    names = sorted({name for row in metrics.values() for name in row['sequences']})
    return {'trackers': list(metrics),
            'rows': [(name, _row([row['sequences'].get(name, {}).get('auc')
                                  for row in metrics.values()])) for name in names]}


def _attributes(metrics, records):
    """Return the mean AUC over the sequences of each attribute, by tracker."""
    members = {}
    for record in records.values():
        for attribute in record['attributes']:
            members.setdefault(attribute, set()).add(record['sequence'])
    rows = []
    for attribute, names in sorted(members.items()):
        parts = [[row['sequences'][name] for name in names if name in row['sequences']]
                 for row in metrics.values()]
        means = [mean_values([{'auc': entry['auc']} for entry in part])['auc'] if part else None
                 for part in parts]
        rows.append((f'{attribute} ({len(names)})', _row(means)))
    return rows


def _records(folder):
    return {(tracker, name): results.read_result(folder, tracker, name).record
            for tracker, names in results.stored(folder).items() for name in names}


def _contenders(records):
    """Return {label: lines of 'name = value'} of what made each tracker's results."""
    found = {}
    for (label, _), record in records.items():
        found[label] = [line for part in ('made_by', 'made_with')
                        for line in _lines(record.get(part, {}))]
    return found


def _lines(content, prefix=''):
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _lines(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key} = {value}'


def _row(values):
    best = max((value for value in values if value is not None), default=None)
    return [_cell('auc', value, best) for value in values]


def _best(metric, values):
    values = [value for value in values if value is not None]
    return (max if metric.higher_is_better else min)(values, default=None)


def _cell(key, value, best):
    if value is None:
        return {'text': '-', 'best': False}
    return {'text': f'{value:.{_DIGITS.get(key, 3)}f}', 'best': value == best}
