"""The layouts of the benchmarks, in small made-up copies of their folders."""
import logging

import numpy as np
import pytest
from sequence_files import (ABSENT, BOXES, numbers, ONE_BASED, picture, write_images, write_otb,
                            write_text, write_uav, write_video, ZERO_BASED)

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.catalog import open_sequences


def test_otb(tmp_path):
    write_otb(tmp_path / 'Box')
    write_text(tmp_path / 'Box' / 'attrs.txt', ['SV, DEF, OPR'])
    sequence, = open_sequences(tmp_path / 'Box')
    np.testing.assert_array_equal(sequence.boxes, ONE_BASED)
    assert (sequence.name, sequence.attributes) == ('Box', ('SV', 'DEF', 'OPR'))
    assert numbers(sequence) == [1, 2, 3]
    assert [round(step) for step in np.diff(sequence.stamps)] == [33333333, 33333334]
    assert sequence.stamps[0] > 0


@pytest.mark.parametrize('separator', [',', '\t', ' '])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_otb_separators_and_line_ends(tmp_path, separator, end):
    write_otb(tmp_path / 'Box')
    text = end.join(line.replace(',', separator) for line in BOXES) + end
    (tmp_path / 'Box' / 'groundtruth_rect.txt').write_bytes(text.encode())
    np.testing.assert_array_equal(open_sequences(tmp_path)[0].boxes, ONE_BASED)


@pytest.mark.parametrize('place', ['att', 'anno/att'])
def test_otb_attributes_from_the_flags_of_the_toolkit(tmp_path, place):
    write_otb(tmp_path / 'Box')
    write_text(tmp_path / place / 'Box.txt', ['0\t1\t1\t0\t0\t0\t0\t0\t0\t0\t1'])
    assert open_sequences(tmp_path / 'Box')[0].attributes == ('OPR', 'SV', 'LR')
    write_text(tmp_path / place / 'Box.txt', ['0,1'])
    with pytest.raises(SequenceError, match='Box.txt, line 1: expected 11 numbers, .* found 2'):
        open_sequences(tmp_path / 'Box')


def test_otb_attributes_as_published(tmp_path):
    write_otb(tmp_path / 'Walking2')
    assert open_sequences(tmp_path)[0].attributes == ('SV', 'OCC', 'LR')


def test_otb_with_two_targets(tmp_path):
    write_images(tmp_path / 'Two' / 'img')
    write_text(tmp_path / 'Two' / 'groundtruth_rect.1.txt', BOXES)
    write_text(tmp_path / 'Two' / 'groundtruth_rect.2.txt', BOXES[::-1])
    first, second = open_sequences(tmp_path)
    assert (first.name, second.name) == ('Two.1', 'Two.2')
    np.testing.assert_array_equal(first.boxes, second.boxes[::-1])


def test_otb_human4_has_an_empty_file_of_a_first_target(tmp_path):
    write_images(tmp_path / 'Human4' / 'img')
    (tmp_path / 'Human4' / 'groundtruth_rect.1.txt').write_text('\r\n')
    write_text(tmp_path / 'Human4' / 'groundtruth_rect.2.txt', BOXES)
    assert [sequence.name for sequence in open_sequences(tmp_path)] == ['Human4.2']


def test_otb_david_starts_at_its_300th_image_in_the_official_archive(tmp_path):
    write_images(tmp_path / 'David' / 'img', count=6, first=297)
    write_text(tmp_path / 'David' / 'groundtruth_rect.txt', BOXES)
    sequence, = open_sequences(tmp_path / 'David')
    assert [file.name for file in sequence.sources] == ['0300.jpg', '0301.jpg', '0302.jpg']


def test_otb_tiger1_has_boxes_of_images_that_are_not_evaluated(tmp_path):
    write_otb(tmp_path / 'Tiger1', [f'{number},2,3,4' for number in range(1, 355)])
    sequence, = open_sequences(tmp_path / 'Tiger1')
    assert len(sequence) == 349 and sequence.sources[0].name == '0006.jpg'
    np.testing.assert_array_equal(sequence.boxes[[0, -1]], [[5, 1, 3, 4], [353, 1, 3, 4]])
    assert sequence.where(0).endswith('groundtruth_rect.txt:6')


