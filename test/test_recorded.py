"""Recorded answers against the frames they belong to."""
import json

import numpy as np
import pytest
from rosbags.rosbag2 import Writer

from tracking_nodes.cli import main
from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.latency_profile import Duration, Profile, Row
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.evaluation.protocols.latency import Latency
from tracking_nodes.evaluation.recorded import Answers, match_answers, pair_answers
from tracking_nodes.evaluation.results import read_result
from tracking_nodes.evaluation.run import SKIPPED, STARTED, TRACKED
from tracking_nodes.sequences.bag_file import open_bag
from tracking_nodes.sequences.bags import BAG_VERSION, BagSequence, write_bag
from tracking_nodes.sequences.fingerprint import dataset_hash, sequence_fingerprint
from tracking_nodes.sequences.messages import DETECTIONS, make_detections, typestore
from tracking_nodes.sequences.sequence import Sequence
from tracking_nodes.sequences.synthetic import SyntheticSequence

STAMPS = np.array([10, 20, 30, 40, 50], dtype=np.int64)


class GreyClip(Sequence):
    """Five grey frames of 64x48 pixels."""

    def images(self):
        for _ in self.stamps:
            yield np.full((48, 64, 3), 90, np.uint8)


def clip(boxes=None):
    """Return a clip whose ground truth moves by a pixel a frame."""
    if boxes is None:
        boxes = [[index, 2, 10, 12] for index in range(5)]
    return GreyClip('clip', boxes, STAMPS)


def answers(stamps, boxes, scores=None, received=None):
    """Return `Answers` of lists."""
    count = len(stamps)
    return Answers(np.array(stamps), np.array(boxes, dtype=float),
                   np.full(count, 0.9) if scores is None else np.array(scores),
                   np.arange(count) * 0.5 if received is None else np.array(received))


def test_every_answer_lands_on_its_own_frame_in_any_order():
    order = [3, 0, 4, 1, 2]
    boxes = np.arange(20.0).reshape(5, 4) + 1
    scores = np.linspace(0.1, 0.9, 5)
    run, missing = match_answers(
        answers(STAMPS[order], boxes[order], scores[order]), clip())
    np.testing.assert_array_equal(run.boxes, boxes)
    np.testing.assert_array_equal(run.scores, scores)
    assert missing == 0 and run.present.all() and run.image_size == (64, 48)


def test_dropped_frames_repeat_the_box_and_are_counted():
    run, missing = match_answers(
        answers([10, 30], [[0, 2, 10, 12], [5, 5, 9, 9]], received=[7.0, 7.25]), clip())
    assert missing == 3
    np.testing.assert_array_equal(run.boxes[1], [0, 2, 10, 12])
    np.testing.assert_array_equal(run.boxes[2:], [[5, 5, 9, 9]] * 3)
    assert run.present.tolist() == [True, False, True, False, False]
    np.testing.assert_allclose(run.seconds, [0, 0, 0.25, 0, 0])


def test_a_lost_target_repeats_the_box_but_is_an_answer():
    lost = [np.nan] * 4
    run, missing = match_answers(
        answers(STAMPS, [[1, 1, 5, 5], lost, lost, [2, 2, 5, 5], [3, 3, 5, 5]]), clip())
    assert missing == 0
    assert run.present.tolist() == [True, False, False, True, True]
    np.testing.assert_array_equal(run.boxes[1:3], [[1, 1, 5, 5]] * 2)
    assert run.scores[1] == 0
    np.testing.assert_allclose(run.seconds[1:], 0.5)


def test_frames_before_the_first_ground_truth_have_no_box():
    truth = [[np.nan] * 4] * 2 + [[4, 4, 8, 8]] * 3
    run, missing = match_answers(answers([40], [[6, 6, 8, 8]]), clip(truth))
    assert np.isnan(run.boxes[:2]).all()
    np.testing.assert_array_equal(run.boxes[2:], [[4, 4, 8, 8], [6, 6, 8, 8], [6, 6, 8, 8]])
    assert missing == 2


def test_answers_to_another_video_are_refused():
    with pytest.raises(SequenceError, match='none of the 1 answers.*clip'):
        match_answers(answers([11], [[1, 1, 5, 5]]), clip())
    with pytest.raises(SequenceError, match='no frame has ground truth'):
        match_answers(answers([10], [[1, 1, 5, 5]]), clip([[np.nan] * 4] * 5))


def test_each_frame_is_paired_with_the_newest_answer_received_by_then():
    lost = [np.nan] * 4
    # Frame 30 is not answered; 40 finds no target; the answer to 50 is out after the end.
    found = answers([20, 10, 40, 50], [[2, 2, 5, 5], [1, 1, 5, 5], lost, [5, 5, 5, 5]],
                    received=[27e-9, 12e-9, 45e-9, 58e-9])
    run = pair_answers(found, clip())
    np.testing.assert_array_equal(
        run.boxes, [[0, 2, 10, 12], [0, 2, 10, 12], [2, 2, 5, 5], [2, 2, 5, 5], [2, 2, 5, 5]])
    assert run.present.tolist() == [True, True, True, True, False]
    np.testing.assert_allclose(run.ages, [0, 10e-9, 10e-9, 20e-9, 10e-9])
    assert run.events.tolist() == [STARTED, TRACKED, SKIPPED, TRACKED, TRACKED]


