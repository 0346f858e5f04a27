"""What a results folder holds of what a protocol wants: sequences, trials, frames."""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.evaluation.report.made import of_a_run
from tracking_nodes.evaluation.report.runs import read_run
from tracking_nodes.sequences.sequence import camera_stamps, Sequence

# Options of the command that leave trials out; without them the same command goes on.
_OF_TRIALS = ('trials', 'repetitions')


@dataclass(frozen=True)
class Covered:
    """
    What is there of one tracker under one protocol.

    trials: {sequence: (done, wanted)}; trials that a deterministic tracker can do without are not
    wanted. limits: {option: sorted numbers} that commands left trials or frames out by.
    """

    trials: dict
    limits: dict

    def count(self, names=None):
        """Return how many trials of some sequences, or of all, are done and how many wanted."""
        rows = [self.trials[name] for name in self.trials if names is None or name in names]
        return sum(done for done, _ in rows), sum(wanted for _, wanted in rows)


class Remembered(Sequence):
    """A sequence as its result remembers it; its images are black."""

    def __init__(self, name, result):
        """Take over what a `Result` has of its sequence."""
        count = len(result.truth)
        stamps = camera_stamps(count) if result.stamps is None else result.stamps
        super().__init__(name, result.truth, stamps, result.polygons, tags=result.tags,
                         values=result.values)
        width, height = result.run.image_size
        self._shape = (height, width, 3)

    def images(self):
        for _ in range(len(self)):
            yield np.zeros(self._shape, dtype=np.uint8)


def survey(scored, found):
    """
    Look through all runs of a protocol once.

    :param scored: a `Scored`.
    :param found: {sequence: {trial: [trackers]}}, as from `stored_runs`.
    :return: {tracker: `Covered`} in the order of the labels, and a list of (tracker, sequence and
        protocol in words, what the record says of how the run was made).
    """
    covered, records = {label: Covered({}, {}) for label in scored.labels}, []
    for name, trials in found.items():
        place = name if scored.name == 'ope' else f'{name} under {scored.name}'
        for label in scored.labels:
            results = {trial: read_run(scored, label, name, trial)
                       for trial, trackers in trials.items() if label in trackers}
            if not results:
                continue
            covered[label].trials[name] = len(results), _wanted(scored.protocol, name, results)
            for result in results.values():
                records.append((label, place, of_a_run(result.record)))
                for option, number in result.record.get('limits', {}).items():
                    covered[label].limits.setdefault(option, set()).add(number)
    return {label: Covered(one.trials, {option: sorted(numbers) for option, numbers
                                        in sorted(one.limits.items())})
            for label, one in covered.items()}, records


def left_out(covered):
    """
    Return in words what is missing of the whole protocol, trackers with the same words together.

    :param covered: {tracker: `Covered`} of one protocol.
    :return: list of lines; [] where everything is there.
    """
    lines = {}
    for label, one in covered.items():
        for words in _missing(one):
            lines.setdefault(words, []).append(label)
    return [f'{", ".join(labels)}: {words}' for words, labels in lines.items()]


def _missing(one):
    done, wanted = one.count()
    if done < wanted:
        limits = _options(one.limits, _OF_TRIALS)
        yield (f'{done} of the {wanted} trials that the protocol wants'
               f'{f" ({limits})" if limits else ""}; these are not yet its scores')
    frames = _options(one.limits, [key for key in one.limits if key not in _OF_TRIALS])
    if frames:
        yield f'not all frames of the sequences ({frames})'


def _options(limits, chosen):
    return ', '.join(f'--{option} {" and ".join(map(str, limits[option]))}'
                     for option in chosen if option in limits)


def _wanted(protocol, name, results):
    """Return how many trials a protocol wants of a sequence, from {trial: `Result`} of it."""
    if protocol.enough({trial: result.run for trial, result in results.items()}):
        return len(results)
    sequence = Remembered(name, next(iter(results.values())))
    return len(results) if protocol.misfit(sequence) else len(protocol.trials(sequence))
