"""OpenCV's trackers behind the contract of the package's own."""
import numpy as np
import pytest

from tracking_nodes.errors import WeightsError
from tracking_nodes.evaluation.metrics import score
from tracking_nodes.evaluation.ope import run_ope
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.base import Runtime

WHITE = np.full((240, 320, 3), 255, dtype=np.uint8)


def mean_overlap(run, clip):
    """Return the mean overlap of a run."""
    return score(run.boxes, clip.boxes, run.seconds, run.image_size).values['mean_overlap']


@pytest.mark.parametrize('name', ['csrt', 'kcf', 'mil'])
def test_classic_peers_follow_a_target_better_than_a_box_that_stays(name):
    clip = SyntheticSequence(25)
    run = run_ope(PEERS[name](), clip)
    assert not run.scored and run.present.all()
    assert mean_overlap(run, clip) > overlap_of_first_box(clip) + 0.1


@pytest.mark.parametrize('name', ['nano', 'vit'])
def test_networks_follow_a_target(tracking_data, name):
    clip = SyntheticSequence(25)
    tracker = PEERS[name](runtime=Runtime(models=str(tracking_data / 'weights')))
    run = run_ope(tracker, clip)
    assert mean_overlap(run, clip) > overlap_of_first_box(clip) + 0.1
    # A score of its own, not one of found or not found.
    assert run.scored and len(np.unique(run.scores)) > 10
    assert ((run.scores >= 0) & (run.scores <= 1)).all()


def test_a_network_that_loses_its_target_says_so_with_score_0(tracking_data, monkeypatch):
    clip = SyntheticSequence(2)
    tracker = PEERS['vit'](runtime=Runtime(models=str(tracking_data / 'weights')))
    tracker.start(clip.image(0), clip.boxes[0])
    monkeypatch.setattr(tracker, '_peer', Gone(tracker._peer))
    gone = tracker.locate(clip.image(1))
    assert (gone.score, gone.present) == (0, False)
    np.testing.assert_allclose(gone.box, clip.boxes[0])


class Gone:
    """A tracker of OpenCV that has just lost its target."""

    def __init__(self, peer):
        self._peer = peer

    def update(self, image):
        return False, self._peer.update(image)[1]

    def getTrackingScore(self):  # noqa: N802, as OpenCV has it
        return self._peer.getTrackingScore()


def overlap_of_first_box(clip):
    """Return the mean overlap of the first box with all others."""
    boxes = np.repeat(clip.boxes[:1], len(clip), axis=0)
    return score(boxes, clip.boxes, np.ones(len(clip)), (320, 240)).values['mean_overlap']


def test_a_lost_target_keeps_its_last_box_and_a_tracker_without_score_gives_none():
    clip, tracker = SyntheticSequence(5), PEERS['kcf']()
    tracker.start(clip.image(0), clip.boxes[0])
    seen = tracker.locate(clip.image(1))
    gone = tracker.locate(WHITE)
    assert seen.present and not gone.present
    assert np.isnan([seen.score, gone.score]).all()
    np.testing.assert_array_equal(gone.box, seen.box)


@pytest.mark.parametrize('box', [(-10, -8, 40, 30), (300, 220, 60, 50), (100.4, 80.6, 20.7, 30.2)])
@pytest.mark.parametrize('name', ['csrt', 'kcf'])
def test_boxes_across_the_border_and_fractions_can_be_started_on(name, box):
    clip, tracker = SyntheticSequence(2), PEERS[name]()
    tracker.start(clip.image(0), box)
    assert np.isfinite(tracker.locate(clip.image(1)).box).all()


def test_missing_models_are_named(tmp_path):
    runtime = Runtime(models=str(tmp_path))
    assert 'vittrack_2023sep.onnx not in' in PEERS['vit'].missing(runtime)
    assert PEERS['csrt'].missing(runtime) == ''
    with pytest.raises(WeightsError, match='nanotrackv2_backbone.onnx, nanotrackv2_head.onnx not'):
        PEERS['nano'](runtime=runtime)