@pytest.mark.parametrize('place', ['David/init_omit.txt', 'initOmit/David.txt',
                                   'initOmit/david.txt'])
def test_otb_says_where_no_tracker_is_started(tmp_path, place):
    write_images(tmp_path / 'David' / 'img', count=6, first=300)
    write_text(tmp_path / 'David' / 'groundtruth_rect.txt', BOXES * 2)
    # The toolkit names images by their numbers, both ends included.
    write_text(tmp_path / place, ['301 302', '305\t305'])
    sequence, = open_sequences(tmp_path / 'David')
    assert sequence.values['init_omit'].tolist() == [0, 1, 1, 0, 0, 1]
    write_text(tmp_path / place, ['301'])
    with pytest.raises(SequenceError, match='(avid|init_omit).txt, line 1: expected two .* 1'):
        open_sequences(tmp_path / 'David')


def test_otb_without_such_a_file_or_with_an_empty_one_starts_anywhere(tmp_path):
    write_otb(tmp_path / 'Box')
    assert open_sequences(tmp_path / 'Box')[0].values == {}
    (tmp_path / 'Box' / 'init_omit.txt').write_text('\n')
    assert open_sequences(tmp_path / 'Box')[0].values == {}


def test_temple_color(tmp_path):
    folder = tmp_path / 'Ball_ce1'
    write_images(folder / 'img', count=9)
    write_text(folder / 'Ball_ce1_frames.txt', ['4,6'])
    write_text(folder / 'Ball_ce1_gt.txt', BOXES)
    # Upper and lower case of some archives' files are not those of the folder.
    write_text(folder / 'ball_ce1_att.txt', ['IV, OPR'])
    sequence, = open_sequences(tmp_path)
    assert (sequence.name, sequence.attributes) == ('Ball_ce1', ('IV', 'OPR'))
    np.testing.assert_array_equal(sequence.boxes, ONE_BASED)
    assert numbers(sequence) == [4, 5, 6]


@pytest.mark.parametrize('frames, words', [
    ('4', 'line 1: expected the numbers of the first and the last frame, got .4.0.'),
    ('6,4', 'line 1: expected the numbers of the first and the last frame'),
    ('40,60', 'img has no image of the frames 40 to 60 that Ball_frames.txt names')])
def test_temple_color_frames_that_are_none(tmp_path, frames, words):
    write_images(tmp_path / 'Ball' / 'img')
    write_text(tmp_path / 'Ball' / 'Ball_frames.txt', [frames])
    write_text(tmp_path / 'Ball' / 'Ball_gt.txt', BOXES)
    with pytest.raises(SequenceError, match=words):
        open_sequences(tmp_path)


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
    assert sequence.polygons is None and sequence.tags == {} and sequence.attributes == ()


@pytest.mark.parametrize('suffix', ['tag', 'label'])
def test_vot_labels_of_every_frame(tmp_path, suffix):
    write_images(tmp_path / 'car', pattern='{:08d}.jpg')
    write_text(tmp_path / 'car' / 'groundtruth.txt', BOXES)
    write_text(tmp_path / 'car' / f'camera_motion.{suffix}', ['0', '0', '0'])
    # A label that is not there at the end is 0.
    write_text(tmp_path / 'car' / f'occlusion.{suffix}', ['0', '1'])
    sequence, = open_sequences(tmp_path)
    assert {name: flags.tolist() for name, flags in sequence.tags.items()} == {
        'camera_motion': [False] * 3, 'occlusion': [False, True, False]}
    assert sequence.attributes == ('occlusion',)
    write_text(tmp_path / 'car' / f'occlusion.{suffix}', ['0', '1', '0', '1'])
    with pytest.raises(SequenceError, match=f'occlusion.{suffix}, line 4: expected 3 labels'):
        open_sequences(tmp_path)


def test_vot_numbers_of_every_frame(tmp_path):
    write_images(tmp_path / 'car', pattern='{:08d}.jpg')
    write_text(tmp_path / 'car' / 'groundtruth.txt', BOXES)
    write_text(tmp_path / 'car' / 'practical.value', ['0.1', '0.2', '0.25'])
    assert open_sequences(tmp_path)[0].values['practical'].tolist() == [0.1, 0.2, 0.25]
    write_text(tmp_path / 'car' / 'practical.value', ['0.1', '0.2'])
    with pytest.raises(SequenceError, match='practical.value, line 2: expected 3 labels'):
        open_sequences(tmp_path)


