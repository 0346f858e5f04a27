"""
What becomes of a target that left the image and came back, among others that look like it.

A frame is right when the tracker says that the target is present and its box overlaps the true
one by more than half. The frame a tracker starts in, and all before it, are not counted.
"""
from dataclasses import dataclass

import numpy as np

from tracking_nodes.evaluation.metrics import has_truth
from tracking_nodes.evaluation.results import read_result, stored
from tracking_nodes.geometry import iou

WITHIN = 10     # frames after the one in which the target comes back
_OVERLAP = 0.5
# Key of a measure, and its column.
MEASURES = {
    'found': f'found within {WITHIN}', 'delay': 'median frames until found',
    'absent': 'absence reported', 'present': 'presence right', 'distracted': 'on a distractor'}


@dataclass(frozen=True)
class Tally:
    """
    What is counted in one run.

    delays: (R,), frames from each re-entry to the first right one, 0 where it is itself right,
    infinite where none is until the target leaves again or the clip ends. absent, present: (N,)
    bool per frame without and with the target, whether absence was reported, and whether the
    frame is right. distracted: (N,) bool per frame of both kinds, whether the box of a target
    that was said to be present is on a distractor.
    """

    delays: np.ndarray
    absent: np.ndarray
    present: np.ndarray
    distracted: np.ndarray

    def values(self):
        """
        Return {key of `MEASURES`: value}, NaN where there is nothing to measure.

        found: share of the re-entries with a delay of at most `WITHIN`. delay: median, the lower
        of two in the middle, infinite where less than half are found. The others are shares of
        their frames.
        """
        shares = {'found': self.delays <= WITHIN, 'absent': self.absent,
                  'present': self.present, 'distracted': self.distracted}
        values = {key: float(flags.mean()) if len(flags) else np.nan
                  for key, flags in shares.items()}
        ordered = np.sort(self.delays)
        values['delay'] = float(ordered[(len(ordered) - 1) // 2]) if len(ordered) else np.nan
        return {key: values[key] for key in MEASURES}


def reentries(truth):
    """
    Return the frames in which a target comes back.

    :param truth: (N, 4), NaN rows while it is away.
    :return: (R,) int, the first frame with truth after each absence; not those with less than
        `WITHIN` frames after them.
    """
    there = has_truth(truth)
    back = np.flatnonzero(there[1:] & ~there[:-1]) + 1
    return back[(back > np.argmax(there)) & (back + WITHIN < len(truth))]


def tally(run, truth, distractors):
    """
    Count what happened in a run.

    :param run: `Run` of one pass from the first frame with truth.
    :param truth: (N, 4), NaN rows while the target is away.
    :param distractors: (D, N, 4), NaN rows while they are.
    :return: `Tally`.
    """
    there, said = has_truth(truth), np.asarray(run.present, bool)
    on_target = iou(run.boxes, truth) > _OVERLAP
    on_other = (iou(run.boxes, distractors) > _OVERLAP).any(axis=0)
    right, counted = said & on_target, np.arange(len(truth)) > np.argmax(there)
    return Tally(np.array([_delay(right[frame:], there[frame:]) for frame in reentries(truth)]),
                 ~said[counted & ~there], right[counted & there],
                 (said & on_other & ~on_target)[counted])


def merged(tallies):
    """Return the `Tally` of several runs together."""
    return Tally(*(np.concatenate([getattr(one, name) for one in tallies])
                   for name in Tally.__dataclass_fields__))


def reentry_scores(tallies):
    """
    Score one tracker.

    :param tallies: {clip: `Tally`}.
    :return: dict: `reentries`, their number; `overall`, the values of all clips together;
        `spread`, standard deviation of the clips' own values, of those that are finite; `clips`,
        {clip: values}.
    """
    whole, clips = merged(tallies.values()), {
        name: one.values() for name, one in tallies.items()}
    spread = {}
    for key in MEASURES:
        values = np.array([row[key] for row in clips.values()])
        values = values[np.isfinite(values)]
        spread[key] = float(values.std()) if len(values) else np.nan
    return {'reentries': len(whole.delays), 'overall': whole.values(), 'spread': spread,
            'clips': clips}


def stored_scores(folder, clips):
    """
    Score all that a results folder holds of some clips.

    :param folder: of one-pass evaluation.
    :param clips: list of `ReentryClip`.
    :return: {label: what `reentry_scores` returns}.
    """
    return {label: reentry_scores({
        clip.name: tally(read_result(folder, label, clip.name).run, clip.boxes, clip.distractors)
        for clip in clips if clip.name in names}) for label, names in stored(folder).items()
        if any(clip.name in names for clip in clips)}


def reentry_table(scores):
    """
    Return the table in Markdown: value of all clips together ± deviation between the clips.

    :param scores: {label: what `reentry_scores` returned}.
    """
    lines = [' | '.join(['| tracker', 'clips', 're-entries', *MEASURES.values()]) + ' |',
             '|---|' + '---|' * (2 + len(MEASURES))]
    for label, row in scores.items():
        cells = [_cell(key, row['overall'][key], row['spread'][key]) for key in MEASURES]
        lines.append(' | '.join([f'| {label}', str(len(row['clips'])), str(row['reentries']),
                                 *cells]) + ' |')
    return '\n'.join(lines)


def _delay(right, there):
    """Return the frames from a re-entry, the first one given, to the first right one."""
    gone = np.flatnonzero(~there)
    right = np.flatnonzero(right[:gone[0]] if len(gone) else right)
    return right[0] if len(right) else np.inf


def _cell(key, value, spread):
    if np.isnan(value):
        return '-'
    if np.isinf(value):
        return 'never'
    form = '.0f' if key == 'delay' else '.3f'
    return f'{value:{form}} ± {spread:{form}}'
