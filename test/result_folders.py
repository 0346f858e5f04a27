"""Results folders made by hand, for tests of reports."""
import numpy as np

from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.benchmark import score_folder
from tracking_nodes.evaluation.run import Run


def store(folder, tracker, sequence, boxes, seconds=0.01, **record):
    """Write one one-pass result of a `Sequence`, with a score of 0.5 in every frame."""
    count = len(sequence)
    size = sequence.image(0).shape[1::-1]
    run = Run(np.array(boxes, dtype=np.float64), np.full(count, 0.5), np.ones(count, dtype=bool),
              np.full(count, seconds), size)
    results.write_result(folder, tracker, sequence.name, results.Result.of(run, sequence, {
        'label': tracker, 'sequence': sequence.name, 'attributes': list(sequence.attributes),
        'made_by': {'tracker': tracker, 'runtime': {'seed': 0}}, 'made_with': {'python': '3'},
        **record}))


def score(folder, variant='visible'):
    """Write `summary.json` and `metrics.json` of the one-pass results."""
    results.write_summary(folder, score_folder(folder, variant), variant)


def displaced(boxes, first, last, pixels):
    """Return boxes moved to the right in the frames first to last, both included."""
    boxes = boxes.copy()
    boxes[first:last + 1, 0] += pixels
    return boxes
