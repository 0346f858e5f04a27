"""What the one-pass runs of a folder say beyond `metrics.json`: attributes, variants, speed."""
import numpy as np

from tracking_nodes.evaluation import metrics
from tracking_nodes.evaluation.report.speed import speed

VARIANT_KEYS = ('auc', 'dp20', 'os50', 'norm_precision')


def sequence_curves(runs, variant):
    """
    Return the success and the precision curve of every sequence.

    :param runs: {tracker: {sequence: Result}}.
    :param variant: key of `metrics.VARIANTS`.
    :return: {tracker: {sequence: ((21,) success, (51,) precision)}}.
    """
    def both(result):
        overlaps, errors = metrics.frame_scores(result.run.boxes, result.truth, variant)
        return metrics.success_curve(overlaps), metrics.precision_curve(errors)

    return {tracker: {name: both(result) for name, result in results.items()}
            for tracker, results in runs.items()}


def attributes(runs):
    """Return {attribute: sorted names of its sequences} from the records of the runs."""
    members = {}
    for results in runs.values():
        for name, result in results.items():
            for attribute in result.record.get('attributes', ()):
                members.setdefault(attribute, set()).add(name)
    return {attribute: sorted(names) for attribute, names in sorted(members.items())}


def attribute_curves(curves, names):
    """
    Return the mean curves over the sequences of an attribute.

    :param curves: as from `sequence_curves`.
    :param names: names of sequences.
    :return: {tracker: ((21,), (51,))} of the trackers that ran any of them.
    """
    chosen = {tracker: [rows[name] for name in names if name in rows]
              for tracker, rows in curves.items()}
    return {tracker: tuple(np.mean(kind, axis=0) for kind in zip(*rows))
            for tracker, rows in chosen.items() if rows}


def variants(runs):
    """
    Return AUC, precision at 20 px, OS0.5 and normalised precision as each variant reads them.

    :param runs: {tracker: {sequence: Result}}.
    :return: {tracker: {variant: {key of `VARIANT_KEYS`: mean over sequences}}}.
    """
    return {tracker: {variant: metrics.mean_values([_values(result, variant)
                                                    for result in results.values()])
                      for variant in metrics.VARIANTS}
            for tracker, results in runs.items()}


def speeds(runs):
    """Return {tracker: numbers of `speed`} over all frames of all sequences."""
    return {tracker: speed(np.concatenate([result.run.seconds for result in results.values()]))
            for tracker, results in runs.items()}


def _values(result, variant):
    run = result.run
    values = metrics.score(run.boxes, result.truth, run.seconds, run.image_size, variant).values
    return {key: values[key] for key in VARIANT_KEYS}
