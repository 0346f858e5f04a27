"""From a path to sequences: what is read when, in which order, and what is no sequence."""
from pathlib import Path
import pickle

import numpy as np
import pytest
from sequence_files import (BOXES, numbers, write_images, write_otb, write_text, write_uav,
                            write_video, ZERO_BASED)

from tracking_nodes.cli import main
from tracking_nodes.errors import ImageError, SequenceError
from tracking_nodes.sequences import ground_truth
from tracking_nodes.sequences.catalog import find_sequences, open_sequences
from tracking_nodes.sequences.layouts import LAYOUTS
from tracking_nodes.sequences.layouts.otb_lists import OTB_2013, OTB_2015, OTB_50
from tracking_nodes.sequences.layouts.uav import find_uav
from tracking_nodes.sequences.named_sets import NAMED_SETS


def write_clip(folder):
    """Write a video without ground truth."""
    folder.mkdir()
    write_video(folder / f'{folder.name}.mkv')


def write_crowd(folder):
    """Write a video with one target."""
    write_clip(folder)
    write_text(folder / f'{folder.name}.mot.txt', ['2,1,3,4,5,6', '3,1,3,4,5,6'])


def test_images_are_in_the_order_of_their_numbers(tmp_path):
    write_images(tmp_path / 'clip', count=12, pattern='frame{}.png')
    sequence, = open_sequences(tmp_path / 'clip')
    assert numbers(sequence) == list(range(1, 13))
    assert np.isnan(sequence.boxes).all() and sequence.boxes.shape == (12, 4)


def test_ground_truth_file_given_by_hand(tmp_path):
    write_text(tmp_path / 'mine.txt', BOXES)
    write_images(tmp_path / 'images')
    write_video(tmp_path / 'clip.mkv')
    for path in (tmp_path / 'images', tmp_path / 'clip.mkv'):
        sequence, = open_sequences(path, ground_truth_file=tmp_path / 'mine.txt')
        np.testing.assert_array_equal(sequence.boxes, ZERO_BASED)
    with pytest.raises(SequenceError, match='needs one bag, video or image folder'):
        open_sequences(tmp_path / 'mine.txt', ground_truth_file=tmp_path / 'mine.txt')


@pytest.mark.parametrize('kind', ['images', 'video'])
def test_single_frames(tmp_path, kind):
    if kind == 'images':
        write_images(tmp_path / 'clip', count=6, pattern='{}.png')
    else:
        (tmp_path / 'clip').mkdir()
        write_video(tmp_path / 'clip' / 'clip.mkv')
    sequence, = open_sequences(tmp_path / 'clip')
    for index, image in enumerate(sequence.images()):
        np.testing.assert_array_equal(sequence.image(index), image)
    for index in (-1, 6):
        with pytest.raises(SequenceError, match=f'frames 0 to 5, not {index}'):
            sequence.image(index)


def test_encoded_images_are_the_bytes_of_the_files(tmp_path):
    write_images(tmp_path, count=2, pattern='{}.jpg')
    write_images(tmp_path, count=1, first=3, pattern='{}.png')
    write_images(tmp_path, count=1, first=4, pattern='{}.bmp')
    sequence, = open_sequences(tmp_path)
    encoded = list(sequence.encoded_images())
    assert [item and item.codec for item in encoded] == ['jpeg', 'jpeg', 'png', None]
    for file, item in zip(sequence.sources[:3], encoded):
        assert item.data == file.read_bytes()


@pytest.mark.parametrize('write', [write_clip, write_otb, write_crowd])
def test_sequences_go_to_other_processes_read_or_not(tmp_path, write):
    for name in ('a', 'b'):
        write(tmp_path / name)
    for sequence in open_sequences(tmp_path):
        shown = numbers(pickle.loads(pickle.dumps(sequence)))
        assert shown == numbers(sequence) == numbers(pickle.loads(pickle.dumps(sequence)))


