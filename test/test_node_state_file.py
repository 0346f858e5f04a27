"""A target saved to a file: found by a node started anew, refused where it is not the same."""
import pickle
import signal
import subprocess
import time

from node_harness import Answer, Bench, spun_client, start_node, wait
import numpy as np
import pytest

from tracking_nodes.errors import TrackingError
from tracking_nodes.geometry import iou
from tracking_nodes.nodes.health import Health
from tracking_nodes.nodes.state_file import find, load, picture_of, save, SavedTarget, StateFile
from tracking_nodes.sequences.synthetic import SyntheticSequence


@pytest.fixture(scope='module')
def clip():
    """Return the images of a textured target that moves, and its boxes."""
    sequence = SyntheticSequence(frames=40)
    return list(sequence.images()), sequence.boxes


class Words:
    """A logger that keeps what is said."""

    def __init__(self):
        self.texts = []

    def info(self, text):
        self.texts.append(text)

    warning = error = info


def saved_on(image, box, **changes):
    """Return a target saved just now."""
    values = {'box': np.array(box), 'size': (image.shape[1], image.shape[0]),
              'picture': picture_of(image, box), 'epoch': 3, 'identity': 'red-1',
              'class_id': 'dog', 'saved_at': time.time(), **changes}
    return SavedTarget(**values)


def test_what_was_saved_is_read_again(clip, tmp_path):
    images, boxes = clip
    before = saved_on(images[0], boxes[0])
    save(tmp_path / 'target', before)
    after = load(tmp_path / 'target')
    for name in ('box', 'picture'):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert (after.size, after.epoch, after.identity, after.class_id, after.saved_at) == (
        before.size, 3, 'red-1', 'dog', before.saved_at)
    assert [path.name for path in tmp_path.iterdir()] == ['target']


@pytest.mark.parametrize('later', [1, 10, 30])
def test_the_target_is_found_where_it_has_moved_to(clip, later):
    images, boxes = clip
    box, likeness = find(saved_on(images[0], boxes[0]), images[later])
    assert likeness > 0.7 and iou(box, boxes[later]) > 0.5


def test_another_picture_is_not_taken_for_the_target(clip):
    images, boxes = clip
    noise = np.random.default_rng(1).integers(0, 256, images[0].shape, dtype=np.uint8)
    assert find(saved_on(images[0], boxes[0]), noise)[1] < 0.5
    flat = np.full_like(images[0], 90)
    assert find(saved_on(flat, boxes[0]), flat)[1] == 0


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 half a file', b'\x93NUMPY', b'{}'])
def test_a_damaged_file_is_an_error_in_words(tmp_path, content):
    (tmp_path / 'target').write_bytes(content)
    with pytest.raises(TrackingError, match='holds no saved target'):
        load(tmp_path / 'target')


class Harmful:
    """Would leave a file when it is read as a pickle."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_no_pickle_is_ever_executed(tmp_path):
    trap = tmp_path / 'sprung'
    (tmp_path / 'target').write_bytes(pickle.dumps(Harmful(trap)))
    with pytest.raises(TrackingError):
        load(tmp_path / 'target')
    np.savez(tmp_path / 'arrays.npz', box=np.array([Harmful(trap)], dtype=object),
             size=np.array([320, 240]))
    with pytest.raises(TrackingError):
        load(tmp_path / 'arrays.npz')
    assert not trap.exists()


@pytest.mark.parametrize('change, words', [
    ({'saved_at': time.time() - 3600}, 'state_age is 10 s'),
    ({'saved_at': time.time() + 3600}, 'state_age is 10 s'),
    ({'size': (640, 480)}, 'images were 640x480 and are 320x240'),
    ({'picture': np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)},
     'nothing in the image is like it')])
def test_a_target_that_is_not_there_is_refused_with_the_reason(clip, tmp_path, change, words):
    images, boxes = clip
    save(tmp_path / 'target', saved_on(images[0], boxes[0], **change))
    logger = Words()
    file = StateFile(str(tmp_path / 'target'), 10.0, Health(logger))
    assert file.pending and file.hand_back(images[1]) is None and not file.pending
    assert words in logger.texts[-1]


def test_a_folder_that_cannot_be_written_is_said_and_the_node_goes_on(tmp_path):
    file = tmp_path / 'missing' / 'target'
    with Bench(state_file=str(file), init_box='100, 80, 40, 30') as bench:
        bench.ask(1)
        bench.diagnosed(lambda level, words, _: 'cannot be written' in words)
        assert bench.ask(2).identity == '1'


def test_a_target_given_up_is_not_resumed(tmp_path):
    file = tmp_path / 'target'
    with Bench(state_file=str(file), init_box='100, 80, 40, 30') as bench:
        bench.ask(1)
        wait(file.exists)
        assert bench.trigger('stop').success
        time.sleep(0.6)
        bench.ask(2)
        wait(lambda: not file.exists())


@pytest.fixture
def client():
    with spun_client() as node:
        yield node


def answered(client, image):
    """Send an image and return the answer to it."""
    stamp = time.time_ns()
    client.send(image, stamp)
    return wait(lambda: next((answer for answer in map(Answer.of, client.answers)
                              if answer.stamp == stamp), None))


def start(client, *arguments, nodes=1):
    """Start a node and wait until it knows the client; `nodes` counts the killed one as well."""
    client.states.clear()
    process = start_node('-p', 'tracker:=edcf', *arguments, stderr=subprocess.PIPE, text=True)
    client.meet(nodes)
    return process


def test_a_node_killed_in_the_middle_resumes_its_target_with_the_first_image(
        client, clip, tmp_path):
    images, boxes = clip
    arguments = ('-p', f'state_file:={tmp_path / "target"}', '-p', 'image_qos:=reliable', '-p',
                 'init_box:="{:.1f} {:.1f} {:.1f} {:.1f}"'.format(*boxes[0]))
    process = start(client, *arguments)
    try:
        assert answered(client, images[0]).identity == '1'
        for number in range(1, 16):
            answered(client, images[number])
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # Nobody said goodbye: the middleware believes in the killed one for a while.
        process = start(client, *arguments, nodes=2)
        begin = time.monotonic()
        resumed = answered(client, images[20])
        assert time.monotonic() - begin < 1.0
        # Where it is now, and not at init_box, where it was long ago; and under its own id.
        assert iou(resumed.box, boxes[20]) > 0.5 and iou(resumed.box, boxes[0]) < 0.1
        assert resumed.identity == '1'
    finally:
        process.kill()
        _, errors = process.communicate()
    assert 'starts from state_file' in errors
