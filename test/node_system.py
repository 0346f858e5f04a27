"""A node, a camera and the one who listens, each a process of its own, as on a robot."""
from contextlib import contextmanager
import json
import subprocess
import tempfile
import time

from node_harness import Operator, SECOND, spun_client, start_node, start_program, wait


@contextmanager
def node_system(*arguments, **parameters):
    """
    Return a `NodeSystem` that was answered once; its processes end with the context.

    :param arguments: for the node, after --ros-args.
    :param parameters: of the node, where they differ from `PARAMETERS`; a double underscore
        stands for a dot.
    """
    with spun_client() as client:
        client.forget_camera()
        system = NodeSystem(client, arguments, parameters)
        try:
            yield system
        finally:
            system.close()


class Camera:
    """A camera in a process of its own."""

    def __init__(self):
        self.process = start_program('camera_process.py', stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)

    def show(self, stamps, number, **how):
        """Let it publish an image for each stamp in ns; return when all are sent."""
        order = {'stamps': stamps, 'number': number, **how}
        self.process.stdin.write(f'{json.dumps(order)}\n')
        self.process.stdin.flush()
        assert self.process.stdout.readline() == 'shown\n'

    def stop(self):
        """End it in order."""
        self.process.communicate(timeout=20)

    def kill(self):
        """End it with SIGKILL, so that it tells nobody."""
        self.process.kill()
        self.process.communicate()


class NodeSystem(Operator):
    """
    What a robot has of a tracker; images are numbered, and the number is the answer's y.

    process: the node's. camera: a `Camera`; put a new one in the place of one that ended.
    """

    PARAMETERS = {
        'tracker': 'frame_code', 'init_box': '100 80 40 30', 'image_qos': 'reliable',
        # A flood is then counted by the node and not by the middleware.
        'qos_overrides./image.subscription.depth': 1000,
        'max_age': 0.0, 'diagnostics_period': 0.05}

    def __init__(self, client, arguments, parameters):
        super().__init__(client)
        values = {**self.PARAMETERS, **{
            name.replace('__', '.'): value for name, value in parameters.items()}}
        # A file and not a pipe, which would hold up a node whose words nobody reads.
        self._words = tempfile.TemporaryFile('w+')
        self.process = start_node(
            *(part for name, value in values.items()
              for part in ('-p', f'{name}:={json.dumps(value)}')),
            *arguments, stderr=self._words)
        self.camera = Camera()
        self.number = 0
        self.stamp = 0

    def said(self):
        """Return what the node has written on stderr so far."""
        self._words.seek(0)
        return self._words.read()

    def send(self, stamp=None, **how):
        """Show the next image under a stamp in ns, or that of now; return the stamp."""
        self.number += 1
        self.stamp = time.time_ns() if stamp is None else stamp
        self.client.answers.clear()
        self.camera.show([self.stamp], self.number, **how)
        return self.stamp

    def ask(self, stamp=None, **how):
        """Show the next image and return the answer, which must come from this very image."""
        answer = self.answer_to(self.send(stamp, **how))
        assert answer.box is not None and answer.box[1] == self.number
        return answer

    def begin(self):
        """Wait for the node, and show an image on which it starts its target."""
        self.client.meet()
        return self.answer_to(self.send())

    def count(self, *names):
        """Return the sum of some counts of the newest diagnostics."""
        values = self.client.status()[2] if self.client.diagnostics else {}
        return sum(int(values.get(name, 0)) for name in names)

    def counted(self, number, *names):
        """Wait until the sum of some counts is as large as expected; check that it stays so."""
        wait(lambda: self.count(*names) >= number)
        assert self.count(*names) == number

    def accounted(self):
        """Check that every image that was shown is answered or counted as dropped."""
        def fates():
            return [name for name in self.client.status()[2] if name.startswith('dropped: ')]

        self.counted(self.number, 'images received')
        wait(lambda: self.count('images answered', *fates()) == self.number)

    def finish(self, number, within=2.0):
        """Send the node a signal; return its exit status and check how long it took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(20)
        assert time.monotonic() - begin < within
        return status

    def close(self):
        """End what still runs."""
        self.camera.kill()
        self.process.kill()
        self.process.wait()
        self._words.close()


def seconds(number):
    """Return ns."""
    return round(number * SECOND)
