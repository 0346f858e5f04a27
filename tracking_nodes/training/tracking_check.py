"""Validation of a network in training by what counts: tracking a few sequences with it."""
from itertools import islice
from pathlib import Path
import tempfile

import numpy as np
import safetensors.torch

from tracking_nodes.evaluation.metrics import has_truth, score
from tracking_nodes.trackers.base import Runtime
from tracking_nodes.trackers.edcf import Edcf, EdcfSettings


class TrackingCheck:
    """A few sequences, cut short, that EDCF tracks with the encoder as it is."""

    def __init__(self, sequences, padding, losses, most, frames=80):
        """
        Choose the shortest sequences that are annotated throughout.

        :param sequences: list of `Sequence`.
        :param padding: as in training.
        :param losses: trained terms: which branches of the tracker take part.
        :param most: how many sequences.
        :param frames: of each that are tracked.
        """
        usable = [sequence for sequence in sequences
                  if len(sequence) > 10 and has_truth(sequence.boxes[:frames]).all()]
        self.sequences = sorted(usable, key=len)[:most]
        self.frames = frames
        self.values = {'padding': padding, 'semantic': 'high' in losses, 'fine': 'low' in losses}

    def score(self, encoder):
        """
        Return success AUC and precision at 20 px, means over the sequences.

        :param encoder: an `Encoder` with its batch norms.
        """
        if not self.sequences:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, 'encoder.safetensors')
            safetensors.torch.save_file(encoder.folded(), file)
            tracker = Edcf(EdcfSettings(weights=str(file), **self.values), Runtime('cpu'))
        rows = [self._track(tracker, sequence) for sequence in self.sequences]
        return {name: float(np.mean([row[name] for row in rows])) for name in ('auc', 'dp20')}

    def _track(self, tracker, sequence):
        boxes = []
        for index, image in enumerate(islice(sequence.images(), self.frames)):
            if index == 0:
                tracker.start(image, sequence.boxes[0])
                boxes.append(sequence.boxes[0])
            else:
                boxes.append(tracker.locate(image).box)
                tracker.learn()
        return score(boxes, sequence.boxes[:len(boxes)], np.zeros(len(boxes)),
                     (image.shape[1], image.shape[0])).values
