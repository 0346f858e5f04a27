"""Where a tracker falls behind a peer: the frame, the strip of pictures, the notes that stay."""
import cv2
import numpy as np
import pytest
from result_folders import displaced, Plain, record, score, store

from tracking_nodes.cli import main
from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.failure_strips import draw_strip, strip_frames
from tracking_nodes.evaluation.failures import DRIFT, Failure, failure_place, find_failures, LOSS
from tracking_nodes.evaluation.run import Run
from tracking_nodes.evaluation.video import COLOURS

import yaml

MARGIN = 0.05


def failure(frame, begin, kind=LOSS):
    return Failure('clip', 'ours', 0.2, 'csrt', 0.9, kind, frame, begin)


def test_a_loss_goes_wrong_in_the_last_frame_that_was_held():
    overlaps = [0.9] * 20 + [0.4] * 3 + [0.0] * 15
    assert failure_place(overlaps, [0.8] * 38, MARGIN) == (LOSS, 19, 23)


def test_a_target_that_was_never_held_goes_wrong_where_it_was_given():
    gone = [np.nan, 0.3] + [0.0] * 15
    assert failure_place(gone, [np.nan] + [0.9] * 16, MARGIN) == (LOSS, 1, 2)


def test_a_loss_that_the_peer_shares_is_not_what_costs():
    overlaps = [0.9] * 5 + [0.0] * 12 + [0.9] * 20 + [0.0] * 12
    others = [0.9] * 5 + [0.0] * 12 + [0.9] * 20 + [0.9] * 12
    assert failure_place(overlaps, others, MARGIN) == (LOSS, 36, 37)


def test_lapses_shorter_than_the_nodes_patience_are_no_loss():
    overlaps = [0.9] * 20 + [0.0] * 9 + [0.6] * 20
    assert failure_place(overlaps, [0.9] * 49, MARGIN)[0] == DRIFT


def test_a_drift_goes_wrong_where_the_difference_begins_to_stay():
    # A little behind and level again, then behind to the end.
    overlaps = [0.8] * 10 + [0.7] * 3 + [0.8] * 10 + [0.4] * 20
    others = [0.8] * 43
    assert failure_place(overlaps, others, MARGIN) == (DRIFT, 23, 23)
    # Behind, level for so short a time that it does not make up for it, and behind again.
    assert failure_place([0.8] * 10 + [0.3] * 9 + [0.8] * 2 + [0.4] * 20, [0.8] * 41,
                         MARGIN) == (DRIFT, 10, 10)


def test_pictures_lie_around_both_frames_and_inside_of_the_sequence():
    assert strip_frames(failure(20, 30), 100, 5) == [10, 15, 20, 25, 30, 35, 40]
    assert strip_frames(failure(2, 2, DRIFT), 9, 3) == [2, 5, 8]