def test_vot_sequence_file(tmp_path):
    write_images(tmp_path / 'ants' / 'pictures', pattern='{:08d}.jpg')
    write_text(tmp_path / 'ants' / 'groundtruth.txt', BOXES)
    settings = ['channels.color=pictures/%08d.jpg', 'fps=20', 'format=default', 'name=ants']
    write_text(tmp_path / 'ants' / 'sequence', settings)
    sequence, = open_sequences(tmp_path)
    assert numbers(sequence) == [1, 2, 3] and np.diff(sequence.stamps).tolist() == [50_000_000] * 2
    write_text(tmp_path / 'ants' / 'sequence', ['fps=fast'] + settings)
    assert len(open_sequences(tmp_path)[0]) == 3
    write_text(tmp_path / 'ants' / 'sequence', settings + ['fps=fast'])
    with pytest.raises(SequenceError, match="ants/sequence, line 5: 'fast' is not a frame rate"):
        open_sequences(tmp_path)
    write_text(tmp_path / 'ants' / 'sequence', ['channels.color=color/%08d.jpg'])
    with pytest.raises(SequenceError, match='says that the images are in .*color; there are none'):
        open_sequences(tmp_path)


def test_got10k_absence_and_cover(tmp_path):
    folder = tmp_path / 'GOT-10k_Val_000001'
    write_images(folder, pattern='{:08d}.jpg')
    write_text(folder / 'groundtruth.txt', BOXES)
    write_text(folder / 'absence.label', '010')
    write_text(folder / 'cover.label', '800')
    write_text(folder / 'cut_by_image.label', '001')
    write_text(folder / 'meta_info.ini', ['[METAINFO]', 'url: https://example/a', 'anno_fps: 5Hz',
                                          'object_class: tank', 'motion_class: driving'])
    sequence, = open_sequences(folder)
    np.testing.assert_array_equal(sequence.boxes, [ZERO_BASED[0], ABSENT, ABSENT])
    assert np.diff(sequence.stamps).tolist() == [200_000_000] * 2
    assert sequence.attributes == ('object_class=tank', 'motion_class=driving')
    assert sequence.tags['cut_by_image'].tolist() == [False, False, True]
    write_text(folder / 'absence.label', '01')
    with pytest.raises(SequenceError, match='absence.label, line 2: expected 3 labels'):
        open_sequences(folder)


def test_got10k_test_set_only_has_the_start(tmp_path):
    write_images(tmp_path / 'GOT-10k_Test_000001', pattern='{:08d}.jpg')
    write_text(tmp_path / 'GOT-10k_Test_000001' / 'groundtruth.txt', BOXES[:1])
    sequence, = open_sequences(tmp_path)
    assert len(sequence) == 3 and np.diff(sequence.stamps).tolist() == [100_000_000] * 2
    np.testing.assert_array_equal(sequence.boxes, [ZERO_BASED[0], ABSENT, ABSENT])


def test_uav123(tmp_path, caplog):
    write_uav(tmp_path)
    write_text(tmp_path / 'anno' / 'UAV123' / 'gone.txt', BOXES)
    with caplog.at_level(logging.WARNING):
        sequences = {sequence.name: sequence for sequence in open_sequences(tmp_path)}
    assert sorted(sequences) == ['bike1', 'bird1_1', 'bird1_2']
    assert 'gone.txt is left out' in caplog.text
    assert numbers(sequences['bird1_1']) == [1, 2, 3]
    assert numbers(sequences['bird1_2']) == [5, 6, 7]
    np.testing.assert_array_equal(sequences['bike1'].boxes, ONE_BASED)
    assert sequences['bike1'].attributes == ('SV', 'LR')
    one, = open_sequences(tmp_path / 'data_seq' / 'UAV123' / 'bike1')
    assert one.name == 'bike1'


