"""Plots as figures of matplotlib, for papers; needs no display."""
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
import numpy as np

from tracking_nodes.evaluation import results

# Colour and dashes by the tracker's number; the page uses the same.
PALETTE = tuple(to_hex(colour) for colour in colormaps['tab10'](range(10)))
# In units of a line's width, as SVG has it: full, dashed, dash-dotted, dotted.
DASHES = ('', '6 3', '8 3 2 3', '2 3')


def draw(plot, labels):
    """
    Return a figure of a `Plot`.

    :param plot: a `Plot`.
    :param labels: all trackers of the report in order, which decides their colours.
    """
    figure = Figure(figsize=(6.4, 4.8), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for label in sorted(plot.series, key=lambda label: -plot.numbers.get(label, 0)):
        x, y = (np.array(values, dtype=np.float64) for values in plot.series[label])
        number = plot.numbers.get(label)
        text = label if number is None else f'{label} [{number:.3f}]'
        index = labels.index(label)
        colour = PALETTE[index % len(PALETTE)]
        if plot.marks:
            axes.scatter(x, y, s=60, color=colour, label=text, zorder=3)
            axes.annotate(label, (x[0], y[0]), xytext=(7, 5), textcoords='offset points')
        else:
            axes.plot(x, y, color=colour, label=text, linestyle=_line_style(index),
                      marker='o' if plot.diagonal else None, markersize=4)
    if plot.diagonal:
        axes.axline((0, 0), (1, 1), color='grey', linestyle='dotted', linewidth=1)
    for row, (low, high, words) in enumerate(plot.spans):
        axes.axvspan(low, high, color='grey', alpha=0.12, linewidth=0)
        axes.text(low, 0.01 + 0.04 * row, words, transform=axes.get_xaxis_transform(),
                  fontsize='x-small')
    axes.set(title=plot.title, xlabel=plot.x_label, ylabel=plot.y_label)
    axes.margins(0.15 if plot.marks else 0)
    if plot.log_x:
        axes.set_xscale('log')
    if plot.x_range:
        axes.set_xlim(*plot.x_range)
    if plot.y_range:
        axes.set_ylim(*plot.y_range)
    if plot.flip_x:
        axes.invert_xaxis()
    axes.grid(alpha=0.4)
    if plot.numbers or not plot.marks:
        axes.legend(fontsize='small')
    return figure


def save(plots, folder, labels, suffixes=('svg', 'png')):
    """Write each `Plot` as NAME.svg and NAME.png into a folder, made when missing."""
    for plot in plots:
        figure = draw(plot, labels)
        for suffix in suffixes:
            with results.in_one_step(folder / f'{plot.name}.{suffix}') as partial:
                figure.savefig(partial, format=suffix, dpi=150)


def _line_style(index):
    dashes = DASHES[index // len(PALETTE) % len(DASHES)]
    return (0, tuple(map(float, dashes.split()))) if dashes else 'solid'
