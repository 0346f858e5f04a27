"""The node with re-detection: its parameters, and a target that comes back somewhere else."""
from types import SimpleNamespace

from node_harness import Bench, wait
import numpy as np
from small_trackers import clip

from tracking_nodes.geometry import iou
from tracking_nodes.online.global_search import Candidates
from tracking_nodes.trackers import redetection
from tracking_nodes.trackers.redetection import Redetecting


def test_the_node_follows_a_target_that_jumped(monkeypatch):
    images, boxes = clip()
    moved, there = np.roll(images[1], 110, axis=1), boxes[1] + [110, 0, 0, 0]
    search = SimpleNamespace(start=lambda image, box: None, reset=lambda: None,
                             search=lambda image: Candidates(there[None], np.ones(1)))
    monkeypatch.setattr(redetection, 'GlobalSearch', lambda settings, runtime: search)
    values = {'tracker': 'edcf', 'device': 'cpu', 'edcf.redetection': True,
              'edcf.redetection_after': 2, 'init_box': ','.join(map(str, boxes[0]))}

    def ask(image):
        stamp = bench.next_stamp()
        bench.client.send(image, stamp)
        return bench.answer_to(stamp)

    with Bench(**values) as bench:
        assert ask(images[0]).identity == '1'
        tracker = bench.node._worker._target.tracker
        assert type(tracker) is Redetecting
        refused = bench.set_parameters(edcf__redetection=False)
        assert not refused.successful and 'edcf.redetection is read when' in refused.reason
        assert bench.set_parameters(
            edcf__redetection_after=1, edcf__redetection_score=0.55).successful
        answer = ask(moved)
        # The first doubt was enough by the new setting.
        assert iou(answer.box, there) > 0.7 and answer.score >= 0.55
        assert tracker._tracker.settings.redetection_score == 0.55
        wait(lambda: bench.client.states[-1] == 'tracking')
