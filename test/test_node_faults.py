"""
What goes wrong in and around a node process, each time with a node and a camera of its own.

docs/faults.md is the table.
"""
import signal
import time

from hungry_tracker import FULL
from mutations import (
    mutated_boxes, mutated_bytes, mutated_image, mutated_jpeg, small_image)
from node_harness import SECOND, wait
from node_system import node_system
import numpy as np
import pytest
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from tracking_nodes.nodes.conversions import nanoseconds_to_stamp, stamp_to_nanoseconds

from vision_msgs.msg import Detection2D, Detection2DArray

FUZZED, BATCH = 10_000, 5
PAUSE = 0.003


def test_sigterm_in_the_middle_of_a_flood_ends_the_node_within_two_seconds():
    with node_system(frame_code__delay=0.03) as system:
        system.begin()
        camera, now = system.camera, time.time_ns()
        order = [now + number * SECOND // 300 for number in range(600)]
        camera.process.stdin.write(f'{{"stamps": {order}, "number": 2, "period": 0.003}}\n')
        camera.process.stdin.flush()
        wait(lambda: len(system.client.answers) > 10)
        assert system.finish(signal.SIGTERM) == 0
        assert 'Traceback' not in system.said()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_tracker_is_loaded_ends_the_node_within_two_seconds(number):
    # DDS tells of an earlier node's services for a while: this one has a name of its own.
    name = f'loading_{int(number)}'
    with node_system('-r', f'__node:={name}', frame_code__warm_up_delay=60.0) as system:
        wait(lambda: system.client.count_services(f'/{name}/change_state'), timeout=120)
        assert system.finish(number) == 0
        assert 'Traceback' not in system.said()


def test_a_clock_that_jumps_ahead_and_back_loses_no_image():
    with node_system(max_age=1.0, use_sim_time=True) as system:
        system.client.meet()
        clock = system.publisher(Clock, '/clock')
        identities = []
        for begin in (100, 5000, 100, 101, 2 ** 31 - 10, 50):
            for step in range(4):
                stamp = begin * SECOND + step * SECOND // 30
                clock.publish(Clock(clock=nanoseconds_to_stamp(stamp)))
                identities.append(system.answer_to(system.send(stamp)).identity)
        assert set(identities) == {'1'}
        system.counted(24, 'images answered')


def test_missing_weights_are_said_and_repaired_in_the_same_process(tmp_path):
    with node_system(tracker='edcf', models=str(tmp_path),
                     edcf__weights='nowhere.safetensors') as system:
        system.diagnosed(lambda level, words, _: 'WeightsError' in words
                         and 'nowhere.safetensors' in words)
        assert system.lifecycle() == 'unconfigured' and system.process.poll() is None
        assert system.set_parameters(edcf__weights='random').successful
        assert system.transition('configure') and system.transition('activate')
        assert system.begin().identity == '1'


def test_a_gpu_without_memory_costs_a_second_try_or_one_image():
    with node_system(tracker='hungry', learning='inline') as system:
        system.begin()
        assert system.set_parameters(hungry__full_at=3, hungry__full_times=1).successful
        system.ask()
        assert system.ask().identity == '1'
        system.counted(1, 'fault: gpu_memory')
        _, words, _ = system.client.status()
        assert FULL in words and 'it is tried once more' in words
        assert 'set half, lower hungry.search_size, choose another device' in words
        assert system.set_parameters(hungry__full_at=4, hungry__full_times=2).successful
        system.send()
        system.counted(1, 'dropped: gpu_memory')
        assert system.set_parameters(hungry__full_at=5, hungry__full_in='learn').successful
        assert system.ask().identity == '1'
        system.diagnosed(lambda level, words, _: 'the model may be half updated' in words)
        assert system.ask().identity == '1'
        system.accounted()
        assert system.process.poll() is None


def test_a_gpu_without_memory_while_loading_is_said_and_repaired_in_the_same_process():
    with node_system(tracker='hungry', hungry__full_in='warm_up') as system:
        _, words, _ = system.diagnosed(lambda level, words, _: FULL in words)
        assert 'lower hungry.search_size' in words and system.lifecycle() == 'unconfigured'
        assert system.set_parameters(hungry__full_times=0).successful
        assert system.transition('configure') and system.transition('activate')
        assert system.begin().identity == '1'


def test_a_state_file_that_cannot_be_written_costs_no_image(tmp_path):
    with node_system(state_file=str(tmp_path / 'missing' / 'target')) as system:
        system.begin()
        system.diagnosed(lambda level, words, _: 'cannot be written' in words)
        assert system.ask().identity == '1'
        system.accounted()


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_ten_thousand_mutated_images_and_messages_lose_no_good_image(transport):
    rng, right = np.random.default_rng(0), 0
    compressed = transport == 'compressed'
    kind, topic = (CompressedImage, '/image/compressed') if compressed else (Image, '/image')
    with node_system(image_transport=transport, init_box='100 8 40 10', candidates_policy='lost',
                     candidates_confirm=0.5, max_image_pixels=100_000) as system:
        system.client.meet()
        camera = system.publisher(kind, topic)
        init = system.publisher(Detection2D, '/tracker/init')
        detector = system.publisher(Detection2DArray, '/candidates')
        for number in range(FUZZED // 2 // BATCH):
            for _ in range(BATCH):
                stamp, draw = time.time_ns(), rng.random()
                if draw < 0.15:
                    detector.publish(mutated_boxes(rng))
                elif draw < 0.3:
                    init.publish(mutated_boxes(rng).detections[0])
                elif draw < 0.45:
                    camera.publish(mutated_bytes(rng, small_image(stamp, compressed)))
                else:
                    camera.publish(mutated_jpeg(rng, small_image(stamp, True)) if compressed
                                   else mutated_image(rng, stamp))
                # Sent all at once, nearly all are superseded, and nobody ever looks at them.
                time.sleep(PAUSE)
            good = small_image(time.time_ns(), compressed, number)
            system.client.answers.clear()
            camera.publish(good)
            answer = system.answer_to(stamp_to_nanoseconds(good.header.stamp))
            right += answer.box is not None and abs(answer.box[1] - number) < 0.5
        # The others are answered with a box that started a target on this very image.
        assert right > 0.98 * FUZZED // 2 // BATCH
        assert system.process.poll() is None
        system.diagnosed(lambda level, words, values: int(values['fault: bad_image']) > 300
                         and int(values['fault: bad_box']) > 500)
        assert not system.count('fault: tracker_error')
