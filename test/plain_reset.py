"""VOT's reset-based scores and ranks by plain loops over frames, beside the package's numbers."""
from itertools import combinations
from math import erfc, exp, sqrt
from statistics import mean, median

import numpy as np
from plain_overlap import older_overlap

from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.evaluation.protocols.base import Trial
from tracking_nodes.evaluation.protocols.reset_measured import measure
from tracking_nodes.evaluation.protocols.reset_ranks import Ranking, with_ranks
from tracking_nodes.evaluation.protocols.reset_scores import score_tracker
from tracking_nodes.evaluation.results import Result
from tracking_nodes.evaluation.run import FAILED, Run, SKIPPED, STARTED, TRACKED

SIZE = (320, 240)
TAGS = ('motion', 'occlusion')
YEARS = {'2016': (108, 371), '2018': (100, 356), '2019': (46, 291)}
ADAPTATIONS = {'mean': mean, 'median': median, 'best': min}


def made_up_results(seed, lengths=(70, 200, 120), trackers=3):
    """Return {tracker: {sequence: {trial: `Result`}}} of runs that fail now and then."""
    generator, found = np.random.default_rng(seed), {}
    truths = [_wandering(generator, count) for count in lengths]
    # The longest sequence lacks the second tag.
    tags = [{tag: (np.arange(count) // 30 % 3 == number) & (count < max(lengths) or not number)
             for number, tag in enumerate(TAGS)} for count in lengths]
    practical = [np.where(np.arange(count) % 9, 0.08, np.nan) for count in lengths]
    for tracker in range(trackers):
        rows = found[f'tracker{tracker}'] = {}
        for number, (truth, tag, limit) in enumerate(zip(truths, tags, practical)):
            trials = [Trial(f'{trial:03d}', 0, len(truth) - 1, None, trial)
                      for trial in range(3 + tracker % 2)]
            rows[f'sequence{number}'] = {
                trial.name: Result(_run(generator, truth, 1 + tracker // 2), truth, {}, trial,
                                   tags=tag, values={'practical': limit}) for trial in trials}
    return found


def _wandering(generator, count):
    middle = [160, 120] + generator.normal(0, 3, (count, 2)).cumsum(axis=0)
    return np.concatenate([middle - [30, 20], np.tile([60.0, 40], (count, 1))], axis=1)


def _run(generator, truth, noise):
    boxes, events = truth.copy(), np.full(len(truth), SKIPPED, np.int8)
    start, drift = 0, np.zeros(2)
    for index in range(len(truth)):
        if index == start:
            events[index], drift = STARTED, np.zeros(2)
        elif index > start:
            drift = drift + generator.normal(0, 2 * noise, 2)
            boxes[index, :2] += drift
            lost = region_overlaps(boxes[index], truth[index:index + 1], SIZE)[0] <= 0
            events[index], start = (FAILED, index + 5) if lost else (TRACKED, start)
    return Run(boxes, np.ones(len(truth)), np.ones(len(truth), dtype=bool),
               np.full(len(truth), 0.01), SIZE, events)


def compare_overlaps(seed, count=60):
    """Yield (what, ours, theirs) of boxes with boxes and with polygons, corners at halves too."""
    generator = np.random.default_rng(seed)
    boxes = np.concatenate([generator.integers(-20, 60, (count, 2)) / 2,
                            generator.integers(6, 60, (count, 2)) / 2], axis=1)
    others = boxes + generator.integers(-10, 11, boxes.shape) / 2 * [1, 1, 0, 0]
    middles = np.round(boxes[:, :2] + boxes[:, 2:] / 2)
    turns = generator.uniform(0, 7, (count, 1)) + np.arange(5) * np.pi * 2 / 5
    reach = generator.uniform(4, 20, (count, 5))
    polygons = np.round(2 * np.stack([middles[:, :1] + reach * np.cos(turns), middles[:, 1:]
                                      + reach * np.sin(turns)], axis=-1).reshape(count, 10)) / 2
    for what, regions in (('older overlap of two boxes', others),
                          ('older overlap of a box with a polygon', polygons)):
        theirs = [older_overlap(_corners(box), region if len(region) > 4 else _corners(region))
                  for box, region in zip(boxes, regions)]
        yield what, region_overlaps(boxes, regions, SIZE, 'older'), theirs


def _corners(box):
    x, y, w, h = box
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def compare(stored):
    """
    Yield (what, ours, theirs) for what no toolkit that can be installed computes.

    :param stored: as from `made_up_results`.
    """
    measured = {tracker: {name: measure(trials.values()) for name, trials in sequences.items()}
                for tracker, sequences in stored.items()}
    ours = {tracker: score_tracker(sequences, 5) for tracker, sequences in measured.items()}
    plain = {tracker: [_Frames(trials) for trials in sequences.values()]
             for tracker, sequences in stored.items()}
    for tracker, rows in plain.items():
        frames, lost = sum(map(len, rows)), [mean(one.failed()) for one in rows]
        weighted = sum(len(one) * count for one, count in zip(rows, lost)) / frames
        expected = {'lost': sum(lost), 'failure_rate': 100 * sum(lost) / frames,
                    'reliability': exp(-30 * weighted / (frames / len(rows))),
                    **_by_rule(rows, [range(len(one)) for one in rows])}
        for key, value in expected.items():
            yield key, ours[tracker].overall[key], value
        for tag in (*TAGS, 'empty'):
            chosen = [one.tags[tag] for one in rows]
            lost = sum(mean(one.failed(part)) for one, part in zip(rows, chosen))
            for key, value in {'lost': lost, 'failure_rate': 100 * lost / sum(map(len, chosen)),
                               **_by_rule(rows, chosen)}.items():
                yield f'{key} of each tag', ours[tracker].tags[tag][key], value
    for adaptation in (*ADAPTATIONS, 'none'):
        for older in (False, True):
            how = Ranking(adaptation, 'older' if older else 'matlab')
            yield from _compare_ranks(with_ranks(ours, measured, how), plain, how)


class _Frames:
    """The runs on one sequence: overlaps by rule, events, tags, practical difference."""

    def __init__(self, trials):
        results = list(trials.values())
        self.events = [one.run.events.tolist() for one in results]
        self.overlaps = {rule: [region_overlaps(one.run.boxes, one.truth, SIZE, rule).tolist()
                                for one in results] for rule in ('pysot', 'older')}
        tags = {tag: values.tolist() for tag, values in results[0].tags.items()}
        tags['empty'] = [not any(values) for values in zip(*tags.values())]
        self.tags = {tag: [index for index, has in enumerate(values) if has]
                     for tag, values in tags.items()}
        self.practical = results[0].values['practical'].tolist()

    def __len__(self):
        return len(self.events[0])

    def failed(self, chosen=None):
        chosen = range(len(self)) if chosen is None else chosen
        return [sum(events[index] == FAILED for index in chosen) for events in self.events]

    def accuracy(self, rule, chosen):
        """Return the mean over runs in each frame chosen, or None; burn-in goes over gaps."""
        sums = [[] for _ in chosen]
        for overlaps, events in zip(self.overlaps[rule], self.events):
            since = 10
            for place, index in enumerate(chosen):
                since = 0 if events[index] == STARTED else since + 1
                if events[index] == TRACKED and since >= 10:
                    sums[place].append(overlaps[index])
        return [mean(row) if row else None for row in sums]


def _by_rule(rows, chosen):
    """Return pooled accuracy and EAO by both rules over some frames of each sequence."""
    found, likely = {}, interval([len(one) for one in rows])
    for rule, suffix in (('pysot', ''), ('older', '_older')):
        found[f'accuracy_pooled{suffix}'] = _mean(
            value for one, part in zip(rows, chosen) for value in one.accuracy(rule, part))
        years = YEARS if rule == 'pysot' else {'2015': YEARS['2016']}
        curve = _curve(rows, rule, chosen)
        for name, (low, high) in {**years, f'lengths{suffix}': likely}.items():
            found[f'eao_{name}'] = _mean(curve[low - 1:high])
    return found


def _mean(values):
    known = [value for value in values if value is not None]
    return mean(known) if known else float('nan')


def _curve(rows, rule, chosen):
    """Return the MATLAB toolkit's expected overlap curve, by a matrix of padded fragments."""
    longest, fragments = max(map(len, rows)), []
    for one, part in zip(rows, chosen):
        part = set(part)
        for overlaps, events in zip(one.overlaps[rule], one.events):
            values = [overlap if event == TRACKED else 0.0
                      for overlap, event in zip(overlaps, events)]
            fails = [index + 5 for index, event in enumerate(events) if event == FAILED]
            points = [0] + [start for start in fails if start < len(values)]
            for place, start in enumerate(points):
                last = place == len(points) - 1
                end = len(values) - 1 if last else points[place + 1]
                padding = [None if last else 0.0] * (longest - (end + 1 - start))
                tagged = sum(index in part for index in range(start, end + 1))
                fragments.append((values[start:end + 1] + padding,
                                  tagged / (end + 1 - start) / len(one.events)))
    curve = [1.0]
    for length in range(2, longest + 1):
        usable = [(row, weight) for row, weight in fragments if row[length - 1] is not None]
        total = sum(weight for _, weight in usable)
        # Of a tag that no fragment this long has there is no value.
        curve.append(sum(weight * sum(row[1:length]) for row, weight in usable)
                     / (length - 1) / total if total else None)
    return curve


def interval(lengths):
    """
    Return VOT's interval of sequence lengths.

    The curvature of the density is integrated on a grid instead of summed over pairs: Gaussians
    of two pilot kernels' convolution have the product of the pilots' curvatures for an integral.
    """
    middle, count = mean(lengths), len(lengths)
    spread = sqrt(sum((length - middle) ** 2 for length in lengths) / count)
    places = [(length - middle) / spread for length in lengths]
    # Half of the variance of the pilot kernel, because two of them are multiplied.
    variance = (4 / (3 * count)) ** (2 / 5) / 2
    step, curvature = 0.002, 0.0
    grid = np.arange(min(places) - 8, max(places) + 8, step)
    second = np.zeros(len(grid))
    for place in places:
        apart = (grid - place) ** 2 / variance
        second += (apart - 1) / variance * np.exp(-apart / 2) / sqrt(2 * np.pi * variance) / count
    curvature = float(np.sum(second ** 2) * step)
    width = spread * (1 / (count * sqrt(4 * np.pi) * curvature)) ** (1 / 5)
    density = [sum(exp(-((frame - length) / width) ** 2 / 2) for length in lengths)
               for frame in range(1, max(lengths) + 1)]
    total, low = sum(density), density.index(max(density))
    high = low
    while sum(density[low:high + 1]) < total / 2:
        if low == 0 or (high + 2 < len(density) and density[high + 1] >= density[low - 1]):
            high += 1
        else:
            low -= 1
    return low + 1, high + 1


def _compare_ranks(ours, plain, how):
    some, rule = next(iter(plain.values())), 'older' if how.rule == 'older' else 'pysot'
    by_tag = {tag: _rank(plain, [one.tags[tag] for one in some], rule, how.adaptation)
              for tag in (*TAGS, 'empty')}
    pooled = _rank(plain, [range(len(one)) for one in some], rule, how.adaptation)
    for place, tracker in enumerate(plain):
        for key, ranks in pooled.items():
            yield (f'{key}, every adaptation', ours[tracker].overall[key],
                   mean(of_tag[key][place] for of_tag in by_tag.values()))
            yield (f'{key}_pooled, every adaptation', ours[tracker].overall[f'{key}_pooled'],
                   ranks[place])
            for tag, of_tag in by_tag.items():
                yield (f'{key} of each tag, every adaptation', ours[tracker].tags[tag][key],
                       of_tag[key][place])


def _rank(rows, chosen, rule, adaptation):
    """Return {key: [rank of each tracker]} over some frames of each sequence."""
    overlaps = [[value for one, part in zip(ones, chosen) for value in one.accuracy(rule, part)]
                for ones in rows.values()]
    practical = [one.practical[index] for one, part in zip(next(iter(rows.values())), chosen)
                 for index in part]
    failed = []
    for ones in rows.values():
        runs = [one.failed(part) for one, part in zip(ones, chosen) if part]
        failed.append([value for row in runs for value in row + [mean(row)] * (15 - len(row))])
    accuracy = [mean(value for value in row if value is not None) for row in overlaps]
    pairs = {'accuracy_rank': set(), 'accuracy_rank_practical': set(), 'failure_rank': set()}
    for one, other in combinations(range(len(rows)), 2):
        both = [(a - b, limit) for a, b, limit in zip(overlaps[one], overlaps[other], practical)
                if a is not None and b is not None]
        differs = len(both) < 25 or signed_rank_p([apart for apart, _ in both]) <= 0.05
        seen = [apart / limit for apart, limit in both if limit == limit]
        if not differs:
            pairs['accuracy_rank'].add((one, other))
        if not differs or abs(mean(seen)) < 1:
            pairs['accuracy_rank_practical'].add((one, other))
        if rank_sum_p(failed[one], failed[other]) > 0.05:
            pairs['failure_rank'].add((one, other))
    means = [mean(row) for row in failed]
    return {key: adapted(sorted(range(len(rows)), key=lambda tracker: (
        means[tracker] if key == 'failure_rank' else -accuracy[tracker])), equal, adaptation)
        for key, equal in pairs.items()}


def adapted(order, equal, adaptation):
    """
    Return the adapted rank of each tracker.

    :param order: trackers by number, the best first.
    :param equal: set of pairs (lower number, higher number) that do not differ.
    :param adaptation: 'mean', 'median', 'best' or 'none'.
    """
    place = {tracker: rank for rank, tracker in enumerate(order, 1)}
    if adaptation == 'none':
        return [place[tracker] for tracker in range(len(order))]
    return [ADAPTATIONS[adaptation]([place[other] for other in range(len(order))
                                     if other == tracker
                                     or (min(tracker, other), max(tracker, other)) in equal])
            for tracker in range(len(order))]


def midranks(values):
    """Return the rank of each value, equal ones sharing the mean of theirs."""
    ordered = sorted(values)
    first = {}
    for place, value in enumerate(ordered, 1):
        first.setdefault(value, place)
    return [first[value] + (ordered.count(value) - 1) / 2 for value in values]


def _ties(values):
    return sum(values.count(value) ** 3 - values.count(value) for value in set(values))


def signed_rank_p(difference):
    """Return the p value of the signed-rank test by its normal approximation."""
    difference = [value for value in difference if value != 0]
    sizes, count = [abs(value) for value in difference], len(difference)
    if not count:
        return 1.0
    plus = sum(rank for rank, value in zip(midranks(sizes), difference) if value > 0)
    spread = sqrt(count * (count + 1) * (2 * count + 1) / 24 - _ties(sizes) / 48)
    return erfc(abs(plus - count * (count + 1) / 4) / spread / sqrt(2))


def rank_sum_p(one, other):
    """Return the p value of the rank-sum test by its normal approximation, continuous."""
    n, m = len(one), len(other)
    if len({*one, *other}) == 1:
        return 1.0
    away = abs(sum(midranks([*one, *other])[:n]) - n * (n + m + 1) / 2)
    spread = sqrt(n * m / 12 * (n + m + 1 - _ties([*one, *other]) / (n + m) / (n + m - 1)))
    return min(1, erfc((away - 0.5) / spread / sqrt(2)))
