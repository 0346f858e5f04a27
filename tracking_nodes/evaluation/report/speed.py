"""How fast trackers were: frames per second and percentiles of the latency."""
import numpy as np

from tracking_nodes.evaluation.metrics import frames_per_second, Metric

SPEED = (
    Metric('fps', 'fps, all frames', 'frames divided by the sum of their seconds, over all '
           'sequences, start included, reading of images not', 0, np.inf, True),
    Metric('p50', 'median ms', 'half of all frames were answered within this time', 0, np.inf,
           False),
    Metric('p90', '90 % ms', '90 % of all frames were answered within this time', 0, np.inf,
           False),
    Metric('p99', '99 % ms', '99 % of all frames were answered within this time', 0, np.inf,
           False),
    Metric('slowest', 'slowest ms', 'the slowest frame', 0, np.inf, False),
)


def speed(seconds):
    """
    Return the numbers of `SPEED` by key.

    :param seconds: (N,) seconds per frame; 0 where the tracker did not run.
    :return: {key: value}; every value None when no frame was timed.
    """
    seconds = np.asarray(seconds, dtype=np.float64)
    seconds = seconds[seconds > 0]
    if not len(seconds):
        return {metric.key: None for metric in SPEED}
    p50, p90, p99, slowest = (np.percentile(seconds, [50, 90, 99, 100]) * 1e3).tolist()
    return {'fps': float(frames_per_second(seconds)), 'p50': p50, 'p90': p90, 'p99': p99,
            'slowest': slowest}
