"""From a results folder to its plots, tables and page."""
import itertools
import logging
from pathlib import Path

from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.report import content, figures, one_pass, plots
from tracking_nodes.evaluation.report.coverage import survey
from tracking_nodes.evaluation.report.embedding import embed_all
from tracking_nodes.evaluation.report.made import what_was_run
from tracking_nodes.evaluation.report.page import render
from tracking_nodes.evaluation.report.runs import read_run, stored_runs
from tracking_nodes.evaluation.report.scored import on_common_sequences, read_scored
from tracking_nodes.evaluation.report.tables import write_tables
from tracking_nodes.evaluation.report.tracks import frame_overlaps

FRAMES_BUDGET = 20.0
# {protocol: lines on what was left out and cannot be compared}, for tables over several reports.
REMARKS = 'remarks.json'
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
    labels = list(dict.fromkeys(label for scored, shared in zip(everything, compared)
                                for label in (shared or scored).labels))
    stored = [(scored, stored_runs(scored)) for scored in everything]
    covered, records = zip(*(survey(*each) for each in stored))
    one, runs = _one_pass_runs(compared, stored)
    extras = content.extras(one, runs, what_was_run(itertools.chain(*records)))
    parts = [content.part(scored, shared, known, one_pass.attributes(runs)
                          if scored.name == 'ope' else {}, subset)
             for scored, shared, known in zip(everything, compared, covered)]
    for part in parts:
        for remark in part.remarks:
            _log.warning('%s: %s', part.name, remark)
    results.write_json(out / REMARKS, {part.name: part.remarks for part in parts})
    _forget_comparisons(out / 'tables')
    write_tables(out / 'tables', [table for shown in (*parts, extras) for table in shown.tables()])
    for scored, part in zip(everything, parts):
        figures.save(part.plots, scored.out, labels)
    _save_one_pass_figures(out, extras, runs, labels)
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


def _one_pass_runs(compared, stored):
    """
    Return the `Scored` of one-pass evaluation, and its runs over the sequences it compares.

    :param compared: list of `Scored` or None, as from `on_common_sequences`.
    :param stored: list of (`Scored`, its runs as from `stored_runs`) of the same protocols.
    :return: None, {} where it was not run; else runs as {tracker: {sequence: Result}}.
    """
    for shared, (scored, found) in zip(compared, stored):
        if scored.name == 'ope':
            chosen = shared or scored
            return chosen, {label: {name: read_run(chosen, label, name)
                                    for name in chosen.by_tracker[label]}
                            for label in chosen.labels}
    return None, {}


def _save_one_pass_figures(folder, extras, runs, labels):
    if extras.speed_plot:
        figures.save([extras.speed_plot], folder, labels)
    for both in extras.attributes.values():
        figures.save(both, folder / 'attributes', labels)
    names = sorted({name for rows in runs.values() for name in rows})
    if names:
        figures.save([plots.overlap_plot(name, {label: frame_overlaps(rows[name])
                                                for label, rows in runs.items() if name in rows})
                      for name in names], folder / 'overlap', labels, ['svg'])
