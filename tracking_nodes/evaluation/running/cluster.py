"""Perform jobs through Ray, on one machine or on many."""
from functools import cache
from itertools import islice

import cv2

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.running.jobs import Outcome, Performer

LOCAL = 'local'


class Cluster:
    """
    A Ray cluster; needs the extra `ray`.

    A job asks Ray for its threads as CPUs and for its share of a GPU. It is performed where the
    package, the sequences and the weights are found under the same paths as here.
    """

    def __init__(self, address, count=None, threads=1, per_gpu=0):
        """
        Connect, or start Ray on this machine.

        :param address: 'local' starts Ray here and ends it afterwards; else as `ray.init` takes
            it: 'auto', HOST:PORT or ray://HOST:PORT.
        :param count: most jobs at a time; by default as many as the cluster has CPUs for.
        :param threads: CPUs of each job.
        :param per_gpu: jobs that share one GPU; 0 for jobs that need none.
        :raises SettingError: Ray is not installed, or the cluster cannot be joined.
        """
        try:
            import ray
        except ImportError as error:
            raise SettingError(f'no Ray here ({error}); install it with pip install '
                               '"tracking_nodes[ray]", or leave --ray out') from error
        self._ray, self._count, self._threads = ray, count, threads
        variables = {'OMP_NUM_THREADS': str(threads)}
        if not per_gpu:
            # Ray leaves all GPUs in sight of a task that asks for none.
            variables['CUDA_VISIBLE_DEVICES'] = ''
        options = {'log_to_driver': False, 'logging_level': 'WARNING',
                   'runtime_env': {'env_vars': variables}}
        if address == LOCAL:
            cpus = {'num_cpus': count * threads} if count else {}
            ray.init('local', include_dashboard=False, **cpus, **options)
        else:
            try:
                ray.init(address, **options)
            except (ConnectionError, ValueError) as error:
                raise SettingError(
                    f'cannot join the Ray cluster at {address!r}: {error}') from error
        self._task = ray.remote(num_cpus=threads, num_gpus=1 / per_gpu if per_gpu else 0,
                                max_retries=0)(_perform)
        self._per_gpu = per_gpu

    @property
    def side_by_side(self):
        """Jobs that the cluster has room for just now; it may grow."""
        there = self._ray.cluster_resources()
        room = int(there.get('CPU', 1) // self._threads)
        if self._per_gpu:
            room = min(room, int(there.get('GPU', 0) * self._per_gpu))
        return max(1, min(room, self._count or room))

    def perform(self, jobs, progress):
        """
        Perform jobs; see `Here.perform`.

        The progress is told of a job when it ends: on the way nothing comes back through Ray.
        """
        jobs, running = iter(jobs), {}
        try:
            while True:
                for job in islice(jobs, max(0, self.side_by_side - len(running))):
                    progress.begin(job)
                    running[self._task.remote(job, self._threads)] = job
                if not running:
                    return
                [first], _ = self._ray.wait(list(running), num_returns=1)
                job = running.pop(first)
                try:
                    outcome, frames, seconds = self._ray.get(first)
                    progress.advance(job, frames, seconds)
                except self._ray.exceptions.RayError as error:
                    # Ray puts a whole traceback into the message.
                    outcome = Outcome(error=f'Ray: {str(error).splitlines()[-1]}',
                                      details=str(error))
                yield job, outcome
        finally:
            self._ray.shutdown()


def _perform(job, threads):
    """
    Perform one job in a process of Ray.

    :return: its `Outcome`, the frames done, and the seconds they took.
    """
    frames, seconds = 0, 0.0

    def count(more, took):
        nonlocal frames, seconds
        frames, seconds = frames + more, seconds + took

    return _performer(threads).perform(job, count), frames, seconds


@cache
def _performer(threads):
    """Return the process's performer, which keeps its tracker from one job to the next."""
    cv2.setNumThreads(threads)
    return Performer()
