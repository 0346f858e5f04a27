"""
Send a tracker node as many images as it can answer and say whether it grows.

    python test/measure_soak.py --frames 216000 --tracker edcf

216000 frames are two hours at 30 Hz. An image is sent when the one before was answered, and the
target is given up and started again now and then. Prints memory, threads and open files of the
node's process for every stretch of frames.
"""
import argparse
from dataclasses import dataclass
import os
from pathlib import Path
import re
import time

from coded_images import coded_image, header
from node_harness import Answer, Client, init_message, start_node, wait
import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import Trigger

from tracking_nodes.nodes.conversions import image_message, stamp_to_nanoseconds

from vision_msgs.msg import Detection2D

_BOX = (100, 80, 40, 30)
_RESTART_EVERY = 500
_PATIENCE = 10.0


@dataclass(frozen=True)
class Sample:
    """The node's process after so many answers."""

    frames: int
    megabytes: float
    threads: int
    files: int
    seconds: float


def sample(pid, frames, seconds):
    """Return a `Sample` of a process."""
    status = Path(f'/proc/{pid}/status').read_text()
    kilobytes, threads = (int(re.search(rf'{key}:\s+(\d+)', status).group(1))
                          for key in ('VmRSS', 'Threads'))
    return Sample(frames, kilobytes / 1e3, threads, len(os.listdir(f'/proc/{pid}/fd')), seconds)


class Soak:
    """A node in a process of its own, and the camera that waits for its answers."""

    def __init__(self, tracker, *arguments):
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._client = Client(self._context, image_qos=10)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._client)
        self._init = self._client.create_publisher(Detection2D, '/tracker/init', 10)
        self._reset = self._client.create_client(Trigger, '/tracker/reset')
        self.process = start_node('-p', f'tracker:={tracker}', '-p', 'image_qos:=reliable',
                                  '-p', 'buffer_megabytes:=8', '-p', 'max_age:=0.0', *arguments)
        self._stamp = time.time_ns()

    def __enter__(self):
        # A node whose latched state arrives has found the readers of this client.
        wait(lambda: self._spin() or (
            self._client.states and self._client.image.get_subscription_count()
            and self._init.get_subscription_count()
            and self._reset.service_is_ready()), timeout=120)
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        self.process.wait(10)
        self._executor.shutdown()
        self._client.destroy_node()
        rclpy.shutdown(context=self._context)

    def run(self, frames, every):
        """Send images and yield a `Sample` every so many of them."""
        begin = time.monotonic()
        messages = [image_message(coded_image(number), header(0)) for number in range(50)]
        for number in range(frames):
            if number % _RESTART_EVERY == 0:
                self._start_again()
            self._ask(messages[number % len(messages)])
            if (number + 1) % every == 0:
                yield sample(self.process.pid, number + 1, time.monotonic() - begin)

    def _start_again(self):
        future = self._reset.call_async(Trigger.Request())
        wait(lambda: self._spin() or future.done())
        self._init.publish(init_message(_BOX))

    def _ask(self, message):
        self._stamp += 1_000_000
        message.header = header(self._stamp)
        self._client.answers.clear()
        self._client.image.publish(message)
        wait(lambda: self._spin() or any(
            stamp_to_nanoseconds(answer.header.stamp) == self._stamp
            for answer in self._client.answers), timeout=_PATIENCE)
        # What else was heard is of no interest here, and would be the growth of this process.
        for heard in (self._client.logs, self._client.diagnostics, self._client.states):
            heard.clear()

    def _spin(self):
        self._executor.spin_once(timeout_sec=0.02)

    def last_answer(self):
        """Return the last `Answer`."""
        return Answer.of(self._client.answers[-1])


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--tracker', default='static', help="or frame_code, the tests' own")
    parser.add_argument('--frames', type=int, default=216000)
    parser.add_argument('--stretch', type=int, default=5000, help='frames of a row of the table')
    options = parser.parse_args()
    print('| frames | MB | threads | files | seconds |\n|---|---|---|---|---|')
    with Soak(options.tracker) as soak:
        for row in soak.run(options.frames, options.stretch):
            print(f'| {row.frames} | {row.megabytes:.1f} | {row.threads} | {row.files} | '
                  f'{row.seconds:.0f} |', flush=True)


if __name__ == '__main__':
    main()
