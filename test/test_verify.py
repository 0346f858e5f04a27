"""What `verify` finds in folders with one thing wrong, and the hash that names a dataset."""
import shutil

import cv2
import numpy as np
import pytest
from sequence_files import picture, write_images, write_otb, write_text, write_video

from tracking_nodes.cli import main
from tracking_nodes.sequences.catalog import find_sequences, open_sequences
from tracking_nodes.sequences.fingerprint import dataset_hash
from tracking_nodes.sequences.verification import check_sequence

INSIDE = ['3,4,10,12', '4,5,10,12', '5,6,11,13', '5,6,11,13']


def findings(path, quick=False):
    """Return (severity, place, text) of everything found, places without the folder."""
    return [(finding.severity, finding.place.replace(f'{path}/', ''),
             finding.text.replace(f'{path}/', ''))
            for sequence in find_sequences(path) for finding in check_sequence(sequence, quick)]


@pytest.fixture
def box(tmp_path):
    """Write a sequence without a fault and return its folder."""
    write_otb(tmp_path / 'Box', INSIDE)
    return tmp_path / 'Box'


@pytest.mark.parametrize('quick', [False, True])
def test_nothing_is_found_where_nothing_is_wrong(box, quick):
    assert findings(box, quick) == []


def test_unreadable_ground_truth(box):
    write_text(box / 'groundtruth_rect.txt', [*INSIDE[:3], '1,2,3'])
    (severity, place, text), = findings(box)
    assert (severity, place) == ('error', 'Box')
    assert text.startswith('ground truth groundtruth_rect.txt, line 4: expected 4 finite numbers')


def test_more_images_than_boxes_and_fewer(box):
    write_text(box / 'groundtruth_rect.txt', INSIDE[:3])
    assert findings(box) == [('note', 'Box', 'groundtruth_rect.txt has 3 lines for 4 frames: the '
                              'last 1 frames are left out')]
    write_text(box / 'groundtruth_rect.txt', INSIDE + INSIDE)
    assert findings(box) == [('warning', 'Box', 'groundtruth_rect.txt has 8 lines for 4 frames: '
                              'the last 4 lines are dropped')]


def test_a_damaged_image(box):
    (box / 'img' / '0002.jpg').write_bytes(b'\xff\xd8\xff nothing')
    (severity, place, text), = findings(box)
    assert (severity, place) == ('error', 'img/0002.jpg') and '0002.jpg' in text
    # Not among the first, the middle and the last one: index 0, 1 and 3 of four.
    (box / 'img' / '0003.jpg').write_bytes(b'')
    assert [row[1] for row in findings(box, quick=True)] == ['img/0002.jpg']
    assert [row[1] for row in findings(box)] == ['img/0002.jpg', 'img/0003.jpg']


def test_a_video_that_ends_early(tmp_path):
    write_video(tmp_path / 'clip.mkv')
    write_text(tmp_path / 'clip.mot.txt', ['3,1,3,4,5,6', '9,1,3,4,5,6'])
    (severity, place, text), = findings(tmp_path)
    assert (severity, place) == ('error', 'clip.mkv') and 'ends before frame 6 of 9' in text


def test_an_image_of_another_size(box):
    assert cv2.imwrite(str(box / 'img' / '0003.jpg'), np.full((24, 40, 3), 30, np.uint8))
    assert findings(box) == [('warning', 'img/0003.jpg',
                              'has 40x24 pixels, the first image 32x24')]


def test_a_picture_twice(box):
    assert cv2.imwrite(str(box / 'img' / '0003.jpg'), picture(2))
    assert findings(box) == [('note', 'img/0003.jpg',
                              'frame 2 is the same picture as the one before')]


def test_missing_and_repeated_frame_numbers(tmp_path):
    write_images(tmp_path / 'clip', 2)
    write_images(tmp_path / 'clip', 2, first=5)
    assert ('warning', '0005.jpg', 'frames are missing between 0002.jpg and 0005.jpg') in findings(
        tmp_path / 'clip')
    write_images(tmp_path / 'clip', 1, first=5, pattern='{:06d}.png')
    assert ('error', '000005.png', 'is frame 0005.jpg once more') in findings(tmp_path / 'clip')


