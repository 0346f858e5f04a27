"""The command dataset_to_bag."""
import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from sequence_files import BOXES, numbers, write_images, write_text, write_video

from tracking_nodes.sequences.bags import BagSequence
from tracking_nodes.sequences.catalog import find_sequences, open_sequences
from tracking_nodes.sequences.convert import main


def write_otb_pair(folder):
    """Write an OTB video of two targets, with starts that are left out and attributes."""
    write_images(folder / 'img')
    write_text(folder / 'groundtruth_rect.1.txt', BOXES)
    write_text(folder / 'groundtruth_rect.2.txt', ['NaN,NaN,NaN,NaN', *BOXES[1:]])
    write_text(folder / 'init_omit.txt', ['2 2'])
    write_text(folder / 'attrs.txt', ['OCC, FM'])


def write_mot(folder):
    """Write a MOT video: no target in frame 1, in 4 and at the end, one hidden in a frame."""
    write_images(folder / 'img1', 9)
    write_text(folder / 'seqinfo.ini', ['[Sequence]', 'frameRate=14'])
    write_text(folder / 'gt' / 'gt.txt', [
        '2,7,3,4,5,6,1,1,1', '3,7,3,4,5,6,1,1,1', '5,9,1,1,9,9,1,1,1', '6,9,1,1,9,9,1,1,0',
        '8,9,2,2,9,9,1,1,.5'])


@pytest.fixture
def dataset(tmp_path):
    """Return an OTB folder of two sequences, four frames each."""
    random = np.random.default_rng(2)
    for name in ('One', 'Two'):
        folder = tmp_path / 'otb' / name
        (folder / 'img').mkdir(parents=True)
        for number in range(1, 5):
            cv2.imwrite(str(folder / 'img' / f'{number:04d}.jpg'),
                        random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        (folder / 'groundtruth_rect.txt').write_text('1,2,3.3,4\n2,3,4,5\n3,4,5,6\n4,5,6,7\n')
    return tmp_path / 'otb'


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_one_sequence_becomes_the_bag(dataset, tmp_path, capsys, storage):
    assert main([str(dataset / 'One'), str(tmp_path / 'bag'), '--storage', storage]) == 0
    assert '4 frames of One' in capsys.readouterr().out
    assert (tmp_path / 'bag' / f'bag.{"mcap" if storage == "mcap" else "db3"}').exists()
    source, = open_sequences(dataset / 'One')
    back, = open_sequences(tmp_path / 'bag')
    np.testing.assert_array_equal(back.boxes, source.boxes)
    assert list(back.encoded_images()) == list(source.encoded_images())


def test_several_sequences_become_bags_in_a_folder(dataset, tmp_path):
    assert main([str(dataset), str(tmp_path / 'bags')]) == 0
    assert [sequence.name for sequence in open_sequences(tmp_path / 'bags')] == ['One', 'Two']


def assert_same(back, source):
    """Compare all that a sequence knows but the stamps, which may begin elsewhere."""
    assert (back.name, back.attributes) == (source.name, source.attributes)
    np.testing.assert_array_equal(back.boxes, source.boxes)
    np.testing.assert_equal((back.polygons, back.tags, back.values),
                            (source.polygons, source.tags, source.values))
    np.testing.assert_allclose(np.diff(back.stamps), np.diff(source.stamps), rtol=0, atol=1)
    assert numbers(back) == numbers(source)
    assert numbers(back)[1] == round(back.image(1).mean() / 10)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('write, name', [(write_otb_pair, 'Pair'), (write_mot, 'MOT-01')])
def test_targets_of_one_video_share_a_bag_where_asked_for(tmp_path, capsys, write, name, storage):
    write(tmp_path / 'data' / name)
    sources = open_sequences(tmp_path / 'data')
    assert len(sources) == 2
    assert main([str(tmp_path / 'data'), str(tmp_path / name), '--together', '--storage',
                 storage]) == 0
    assert f'frames of {name}, 2 targets' in capsys.readouterr().out
    listed = find_sequences(tmp_path / name)
    assert [one.name for one in listed] == [one.name for one in sources]
    for back, source in zip(listed, sources):
        assert_same(back, source)
    # Without the option, each has a bag of its own.
    assert main([str(tmp_path / 'data'), str(tmp_path / 'apart')]) == 0
    for back, source in zip(open_sequences(tmp_path / 'apart'), sources):
        assert_same(back, source)
        np.testing.assert_array_equal(back.stamps, source.stamps)


def test_targets_of_a_video_file_share_a_bag(tmp_path):
    (tmp_path / 'data').mkdir()
    write_video(tmp_path / 'data' / 'clip.mkv', 9)
    write_text(tmp_path / 'data' / 'clip.mot.txt',
               ['3,1,3,4,5,6', '5,1,3,4,5,6', '4,2,1,1,9,9', '8,2,2,2,9,9'])
    assert main([str(tmp_path / 'data'), str(tmp_path / 'clip'), '--image', 'raw',
                 '--together']) == 0
    for back, source in zip(open_sequences(tmp_path / 'clip'),
                            open_sequences(tmp_path / 'data')):
        assert_same(back, source)


def test_sequences_of_several_videos_do_not_share_a_bag(dataset, tmp_path):
    write_otb_pair(dataset / 'Pair')
    assert main([str(dataset), str(tmp_path / 'bags'), '--together']) == 0
    assert sorted(path.name for path in (tmp_path / 'bags').iterdir()) == ['One', 'Pair', 'Two']
    assert [one.name for one in open_sequences(tmp_path / 'bags')] == [
        'One', 'Pair.1', 'Pair.2', 'Two']


def test_options(dataset, tmp_path):
    assert main([str(dataset / 'Two'), str(tmp_path / 'bag'), '--image', 'raw', '--rate', '50',
                 '--topic', '/front/image', '--ground-truth-topic', '/truth/ground_truth']) == 0
    with AnyReader([tmp_path / 'bag']) as reader:
        assert {name: info.msgtype for name, info in reader.topics.items()} == {
            '/front/image': 'sensor_msgs/msg/Image',
            '/truth/ground_truth': 'vision_msgs/msg/Detection2DArray',
            '/truth/ground_truth/region': 'std_msgs/msg/Float64MultiArray',
            '/truth/ground_truth/sequence': 'std_msgs/msg/String'}
    back = BagSequence(tmp_path / 'bag')
    assert np.diff(back.stamps).tolist() == [20_000_000] * 3 and np.isfinite(back.boxes).all()


def test_errors_are_one_line_and_a_status(dataset, tmp_path, capsys):
    assert main([str(tmp_path / 'nothing'), str(tmp_path / 'bag')]) == 1
    assert 'dataset_to_bag: ' in capsys.readouterr().err
    main([str(dataset / 'One'), str(tmp_path / 'bag')])
    assert main([str(dataset / 'One'), str(tmp_path / 'bag')]) == 1
    assert 'exists already' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(dataset / 'One'), str(tmp_path / 'other'), '--rate', '0'])


