"""What the one-pass runs of a folder say beyond `metrics.json`: attributes, variants, speed."""
import numpy as np

from tracking_nodes.evaluation import metrics
from tracking_nodes.evaluation.report.speed import speed

VARIANT_KEYS = ('auc', 'dp20', 'os50')


def success_curves(runs, variant):
    """
    Return the success curve of every sequence.

    :param runs: {tracker: {sequence: Result}}.
    :param variant: key of `metrics.VARIANTS`.
    :return: {tracker: {sequence: (21,) array}}.
    """
    return {tracker: {name: metrics.success_curve(
        metrics.frame_scores(result.run.boxes, result.truth, variant)[0])
        for name, result in results.items()} for tracker, results in runs.items()}


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
    Return the mean success curve over the sequences of an attribute.

    :param curves: as from `success_curves`.
    :param names: names of sequences.
    :return: {tracker: (21,)} of the trackers that ran any of them.
    """
    chosen = {tracker: [rows[name] for name in names if name in rows]
              for tracker, rows in curves.items()}
    return {tracker: np.mean(rows, axis=0) for tracker, rows in chosen.items() if rows}


def variants(runs):
    """
    Return AUC, precision at 20 px and OS0.5 as each variant reads them.

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
    overlaps, errors = metrics.frame_scores(result.run.boxes, result.truth, variant)
    success = metrics.success_curve(overlaps)
    return {'auc': success.mean(), 'dp20': metrics.precision_curve(errors)[20],
            'os50': success[10]}