@pytest.mark.parametrize('line, severity, text', [
    ('4,5,0,12', 'warning', 'box 3, 4, 0, 12 has no area'),
    ('4,5,2,12', 'note', 'box 3, 4, 2, 12 is less than 3 pixels wide or high'),
    ('40,5,10,12', 'warning', 'box 39, 4, 10, 12 lies outside of the image'),
    ('4,5,10,40', 'note', 'box 3, 4, 10, 40 leaves the image by more than 10 pixels')])
def test_boxes(box, line, severity, text):
    write_text(box / 'groundtruth_rect.txt', [*INSIDE[:2], line, INSIDE[3]])
    assert findings(box) == [(severity, 'groundtruth_rect.txt:3', text)]
    write_text(box / 'groundtruth_rect.txt', [*INSIDE[:2], line, line])
    assert findings(box) == [(severity, 'groundtruth_rect.txt:3',
                              f'{text}; frames like this: 2')]
    # No tracker starts on a box without area or outside of the image.
    write_text(box / 'groundtruth_rect.txt', [line, *INSIDE[1:]])
    assert findings(box) == [('error' if severity == 'warning' else 'note',
                              'groundtruth_rect.txt:1', text)]


def test_first_frame_without_a_box_and_no_box_at_all(box):
    absent = 'NaN,NaN,NaN,NaN'
    write_text(box / 'groundtruth_rect.txt', [absent, absent, *INSIDE[2:]])
    assert findings(box) == [('warning', 'groundtruth_rect.txt:1', 'the first frame has no box; a '
                              'run starts at frame 2, counted from 0')]
    write_text(box / 'groundtruth_rect.txt', [absent] * 4)
    assert findings(box) == [('warning', 'groundtruth_rect.txt:1', 'no frame has a box')]


@pytest.mark.parametrize('jobs', ['1', '2'])
def test_the_command(tmp_path, capsys, jobs):
    for name in ('One', 'Two'):
        write_otb(tmp_path / name, INSIDE)
    command = ['verify', '--jobs', jobs, str(tmp_path)]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == [
        'sequences 2, errors 0, warnings 0, notes 0',
        f'frames 8, dataset hash {dataset_hash(open_sequences(tmp_path))}']
    write_text(tmp_path / 'Two' / 'groundtruth_rect.txt', ['no numbers'])
    assert main(command) == 1
    shown = capsys.readouterr().out
    assert 'Two: error: ground truth' in shown and "line 1: 'no numbers'" in shown
    assert 'errors 1' in shown and 'hash' not in shown


def test_what_cannot_be_listed_is_found_and_the_others_are_checked(tmp_path, capsys):
    write_otb(tmp_path / 'Box', INSIDE[:3])
    write_images(tmp_path / 'Box' / 'img', 4)
    write_images(tmp_path / 'MOT-1' / 'img1', 2)
    write_text(tmp_path / 'MOT-1' / 'gt' / 'gt.txt', ['1,1,1,1,4,5,1', 'x'])
    (tmp_path / 'videos').mkdir()
    for name in ('first', 'second'):
        write_video(tmp_path / 'videos' / f'{name}.mkv')
        write_text(tmp_path / 'videos' / f'{name}.mot.txt', ['1,1,3,4,5,6', '2,1,3,4,5,6'])
    write_text(tmp_path / 'videos' / 'first.mot.txt', ['1,1'])
    for name in ('good', 'bad'):
        folder = f'VID/train/{name}'
        write_images(tmp_path / 'vid' / 'Data' / folder, 2, 0, '{:06d}.JPEG')
        for frame in range(2):
            write_text(tmp_path / 'vid' / 'Annotations' / folder / f'{frame:06d}.xml', [
                '<a><object><trackid>0</trackid><bndbox><xmax>9</xmax><xmin>2</xmin><ymax>9</ymax>'
                f'<ymin>2</ymin></bndbox></object></a{">" if name == "good" else ""}'])
    assert main(['verify', str(tmp_path), str(tmp_path / 'nowhere')]) == 1
    found = capsys.readouterr().out.replace(f'{tmp_path}/', '').splitlines()
    assert found[0] == 'nowhere: error: nowhere does not exist'
    assert found[-1].startswith('sequences 6, errors 4, ')
    assert any(line.startswith('Box: note: Box/groundtruth_rect.txt has 3 li') for line in found)
    for start in ("MOT-1: error: ground truth MOT-1/gt/gt.txt, line 2: 'x'",
                  'first: error: videos/first.mot.txt, line 1: expected frame',
                  'bad: error: vid/Annotations/VID/train/bad/000000.xml is no annotation'):
        assert sum(line.startswith(start) for line in found) == 1
    # Opened for a run, each says so in its turn.
    assert [one.name for one in open_sequences(tmp_path)] == [
        'Box', 'MOT-1', 'bad', 'good.0', 'first', 'second.1']


