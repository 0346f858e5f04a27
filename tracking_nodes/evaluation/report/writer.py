"""From a results folder to its plots, tables and page."""
import itertools
import logging
from pathlib import Path

from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.protocols.latency import ONLINE
from tracking_nodes.evaluation.report import content, figures, plots
from tracking_nodes.evaluation.report.coverage import survey
from tracking_nodes.evaluation.report.embedding import BY_REGION, embed_all
from tracking_nodes.evaluation.report.made import what_was_run
from tracking_nodes.evaluation.report.page import render
from tracking_nodes.evaluation.report.readings import readings
from tracking_nodes.evaluation.report.runs import read_run, stored_runs
from tracking_nodes.evaluation.report.scored import on_common_sequences, read_scored
from tracking_nodes.evaluation.report.tables import write_tables
from tracking_nodes.evaluation.report.tracks import frame_overlaps

FRAMES_BUDGET = 20.0
# {protocol: lines on what was left out and cannot be compared}, for tables over several reports.
REMARKS = 'remarks.json'
# One of their many trials says little of the others; the page has them all.
_SEGMENTED = ('tre', 'sre')
_log = logging.getLogger(__name__)


def write_report(folder, sequences=(), frames_budget=FRAMES_BUDGET, subset=None):
    """
    Write plots (SVG, PNG), tables (Markdown, CSV, LaTeX) and `report.html` of a results folder.

    Plots lie beside the results of their protocol, tables in the folder `tables`. What was left
    out, and what cannot be compared, is logged as a warning too.

    :param folder: a results folder with its `metrics.json`.
    :param sequences: the `Sequence`s whose frames the page shall show; others stay blank.
    :param frames_budget: megabytes that all images of the page may take.
    :param subset: a `Subset` that the report is of, whose folder holds `metrics.json` then; None
        for all that the results folder holds.
    :return: path of the page.
    :raises TrackingError: the folder holds no results, or other frames of a sequence given.
    """
    out = subset.out if subset else Path(folder)
    everything = read_scored(folder, out)
    compared = [on_common_sequences(scored) for scored in everything]
    stored = [(scored, stored_runs(scored)) for scored in everything]
    covered, records = zip(*(survey(*each) for each in stored))
    shown = [shared or scored for scored, shared in zip(everything, compared)]
    labels = list(dict.fromkeys(label for scored in shown for label in scored.labels))
    rows = [readings(scored) for scored in shown]
    parts = [content.part(*each, subset) for each in zip(everything, compared, covered, rows)]
    one = next((each for each in zip(shown, rows) if each[0].name == 'ope'), (None, {}))
    extras = content.extras(*one, what_was_run(itertools.chain(*records)))
    for part in parts:
        for remark in part.remarks:
            _log.warning('%s: %s', part.name, remark)
    results.write_json(out / REMARKS, {part.name: part.remarks for part in parts})
    _forget_comparisons(out / 'tables')
    write_tables(out / 'tables', [table for part in (*parts, extras) for table in part.tables()])
    for (scored, found), part in zip(stored, parts):
        figures.save(part.plots, scored.out, labels)
        for both in part.attributes.values():
            figures.save(both, scored.out / 'attributes', labels)
        _save_overlaps(scored, found, labels)
    if extras.speed_plot:
        figures.save([extras.speed_plot], out, labels)
    by_sequence = {}
    for scored, found in stored:
        for name, trials in found.items():
            if trials:
                by_sequence.setdefault(name, []).append((scored, trials))
    page = render(parts, labels, extras, embed_all(by_sequence, sequences, frames_budget),
                  subset.name if subset else '')
    results.write_text(out / 'report.html', page)
    return out / 'report.html'


def _forget_comparisons(folder):
    """Delete the tables that an earlier report has and this one may not have."""
    for kind in ('overall', 'each_on_its_own'):
        for path in folder.glob(f'*_{kind}.*'):
            path.unlink()


def _save_overlaps(scored, found, labels):
    """Write overlap over time on every sequence, of one trial where there are several."""
    if scored.name in _SEGMENTED:
        return
    regions = scored.name in BY_REGION
    for name, trials in found.items():
        if not trials:
            continue
        trial = ONLINE if ONLINE in trials else next(iter(trials))
        overlaps = {label: frame_overlaps(read_run(scored, label, name, trial), regions)
                    for label in scored.labels if label in trials[trial]}
        figures.save([plots.overlap_plot(name, overlaps, f'{scored.name} {trial}'.strip(),
                                         'pixels of regions' if regions else 'IoU')],
                     scored.out / 'overlap', labels, ['svg'])
