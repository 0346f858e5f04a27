"""The layouts of the benchmarks, in small made-up copies of their folders."""
import logging
import pickle

import cv2
import numpy as np
import pytest

from tracking_nodes.errors import ImageError, SequenceError
from tracking_nodes.sequences.catalog import open_sequences

BOXES = ['3,4,10,12', '4,5,10,12', '5,6,11,13']
ZERO_BASED = [[3, 4, 10, 12], [4, 5, 10, 12], [5, 6, 11, 13]]
ONE_BASED = [[2, 3, 10, 12], [3, 4, 10, 12], [4, 5, 11, 13]]


def picture(number):
    """Return a picture whose grey says its number."""
    return np.full((24, 32, 3), 10 * (number % 25), np.uint8)


def write_images(folder, count=3, first=1, pattern='{:04d}.jpg'):
    """Write numbered pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        assert cv2.imwrite(str(folder / pattern.format(number)), picture(number))


def write_text(file, lines):
    """Write lines to a file, with its folders."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('\n'.join(lines) + '\n')


def write_video(file, count=6):
    """Write a lossless video of numbered pictures at 25 Hz."""
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*'FFV1'), 25.0, (32, 24))
    assert writer.isOpened()
    for number in range(1, count + 1):
        writer.write(picture(number))
    writer.release()


def numbers(sequence):
    """Return the numbers that the pictures of a sequence show."""
    return [int(round(image.mean() / 10)) for image in sequence.images()]


def test_otb(tmp_path):
    write_images(tmp_path / 'Box' / 'img')
    write_text(tmp_path / 'Box' / 'groundtruth_rect.txt', BOXES)
    write_text(tmp_path / 'Box' / 'attrs.txt', ['SV, DEF, OPR'])
    sequence, = open_sequences(tmp_path / 'Box')
    np.testing.assert_array_equal(sequence.boxes, ONE_BASED)
    assert (sequence.name, sequence.attributes) == ('Box', ('SV', 'DEF', 'OPR'))
    assert numbers(sequence) == [1, 2, 3]
    assert [round(step) for step in np.diff(sequence.stamps)] == [33333333, 33333334]
    assert sequence.stamps[0] > 0


def test_otb_with_two_targets(tmp_path):
    write_images(tmp_path / 'Two' / 'img')
    write_text(tmp_path / 'Two' / 'groundtruth_rect.1.txt', BOXES)
    write_text(tmp_path / 'Two' / 'groundtruth_rect.2.txt', BOXES[::-1])
    first, second = open_sequences(tmp_path)
    assert (first.name, second.name) == ('Two.1', 'Two.2')
    np.testing.assert_array_equal(first.boxes, second.boxes[::-1])


def test_otb_david_starts_at_its_300th_image_in_the_official_archive(tmp_path):
    write_images(tmp_path / 'David' / 'img', count=6, first=297)
    write_text(tmp_path / 'David' / 'groundtruth_rect.txt', BOXES)
    sequence, = open_sequences(tmp_path / 'David')
    assert [file.name for file in sequence.sources] == ['0300.jpg', '0301.jpg', '0302.jpg']


def test_images_are_in_the_order_of_their_numbers(tmp_path):
    write_images(tmp_path / 'clip', count=12, pattern='frame{}.png')
    sequence, = open_sequences(tmp_path / 'clip')
    assert numbers(sequence) == list(range(1, 13))
    assert np.isnan(sequence.boxes).all() and sequence.boxes.shape == (12, 4)


@pytest.mark.parametrize('place', ['', 'color'])
def test_vot_polygons(tmp_path, place):
    write_images(tmp_path / 'bag' / place, count=2, pattern='{:08d}.jpg')
    write_text(tmp_path / 'bag' / 'groundtruth.txt', ['5,0,10,5,5,10,0,5', '6,0,11,5,6,10,1,5'])
    sequence, = open_sequences(tmp_path / 'bag')
    np.testing.assert_array_equal(sequence.boxes, [[0, 0, 10, 10], [1, 0, 10, 10]])
    assert sequence.polygons.shape == (2, 8)


def test_vot_rectangles(tmp_path):
    write_images(tmp_path / 'car', pattern='{:08d}.jpg')
    write_text(tmp_path / 'car' / 'groundtruth.txt', BOXES)
    sequence, = open_sequences(tmp_path / 'car')
    np.testing.assert_array_equal(sequence.boxes, ZERO_BASED)
    assert sequence.polygons is None


def test_got10k_absence_and_cover(tmp_path):
    folder = tmp_path / 'GOT-10k_Val_000001'
    write_images(folder, pattern='{:08d}.jpg')
    write_text(folder / 'groundtruth.txt', BOXES)
    write_text(folder / 'absence.label', '010')
    write_text(folder / 'cover.label', '800')
    sequence, = open_sequences(folder)
    np.testing.assert_array_equal(sequence.boxes, [ZERO_BASED[0], [np.nan] * 4, [np.nan] * 4])
    assert np.diff(sequence.stamps).tolist() == [100_000_000] * 2
    write_text(folder / 'absence.label', '01')
    with pytest.raises(SequenceError, match='absence.label has 2 labels for 3 frames'):
        open_sequences(folder)