def test_a_wrong_list_and_names_given_twice_are_found(tmp_path, capsys):
    for place in ('a', 'b'):
        write_otb(tmp_path / place / 'Car', INSIDE)
    write_otb(tmp_path / 'c' / 'Car1', INSIDE)
    write_text(tmp_path / 'c' / 'list.txt', ['Car1', 'Car2'])
    assert main(['verify', str(tmp_path)]) == 1
    found = capsys.readouterr().out.replace(f'{tmp_path}', 'DATA').splitlines()
    assert found[:2] == ['DATA: error: has two sequences Car: DATA/a/Car/groundtruth_rect.txt and '
                         'DATA/b/Car/groundtruth_rect.txt; open them apart',
                         'c: error: DATA/c/list.txt, line 2: there is no folder Car2']
    assert found[2].startswith('sequences 3, errors 2, ')


def test_the_hash_is_of_the_data_and_not_of_the_place(tmp_path):
    for name in ('One', 'Two'):
        write_otb(tmp_path / 'here' / name, INSIDE)
    first = dataset_hash(open_sequences(tmp_path / 'here'))
    shutil.copytree(tmp_path / 'here', tmp_path / 'there')
    there = open_sequences(tmp_path / 'there')
    assert dataset_hash(there) == dataset_hash(there[::-1]) == first
    assert len(first) == 64 and int(first, 16)


def change_box(folder):
    """Move one box by a thousandth of a pixel."""
    write_text(folder / 'groundtruth_rect.txt', ['3,4,10.001,12', *INSIDE[1:]])


def change_absence(folder):
    """Say that the target is absent in the last frame."""
    write_text(folder / 'groundtruth_rect.txt', [*INSIDE[:3], 'NaN,NaN,NaN,NaN'])


def change_length(folder):
    """Drop the last frame."""
    write_text(folder / 'groundtruth_rect.txt', INSIDE[:3])


def change_image(folder):
    """Draw into an image."""
    image = picture(2)
    image[5:9, 5:9] = 255
    assert cv2.imwrite(str(folder / 'img' / '0002.jpg'), image)


def change_name(folder):
    """Give the sequence another name."""
    folder.rename(folder.parent / 'Other')


@pytest.mark.parametrize('change', [change_box, change_absence, change_length, change_image,
                                    change_name])
def test_the_hash_changes_with_the_data(tmp_path, box, change):
    before = dataset_hash(open_sequences(tmp_path))
    change(box)
    assert dataset_hash(open_sequences(tmp_path)) != before


def test_the_hash_knows_polygons(tmp_path):
    write_images(tmp_path / 'car', 1)
    hashes = set()
    # The same box around both.
    for corners in ('5,0,10,5,5,10,0,5', '0,0,10,0,10,10,0,10'):
        write_text(tmp_path / 'car' / 'groundtruth.txt', [corners])
        hashes.add(dataset_hash(open_sequences(tmp_path)))
    assert len(hashes) == 2


def test_real_sequences_are_good(tracking_data):
    for sequence in find_sequences(tracking_data / 'dev'):
        assert [finding for finding in check_sequence(sequence, quick=True)
                if finding.severity != 'note'] == []
