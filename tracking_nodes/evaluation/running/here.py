"""Perform jobs in this process, one after the other."""
from tracking_nodes.evaluation.running.jobs import Performer


class Here:
    """The executor that is there when nothing else is asked for."""

    side_by_side = 1

    def __init__(self, on_frame=None):
        """
        Prepare to perform.

        :param on_frame: called after each frame with (sequence, index, image, box, score,
            present).
        """
        self._on_frame = on_frame

    def perform(self, jobs, progress):
        """
        Perform jobs.

        :param jobs: iterable of `Job`, asked for the next one when there is room for it.
        :param progress: a `Progress`, told what begins and how far it is.
        :return: iterator of (`Job`, `Outcome`) in the order they end.
        """
        performer = Performer()
        for job in jobs:
            progress.begin(job)
            yield job, performer.perform(
                job, lambda frames, seconds, job=job: progress.advance(job, frames, seconds),
                self._on_frame)
