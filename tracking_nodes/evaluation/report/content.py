"""What the page shows besides single frames: a part per protocol, and what all share."""
from dataclasses import dataclass

from tracking_nodes.evaluation.metrics import VARIANTS
from tracking_nodes.evaluation.report import comparisons, plots
from tracking_nodes.evaluation.report.coverage import left_out
from tracking_nodes.evaluation.report.readings import attributes, speeds, variants
from tracking_nodes.evaluation.same_sequences import differences, listed


@dataclass(frozen=True)
class Part:
    """
    One protocol.

    rule: its `metrics.Variant` where one decides its numbers, else None. metrics: `Metric`s.
    remarks: lines on what was left out and what cannot be compared. plots: `Plot`s. overall:
    `Table`s, that of the comparison first. attributes: {attribute: its `Plot`s}. by_sequence,
    by_attribute, variants: lists of `Table`s.
    """

    name: str
    summary: str
    variant: str
    rule: object
    metrics: tuple
    remarks: list
    plots: list
    overall: list
    attributes: dict
    by_sequence: list
    by_attribute: list
    variants: list

    def tables(self):
        """Return all tables."""
        return [*self.overall, *self.by_sequence, *self.by_attribute, *self.variants]


@dataclass(frozen=True)
class Extras:
    """
    How fast the one-pass runs were, and what made all runs.

    speed, speed_plot: `Table` and `Plot`, or None where no run was timed. made: {tracker: lines of
    text}.
    """

    speed: object
    speed_plot: object
    made: dict

    def tables(self):
        """Return all tables."""
        return [self.speed] if self.speed else []


def part(scored, compared, covered, rows, subset=None):
    """
    Return the `Part` of a protocol.

    :param scored: its `Scored`, each tracker on all sequences that it has.
    :param compared: the `Scored` over the sequences that all trackers have, the same where these
        are all; None where there is none.
    :param covered: {tracker: `Covered`}.
    :param rows: what `readings` has of the sequences that are compared.
    :param subset: the `Subset` that all this is of, or None.
    """
    remarks = [*_missing(scored, subset), *_different_sequences(scored, compared),
               *left_out(covered)]
    shown = compared or scored
    rule = VARIANTS[scored.variant] if scored.has('auc') else None
    which = '' if compared is scored else 'the sequences that all trackers have'
    overall = [comparisons.overall(compared, covered, remarks, which)] if compared else []
    if compared is not scored:
        overall.append(comparisons.each_on_its_own(scored, covered, remarks))
    return Part(scored.name, scored.summary, scored.variant,
                rule, shown.metrics, remarks, plots.protocol_plots(shown), overall,
                plots.attribute_plots(shown, rows), comparisons.by_sequence(scored),
                comparisons.by_attribute(shown, attributes(rows)) + comparisons.by_tag(shown),
                comparisons.variants(shown, variants(rows)))


def _missing(scored, subset):
    names = sorted(set(subset.sequences) - set(scored.sequences)) if subset else []
    if not names:
        return []
    return [f'no tracker has results of {len(names)} of the {len(subset.sequences)} sequences of '
            f'{subset.name} ({listed(names)}); these are not the scores of the whole set']


def _different_sequences(scored, compared):
    lines = differences(scored.by_tracker)
    if not lines:
        return []
    if compared is None:
        return [*lines, 'no sequence has results of all trackers: each is scored on its own '
                        'sequences, and their numbers and plots cannot be compared']
    return [*lines, f'what compares trackers is over the {len(compared.sequences)} sequences that '
                    'all of them have']


def extras(scored, rows, made):
    """
    Return the `Extras`.

    :param scored: `Scored` of one-pass evaluation, or None when it was not run.
    :param rows: what `readings` has of it.
    :param made: {tracker: lines}.
    """
    if scored is None:
        return Extras(None, None, made)
    numbers = speeds(rows)
    if all(row['fps'] is None for row in numbers.values()):
        return Extras(None, None, made)
    return Extras(comparisons.speed(numbers, scored.labels), plots.speed_plot(scored, numbers),
                  made)
