"""The plots of a report as data: declared once, drawn by `figures` and by the page."""
from dataclasses import dataclass, field

import numpy as np

from tracking_nodes.evaluation.measures.reset import EAO_INTERVALS
from tracking_nodes.evaluation.metrics import METRICS, PRECISION_THRESHOLDS, SUCCESS_THRESHOLDS
from tracking_nodes.evaluation.report import readings
from tracking_nodes.evaluation.report.tracks import numbers as rounded

# The number that a curve's legend shows, and by which its trackers are ordered: the first that
# the protocol has.
NUMBERS_OF_CURVE = {'success': ('auc', 'ao'), 'precision': ('dp20',),
                    'norm_precision': ('norm_precision',), 'precision_recall': ('f_score',),
                    'age': ('age_mean',),
                    'reliability': ('calibration_error',)}
# Curves of a share over what was promised: on the diagonal is what kept its promise.
PROMISES = ('reliability',)
# Plots of one metric over another: name, title, x and y.
TRADE_OFFS = (('ar_ranks', 'AR ranks', 'failure_rank', 'accuracy_rank'),
              ('ar_ranks_practical', 'AR ranks, differences that are seen', 'failure_rank',
               'accuracy_rank_practical'),
              ('what_latency_costs', 'What latency costs', 'offline_auc', 'auc'))
# Metrics that are plotted in the order of the trackers, as VOT does.
RANKINGS = ('eao_2016', 'eao_2018', 'eao_2019')


@dataclass(frozen=True)
class Plot:
    """
    One plot with one line, or one mark, per tracker.

    name: of its files. title, x_label, y_label: its words. series: {tracker: (x, y)}, two lists of
    equal length. numbers: {tracker: number beside its name}; empty for none. marks: points with
    names instead of lines. x_range, y_range: (low, high), or None for what the data need.
    log_x: x is logarithmic. flip_x: x grows to the left, as ranks do. diagonal: the line y = x is
    drawn too, and a dot for each point of a line. spans: (low, high, words) of stretches of x that
    are marked.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: dict
    numbers: dict = field(default_factory=dict)
    marks: bool = False
    x_range: tuple | None = None
    y_range: tuple | None = None
    log_x: bool = False
    flip_x: bool = False
    diagonal: bool = False
    spans: tuple = ()


def protocol_plots(scored):
    """Return the plots of one protocol's `Scored`: its curves, rankings and trade-offs."""
    plots = [_curve(scored, key) for key in _curve_keys(scored)]
    keys = {metric.key: metric for metric in scored.metrics}
    plots += [_against(scored, name, title, keys[across], keys[up])
              for name, title, across, up in TRADE_OFFS if {across, up} <= set(keys)]
    return plots + [_ranking(scored, keys[key]) for key in RANKINGS if key in keys]


def attribute_plots(scored, rows):
    """
    Return a success and a precision plot per attribute, as in the papers of OTB.

    :param scored: a `Scored`, for its variant and the order of its trackers.
    :param rows: as from `readings.readings`.
    :return: {attribute with its number of sequences: [`Plot`, `Plot`]}.
    """
    found = {}
    for attribute, names in readings.attributes(rows).items():
        means = readings.attribute_curves(rows, names, scored.variant)
        words = f'{attribute} ({len(names)} sequences)'
        lines = [{label: means[label][kind] for label in scored.labels if label in means}
                 for kind in (0, 1)]
        found[words] = [
            Plot(f'success_{attribute}', f'Success on {words}, {scored.name}', 'overlap threshold',
                 'share of frames', _lines(SUCCESS_THRESHOLDS, lines[0]),
                 {label: float(line.mean()) for label, line in lines[0].items()},
                 x_range=(0, 1), y_range=(0, 1)),
            Plot(f'precision_{attribute}', f'Precision on {words}, {scored.name}',
                 'centre error threshold, pixels', 'share of frames',
                 _lines(PRECISION_THRESHOLDS, lines[1]),
                 {label: float(line[20]) for label, line in lines[1].items()},
                 x_range=(0, 50), y_range=(0, 1))]
    return found


