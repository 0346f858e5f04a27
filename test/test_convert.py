"""The command dataset_to_bag."""
import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from tracking_nodes.sequences.bags import BagSequence
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.convert import main


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


def test_options(dataset, tmp_path):
    assert main([str(dataset / 'Two'), str(tmp_path / 'bag'), '--image', 'raw', '--rate', '50',
                 '--topic', '/front/image', '--ground-truth-topic', '/truth/ground_truth']) == 0
    with AnyReader([tmp_path / 'bag']) as reader:
        assert {name: info.msgtype for name, info in reader.topics.items()} == {
            '/front/image': 'sensor_msgs/msg/Image',
            '/truth/ground_truth': 'vision_msgs/msg/Detection2DArray',
            '/truth/ground_truth/region': 'std_msgs/msg/Float64MultiArray'}
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
    assert '12 messages saved' in capsys.readouterr().out
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
        for ours, theirs in zip(back.encoded_images(), source.encoded_images()):
            assert theirs is None or ours == theirs
