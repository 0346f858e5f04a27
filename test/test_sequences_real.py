"""Real benchmark files of every layout: counts, boxes, and what is odd about some."""
import json
import re

import numpy as np
import pytest

from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.layouts.otb_lists import OTB_2015, OTB_VIDEOS

# Frames evaluated and first box as the file has it, in the form of its benchmark.
OTB = {'Car1': (1020, (23, 88, 66, 55)), 'Couple': (140, (51, 47, 25, 62)),
       'Crossing': (120, (205, 151, 17, 50)), 'David': (471, (129, 80, 64, 78)),
       'Dog': (127, (74, 86, 56, 48)), 'DragonBaby': (113, (160, 83, 56, 65)),
       'FaceOcc1': (892, (118, 69, 114, 162)), 'Football1': (74, (153, 105, 26, 43)),
       'Freeman1': (326, (253, 66, 23, 28)), 'Girl': (500, (57, 21, 31, 45)),
       'Human7': (250, (110, 111, 37, 116)), 'Jogging.1': (307, (111, 98, 25, 101)),
       'Jogging.2': (307, (180, 79, 37, 114)), 'Jumping': (313, (147, 110, 34, 33)),
       'MotorRolling': (164, (117, 68, 122, 125)), 'Surfer': (376, (275, 137, 23, 26))}
TLD = {'04_pedestrian2': (338, 72, (124, 136, 21, 53)), '06_car': (945, 85, (142, 125, 90, 39)),
       '10_panda': (3000, 270, (58, 100, 27, 22))}


def test_otb(tracking_data):
    sequences = {sequence.name: sequence for sequence in open_sequences(
        tracking_data / 'dev' / 'otb')}
    assert sorted(sequences) == sorted(OTB)
    for name, (frames, box) in OTB.items():
        assert len(sequences[name]) == len(sequences[name].boxes) == frames
        np.testing.assert_array_equal(sequences[name].boxes[0], np.subtract(box, (1, 1, 0, 0)))
        assert next(sequences[name].images()).ndim == 3
    assert sequences['David'].sources[0].name == '0300.jpg'
    assert sequences['Football1'].attributes == ('IPR', 'OPR', 'BC')
    for name in ('Jogging.1', 'Jogging.2'):
        assert sequences[name].sources[0].parent.parent.name == 'Jogging'


def test_otb_is_as_published(tracking_data):
    text = (tracking_data / 'reference' / 'otb' / 'OTB2015.json').read_text()
    published = {video['name']: video for video in json.loads(text).values()}
    compared = [sequence for sequence in open_sequences(tracking_data / 'dev' / 'otb')
                if sequence.name in published]
    assert len(compared) == 14
    for sequence in compared:
        video = published[sequence.name]
        assert [file.name for file in sequence.sources] == video['image_files']
        np.testing.assert_array_equal(sequence.boxes + [1, 1, 0, 0], video['gt_rect'])


def test_otb_lists_and_attributes_are_as_published(tracking_data):
    rows = (tracking_data / 'reference' / 'otb' / 'attr_list.txt').read_text().splitlines()
    published = {re.split(r'\t', row)[0]: re.findall(r'\w+', row)[1:] for row in rows}
    # Beside the videos it has single targets: Human4-1, Jogging-2.
    videos = {name for name in published if '-' not in name}
    assert set(OTB_2015) == videos
    for name in videos:
        assert list(OTB_VIDEOS[name].attributes) == published[name]


def test_vot_is_as_published(tracking_data):
    text = (tracking_data / 'reference' / 'vot2018' / 'VOT2018.json').read_text()
    sequence, = open_sequences(tracking_data / 'dev' / 'vot' / 'bag')
    np.testing.assert_array_equal(sequence.polygons, json.loads(text)['bag']['gt_rect'])


@pytest.mark.parametrize('name, frames', [('bag', 196), ('car', 252)])
def test_vot(tracking_data, name, frames):
    sequence, = open_sequences(tracking_data / 'dev' / 'vot' / name)
    assert sequence.polygons.shape == (frames, 8) and len(sequence) == frames
    corners = sequence.polygons.reshape(frames, 4, 2)
    np.testing.assert_array_equal(sequence.boxes[:, :2], corners.min(axis=1))
    np.testing.assert_allclose(sequence.boxes[:, 2:], np.ptp(corners, axis=1), atol=1e-9)
    assert sum(1 for _ in sequence.images()) == frames


@pytest.mark.parametrize('name', TLD)
def test_tld(tracking_data, name):
    sequence, = open_sequences(tracking_data / 'dev' / 'tld' / name)
    frames, absent, box = TLD[name]
    assert len(sequence) == frames
    assert np.isnan(sequence.boxes).all(axis=1).sum() == absent
    np.testing.assert_array_equal(sequence.boxes[0], box)
    assert sum(1 for _ in sequence.images()) == frames


def test_all_of_dev_at_once(tracking_data):
    assert len(open_sequences(tracking_data / 'dev')) == 16 + 2 + 3


def test_training_clips(tracking_data):
    folder = tracking_data / 'train' / 'video'
    sequences = open_sequences(folder)
    several = list(folder.glob('*.mot.txt'))
    targets = {(file.name[:-len('.mot.txt')], line.split(',')[1]) for file in several
               for line in file.read_text().split()}
    single = [file for file in folder.glob('*.txt') if file not in several]
    assert {sequence.name for sequence in sequences} == (
        {file.stem for file in single} | {f'{video}.{target}' for video, target in targets})
    for sequence in sequences:
        assert np.isfinite(sequence.boxes[0]).all()
        if sequence.name.split('.')[0] in {file.stem for file in single}:
            lines = (folder / f'{sequence.name}.txt').read_text().split()
            assert len(sequence.boxes) == len(lines)


def test_targets_of_a_real_video(tracking_data):
    folder = tracking_data / 'train' / 'video'
    rows = np.loadtxt(folder / 'mot15_TUD-Campus.mot.txt', delimiter=',')
    sequences = open_sequences(folder / 'mot15_TUD-Campus.mp4')
    assert sum(np.isfinite(sequence.boxes[:, 0]).sum() for sequence in sequences) == len(rows)
    for sequence in sequences:
        own = rows[rows[:, 1] == int(sequence.name.split('.')[1])]
        frames = (own[:, 0] - own[0, 0]).astype(int)
        np.testing.assert_array_equal(sequence.boxes[frames], own[:, 2:])
    last = sequences[-1]
    assert last.image(len(last) - 1).shape[2] == 3
