"""
Accuracy, robustness and expected average overlap of reset-based runs (VOT2013 to VOT2019).

Two official tools compute them and do not agree; both readings are here:

* `toolkit`: the Python toolkit (vot-toolkit 0.9). A fragment ends before its failure, all weigh
  the same, the interval's upper end is included.
* `matlab`: the MATLAB toolkit, by which the challenges were scored, and pysot-toolkit after it. A
  fragment goes on to the next start, repetitions share a weight of one, and a run that failed
  within its last frames, too late to start again, counts as one that reached the end.

All functions take `Outcome`s; an overlap is NaN where there is no ground truth.
"""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.evaluation.run import FAILED, STARTED, TRACKED

BURN_IN = 10
# First and last number of frames over which a year averages its curve (VOT papers, 2015 to 2019).
EAO_INTERVALS = {'vot2015': (108, 371), 'vot2016': (108, 371), 'vot2017': (100, 356),
                 'vot2018': (100, 356), 'vot2019': (46, 291)}
# Number of frames over which the reliability of an AR plot is told.
SENSITIVITY = 30


@dataclass(frozen=True)
class Outcome:
    """One reset-based run: overlaps (N,) in [0, 1] or NaN, and events (N,) as in `Run`."""

    overlaps: np.ndarray
    events: np.ndarray


def counted_overlaps(outcome, burn_in=BURN_IN):
    """
    Return (N,) overlaps that accuracy counts, NaN elsewhere.

    Left out are frames that were not tracked, and each start with the frames after it, `burn_in`
    in all, in which the tracker still lives on the box it was given.
    """
    counted = np.asarray(outcome.events) == TRACKED
    for start in np.flatnonzero(np.asarray(outcome.events) == STARTED):
        counted[start:start + burn_in] = False
    return np.where(counted, outcome.overlaps, np.nan)


def accuracy(outcomes, burn_in=BURN_IN):
    """
    Return the accuracy of one sequence as the Python toolkit has it.

    :param outcomes: list of `Outcome`, one per repetition.
    :return: mean over the repetitions of their mean overlap; 0 for one without a counted frame.
    """
    means = []
    for outcome in outcomes:
        overlaps = counted_overlaps(outcome, burn_in)
        overlaps = overlaps[~np.isnan(overlaps)]
        means.append(overlaps.mean() if len(overlaps) else 0.0)
    return float(np.mean(means))


def accuracy_by_frame(outcomes, burn_in=BURN_IN):
    """Return (N,), the mean over repetitions in each frame; NaN where none counts."""
    rows = np.array([counted_overlaps(outcome, burn_in) for outcome in outcomes])
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    return np.where(count, np.where(known, rows, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def failures(outcomes):
    """Return (R,), how often each repetition failed."""
    return np.array([np.count_nonzero(np.asarray(one.events) == FAILED) for one in outcomes])


def reliability(mean_failures, length):
    """Return the probability of tracking `SENSITIVITY` frames, the x of an AR plot."""
    return float(np.exp(-SENSITIVITY * mean_failures / length))


def toolkit_curve(sequences):
    """
    Return the expected overlap curve as the Python toolkit computes it.

    :param sequences: list of lists of `Outcome`, one list per sequence.
    :return: (L,); entry n is the expected mean overlap of frames 1 to n after a start at 0.
    """
    fragments, ends = [], []
    for outcome in (one for outcomes in sequences for one in outcomes):
        overlaps, events = _fragment_frames(outcome)
        fails, starts = np.flatnonzero(events == FAILED), np.flatnonzero(events == STARTED)
        for start, fail in zip(starts, fails):
            fragments.append(overlaps[start:fail])
            ends.append(False)
        if len(starts) > len(fails):
            fragments.append(overlaps[starts[-1]:])
            ends.append(True)
    longest = max(map(len, fragments))
    return _expected_overlap(fragments, ends, np.ones(len(fragments)), 0.0, longest)


def matlab_curve(sequences, tags=None, skip=5):
    """
    Return the expected overlap curve as the MATLAB toolkit and pysot-toolkit compute it.

    :param sequences: list of lists of `Outcome`, one list per sequence.
    :param tags: list of (N,) bool, the frames that have a tag; a fragment weighs as much as the
        share of its frames that have it. None: all frames.
    :param skip: frames from a failure to the next start.
    :return: (L,) up to the longest sequence, even where no fragment is as long; entry n is the
        expected mean overlap of n frames after a start; entry 0 is 1; NaN where nothing is known.
    """
    fragments, ends, weights, longest = [], [], [], 0
    for index, outcomes in enumerate(sequences):
        for outcome in outcomes:
            overlaps, events = _fragment_frames(outcome)
            longest = max(longest, len(overlaps))
            tagged = np.ones(len(events)) if tags is None else _annotated(outcome, tags[index])
            starts = np.flatnonzero(events == FAILED) + skip
            points = [0, *starts[starts < len(events)]]
            for first, last in zip(points, [*points[1:], len(events) - 1]):
                fragments.append(overlaps[first:last + 1])
                ends.append(first == points[-1])
                weights.append(tagged[first:last + 1].mean() / len(outcomes))
    return _expected_overlap(fragments, ends, np.array(weights), 1.0, longest)


def toolkit_eao(curve, interval):
    """Return the mean of a `toolkit_curve` over an interval, both ends included; NaN beyond it."""
    low, high = interval
    return float(np.mean(curve[low:high + 1])) if len(curve) > low else np.nan


def matlab_eao(curve, interval):
    """Return the mean of a `matlab_curve` over an interval; MATLAB counts frames from 1."""
    low, high = interval
    values = curve[low - 1:high]
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else np.nan


def _fragment_frames(outcome):
    """Return overlaps, 0 where not tracked, and events, of all frames with ground truth."""
    events = np.asarray(outcome.events)
    overlaps = np.where(events == TRACKED, outcome.overlaps, 0.0)
    known = ~np.isnan(overlaps)
    return overlaps[known], events[known]


def _annotated(outcome, values):
    tracked = np.asarray(outcome.events) == TRACKED
    return np.asarray(values, dtype=np.float64)[~(tracked & np.isnan(outcome.overlaps))]


def _expected_overlap(fragments, ends, weights, first, length):
    """
    Return the weighted mean over fragments of their mean overlap so far.

    A fragment that failed goes on with zeros for ever; one that met the end of its sequence says
    nothing beyond it. The frame of the start is left out.
    """
    total, weight = np.zeros(length), np.zeros(length)
    for fragment, ended, share in zip(fragments, ends, weights):
        padded = np.zeros(length)
        padded[:len(fragment)] = fragment
        reach = len(fragment) if ended else length
        means = padded[1:].cumsum() / np.arange(1, length)
        total[1:reach] += share * means[:reach - 1]
        weight[1:reach] += share
    with np.errstate(invalid='ignore'):
        curve = total / weight
    curve[0] = first
    return curve