def test_pairing_begins_with_the_ground_truth():
    truth = [[np.nan] * 4] * 2 + [[4, 4, 8, 8]] * 3
    run = pair_answers(answers([10, 40], [[1, 1, 5, 5], [6, 6, 8, 8]], received=[11e-9, 41e-9]),
                       clip(truth))
    assert np.isnan(run.boxes[:2]).all() and np.isnan(run.ages[:2]).all()
    assert not run.present[:2].any() and run.scores[:2].tolist() == [0, 0]
    np.testing.assert_array_equal(run.boxes[2:], [[4, 4, 8, 8]] * 2 + [[6, 6, 8, 8]])
    assert run.events.tolist() == [SKIPPED, SKIPPED, STARTED, TRACKED, SKIPPED]


@pytest.mark.parametrize('received', [[9e-9, 30e-9], [5.0, 6.0]])
def test_answers_on_another_clock_are_refused(received):
    found = answers([10, 20], [[1, 1, 5, 5], [2, 2, 5, 5]], received=received)
    with pytest.raises(SequenceError, match='their clock is not that of the stamps'):
        pair_answers(found, clip())


def test_the_clock_of_a_replay_in_real_time_is_found_by_its_images(caplog):
    period, later = 50_000_000, 1_700_000_000_000_000_000
    shown = STAMPS / 10 * period
    video = GreyClip('clip', [[index, 2, 10, 12] for index in range(5)], shown)
    # Transport of the images takes 2 ms or more, answers are there after 60 ms.
    seen = (video.stamps + later + 1e6 * np.array([3, 2, 40, 2, 4])).astype(np.int64)
    boxes = [[index, 3, 9, 9] for index in range(5)]
    found = answers(video.stamps, boxes, received=(video.stamps + later + 62_000_000) / 1e9)
    run = pair_answers(found, video, seen)
    np.testing.assert_allclose(run.ages, [0, 0.05, 0.1, 0.1, 0.1])
    assert 'taken for a replay in real time' in caplog.text
    for wrong in (None, later + 2 * video.stamps, seen - 1_000_000_000_000):
        with pytest.raises(SequenceError, match='not in real time'):
            pair_answers(found, video, wrong)


def test_a_bag_of_a_running_node_scores_as_the_simulated_latency_it_had(tmp_path):
    clip = SyntheticSequence(30)
    took = 45_000_000
    protocol = Latency('latency:test', Profile('test', 'test', rows=(
        Row('any', {}, {'start': Duration(0), 'locate': Duration(took / 1e6),
                        'learn': Duration(0), 'gather': Duration(0)}),)))
    expected = protocol.run(PEERS['csrt'](), clip, protocol.trials(clip)[0])
    write_bag(clip, tmp_path / 'camera')
    write_node_bag(tmp_path / 'camera', tmp_path / 'robot', clip, expected, took)
    assert main(['recorded', '--detections', '/tracker/detections', '--out',
                 str(tmp_path / 'out'), str(tmp_path / 'robot')]) == 0
    stored = read_result(tmp_path / 'out' / 'latency', 'node', 'robot.online')
    bag = BagSequence(tmp_path / 'robot')
    assert stored.record['made_with'] == {'dataset': dataset_hash([bag])}
    assert stored.record['fingerprint'] == sequence_fingerprint(bag)
    found = stored.run
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
    np.testing.assert_allclose(found.ages, expected.ages, atol=1e-5)
    # The last answer was out after the last image, so the bag does not have it.
    np.testing.assert_array_equal(found.events[:-2], expected.events[:-2])
    content = json.loads((tmp_path / 'out' / 'latency' / 'metrics.json').read_text())
    assert content['trackers']['node']['overall']['age_mean'] == pytest.approx(
        1e3 * expected.ages.mean(), abs=1e-2)


def write_node_bag(source, path, clip, run, took):
    """Copy a bag and add the answers of a tracker, each received when it was out."""
    with open_bag(source) as reader, Writer(path, version=BAG_VERSION) as writer:
        copied = {connection.topic: writer.add_connection(
            connection.topic, connection.msgtype, typestore=typestore())
            for connection in reader.connections}
        for connection, received, data in reader.messages():
            writer.write(copied[connection.topic], received, data)
        topic = writer.add_connection('/tracker/detections', DETECTIONS, typestore=typestore())
        free = 0
        for index in np.flatnonzero(run.events == TRACKED):
            stamp = int(clip.stamps[index])
            free = max(free, stamp) + took
            shown = np.flatnonzero(np.isclose(
                run.ages, (clip.stamps - stamp) / 1e9, atol=1e-9))
            if len(shown):
                message = make_detections(run.boxes[shown[0]], stamp)
                writer.write(topic, free, typestore().serialize_cdr(message, DETECTIONS))
