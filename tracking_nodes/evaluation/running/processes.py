"""
Perform jobs in processes of their own, side by side on this machine.

Not an executor pool of the standard library: a pool is broken as a whole when one of its
processes is killed, tells nothing of a job before its end, and gives all processes the same GPU.
"""
from contextlib import contextmanager
from itertools import islice
import multiprocessing
from multiprocessing.connection import wait
import os
import signal
import threading
import time

import cv2

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.running.jobs import Outcome, Performer

_REPORT_EVERY_S = 0.5


class Processes:
    """Some processes, each with its share of the cores and, where asked for, of a GPU."""

    def __init__(self, count=None, threads=None, gpus=(), per_gpu=1):
        """
        Divide the machine; nothing is started yet.

        :param count: number of processes; by default one, or as many as the GPUs take.
        :param threads: of each process; by default the cores divided by the processes.
        :param gpus: the GPUs to spread the processes over, as `CUDA_VISIBLE_DEVICES` names
            them; each process sees only its own. Empty leaves the choice to the contenders.
        :param per_gpu: processes that share one GPU.
        :raises SettingError: more processes than the GPUs take, or a number below 1.
        """
        places = [gpu for gpu in gpus for _ in range(per_gpu)]
        count = count or len(places) or 1
        threads = threads or max(1, (os.cpu_count() or 1) // count)
        if min(count, threads, per_gpu) < 1:
            raise SettingError(f'jobs = {count}, threads = {threads}, per_gpu = {per_gpu}: give '
                               '1 or more of each')
        if places and count > len(places):
            raise SettingError(f'{count} jobs on {len(gpus)} GPUs with {per_gpu} on each; give '
                               f'at most {len(places)} jobs, or more per GPU')
        self.side_by_side = count
        self._threads, self._places = threads, places or [''] * count

    def perform(self, jobs, progress):
        """
        Perform jobs; see `Here.perform`.

        A process that ends in the middle of a job fails that job alone and is replaced. When
        the caller stops, or dies, all processes end.
        """
        jobs = iter(jobs)
        workers = []
        try:
            for place, job in zip(self._places, islice(jobs, self.side_by_side)):
                workers.append(_Worker(self._threads, place))
                workers[-1].job = job
            # Handed out only now, so that the processes start side by side.
            for worker in workers:
                worker.begin(worker.job, progress)
            while workers:
                for channel in wait([worker.channel for worker in workers]):
                    worker = next(one for one in workers if one.channel is channel)
                    outcome = worker.hear(progress)
                    if outcome is None:
                        continue
                    yield worker.job, outcome
                    workers.remove(worker)
                    job = next(jobs, None)
                    if job is None or outcome.error:
                        # An error of a GPU outlives the job that made it.
                        worker.end()
                        worker = _Worker(self._threads, worker.place) if job else None
                    if worker is not None:
                        workers.append(worker)
                        worker.begin(job, progress)
        finally:
            for worker in workers:
                worker.end()


class _Worker:
    """One process, seen from the parent."""

    def __init__(self, threads, place):
        context = multiprocessing.get_context('spawn')
        self.channel, theirs = context.Pipe()
        self.place, self.job = place, None
        self._process = context.Process(target=_serve, args=(theirs, threads), daemon=True)
        # Libraries read these when they are loaded, before any of our code runs over there.
        with environment(OMP_NUM_THREADS=str(threads),
                         **({'CUDA_VISIBLE_DEVICES': place} if place else {})):
            self._process.start()
        # With the child's the only copy, its death closes the pipe.
        theirs.close()

    def begin(self, job, progress):
        """Hand a job over."""
        self.job = job
        progress.begin(job)
        try:
            self.channel.send(job)
        except BrokenPipeError:
            # It died; hear() will find the pipe closed and say so.
            pass

    def hear(self, progress):
        """Take one message; return the `Outcome` of the job, or None while it goes on."""
        try:
            message = self.channel.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode
            cause = f'was killed by signal {-code}' if code < 0 else f'ended with status {code}'
            return Outcome(error=f'its process {cause}; signal 9 is often a lack of memory')
        if isinstance(message, Outcome):
            return message
        progress.advance(self.job, *message)
        return None

    def end(self):
        """End the process, whatever it does."""
        self.channel.close()
        self._process.terminate()
        self._process.join()


def _serve(channel, threads):
    """Perform the jobs that come through a pipe, in a process of its own."""
    # The parent answers Ctrl-C for all.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(threads)
    performer = Performer()
    while True:
        try:
            job = channel.recv()
        except EOFError:
            return
        channel.send(performer.perform(job, _Reports(channel).add))


class _Reports:
    """Sends progress now and then, not with every frame."""

    def __init__(self, channel):
        self._channel = channel
        self._frames, self._seconds, self._sent = 0, 0.0, time.monotonic()

    def add(self, frames, seconds):
        """Count some frames and the seconds they took."""
        self._frames, self._seconds = self._frames + frames, self._seconds + seconds
        now = time.monotonic()
        if now - self._sent >= _REPORT_EVERY_S:
            self._channel.send((self._frames, self._seconds))
            self._frames, self._seconds, self._sent = 0, 0.0, now


@contextmanager
def environment(**variables):
    """Set variables of the environment for the processes that are started in this context."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _end_with_parent():
    # A killed parent cannot end its children: without this they would compute on for nobody.
    multiprocessing.parent_process().join()
    os._exit(1)
