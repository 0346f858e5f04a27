"""Every registered tracker with settings that make it quick, and frames to run it on."""
import functools
import gc

import numpy as np
import torch

from tracking_nodes.online.global_search import Candidates
from tracking_nodes.parameters import specs
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime

# A tracker takes those of them that it has.
_QUICK = {
    'weights': 'random', 'search_size': 128, 'feature_channels': 16, 'candidates': 64,
    'first_positives': 60, 'first_negatives': 200, 'positives': 20, 'negatives': 60,
    'regression_samples': 60, 'hidden': 32, 'first_iterations': 8, 'update_iterations': 4,
    'update_every': 3, 'pairs': 8, 'batch_frames': 4, 'batch_positives': 8,
    'batch_negatives': 24, 'hard_negatives': 8, 'spatial_weights': 'none',
    'temporal_weights': 'random', 'temporal_size': 64, 'spatial_cells': 12,
    'spatial_first_channels': 8, 'spatial_second_channels': 8, 'spatial_samples': 6,
    'spatial_first_iterations': 8, 'spatial_batch': 2, 'detector_weights': 'random:resnet18',
    'detector_longest': 160, 'motion_weights': 'random',
    'filter_channels': 12, 'redetection': False,
    # The score is the tracker's own, whatever was fitted to its weights.
    'calibration_slope': 1.0, 'calibration_offset': 0.0,
}
# All but the test double; a tracker added later joins by itself.
REAL = tuple(name for name in registry.names() if name != 'static')
# The robust preset. A network of random weights is sure of nothing, and is to learn all the same.
ROBUST = {'preset': 'robust', 'robust_sure': 0.0, 'robust_size': 1.0, 'robust_filter': True}


def quick(name):
    """Return the settings that make a tracker quick."""
    known = {spec.name for spec in specs(registry.tracker_class(name).settings_class)}
    return {key: value for key, value in _QUICK.items() if key in known}


def moving(name):
    """Return quick settings with which a tracker of random weights answers with moving boxes."""
    return {**quick(name), **({'present_threshold': 0.0} if name == 'gstp' else {})}


def make(name, seed=0, learning='inline', **changes):
    """Return a quick tracker on the CPU, with some settings changed."""
    return registry.create(name, {**quick(name), **changes},
                           Runtime(device='cpu', seed=seed, learning=learning))


@functools.cache
def clip(frames=12):
    """Return the images of a synthetic sequence and the target's boxes in them."""
    sequence = SyntheticSequence(frames)
    images = list(sequence.images())
    for image in images:
        image.setflags(write=False)
    return images, sequence.boxes


def run(tracker, images, box):
    """
    Start on the first image, locate in and learn from the others.

    :return: boxes (N - 1, 4), scores (N - 1,), whether each learn() changed the model.
    """
    tracker.start(images[0], box)
    found, changed = [], []
    for image in images[1:]:
        found.append(tracker.locate(image))
        changed.append(tracker.learn())
    return (np.array([location.box for location in found]),
            np.array([location.score for location in found]), changed)


class Search:
    """A detector with known answers, all as alike, that counts what it is asked."""

    def __init__(self, *boxes, likeness=0.9):
        self.boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
        self.scores = np.full(len(self.boxes), likeness)
        self.starts, self.searches, self.resets = [], 0, 0

    def start(self, image, box):
        self.starts.append(tuple(box))

    def search(self, image):
        self.searches += 1
        return Candidates(self.boxes, self.scores)

    def reset(self):
        self.resets += 1


def held_bytes():
    """Return the bytes of all tensors alive, each storage once."""
    gc.collect()
    storages = {}
    for each in gc.get_objects():
        if type(each) in (torch.Tensor, torch.nn.Parameter):
            storage = each.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def held_while_running(tracker, images, after):
    """Return `held_bytes` of a started tracker after those numbers of images."""
    held = []
    for number, image in enumerate(images, start=1):
        tracker.locate(image)
        tracker.learn()
        if number in after:
            held.append(held_bytes())
    return held
