"""
Print the tables of docs/metrics.md: agreement with the official tools, and published scores.

    TRACKING_DATA=/path/to/data python test/measure_agreement.py
"""
import contextlib
import io
import os
from pathlib import Path
import tempfile

import numpy as np
import plain_passes
import plain_reset
import published_scores
import toolkit_got10k
import toolkit_realtime
import toolkit_vot

SEEDS = range(10)


def main():
    """Print all tables in Markdown."""
    print('| metric | compared with | largest difference |\n|---|---|---|')
    for (tool, what), difference in agreement().items():
        print(f'| {what} | {tool} | {difference:.0e} |' if difference else
              f'| {what} | {tool} | 0 |')
    if not os.environ.get('TRACKING_DATA'):
        print('\nTRACKING_DATA is not set: no published scores to recompute')
        return
    reference = Path(os.environ['TRACKING_DATA']) / 'reference'
    print('\n| tracker | set | AUC published | recomputed | DP20 published | recomputed |\n'
          '|---|---|---|---|---|---|')
    for tracker in published_scores.OTHER_GROUND_TRUTH:
        for row in published_scores.otb_scores(reference / 'otb', tracker):
            if row.attribute == 'ALL':
                _print_set(tracker, row)
    print('\n| tracker | attributes | largest difference of AUC | of DP20 |\n|---|---|---|---|')
    for tracker in published_scores.OTHER_GROUND_TRUTH:
        _print_attributes(tracker, list(published_scores.otb_scores(reference / 'otb', tracker)))
    print('\n| tracker | VOT2018 EAO published | recomputed (MATLAB, pysot) | vot-toolkit | A | '
          'lost |\n|---|---|---|---|---|---|')
    for tracker, published in published_scores.VOT2018_EAO.items():
        overall = published_scores.vot2018_scores(reference / 'vot2018', tracker).overall
        print(f'| {tracker} | {published:.3f} | {overall["eao_2018"]:.4f} | '
              f'{overall["eao_2018_toolkit"]:.4f} | {overall["accuracy_pooled"]:.3f} | '
              f'{overall["lost"]:.0f} |')


def agreement():
    """Return {(tool, what): largest difference} over made-up runs."""
    found = {}
    for seed in SEEDS:
        for tool, rows in (('vot-toolkit', _vot_rows(seed)), ('got10k', _got10k_rows(seed)),
                           (_plain(plain_passes), _pass_rows(seed)),
                           (_plain(plain_reset), _reset_rows(seed))):
            for what, ours, theirs in rows:
                ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
                if (np.isnan(ours) != np.isnan(theirs)).any():
                    raise AssertionError(f'{what}: only one of {ours} and {theirs} has a value')
                difference = np.nan_to_num(np.abs(ours - theirs)).max()
                found[tool, what] = max(found.get((tool, what), 0), float(difference))
    return found


def _plain(module):
    return f'loops in `test/{module.__name__}.py`'


def _vot_rows(seed):
    yield from toolkit_vot.compare_overlaps(seed)
    yield from toolkit_vot.compare_supervised(toolkit_vot.supervised_runs(seed))
    yield from toolkit_vot.compare_unsupervised(seed)
    yield from toolkit_realtime.compare(seed)


def _pass_rows(seed):
    yield from plain_passes.compare_one_pass(seed)
    yield from plain_passes.compare_robustness(seed)
    yield from plain_passes.compare_long_term(seed)


def _reset_rows(seed):
    yield from plain_reset.compare_overlaps(seed)
    yield from plain_reset.compare(plain_reset.made_up_results(seed))


def _got10k_rows(seed):
    truths = toolkit_got10k.moving_targets(seed)
    runs = toolkit_got10k.runs_near(truths, seed)
    # The toolkit's reports say on the standard output what they do.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        yield from [*toolkit_got10k.compare_otb(truths, runs, Path(folder)),
                    *toolkit_got10k.compare_uav123(truths, runs, Path(folder)),
                    *toolkit_got10k.compare_got10k(seed, Path(folder) / 'GOT-10k')]


def _print_set(tracker, row):
    published, recomputed = row.published, row.recomputed
    print(f'| {tracker} | {row.group} | {published["auc"]:.4f} | {recomputed["auc"]:.4f} | '
          f'{published["dp20"]:.4f} | {recomputed["dp20"]:.4f} |')


def _print_attributes(tracker, rows):
    for disputed, words in ((False, 'with the same ground truth'),
                            (True, 'with a sequence of other ground truth')):
        members = [row for row in rows if row.disputed == disputed]
        largest = [max(abs(row.published[key] - row.recomputed[key]) for row in members)
                   for key in ('auc', 'dp20')]
        print(f'| {tracker} | {len(members)} {words} | {largest[0]:.0e} | {largest[1]:.0e} |')


if __name__ == '__main__':
    main()
