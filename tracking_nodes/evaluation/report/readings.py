"""What runs judged by success and precision say beyond `metrics.json`, sequence by sequence."""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.evaluation import metrics, results
from tracking_nodes.evaluation.protocols.latency import ONLINE
from tracking_nodes.evaluation.report.speed import speed

# What a variant changes, and what tables by attribute have.
VARIANT_KEYS = ('auc', 'dp20', 'os50', 'norm_precision')
ATTRIBUTE_KEYS = ('auc', 'dp20', 'os50')
# All trials of a sequence count together, or the one of this name.
_SEVERAL, _SINGLE = ('tre', 'sre'), {'ope': '', 'latency': ONLINE}


@dataclass(frozen=True)
class Reading:
    """
    One tracker on one sequence.

    attributes: of the sequence. seconds: (N,) per frame of all trials. scores: {variant: `Score`}.
    """

    attributes: tuple
    seconds: np.ndarray
    scores: dict


def readings(scored):
    """
    Read all runs of a protocol by all variants.

    :param scored: a `Scored`.
    :return: {tracker: {sequence: `Reading`}}; {} for a protocol that has other measures.
    """
    kind = scored.name.partition(':')[0]
    if kind not in (*_SEVERAL, *_SINGLE):
        return {}
    stored = results.StoredResults(scored.folder, scored.sequences)
    found = {}
    for label, names in scored.by_tracker.items():
        trials = stored[label]
        found[label] = {name: _reading(scored.protocol, trials[name], _SINGLE.get(kind))
                        for name in names}
    return found


def attributes(rows):
    """
    Return {attribute: sorted names of the sequences that have it}.

    :param rows: as from `readings`.
    """
    members = {}
    for sequences in rows.values():
        for name, reading in sequences.items():
            for attribute in reading.attributes:
                members.setdefault(attribute, set()).add(name)
    return {attribute: sorted(names) for attribute, names in sorted(members.items())}


def attribute_curves(rows, names, variant):
    """
    Return the mean success and precision curve over the sequences of an attribute.

    :param rows: as from `readings`.
    :param names: names of sequences.
    :param variant: key of `metrics.VARIANTS`.
    :return: {tracker: ((21,), (51,))} of the trackers that ran any of them.
    """
    chosen = {tracker: [sequences[name].scores[variant] for name in names if name in sequences]
              for tracker, sequences in rows.items()}
    return {tracker: tuple(np.mean([getattr(score, curve) for score in scores], axis=0)
                           for curve in ('success', 'precision'))
            for tracker, scores in chosen.items() if scores}


def variants(rows):
    """
    Return the metrics of `VARIANT_KEYS` that the protocol has as each variant reads them.

    :param rows: as from `readings`.
    :return: {tracker: {variant: {key: mean over sequences}}}.
    """
    return {tracker: {variant: metrics.mean_values([
        {key: value for key, value in reading.scores[variant].values.items()
         if key in VARIANT_KEYS} for reading in sequences.values()])
        for variant in metrics.VARIANTS} for tracker, sequences in rows.items()}


def speeds(rows):
    """Return {tracker: numbers of `speed`} over all frames of all sequences."""
    return {tracker: speed(np.concatenate([reading.seconds for reading in sequences.values()]))
            for tracker, sequences in rows.items()}


def _reading(protocol, trials, single):
    some = next(iter(trials.values()))
    if single is None:
        scores = {variant: protocol.score_sequence(trials, variant)
                  for variant in metrics.VARIANTS}
    else:
        run, truth = trials[single].run, trials[single].truth
        scores = {variant: metrics.score(run.boxes, truth, run.seconds, run.image_size, variant)
                  for variant in metrics.VARIANTS}
    return Reading(tuple(some.record.get('attributes', ())),
                   np.concatenate([result.run.seconds for result in trials.values()]), scores)
