"""`tracking_benchmark reentries` as a user calls it."""
import json

import numpy as np
import pytest

from tracking_nodes.cli import main
from tracking_nodes.sequences import reentry_clips
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.drawn_stills import drawn_stills

from training_files import write_stills


@pytest.fixture
def short(monkeypatch):
    """Let clips have 90 small frames, and return what draws them."""
    plan = reentry_clips.reentry_clips

    def planned(stills, seed, count):
        return plan(stills, seed, count, frames=90, size=(240, 180))

    monkeypatch.setattr(reentry_clips, 'reentry_clips', planned)
    return planned


def test_the_table_is_that_of_the_runs_and_what_is_done_is_kept(short, tmp_path, capsys):
    call = ['reentries', '--tracker', 'static:still', '--clips', '2', '--seed', '3', '--device',
            'cpu', '--out', str(tmp_path)]
    assert main(call) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / 'reentries.md').read_text() == printed
    assert printed.splitlines()[2].startswith('| still | 2 | ')
    found = json.loads((tmp_path / 'reentries.json').read_text())
    assert found['seed'] == 3 and found['within'] == 10
    clips = short(drawn_stills(np.random.default_rng(3)), 3, 2)
    row = found['trackers']['still']
    assert list(row['clips']) == [clip.name for clip in clips]
    # It answers with its first box and never reports absence.
    right = [near(clip.boxes[1:], clip.boxes[0]) for clip in clips]
    shown = sum(np.isfinite(clip.boxes[1:, 0]).sum() for clip in clips)
    assert row['overall']['present'] == pytest.approx(sum(map(np.sum, right)) / shown)
    assert row['overall']['absent'] == 0
    on_other = [near(clip.distractors[:, 1:], clip.boxes[0]).any(axis=0) & ~own
                for clip, own in zip(clips, right)]
    assert row['overall']['distracted'] == pytest.approx(np.mean(on_other))

    record = tmp_path / 'still' / f'{clips[0].name}_run.json'
    before = record.stat().st_mtime_ns
    assert main([*call, '--tracker', 'static:other', '--peer', 'mil', '--set',
                 'other.nothing=1']) == 1
    assert 'nothing' in capsys.readouterr().err
    assert main([*call, '--tracker', 'static:other']) == 0
    assert record.stat().st_mtime_ns == before
    assert [line.split(' | ')[0] for line in capsys.readouterr().out.splitlines()[2:]] == [
        '| other', '| still']


def near(boxes, box):
    """Return whether boxes (..., 4) share more than half of their union with one."""
    left, top = (np.maximum(boxes[..., axis], box[axis]) for axis in (0, 1))
    right, bottom = (np.minimum(boxes[..., axis] + boxes[..., axis + 2], box[axis] + box[axis + 2])
                     for axis in (0, 1))
    shared = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    return shared / (boxes[..., 2] * boxes[..., 3] + box[2] * box[3] - shared) > 0.5


def test_clips_of_photographs_are_written_as_sequences(short, tmp_path):
    write_stills(tmp_path / 'photographs')
    assert main(['reentries', '--clips', '2', '--stills', str(tmp_path / 'photographs'),
                 '--write', str(tmp_path / 'clips')]) == 0
    sequences = open_sequences(tmp_path / 'clips')
    assert [sequence.name for sequence in sequences] == ['reentry_000', 'reentry_001']
    for sequence in sequences:
        assert sequence.boxes.shape == (90, 4) and np.isnan(sequence.boxes).any()
        assert sequence.image(89).shape == (180, 240, 3)


@pytest.mark.parametrize('options, words', [
    (['--tracker', 'static'], 'give --out DIR'),
    (['--out', 'somewhere'], 'give --tracker NAME'),
    (['--tracker', 'static', '--clips', '0'], 'give 1 clip or more'),
    (['--tracker', 'static', '--seed', '-1'], 'not negative')])
def test_what_is_missing_is_said(options, words, capsys):
    assert main(['reentries', *options]) == 1
    assert words in capsys.readouterr().err
