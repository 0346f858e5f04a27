"""
Latency-aware measures: what a user of the tracker's outputs knew at the time of each frame.

Each ground-truth time is paired with the newest output that existed by then (Li, Wang, Ramanan:
Towards Streaming Perception, ECCV 2020; Li et al.: Predictive Visual Tracking, 2021). All times
are int64 nanoseconds of one clock, that of the frames' stamps.
"""
import numpy as np

from tracking_nodes.evaluation.metrics import Metric

AGE_METRICS = (
    Metric('answered', 'frames answered', 'share of the frames from the start on that the tracker '
           'was given; it skips those that a newer one overtook', 0, 1, True),
    Metric('age_mean', 'mean age', 'mean over frames of the time in ms since the stamp of the '
           'image that the paired output is about: waiting, computing and being held',
           0, np.inf, False),
    Metric('age_p50', 'median age', 'median of that age in ms', 0, np.inf, False),
    Metric('age_p95', '95 % age', '95th percentile of that age in ms', 0, np.inf, False),
    Metric('age_max', 'largest age', 'largest of that age in ms', 0, np.inf, False),
)


def newest_outputs(times, stamps, available):
    """
    Return for each time the newest output that existed by then.

    The newest is the one about the latest time that is not in the future, and among several about
    the same time the last to become available. It does not matter who made the outputs: a
    predictor behind the tracker may add some about later times than its images'.

    :param times: (N,) int64 ns.
    :param stamps: (M,) int64 ns, the time that each output is about.
    :param available: (M,) int64 ns, when each output existed.
    :return: (N,) indices into the outputs; -1 where none existed yet.
    """
    times, stamps, available = (np.asarray(part, dtype=np.int64)
                                for part in (times, stamps, available))
    if not len(stamps):
        return np.full(len(times), -1)
    by_age = np.lexsort((available, stamps))
    rank = np.empty(len(stamps), dtype=np.int64)
    rank[by_age] = np.arange(len(stamps))
    usable = np.maximum(stamps, available)
    order = np.argsort(usable, kind='stable')
    newest_so_far = np.maximum.accumulate(rank[order])
    count = np.searchsorted(usable[order], times, side='right')
    return np.where(count > 0, by_age[newest_so_far[count - 1]], -1)


def age_measures(ages, answered):
    """
    Return the values of `AGE_METRICS`.

    :param ages: (N,) seconds, each frame's stamp less that of the image its paired output is
        about.
    :param answered: (N,) bool, the frames that the tracker was given.
    :return: {key: value}.
    """
    milliseconds = 1e3 * np.asarray(ages, dtype=np.float64)
    p50, p95 = np.percentile(milliseconds, [50, 95])
    values = {'answered': np.mean(answered), 'age_mean': milliseconds.mean(), 'age_p50': p50,
              'age_p95': p95, 'age_max': milliseconds.max()}
    return {key: float(value) for key, value in values.items()}


def age_curve(ages):
    """
    Return the share of frames whose answer is at most so old, as the mean over sequences.

    :param ages: list of (N,) seconds.
    :return: ages in ms from 0 to the largest, and the share at each; two lists of equal length.
    """
    limits = np.linspace(0, 1e3 * max(part.max() for part in ages), 101)
    shares = np.mean([(1e3 * part[:, None] <= limits).mean(axis=0) for part in ages], axis=0)
    return limits.tolist(), shares.tolist()
