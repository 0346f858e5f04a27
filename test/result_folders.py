"""Results folders made without waiting for a real tracker, for tests of reports."""
import json

import numpy as np

from tracking_nodes.evaluation import protocols, results
from tracking_nodes.evaluation.benchmark import write_scores
from tracking_nodes.evaluation.run import Run
from tracking_nodes.sequences.sequence import camera_stamps, Sequence
from tracking_nodes.trackers.base import Location, Tracker


class Plain(Sequence):
    """A grey video of 160x120 pixels whose target goes to and fro, or stays with sway 0."""

    def __init__(self, name, count, attributes=(), absent=(), polygons=False, sway=1):
        along = sway * np.sin(np.arange(count) / 9)
        boxes = np.stack([70 + 50 * along, 50 + 20 * along, np.full(count, 24.),
                          np.full(count, 18.)], axis=1)
        x, y, w, h = boxes.T
        corners = np.stack([x + w / 4, y, x + w, y + h / 4,
                            x + w * 3 / 4, y + h, x, y + h * 3 / 4], axis=1)
        boxes[list(absent)] = np.nan
        super().__init__(name, boxes, camera_stamps(count), corners if polygons else None,
                         attributes)

    def images(self):
        for _ in range(len(self)):
            yield np.full((120, 160, 3), 128, dtype=np.uint8)


class Drifter(Tracker):
    """Moves by a fixed number of pixels to the right in every frame, and doubts itself more."""

    step = 0.5

    def _start(self, image, box):
        self._box, self._score = np.array(box), 1.0

    def _locate(self, image):
        self._box, self._score = self._box + [self.step, 0, 0, 0], self._score * 0.97
        return Location(self._box.copy(), self._score, self._score > 0.3)

    def _learn(self):
        return False

    def _relocate(self, box):
        self._box = box

    def _reset(self):
        self._box = None


def record(tracker, sequence):
    """Return the record of a result, as a benchmark writes it."""
    return {'label': tracker, 'sequence': sequence.name, 'attributes': list(sequence.attributes),
            'made_by': {'tracker': tracker, 'runtime': {'seed': 0}}, 'made_with': {'python': '3'}}


def store(folder, tracker, sequence, boxes, seconds=0.01):
    """Write one one-pass result of a `Sequence`, with a score of 0.5 in every frame."""
    count = len(sequence)
    size = sequence.image(0).shape[1::-1]
    run = Run(np.array(boxes, dtype=np.float64), np.full(count, 0.5), np.ones(count, dtype=bool),
              np.full(count, seconds), size)
    results.write_result(folder, tracker, sequence.name, results.Result.of(
        run, sequence, record(tracker, sequence)))


def score(folder, variant='visible'):
    """Score the one-pass results of a folder."""
    write_scores(folder, protocols.get('ope'), variant)


def run_protocols(folder, trackers, sequences, names, trials=3):
    """
    Run trackers under protocols, at most so many trials of each, and score them.

    :param trackers: {label: Tracker}.
    :param names: of protocols.
    """
    for protocol in map(protocols.get, names):
        for label, tracker in trackers.items():
            for sequence in sequences:
                if protocol.misfit(sequence):
                    continue
                for trial in protocol.trials(sequence)[:trials]:
                    results.write_result(
                        folder / protocol.folder, label, results.file_name(sequence.name, trial),
                        results.Result.of(protocol.run(tracker, sequence, trial), sequence,
                                          record(label, sequence), trial))
        write_scores(folder, protocol, 'visible')


def displaced(boxes, first, last, pixels):
    """Return boxes moved to the right in the frames first to last, both included."""
    boxes = boxes.copy()
    boxes[first:last + 1, 0] += pixels
    return boxes


def numbers(folder):
    """Return {file: content} of all that a results folder says, but for what a clock says."""
    found = {}
    for path in sorted(folder.rglob('*')):
        name = str(path.relative_to(folder))
        if path.name in ('metrics.json', 'summary.json'):
            found[name] = without_speed(json.loads(path.read_text()))
        elif path.is_file() and not path.name.endswith(('_time.txt', '_run.json', '.lock')):
            found[name] = path.read_text()
    return found


def without_speed(content):
    """Return what `metrics.json` says, but for frames per second."""
    if isinstance(content, dict):
        return {key: without_speed(value) for key, value in content.items()
                if not key.startswith('fps')}
    return content
