"""The readers of the got10k toolkit see the same images and boxes as ours, on the same folders."""
import numpy as np
import pytest
from sequence_files import BOXES, write_images, write_otb, write_text, write_uav
from test_sequences_layouts import vid_xml

from tracking_nodes.sequences.catalog import open_sequences

datasets = pytest.importorskip('got10k.datasets')


def assert_same(sequences, official, origin):
    """Compare names, files and boxes of ours and of a toolkit's dataset."""
    assert len(sequences) == len(official)
    for sequence in sequences:
        files, boxes = official[sequence.name]
        assert [str(file) for file in sequence.sources] == files
        np.testing.assert_array_equal(sequence.boxes + [origin, origin, 0, 0], boxes)


def test_otb(tmp_path):
    for number, name in enumerate(('Basketball', 'Walking')):
        write_otb(tmp_path / name, BOXES[number:])
    for number, line in enumerate(BOXES[:2], 1):
        write_text(tmp_path / 'Skating2' / f'groundtruth_rect.{number}.txt', [line, BOXES[2]])
    write_images(tmp_path / 'Skating2' / 'img', 2)
    write_otb(tmp_path / 'David', BOXES * 157, images=770)
    official = datasets.OTB(str(tmp_path), version=2015, download=False)
    assert_same(open_sequences(tmp_path), official, origin=1)


def test_temple_color(tmp_path):
    write_images(tmp_path / 'Ball_ce1' / 'img', 9)
    write_text(tmp_path / 'Ball_ce1' / 'Ball_ce1_frames.txt', ['4,6'])
    write_text(tmp_path / 'Ball_ce1' / 'Ball_ce1_gt.txt', BOXES)
    assert_same(open_sequences(tmp_path), datasets.TColor128(str(tmp_path), download=False), 1)


def test_vot(tmp_path):
    for name, corners in (('car', '5,0,10,5,5,10,0,5'), ('ants', '1.5,2,10,2,10,9.25,1.5,9')):
        write_images(tmp_path / name, 3, pattern='{:08d}.jpg')
        write_text(tmp_path / name / 'groundtruth.txt', [corners] * 3)
        write_text(tmp_path / name / 'occlusion.tag', ['0', '1'])
    write_text(tmp_path / 'list.txt', ['car', 'ants'])
    official = datasets.VOT(str(tmp_path), 2016, 'default', download=False, return_meta=True)
    sequences = open_sequences(tmp_path)
    assert [sequence.name for sequence in sequences] == official.seq_names
    for sequence in sequences:
        files, polygons, meta = official[sequence.name]
        assert [str(file) for file in sequence.sources] == files
        np.testing.assert_array_equal(sequence.polygons, polygons)
        np.testing.assert_array_equal(sequence.tags['occlusion'], meta['occlusion'])


def test_got10k(tmp_path):
    for number in (1, 2):
        folder = tmp_path / 'val' / f'GOT-10k_Val_{number:06d}'
        write_images(folder, pattern='{:08d}.jpg')
        write_text(folder / 'groundtruth.txt', BOXES)
        write_text(folder / 'absence.label', '000')
    write_text(tmp_path / 'val' / 'list.txt', ['GOT-10k_Val_000002', 'GOT-10k_Val_000001'])
    assert_same(open_sequences(f'got10k_val:{tmp_path}'), datasets.GOT10k(str(tmp_path), 'val'), 0)


def test_uav123(tmp_path, monkeypatch):
    write_uav(tmp_path)
    # The toolkit knows the frames of the real flights by heart.
    parts = {'bike1': ('bike1', 1, 3), 'bird1_1': ('bird1', 1, 3), 'bird1_2': ('bird1', 5, 7)}
    monkeypatch.setattr('got10k.datasets.uav123.json.load', lambda file: {'UAV123': {
        name: dict(zip(('folder_name', 'start_frame', 'end_frame'), part))
        for name, part in parts.items()}})
    (tmp_path / 'readme.txt').write_text('')
    assert_same(open_sequences(tmp_path), datasets.UAV123(str(tmp_path)), 1)


def test_imagenet_vid(tmp_path):
    name = 'train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00010001'
    video, annotations = tmp_path / 'Data/VID' / name, tmp_path / 'Annotations/VID' / name
    write_images(video, 3, first=0, pattern='{:06d}.jpg')
    for file in video.iterdir():
        file.rename(file.with_suffix('.JPEG'))
    for number in range(3):
        write_text(annotations / f'{number:06d}.xml', vid_xml(
            (0, 1 + number, 2, 10, 11, 0), (1, 5, 5, 6 + number, 7, 0)))
    official = datasets.ImageNetVID(str(tmp_path), 'train', str(tmp_path / 'cache'))
    assert_same(open_sequences(tmp_path), official, origin=0)