def test_got10k_test_set_only_has_the_start(tmp_path):
    write_images(tmp_path / 'GOT-10k_Test_000001', pattern='{:08d}.jpg')
    write_text(tmp_path / 'GOT-10k_Test_000001' / 'groundtruth.txt', BOXES[:1])
    sequence, = open_sequences(tmp_path)
    assert len(sequence) == 3
    np.testing.assert_array_equal(sequence.boxes, [ZERO_BASED[0], [np.nan] * 4, [np.nan] * 4])


def test_uav123(tmp_path, caplog):
    write_images(tmp_path / 'data_seq' / 'UAV123' / 'bike1', pattern='{:06d}.jpg')
    write_images(tmp_path / 'data_seq' / 'UAV123' / 'bird1', count=8, pattern='{:06d}.jpg')
    anno = tmp_path / 'anno' / 'UAV123'
    for name in ('bike1', 'bird1_1', 'bird1_2', 'gone'):
        write_text(anno / f'{name}.txt', BOXES)
    write_text(anno / 'att' / 'bike1.txt', ['1,0,1,0,0,0,0,0,0,0,0,1'])
    line = ("struct('name','{}','path','..\\..\\data_seq\\UAV123\\bird1\\','startFrame',{},"
            "'endFrame',{},'nz',6,'ext','jpg','init_rect',[0,0,0,0]),...")
    write_text(tmp_path / 'configSeqs.m', [line.format('bird1_1', 1, 3),
                                           line.format('bird1_2', 5, 7)])
    with caplog.at_level(logging.WARNING):
        sequences = {sequence.name: sequence for sequence in open_sequences(tmp_path)}
    assert sorted(sequences) == ['bike1', 'bird1_1', 'bird1_2']
    assert 'gone.txt is left out' in caplog.text
    assert numbers(sequences['bird1_1']) == [1, 2, 3]
    assert numbers(sequences['bird1_2']) == [5, 6, 7]
    np.testing.assert_array_equal(sequences['bike1'].boxes, ONE_BASED)
    assert sequences['bike1'].attributes == ('SV', 'LR', 'SOB')
    one, = open_sequences(tmp_path / 'data_seq' / 'UAV123' / 'bike1')
    assert one.name == 'bike1'


def test_tld_video_and_images(tmp_path):
    folder = tmp_path / '06_car'
    write_text(folder / 'gt.txt', ['3,4,13,16', 'NaN,NaN,NaN,NaN', '5,6,16,19'])
    write_video(folder / 'car.avi', count=3)
    sequence, = open_sequences(tmp_path)
    expected = [ZERO_BASED[0], [np.nan] * 4, ZERO_BASED[2]]
    np.testing.assert_array_equal(sequence.boxes, expected)
    assert sequence.name == '06_car' and numbers(sequence) == [1, 2, 3]
    assert np.diff(sequence.stamps).tolist() == [40_000_000] * 2
    (folder / 'car.avi').unlink()
    write_images(folder)
    sequence, = open_sequences(folder)
    np.testing.assert_array_equal(sequence.boxes, expected)


def test_folder_of_videos(tmp_path):
    for name in ('a', 'b'):
        write_video(tmp_path / f'{name}.mkv')
    write_text(tmp_path / 'a.txt', BOXES * 2)
    first, second = open_sequences(tmp_path)
    assert (first.name, second.name) == ('a', 'b')
    np.testing.assert_array_equal(first.boxes, ZERO_BASED * 2)
    assert len(second) == 6 and np.isnan(second.boxes).all()


def test_targets_of_a_video(tmp_path):
    write_video(tmp_path / 'crowd.mkv')
    write_text(tmp_path / 'crowd.mot.txt', ['2,7,3,4,5,6', '2,10,1,1,1,1', '4,7,5,6,7,8'])
    sequence, = open_sequences(tmp_path)
    assert sequence.name == 'crowd.7' and numbers(sequence) == [2, 3, 4]
    np.testing.assert_array_equal(sequence.boxes, [[3, 4, 5, 6], [np.nan] * 4, [5, 6, 7, 8]])
    np.testing.assert_array_equal(sequence.image(2), picture(4))
    assert sequence.where(2) == f'{tmp_path / "crowd.mot.txt"}:3'


def test_ground_truth_shorter_and_longer_than_the_video(tmp_path, caplog):
    write_video(tmp_path / 'clip.mkv')
    write_text(tmp_path / 'clip.txt', BOXES)
    sequence, = open_sequences(tmp_path / 'clip.mkv')
    assert numbers(sequence) == [1, 2, 3]
    write_text(tmp_path / 'clip.txt', BOXES * 3)
    with caplog.at_level(logging.WARNING):
        sequence, = open_sequences(tmp_path / 'clip.mkv')
    assert numbers(sequence) == list(range(1, 7)) and sequence.boxes.shape == (6, 4)
    assert '9 lines for 6 frames' in caplog.text


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
    assert [item and item.format for item in encoded] == ['jpeg', 'jpeg', 'png', None]
    for file, item in zip(sequence.sources[:3], encoded):
        assert item.data == file.read_bytes()


def test_sequences_go_to_other_processes(tmp_path):
    write_video(tmp_path / 'clip.mkv')
    copy = pickle.loads(pickle.dumps(open_sequences(tmp_path)[0]))
    assert numbers(copy) == list(range(1, 7))


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
