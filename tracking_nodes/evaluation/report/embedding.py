"""Everything the page holds of one sequence: boxes of all runs, and small images."""
from dataclasses import dataclass

from tracking_nodes.errors import TrackingError
from tracking_nodes.evaluation.report.dips import find_dips
from tracking_nodes.evaluation.report.frames import thumbnails
from tracking_nodes.evaluation.report.runs import read_run
from tracking_nodes.evaluation.report.tracks import boxes, frame_overlaps, track

DIPS_PER_RUN = 3
# Protocols that count pixels of regions, with polygons where there are any.
BY_REGION = ('vot', 'vot_realtime', 'longterm')


@dataclass(frozen=True)
class Embedded:
    """
    One sequence in the page.

    frames: how many it has. tracks: {'size': (width, height) in pixels, 'truth': boxes,
    'polygons': corners or None, 'protocols': {protocol: {trial: {tracker: track}}}}. images:
    {frame: JPEG in base64}.
    """

    frames: int
    tracks: dict
    images: dict


def embed(name, stored, sequence, budget):
    """
    Return what the page holds of one sequence.

    :param name: of the sequence.
    :param stored: list of (`Scored`, {trial: [trackers]}) of the protocols that ran it.
    :param sequence: the `Sequence`, or None when the page shall show no image of it.
    :param budget: bytes that its images may take.
    :raises TrackingError: the sequence has another number of frames than its results.
    """
    protocols, overlaps, result = {}, [], None
    for scored, trials in stored:
        protocols[scored.name] = {trial: {} for trial in trials}
        for trial, trackers in trials.items():
            for tracker in trackers:
                result = read_run(scored, tracker, name, trial)
                overlaps.append(frame_overlaps(result, scored.name in BY_REGION))
                protocols[scored.name][trial][tracker] = {
                    **track(result, overlaps[-1]), 'dips': _dips(overlaps[-1])}
    count = len(result.truth)
    if sequence is not None and len(sequence) != count:
        raise TrackingError(f'{name} has {len(sequence)} frames, its results {count}; give the '
                            'sequence that was run')
    images = {} if sequence is None else thumbnails(sequence, overlaps, budget)
    return Embedded(count, {
        'size': list(result.run.image_size), 'truth': boxes(result.truth), 'protocols': protocols,
        'polygons': None if result.polygons is None else boxes(result.polygons)}, images)


def embed_all(stored, sequences, megabytes):
    """
    Return {name: `Embedded`} of all sequences; the shorter ones pass on what they do not need.

    :param stored: {name: list as `embed` takes it}.
    :param sequences: `Sequence`s, by name where they were run.
    :param megabytes: what all images together may take.
    """
    by_name = {sequence.name: sequence for sequence in sequences if sequence.name in stored}
    left, embedded = megabytes * 1e6, {}
    for done, name in enumerate(sorted(by_name, key=lambda name: len(by_name[name]))):
        embedded[name] = embed(name, stored[name], by_name[name], left / (len(by_name) - done))
        left -= sum(len(text) for text in embedded[name].images.values())
    return {name: embedded.get(name) or embed(name, stored[name], None, 0) for name in stored}


def _dips(overlaps):
    return [(dip.frame, round(dip.overlap, 3), round(dip.lost, 2))
            for dip in find_dips(overlaps)[:DIPS_PER_RUN]]