def test_uav123_with_images_missing_at_the_end(tmp_path):
    write_uav(tmp_path)
    for number in (7, 8):
        (tmp_path / 'data_seq' / 'UAV123' / 'bird1' / f'{number:06d}.jpg').unlink()
    sequences = open_sequences(tmp_path)
    with pytest.raises(SequenceError, match='bird1 has 6 images; bird1_2 needs frames 5 to 7'):
        len(sequences[2])


def test_lasot(tmp_path):
    folder = tmp_path / 'bird' / 'bird-2'
    write_images(folder / 'img', pattern='{:08d}.jpg')
    write_text(folder / 'groundtruth.txt', BOXES)
    write_text(folder / 'full_occlusion.txt', ['0,1,0'])
    write_text(folder / 'out_of_view.txt', ['0,0,1'])
    write_text(folder / 'nlp.txt', ['a bird flying'])
    write_text(tmp_path / 'att' / 'bird-2.txt', ['1' + 12 * ',0' + ',1'])
    sequence, = open_sequences(tmp_path)
    assert (sequence.name, sequence.attributes) == ('bird-2', ('IV', 'ARC'))
    np.testing.assert_array_equal(sequence.boxes, [ONE_BASED[0], ABSENT, ABSENT])
    assert sequence.tags['full_occlusion'].tolist() == [False, True, False]
    assert numbers(sequence) == [1, 2, 3]


def test_tld_video_and_images(tmp_path):
    folder = tmp_path / '06_car'
    write_text(folder / 'gt.txt', ['3,4,13,16', 'NaN,NaN,NaN,NaN', '5,6,16,19'])
    write_video(folder / 'car.avi', count=3)
    sequence, = open_sequences(tmp_path)
    expected = [ZERO_BASED[0], ABSENT, ZERO_BASED[2]]
    np.testing.assert_array_equal(sequence.boxes, expected)
    assert sequence.name == '06_car' and numbers(sequence) == [1, 2, 3]
    assert np.diff(sequence.stamps).tolist() == [40_000_000] * 2
    (folder / 'car.avi').unlink()
    write_images(folder)
    sequence, = open_sequences(folder)
    np.testing.assert_array_equal(sequence.boxes, expected)


def write_mot(folder, lines):
    """Write a MOT sequence of eight images at 25 Hz."""
    write_images(folder / 'img1', count=8, pattern='{:06d}.jpg')
    write_text(folder / 'gt' / 'gt.txt', lines)
    write_text(folder / 'seqinfo.ini', ['[Sequence]', f'name={folder.name}', 'imDir=img1',
                                        'frameRate=25', 'seqLength=8', 'imExt=.jpg'])


def test_mot_of_2015(tmp_path):
    write_mot(tmp_path / 'TUD', ['3,1,4.5,5,10,12,1,-1,-1,-1', '1,2,2,3,4,5,1,-1,-1,-1',
                                 '5,1,6,7,10,12,1,-1,-1,-1', '2,2,2,3,4,5,1,-1,-1,-1',
                                 '4,2,2,3,4,5,0,-1,-1,-1', '8,3,1,1,1,1,1,-1,-1,-1'])
    first, second = open_sequences(tmp_path)
    assert (first.name, second.name) == ('TUD.1', 'TUD.2')
    np.testing.assert_array_equal(first.boxes, [[3.5, 4, 10, 12], ABSENT, [5, 6, 10, 12]])
    assert numbers(first) == [3, 4, 5] and numbers(second) == [1, 2]
    assert np.diff(first.stamps).tolist() == [40_000_000] * 2
    assert first.where(2).endswith('gt.txt:3')


def test_mot_of_2016_has_classes_and_visibility(tmp_path):
    write_mot(tmp_path / 'MOT16-02', ['1,1,1,1,4,5,1,1,0.5', '2,1,1,1,4,5,1,1,0',
                                      '3,1,1,1,4,5,1,1,1', '1,9,1,1,4,5,0,8,1',
                                      '2,9,1,1,4,5,0,8,1'])
    sequence, = open_sequences(tmp_path)
    np.testing.assert_array_equal(sequence.boxes, [[0, 0, 4, 5], ABSENT, [0, 0, 4, 5]])
    assert sequence.tags['full_occlusion'].tolist() == [False, True, False]


