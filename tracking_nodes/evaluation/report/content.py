"""What the page shows besides single frames: a part per protocol, and what all share."""
from dataclasses import dataclass

from tracking_nodes.evaluation.metrics import VARIANTS
from tracking_nodes.evaluation.report import comparisons, one_pass, plots


@dataclass(frozen=True)
class Part:
    """
    One protocol.

    rule: its `metrics.Variant` where one decides its numbers, else None. metrics: `Metric`s.
    plots: `Plot`s. overall: `Table`. by_sequence, by_attribute: lists of `Table`s.
    """

    name: str
    summary: str
    variant: str
    rule: object
    metrics: tuple
    plots: list
    overall: object
    by_sequence: list
    by_attribute: list

    def tables(self):
        """Return all tables."""
        return [self.overall, *self.by_sequence, *self.by_attribute]


@dataclass(frozen=True)
class Extras:
    """
    What the one-pass runs say beyond their scores, and what made all runs.

    attributes: {attribute: its `Plot`s}. variants: `Table`s. speed, speed_plot: `Table` and
    `Plot`, or None where no run was timed. made: {tracker: lines of text}.
    """

    attributes: dict
    speed: object
    variants: list
    speed_plot: object
    made: dict

    def tables(self):
        """Return all tables."""
        return [*([self.speed] if self.speed else []), *self.variants]


def part(scored, members):
    """
    Return the `Part` of a `Scored`.

    :param members: {attribute: names of sequences}; empty but for one-pass evaluation.
    """
    rule = VARIANTS[scored.variant] if scored.has('auc') else None
    return Part(scored.name, scored.summary, scored.variant,
                rule, scored.metrics, plots.protocol_plots(scored), comparisons.overall(scored),
                comparisons.by_sequence(scored),
                [comparisons.by_attribute(scored, members)] if members
                else comparisons.by_tag(scored))


def extras(scored, runs, made):
    """
    Return the `Extras`.

    :param scored: `Scored` of one-pass evaluation, or None when it was not run.
    :param runs: {tracker: {sequence: Result}} of it.
    :param made: {tracker: lines}.
    """
    if scored is None:
        return Extras({}, None, [], None, made)
    speeds = one_pass.speeds(runs)
    attributes = plots.attribute_plots(one_pass.sequence_curves(runs, scored.variant),
                                       one_pass.attributes(runs), scored.labels)
    timed = any(numbers['fps'] is not None for numbers in speeds.values())
    return Extras(attributes, comparisons.speed(speeds, scored.labels) if timed else None,
                  comparisons.variants(one_pass.variants(runs), scored.labels),
                  plots.speed_plot(scored, speeds) if timed else None, made)
