"""Response maps of several trackers on the same search image, as in figure 1 of EDCF's paper."""
from itertools import islice

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
import numpy as np

from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.metrics import has_truth

CELL_INCHES = 2.2


def maps_on_frame(tracker, sequence, frame):
    """
    Return what a tracker sees and answers in one frame when it was led there by the ground truth.

    :param tracker: one with `search_view(image)`, such as EDCF.
    :param sequence: a `Sequence`.
    :param frame: index of the frame, from 1.
    :return: search patch (S, S, 3) uint8 BGR, and response (H, W) over the whole of it.
    :raises SequenceError: no such frame, or no ground truth up to it.
    """
    if not 0 < frame < len(sequence) or not has_truth(sequence.boxes[:frame]).all():
        raise SequenceError(f'{sequence.name}: frame {frame} is not one of 1 to '
                            f'{len(sequence) - 1} with ground truth in all frames before it')
    for index, image in enumerate(islice(sequence.images(), frame + 1)):
        if index == 0:
            tracker.start(image, sequence.boxes[0])
        elif index < frame:
            tracker.locate(image)
            tracker.relocate(sequence.boxes[index])
            tracker.learn()
    return tracker.search_view(image)


def response_figure(rows):
    """
    Return a figure: one row per search image, the image itself first.

    :param rows: {title: (patch, {label: response})}.
    """
    columns = 1 + max(len(responses) for _, responses in rows.values())
    figure = Figure(figsize=(CELL_INCHES * columns, CELL_INCHES * 1.12 * len(rows)),
                    layout='constrained')
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for line, (title, (patch, responses)) in zip(grid, rows.items()):
        line[0].imshow(patch[..., ::-1])
        line[0].set_title(title, fontsize=9)
        for axes, (label, response) in zip(line[1:], responses.items()):
            axes.imshow(response, cmap='jet', vmin=min(0.0, float(np.min(response))))
            axes.set_title(label, fontsize=9)
        for axes in line:
            axes.set_axis_off()
    return figure
