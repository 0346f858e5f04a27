"""Success and precision plots as the field draws them, without a display."""
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tracking_nodes.evaluation.metrics import PRECISION_THRESHOLDS, SUCCESS_THRESHOLDS

_STYLES = ('-', '--', '-.', ':')


def success_plot(metrics):
    """
    Return a figure of success over overlap threshold, best AUC first in the legend.

    :param metrics: content of `metrics.json`.
    """
    return _plot(metrics, 'success', 'auc', SUCCESS_THRESHOLDS,
                 ('Success, one-pass evaluation (AUC)', 'overlap threshold', 'success rate'))


def precision_plot(metrics):
    """
    Return a figure of precision over location error threshold, best at 20 px first.

    :param metrics: content of `metrics.json`.
    """
    return _plot(metrics, 'precision', 'dp20', PRECISION_THRESHOLDS,
                 ('Precision, one-pass evaluation (at 20 px)',
                  'location error threshold, pixels', 'precision'))


def _plot(metrics, curve, rank, thresholds, words):
    figure = Figure(figsize=(6.4, 4.8), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    best_first = sorted(metrics, key=lambda name: -metrics[name]['overall'][rank])
    for index, name in enumerate(best_first):
        overall = metrics[name]['overall']
        axes.plot(thresholds, overall[curve], _STYLES[index // 10 % len(_STYLES)],
                  label=f'{name} [{overall[rank]:.3f}]')
    title, across, up = words
    axes.set(title=title, xlabel=across, ylabel=up, xlim=(0, thresholds[-1]), ylim=(0, 1))
    axes.grid(alpha=0.4)
    axes.legend(loc='lower left' if curve == 'success' else 'lower right')
    return figure
