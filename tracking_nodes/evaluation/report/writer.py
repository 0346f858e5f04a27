"""From a results folder to its plots, tables and page."""
from pathlib import Path

from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.report import content, figures, one_pass, plots
from tracking_nodes.evaluation.report.embedding import embed_all
from tracking_nodes.evaluation.report.made import what_was_run
from tracking_nodes.evaluation.report.page import render
from tracking_nodes.evaluation.report.runs import read_run, stored_runs
from tracking_nodes.evaluation.report.scored import read_scored
from tracking_nodes.evaluation.report.tables import write_tables
from tracking_nodes.evaluation.report.tracks import frame_overlaps

FRAMES_BUDGET = 20.0


def write_report(folder, sequences=(), frames_budget=FRAMES_BUDGET):
    """
    Write plots (SVG, PNG), tables (Markdown, CSV, LaTeX) and `report.html` of a results folder.

    Plots lie beside the results of their protocol, tables in the folder `tables`.

    :param folder: a results folder with its `metrics.json`.
    :param sequences: the `Sequence`s whose frames the page shall show; others stay blank.
    :param frames_budget: megabytes that all images of the page may take.
    :return: path of the page.
    :raises TrackingError: the folder holds no results, or other frames of a sequence given.
    """
    folder = Path(folder)
    everything = read_scored(folder)
    labels = list(dict.fromkeys(label for scored in everything for label in scored.labels))
    stored = [(scored, stored_runs(scored)) for scored in everything]
    one = next((scored for scored in everything if scored.name == 'ope'), None)
    runs = _one_pass_runs(one, stored)
    extras = content.extras(one, runs, what_was_run(_records(stored)))
    parts = [content.part(scored, one_pass.attributes(runs) if scored is one else {})
             for scored in everything]
    write_tables(folder / 'tables', [table for shown in (*parts, extras)
                                     for table in shown.tables()])
    for scored, part in zip(everything, parts):
        figures.save(part.plots, scored.folder, labels)
    _save_one_pass_figures(folder, extras, runs, labels)
    by_sequence = {}
    for scored, found in stored:
        for name, trials in found.items():
            if trials:
                by_sequence.setdefault(name, []).append((scored, trials))
    page = render(parts, labels, extras, embed_all(by_sequence, sequences, frames_budget))
    results.write_text(folder / 'report.html', page)
    return folder / 'report.html'


def _one_pass_runs(one, stored):
    """Return {tracker: {sequence: Result}} of one-pass evaluation, trackers in its order."""
    if one is None:
        return {}
    found = next(found for scored, found in stored if scored is one)
    return {label: {name: read_run(one, label, name) for name, trials in found.items()
                    if label in trials.get('', ())} for label in one.labels}


def _records(stored):
    """Yield (tracker, sequence and protocol, record) of every run of every protocol."""
    for scored, found in stored:
        for name, trials in found.items():
            place = name if scored.name == 'ope' else f'{name} under {scored.name}'
            for trial, trackers in trials.items():
                for tracker in trackers:
                    yield tracker, place, read_run(scored, tracker, name, trial).record


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
