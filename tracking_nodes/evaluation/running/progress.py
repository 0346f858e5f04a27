"""How far a benchmark is, what runs, and how long it will still take."""
from collections import Counter

from tqdm import tqdm

_FORMAT = '{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} frames{postfix}'


class Progress:
    """
    A progress bar over all jobs.

    The time left is not the bar's own, which takes all frames for equally long: a tracker that
    learns may need a hundred times as long for one as another. Here each contender's frames
    count with the pace that it was measured to have.
    """

    def __init__(self, jobs, side_by_side):
        """
        Show an empty bar.

        :param jobs: all jobs that are to be performed.
        :param side_by_side: how many of them run at a time.
        """
        self._side_by_side = side_by_side
        self._open = {job.name: job.frames for job in jobs}
        self._label = {job.name: job.contender.label for job in jobs}
        self._count = len(jobs)
        self._measured, self._seconds = Counter(), Counter()
        self._running = []
        self._bar = tqdm(total=sum(self._open.values()), bar_format=_FORMAT, disable=None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()

    def begin(self, job):
        """Show that a job runs."""
        self._running.append(job.name)
        self._show()

    def advance(self, job, frames, seconds):
        """Count frames of a running job and the seconds they took."""
        self._measured[job.contender.label] += frames
        self._seconds[job.contender.label] += seconds
        # A trial may look at a frame twice; the end of the job settles the account.
        frames = min(frames, self._open[job.name])
        self._open[job.name] -= frames
        self._bar.update(frames)
        self._show(refresh=False)

    def end(self, job):
        """Count all of a job as done, or as not needed if it never ran."""
        if job.name in self._running:
            self._running.remove(job.name)
        self._bar.update(self._open.pop(job.name))
        self._show()

    def seconds_left(self):
        """Return the seconds until all jobs are done, or None before anything was measured."""
        if not sum(self._measured.values()):
            return None
        pace = {label: self._seconds[label] / count for label, count in self._measured.items()
                if count}
        usual = sum(pace.values()) / len(pace)
        work = sum(frames * pace.get(self._label[name], usual)
                   for name, frames in self._open.items())
        return work / max(1, min(self._side_by_side, len(self._open)))

    def words(self):
        """Return how many jobs are done and the time left, for a log."""
        done = self._count - len(self._open)
        return f'{done} of {self._count} done, {self._time_left()} left'

    def _time_left(self):
        left = self.seconds_left()
        return '?' if left is None else tqdm.format_interval(left)

    def _show(self, refresh=True):
        others = f' and {len(self._running) - 1} more' if len(self._running) > 1 else ''
        running = f'{self._running[0]}{others}' if self._running else '-'
        self._bar.set_postfix_str(f'{self._time_left()} left, running: {running}', refresh=refresh)