def test_a_damaged_image_is_named(tmp_path):
    write_images(tmp_path)
    data = (tmp_path / '0002.jpg').read_bytes()
    (tmp_path / '0002.jpg').write_bytes(data[:len(data) // 2])
    sequence, = open_sequences(tmp_path)
    with pytest.raises(ImageError, match='0002.jpg: .*(cut short|damaged)'):
        list(sequence.images())


def test_damaged_video(tmp_path):
    (tmp_path / 'clip.mp4').write_bytes(b'no video at all')
    with pytest.raises(SequenceError, match='clip.mp4 cannot be opened'):
        open_sequences(tmp_path)


def test_ground_truth_without_images(tmp_path):
    write_text(tmp_path / 'groundtruth_rect.txt', BOXES)
    with pytest.raises(SequenceError, match='ground truth but no images'):
        open_sequences(tmp_path)


def test_what_is_no_sequence(tmp_path):
    with pytest.raises(SequenceError, match='does not exist'):
        open_sequences(tmp_path / 'nothing')
    with pytest.raises(SequenceError, match='holds no sequence; looked for a rosbag'):
        open_sequences(tmp_path)
    write_text(tmp_path / 'notes.md', ['words'])
    with pytest.raises(SequenceError, match='no video, no bag and no folder'):
        open_sequences(tmp_path / 'notes.md')


def names(sequences):
    """Return the names of sequences."""
    return [sequence.name for sequence in sequences]


def test_a_dataset_is_listed_without_reading_annotations_which_are_read_once(tmp_path,
                                                                             monkeypatch):
    for name in ('One', 'Two', 'Three'):
        write_otb(tmp_path / name)
    read = []
    monkeypatch.setattr(ground_truth, 'SEPARATORS', Noticed(ground_truth.SEPARATORS, read))
    sequences = open_sequences(tmp_path)
    assert names(sequences) == ['One', 'Three', 'Two'] and not read
    for _ in range(2):
        assert (len(sequences[1]), sequences[1].boxes.shape) == (3, (3, 4))
    assert len(read) == len(BOXES)


class Noticed:
    """The pattern that splits lines, and every line it was given."""

    def __init__(self, pattern, lines):
        self._pattern, self._lines = pattern, lines

    def split(self, line):
        """Split and take note."""
        self._lines.append(line)
        return self._pattern.split(line)


def test_one_damaged_sequence_does_not_keep_the_others_from_opening(tmp_path):
    for name in ('One', 'Two'):
        write_otb(tmp_path / name)
    write_text(tmp_path / 'One' / 'groundtruth_rect.txt', ['1,2,3,4', 'x'])
    first, second = open_sequences(tmp_path)
    assert len(second) == 3
    for _ in range(2):
        with pytest.raises(SequenceError, match="One/groundtruth_rect.txt, line 2: 'x'"):
            len(first)


def test_a_list_names_the_sequences_and_their_order(tmp_path):
    for name in ('ants', 'bag', 'car'):
        write_images(tmp_path / name, pattern='{:08d}.jpg')
        write_text(tmp_path / name / 'groundtruth.txt', BOXES)
    write_text(tmp_path / 'list.txt', ['car', 'ants'])
    assert names(open_sequences(tmp_path)) == ['car', 'ants']
    write_text(tmp_path / 'list.txt', ['car', 'zebra'])
    with pytest.raises(SequenceError, match='list.txt, line 2: there is no folder zebra'):
        open_sequences(tmp_path)
    # A text of other words is no list of these folders.
    write_text(tmp_path / 'list.txt', ['nothing', 'known'])
    assert names(open_sequences(tmp_path)) == ['ants', 'bag', 'car']


def test_the_name_is_that_of_the_link(tmp_path, monkeypatch):
    write_otb(tmp_path / 'store' / 'a1b2')
    (tmp_path / 'Car').symlink_to(tmp_path / 'store' / 'a1b2')
    assert open_sequences(tmp_path / 'Car')[0].name == 'Car'
    monkeypatch.chdir(tmp_path / 'store' / 'a1b2')
    assert open_sequences('.')[0].name == 'a1b2'


def test_two_of_the_same_name_are_refused(tmp_path):
    for place in ('a', 'b'):
        write_otb(tmp_path / place / 'Car')
    with pytest.raises(SequenceError, match='two sequences Car: .*a/Car.* and .*b/Car.*; open'):
        open_sequences(tmp_path)


def test_published_lists_have_the_published_numbers_of_videos():
    # Targets: Jogging and Skating2 count twice.
    assert (len(OTB_2013), len(OTB_50), len(OTB_2015)) == (50, 49, 98)
    assert set(OTB_2013) | set(OTB_50) <= set(OTB_2015)


def test_a_published_set_is_all_of_it_or_an_error(tmp_path):
    for name in (*OTB_2013, 'Biker'):
        write_otb(tmp_path / name, BOXES[:1])
    assert names(open_sequences(f'otb2013:{tmp_path}')) == sorted(OTB_2013)
    assert len(find_sequences(tmp_path)) == 51
    with pytest.raises(SequenceError, match='lacks 47 of the 98 videos of this set: Bird1, '):
        open_sequences(f'otb2015:{tmp_path}')
    for place in (tmp_path / 'David').glob('*.txt'):
        place.unlink()
    with pytest.raises(SequenceError, match='lacks 1 of the 50 videos of this set: David. Give'):
        open_sequences(f'otb2013:{tmp_path}')


def test_sets_of_one_archive(tmp_path):
    write_uav(tmp_path)
    for name, words in (('uav123', 'has 3 sequences, this set has 123'),
                        ('uav20l', 'has 1 sequences, this set has 20')):
        with pytest.raises(SequenceError, match=words):
            open_sequences(f'{name}:{tmp_path}')
    assert names(find_uav(tmp_path, 'UAV20L')) == ['bird1']
    (tmp_path / 'anno' / 'UAV20L' / 'bird1.txt').rename(tmp_path / 'anno' / 'bird1.txt')
    (tmp_path / 'anno' / 'UAV20L').rmdir()
    with pytest.raises(SequenceError, match='anno has no folder UAV20L; it has UAV123'):
        open_sequences(f'uav20l:{tmp_path}')


def test_splits(tmp_path):
    for split, number in (('train', 1), ('train', 2), ('val', 1)):
        folder = tmp_path / split / f'GOT-10k_{split}_{number:06d}'
        write_images(folder, pattern='{:08d}.jpg')
        write_text(folder / 'groundtruth.txt', BOXES)
    assert names(open_sequences(f'got10k_val:{tmp_path}')) == ['GOT-10k_val_000001']
    assert len(open_sequences(f'got10k_train:{tmp_path}')) == 2
    with pytest.raises(SequenceError, match='has no folder test'):
        open_sequences(f'got10k_test:{tmp_path}')


def test_lists_of_lasot(tmp_path):
    for name in ('bird-1', 'bird-2', 'car-1'):
        folder = tmp_path / name.split('-')[0] / name
        write_images(folder / 'img', pattern='{:08d}.jpg')
        write_text(folder / 'groundtruth.txt', BOXES)
        write_text(folder / 'out_of_view.txt', ['0,0,0'])
    write_text(tmp_path / 'testing_set.txt', ['bird-2', 'car-1'])
    assert names(open_sequences(f'lasot_test:{tmp_path}')) == ['bird-2', 'car-1']
    with pytest.raises(SequenceError, match='training_set.txt cannot be read'):
        open_sequences(f'lasot_train:{tmp_path}')


def test_a_path_may_look_like_a_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_otb(tmp_path / 'otb2013:mine' / 'Box')
    assert names(open_sequences('otb2013:mine')) == ['Box']
    with pytest.raises(SequenceError, match='unknown:mine does not exist'):
        open_sequences('unknown:mine')


def test_every_layout_and_set_is_listed_and_documented(capsys):
    assert main(['list']) == 0
    listed = capsys.readouterr().out
    documented = (Path(__file__).parents[1] / 'docs' / 'datasets.md').read_text()
    for name in [layout.name for layout in LAYOUTS] + [*NAMED_SETS, 'bag']:
        assert f'\n  {name} ' in listed and f'`{name}`' in documented
