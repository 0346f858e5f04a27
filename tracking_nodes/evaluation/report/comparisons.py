"""The tables of a report, from what was scored."""
from tracking_nodes.evaluation.metrics import mean_values, METRICS, VARIANTS
from tracking_nodes.evaluation.report import readings
from tracking_nodes.evaluation.report.speed import SPEED
from tracking_nodes.evaluation.report.tables import Column, Table

# What tables by sequence show, where a protocol has it.
BY_SEQUENCE = ('auc', 'ao', 'f_score', 'accuracy', 'failures', 'nt2f', 'failure_auc',
               'calibration_error')
# These numbers are large: pixels, milliseconds, rates.
_ONE_DIGIT = {'cle', 'fps', 'fps_got10k', 'lost', 'age_mean', 'age_p50', 'age_p95', 'age_max',
              'losses', 'losses_missed', 'lost_delay'}


def overall(scored, covered, notes=(), which=''):
    """
    Return trackers x metrics of a protocol, best tracker first.

    :param scored: `Scored`.
    :param covered: {tracker: `Covered`}; how many trials were run of those wanted is shown where
        the protocol wants several of a sequence.
    :param notes: lines of text that belong to the table.
    :param which: of all sequences these are, for the title.
    """
    title = f'{scored.name}: {scored.summary}{f"; {which}" if which else ""}'
    return _of_trackers(scored, f'{_file(scored)}_overall', title, covered, notes, True)


def each_on_its_own(scored, covered, notes=()):
    """Return the same of trackers with different sequences, of which none is marked as best."""
    return _of_trackers(scored, f'{_file(scored)}_each_on_its_own',
                        f'{scored.name}: each tracker on all sequences that it has', covered,
                        notes, False)


def by_sequence(scored):
    """Return sequences x trackers, a table for each of `BY_SEQUENCE` that the protocol has."""
    rows = {label: scored.trackers[label]['sequences'] for label in scored.labels}
    return _by(scored, rows, BY_SEQUENCE, 'sequence', scored.sequences)


def by_tag(scored):
    """Return tags of frames x trackers, a table for each metric that tags have; none without."""
    rows = {label: scored.trackers[label].get('tags', {}) for label in scored.labels}
    return _by(scored, rows, [metric.key for metric in scored.metrics], 'tag',
               sorted({tag for row in rows.values() for tag in row}))


def by_attribute(scored, members):
    """
    Return attributes x trackers, a table for each of `readings.ATTRIBUTE_KEYS`.

    A number is the mean over the sequences with the attribute.

    :param scored: `Scored` of a protocol that is judged by success and precision.
    :param members: {attribute: names of sequences}.
    """
    return [_attribute_table(scored, members, _metric(key))
            for key in readings.ATTRIBUTE_KEYS if members and scored.has(key)]


def speed(numbers, labels):
    """Return trackers x speed, from {tracker: numbers of `speed.speed`}."""
    return Table('speed', 'speed of one-pass runs', 'tracker',
                 tuple(Column(metric.name, 1, metric.higher_is_better) for metric in SPEED),
                 [(label, [numbers[label][metric.key] for metric in SPEED]) for label in labels])


def variants(scored, numbers):
    """
    Return trackers x variants side by side, a table per metric that a variant changes.

    :param numbers: as from `readings.variants`; {} for a protocol without.
    """
    place = '' if scored.name == 'ope' else f'{_file(scored)}_'
    return [Table(
        f'{place}variants_{metric.key}', f'{scored.name}: {metric.name} by variant', 'tracker',
        tuple(Column(variant, 3, True) for variant in VARIANTS),
        [(label, [numbers[label][variant][metric.key] for variant in VARIANTS])
         for label in scored.labels])
        for metric in map(_metric, readings.VARIANT_KEYS) if numbers and scored.has(metric.key)]


def _attribute_table(scored, members, metric):
    rows = []
    for attribute, names in members.items():
        parts = [[scored.trackers[label]['sequences'][name][metric.key] for name in names
                  if name in scored.trackers[label]['sequences']] for label in scored.labels]
        rows.append((f'{attribute} ({len(names)})', [
            mean_values([{metric.key: value} for value in part])[metric.key] if part else None
            for part in parts]))
    suffix = '' if metric.key == 'auc' else f'_{metric.key}'
    return Table(f'{_file(scored)}_attributes{suffix}',
                 f'{scored.name}: {metric.name} by attribute (number of sequences)', 'attribute',
                 _competitors(scored.labels, metric), rows, across=True)


def _of_trackers(scored, file, title, covered, notes, compete):
    # One trial of each sequence is what the number of sequences says already.
    several = any(wanted > 1 for one in covered.values() for _, wanted in one.trials.values())
    columns = [Column('sequences', 0), *[Column('trials', 0), Column('of', 0)] * several]
    columns += [metric_column(metric, compete) for metric in scored.metrics]
    rows = []
    for label in scored.labels:
        entry = scored.trackers[label]
        extent = [len(entry['sequences']),
                  *(covered[label].count(entry['sequences']) if several else ())]
        rows.append((label, extent + [entry['overall'].get(metric.key)
                                      for metric in scored.metrics]))
    return Table(file, title, 'tracker', tuple(columns), rows, notes=tuple(notes))


def _by(scored, rows, keys, what, names):
    chosen = [metric for metric in scored.metrics if metric.key in keys and any(
        row.get(metric.key) is not None for part in rows.values() for row in part.values())]
    return [Table(f'{_file(scored)}_{metric.key}_by_{what}',
                  f'{scored.name}: {metric.name} by {what}', what,
                  _competitors(scored.labels, metric),
                  [(name, [rows[label].get(name, {}).get(metric.key) for label in scored.labels])
                   for name in names], across=True) for metric in chosen]


def _metric(key):
    return next(metric for metric in METRICS if metric.key == key)


def _competitors(labels, metric):
    digits = metric_column(metric).digits
    return tuple(Column(label, digits, metric.higher_is_better) for label in labels)


def metric_column(metric, compete=True, group=''):
    """
    Return the `Column` of a metric.

    :param compete: whether the best value is marked.
    :param group: as of `Column`.
    """
    return Column(metric.name, 1 if metric.key in _ONE_DIGIT else 3,
                  metric.higher_is_better if compete else None, group)


def _file(scored):
    return scored.name.replace(':', '_')