@pytest.mark.parametrize('lines, words', [
    (['1,1,1,1,4,5,1', '2,1,1,1,4,5,1', '1,1,2,2,4,5,1'],
     'gt.txt, line 3: target 1 is in frame 1 a second time, as in line 1'),
    (['0,1,1,1,4,5,1', '2,1,1,1,4,5,1'], 'gt.txt, line 1: frame 0; frames count from 1'),
    (['8,1,1,1,4,5,1', '9,1,1,1,4,5,1'], 'gt.txt:2: frame 9, but .*MOT has 8 images'),
    (['1,1,1,1,4', '2,1,1,1,4'], 'gt.txt, line 1: expected frame, .* found 5 numbers'),
    (['1,1,1,1,4,5,1', '2,1,1,1,4,nan,1'], 'line 2: expected .*, none of them NaN')])
def test_mot_errors(tmp_path, lines, words):
    write_mot(tmp_path / 'MOT', lines)
    with pytest.raises(SequenceError, match=words):
        open_sequences(tmp_path)


def test_mot_test_set_has_no_ground_truth(tmp_path, caplog):
    write_mot(tmp_path / 'MOT16-01', ['1,1,1,1,4,5,1,1,1'])
    (tmp_path / 'MOT16-01' / 'gt' / 'gt.txt').unlink()
    with caplog.at_level(logging.WARNING), pytest.raises(SequenceError, match='holds no sequence'):
        open_sequences(tmp_path)
    assert 'MOT16-01 is left out: it has no gt/gt.txt' in caplog.text


def vid_xml(*objects):
    """Return an annotation of (track, xmin, ymin, xmax, ymax, occluded)."""
    return ['<annotation>', '<size><width>32</width><height>24</height></size>', *(
        f'<object><trackid>{track}</trackid><name>n02084071</name><bndbox><xmax>{right}</xmax>'
        f'<xmin>{left}</xmin><ymax>{bottom}</ymax><ymin>{top}</ymin></bndbox>'
        f'<occluded>{occluded}</occluded><generated>0</generated></object>'
        for track, left, top, right, bottom, occluded in objects), '</annotation>']


def test_imagenet_vid(tmp_path):
    name = 'ILSVRC2015_VID_train_0000/ILSVRC2015_train_00010001'
    video = tmp_path / 'Data' / 'VID' / 'train' / name
    annotations = tmp_path / 'Annotations' / 'VID' / 'train' / name
    write_images(video, count=4, first=0, pattern='{:06d}.jpg')
    for file in video.iterdir():
        file.rename(file.with_suffix('.JPEG'))
    frames = [vid_xml((0, 1, 2, 10, 11, 0)), vid_xml((0, 2, 2, 10, 11, 1), (1, 5, 5, 6, 6, 0)),
              vid_xml((0, 3, 2, 10, 11, 0)), vid_xml((0, 0, 0, 31, 23, 0))]
    frames[2] = vid_xml()
    for number, lines in enumerate(frames):
        write_text(annotations / f'{number:06d}.xml', lines)
    for path in (tmp_path, tmp_path / 'Data' / 'VID' / 'train', video):
        sequence, = open_sequences(path)
        assert sequence.name == 'ILSVRC2015_train_00010001.0'
        np.testing.assert_array_equal(sequence.boxes, [[1, 2, 10, 10], [2, 2, 9, 10], ABSENT,
                                                       [0, 0, 32, 24]])
        assert sequence.tags['occluded'].tolist() == [False, True, False, False]
        assert sequence.where(1) == str(annotations / '000001.xml')
        assert numbers(sequence) == [0, 1, 2, 3]
    (video / '000001.JPEG').unlink()
    with pytest.raises(SequenceError, match='has 3 images for the frames 0 to 3'):
        open_sequences(tmp_path)
    write_text(annotations / '000001.xml', ['<annotation><object/></annotation>'])
    with pytest.raises(SequenceError, match='000001.xml is no annotation of ImageNet VID'):
        open_sequences(tmp_path)


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
    np.testing.assert_array_equal(sequence.boxes, [[3, 4, 5, 6], ABSENT, [5, 6, 7, 8]])
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
