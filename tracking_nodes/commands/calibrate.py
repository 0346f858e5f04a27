"""`tracking_benchmark calibrate`: what a score has to become to be a probability."""
import sys

from tracking_nodes.commands import options as shared


def add(commands):
    """Add the subcommand."""
    command = shared.add_command(
        commands, 'calibrate', calibrate, "fit the map that makes a tracker's score a probability",
        'Fits sigmoid(slope * logit(score) + offset) to the one-pass runs of a results folder: '
        'the probability that the box overlaps the target by half or more. Prints the map of all '
        'sequences, failure AUC, and the expected calibration error before and after, measured '
        'on each sequence with a map fitted to the others. Needs no images; run the trackers on '
        'clips that no other number is taken from.')
    command.add_argument('results', metavar='DIR', help='results folder of run or compare')
    command.add_argument('--tracker', action='append', metavar='LABEL',
                         help='only this tracker; repeatable (default: all with a score)')


def calibrate(options):
    """Print the table; trackers without a score are named."""
    from tracking_nodes.errors import SequenceError, SettingError
    from tracking_nodes.evaluation import score_calibration
    from tracking_nodes.evaluation.confidence import Confidence
    from tracking_nodes.evaluation.report.tables import Column, markdown, Table
    from tracking_nodes.evaluation.results import StoredResults

    stored, rows = StoredResults(options.results), []
    for label in options.tracker or stored:
        if label not in stored:
            raise SettingError(f'{options.results} has no one-pass results of {label!r}; it has '
                               f'{", ".join(stored) or "none"}')
        try:
            found = score_calibration.calibrate(
                [Confidence.of(trials['']) for trials in stored[label].values()])
        except SequenceError as error:
            sys.stderr.write(f'{label} not calibrated: {error}\n')
            continue
        values = {key: None if value != value else value for key, value in found.values.items()}
        rows.append((label, [*(values[metric.key] for metric in score_calibration.METRICS),
                             found.frames, found.sequences]))
    if not rows:
        raise SettingError(f'{options.results} has no tracker to calibrate; run trackers with a '
                           'score on two sequences or more')
    columns = [Column(metric.name, 3, metric.higher_is_better)
               for metric in score_calibration.METRICS]
    print(markdown(Table('calibration', 'p = sigmoid(slope * logit(score) + offset)', 'tracker',
                         (*columns, Column('frames', 0), Column('sequences', 0)), rows)), end='')