def _lines(thresholds, lines):
    return {label: (rounded(thresholds, 2), rounded(line, 4)) for label, line in lines.items()}


def speed_plot(scored, numbers):
    """Return accuracy over frames per second, from `Scored` and {tracker: numbers of `speed`}."""
    metric = _metric('auc')
    points = {label: (numbers[label]['fps'], scored.trackers[label]['overall'][metric.key])
              for label in scored.labels if numbers[label]['fps'] is not None}
    return Plot('speed', 'Success and speed', 'frames per second', _axis(metric),
                {label: ([x], [y]) for label, (x, y) in points.items()}, marks=True, log_x=True)


def overlap_plot(sequence, overlaps, where='', measure='IoU'):
    """
    Return overlap over time on one sequence.

    :param overlaps: {tracker: (N,) overlap per frame}.
    :param where: protocol and trial, for the title.
    :param measure: of the overlap.
    """
    title = ', '.join(filter(None, (f'Overlap on {sequence}', where)))
    return Plot(sequence, title, 'frame', f'overlap ({measure})',
                {label: (np.arange(len(values)).tolist(), rounded(values, 3))
                 for label, values in overlaps.items()},
                {label: float(np.nanmean(values)) for label, values in overlaps.items()
                 if not np.isnan(values).all()}, y_range=(0, 1))


def _curve_keys(scored):
    return list(dict.fromkeys(key for entry in scored.trackers.values()
                              for key in entry['curves']))


def _curve(scored, key):
    curves = {label: scored.trackers[label]['curves'][key] for label in scored.labels
              if key in scored.trackers[label]['curves']}
    first = next(iter(curves.values()))
    known = {metric.key for metric in scored.metrics}
    number = next((key for key in NUMBERS_OF_CURVE.get(key, ()) if key in known), None)
    numbers = {label: scored.trackers[label]['overall'].get(number) for label in curves}
    high = max(max(value for value in (*curve['y'], 0) if value is not None)
               for curve in curves.values())
    title = first['title'][0].upper() + first['title'][1:]
    promise = key in PROMISES
    points = not promise and all(len(curve['x']) == 1 for curve in curves.values())
    shares = promise or (0.5 < high <= 1 and not points)
    return Plot(key, f'{title}, {scored.name}', first['x_label'],
                first['y_label'],
                {label: (curve['x'], curve['y']) for label, curve in curves.items()},
                {label: value for label, value in numbers.items() if value is not None},
                marks=points, x_range=(0, 1) if promise else None,
                y_range=(0, 1) if shares else None, diagonal=promise,
                spans=_intervals(curves) if key == 'eao' else ())


def _intervals(curves):
    """Return the stretches of lengths that each year's EAO averages, as far as curves reach."""
    longest = max(max(curve['x']) for curve in curves.values())
    years = {}
    for year, limits in EAO_INTERVALS.items():
        years.setdefault(limits, []).append(year[len('vot'):])
    return tuple((low, min(high, longest), f'EAO {"/".join(names)}')
                 for (low, high), names in years.items() if low < longest)


def _against(scored, name, title, across, up):
    values = {label: scored.trackers[label]['overall'] for label in scored.labels}
    return Plot(name, f'{title}, {scored.name}', _axis(across), _axis(up),
                {label: ([row[across.key]], [row[up.key]]) for label, row in values.items()
                 if None not in (row.get(across.key), row.get(up.key))}, marks=True)


def _ranking(scored, metric):
    values = {label: scored.trackers[label]['overall'].get(metric.key)
              for label in scored.labels}
    order = sorted((label for label in values if values[label] is not None),
                   key=lambda label: -values[label])
    return Plot(f'{metric.key}_ranking', f'{metric.name} ranking, {scored.name}', 'rank',
                _axis(metric),
                {label: ([rank], [values[label]]) for rank, label in enumerate(order, 1)},
                {label: values[label] for label in order}, marks=True,
                x_range=(0.5, len(order) + 0.5), flip_x=True)


def _metric(key):
    return next(metric for metric in METRICS if metric.key == key)


def _axis(metric):
    return f'{metric.name} ({"higher" if metric.higher_is_better else "lower"} is better)'
