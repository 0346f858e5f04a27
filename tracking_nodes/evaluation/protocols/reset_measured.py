"""Stored reset-based runs of one tracker on one sequence, their overlaps counted, to be scored."""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.evaluation.measures import reset
from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.sequences.sequence import PRACTICAL


@dataclass(frozen=True)
class Measured:
    """
    One tracker on one sequence, ready to be scored.

    toolkit, matlab, older: lists of `Outcome`, one per run, by the rules 'toolkit', 'pysot' and
    'older' of counting pixels. tags: {name: (N,) bool}. seconds: of all frames of all runs.
    practical: (N,) differences of overlap that annotators do not see, NaN where that is not known.
    """

    toolkit: list
    matlab: list
    older: list
    tags: dict
    seconds: np.ndarray
    practical: np.ndarray

    def __len__(self):
        return len(self.toolkit[0].events)


def measure(results):
    """Return what is `Measured` of the `Result`s of one sequence."""
    results = list(results)
    outcomes = ([reset.Outcome(region_overlaps(one.run.answers, one.regions, one.run.image_size,
                                               rule), one.run.events) for one in results]
                for rule in ('toolkit', 'pysot', 'older'))
    tags = dict(results[0].tags)
    if tags and 'empty' not in tags:
        tags['empty'] = ~np.any(list(tags.values()), axis=0)
    practical = results[0].values.get(PRACTICAL, np.full(len(results[0].truth), np.nan))
    return Measured(*outcomes, tags, np.concatenate([one.run.seconds for one in results]),
                    practical)


def frames_of(outcomes, frames):
    """
    Return overlaps (M,) averaged over runs and failures (R,) in some frames of a sequence.

    As in the MATLAB toolkit the frames are cut out first, so the burn-in of a start goes on over
    a gap.

    :param outcomes: list of R `Outcome`s.
    :param frames: (N,) bool.
    """
    parts = [reset.Outcome(run.overlaps[frames], run.events[frames]) for run in outcomes]
    return reset.accuracy_by_frame(parts), reset.failures(parts)


def known_mean(values):
    """Return the mean of what is not NaN; 0 where all is, as the toolkits have it."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else 0.0