def test_repair(dataset, tmp_path, capsys):
    main([str(dataset / 'One'), str(tmp_path / 'bag')])
    file = tmp_path / 'bag' / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:-40])
    assert main([str(file), str(tmp_path / 'saved.mcap'), '--repair']) == 0
    assert '13 messages saved' in capsys.readouterr().out
    assert len(BagSequence(tmp_path / 'saved.mcap')) == 4
    assert main([str(file), str(file), str(tmp_path / 'x.mcap'), '--repair']) == 1


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('name', ['otb/Couple', 'otb/Jogging', 'vot/bag', 'tld/04_pedestrian2'])
def test_real_sequences_come_back_as_they_went_in(tracking_data, tmp_path, name, storage):
    folder = tracking_data / 'dev' / name
    assert main([str(folder), str(tmp_path / 'out'), '--storage', storage]) == 0
    for source, back in zip(open_sequences(folder), open_sequences(tmp_path / 'out')):
        np.testing.assert_array_equal(back.boxes, source.boxes)
        np.testing.assert_array_equal(back.stamps, source.stamps)
        if source.polygons is not None:
            np.testing.assert_array_equal(back.polygons, source.polygons)
        assert back.attributes == source.attributes
        np.testing.assert_equal((back.tags, back.values), (source.tags, source.values))
        for ours, theirs in zip(back.encoded_images(), source.encoded_images()):
            assert theirs is None or ours == theirs