def test_a_strip_shows_every_frame_whole_and_near_with_all_boxes():
    clip = Plain('clip', 60)
    runs = {label: Run(displaced(clip.boxes, 20, 59, moved), np.full(60, 0.7),
                       np.ones(60, dtype=bool), np.full(60, 0.1), (160, 120))
            for label, moved in (('ours', 30), ('csrt', 4))}
    strip = draw_strip(clip, failure(19, 20), runs, 5)
    columns = len(strip_frames(failure(19, 20), 60, 5))
    assert strip.shape[1] == columns * 320 + (columns - 1) * 4
    last = strip[:240, -320:]
    for box, colour in ((clip.boxes[30], (255, 255, 255)), (runs['ours'].boxes[30], COLOURS[0]),
                        (runs['csrt'].boxes[30], COLOURS[1])):
        x, y, _, height = (2 * box).round().astype(int)
        # The middle of the left edge, in the whole frame drawn at twice its size.
        edge = last[y + height // 2, x - 2:x + 3].astype(int)
        assert np.abs(edge - colour).sum(axis=-1).min() < 60, (box, colour)
    # The lower row is nearer: more of it is the target's outline.
    white = (strip == 255).all(axis=-1)
    assert white[240:480, -320:].sum() > 1.3 * white[:240, -320:].sum()


@pytest.fixture
def folder(tmp_path):
    """Return a results folder of a tracker, a peer and three clips, and the clips."""
    clips = [Plain(name, 60) for name in ('lost', 'good', 'slow')]
    for clip in clips:
        moved = {'lost': displaced(clip.boxes, 20, 59, 60), 'good': clip.boxes,
                 'slow': displaced(clip.boxes, 40, 59, 8)}[clip.name]
        store(tmp_path, 'ours', clip, moved)
        store(tmp_path, 'kcf', clip, displaced(clip.boxes, 50, 59, 2))
        store(tmp_path, 'other', clip, displaced(clip.boxes, 1, 59, 20))
    score(tmp_path)
    return tmp_path, clips


def stored(folder):
    return {label: {name: trials[''] for name, trials in rows.items()}
            for label, rows in results.StoredResults(folder).items()}


def test_only_what_is_behind_by_more_than_the_margin_is_found(folder):
    place, _ = folder
    rows = {label: stored(place)[label] for label in ('ours', 'kcf', 'other')}
    found = find_failures(rows, ['kcf'], 0.1)
    assert [(one.tracker, one.sequence) for one in found[:2]] == [
        ('ours', 'lost'), ('ours', 'slow')]
    assert {(one.tracker, one.sequence) for one in found[2:]} == {
        ('other', name) for name in ('lost', 'good', 'slow')}
    assert (found[0].kind, found[0].frame, found[0].begin) == (LOSS, 19, 20)
    assert (found[1].kind, found[1].frame) == (DRIFT, 40)
    assert found[0].peer == 'kcf' and found[0].peer_auc - found[0].auc > 0.3
    assert [one.sequence for one in find_failures(rows, ['kcf'], 0.3)][:1] == ['lost']
    assert not find_failures({'ours': rows['ours']}, [], 0)


@pytest.fixture
def written(folder, monkeypatch):
    """Return a results folder whose clips the command finds by any path."""
    from tracking_nodes.commands import options as shared

    place, clips = folder
    monkeypatch.setattr(shared, 'open_parts', lambda options: clips[:2])
    return place


def test_the_command_writes_strips_index_and_notes_and_keeps_the_notes(written, capsys):
    call = ['failures', str(written), '--tracker', 'ours', '--peer', 'kcf', 'clips']
    assert main(call) == 0
    captured = capsys.readouterr()
    assert 'slow: no strip, it is not among the sequences given' in captured.err
    assert 'lost: ours' in captured.out and 'lost from frame 19' in captured.out
    place = written / 'failures'
    assert cv2.imread(str(place / 'ours' / 'lost.png')).shape[1] > 1000
    assert not (place / 'ours' / 'slow.png').exists()
    index = (place / 'failures.md').read_text()
    assert '](<ours/lost.png>)' in index and index.count('| ours |') == 2
    notes = yaml.safe_load((place / 'notes.yaml').read_text())
    assert notes == {'ours': {name: {'cause': '', 'done': ''} for name in ('lost', 'slow')}}

    notes['ours']['lost']['cause'] = 'a look-alike | under "blur"'
    (place / 'notes.yaml').write_text(yaml.safe_dump(notes))
    (place / 'ours' / 'old.png').write_bytes(b'')
    assert main([*call, '--margin', '0.4']) == 0
    assert r'a look-alike \| under "blur"' in (place / 'failures.md').read_text()
    # What is no failure any more keeps its note and loses its strip.
    assert yaml.safe_load((place / 'notes.yaml').read_text()) == notes
    assert [path.name for path in (place / 'ours').iterdir()] == ['lost.png']


def test_peers_are_those_of_opencv_unless_they_are_named(written, tmp_path, capsys):
    assert main(['failures', str(written), 'clips']) == 0
    index = (written / 'failures' / 'failures.md').read_text()
    assert '| ours |' in index and '| other |' in index and '| kcf | lost' not in index
    # The record says what a label stands for.
    clip = Plain('good', 60)
    assert record('kcf', clip)['made_by']['tracker'] == 'kcf'


@pytest.mark.parametrize('arguments, words', [
    (['--margin', '-1'], '--margin -1.0'), (['--step', '0'], '--step 0'),
    (['--peer', 'nano'], "no one-pass results of 'nano'; it has kcf, other, ours"),
    (['--tracker', 'kcf'], 'has the trackers none and the peers kcf'),
])
def test_mistakes_are_named(written, capsys, arguments, words):
    assert main(['failures', str(written), *arguments, 'clips']) == 1
    assert words in capsys.readouterr().err


def test_notes_of_another_form_are_refused_and_left_alone(written, capsys):
    (written / 'failures').mkdir()
    (written / 'failures' / 'notes.yaml').write_text('- lost\n')
    assert main(['failures', str(written), '--tracker', 'ours', 'clips']) == 1
    assert 'notes.yaml cannot be read' in capsys.readouterr().err
    assert (written / 'failures' / 'notes.yaml').read_text() == '- lost\n'
