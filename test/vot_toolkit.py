"""
The command line of the VOT toolkit, as a test runs it in a process of its own.

It does not look for updates. And it mends what keeps 0.8.1 and 0.9.0 from running any reset-based
experiment through TraX: `SupervisedExperiment` hands over and expects one object's status, where
`TraxTrackerRuntime` takes and returns a list of them, and it takes no runtime that is not online,
where `RealtimeTrackerRuntime` says of itself that it is not (0.7.4 runs both as they are).
"""
from vot import tracker
from vot.experiment.multirun import SupervisedExperiment
from vot.utilities import cli


class OneObject(tracker.OnlineTrackerRuntime):
    """A runtime with one object's status in place of a list."""

    def __init__(self, runtime):
        super().__init__(runtime.tracker)
        self._runtime = runtime

    def initialize(self, frame, new=None):
        status, elapsed = self._runtime.initialize(frame, [new])
        return status[0], elapsed

    def update(self, frame, new=None):
        status, elapsed = self._runtime.update(frame, [])
        return status[0], elapsed

    def stop(self):
        self._runtime.stop()

    def restart(self):
        self._runtime.restart()


class RealTime(tracker.RealtimeTrackerRuntime, tracker.OnlineTrackerRuntime):
    """The toolkit's own runtime that does not wait, of one object."""

    def __init__(self, runtime, grace, interval):
        super().__init__(OneObject(runtime), grace, interval)


def main():
    """Run the command line."""
    as_it_is = SupervisedExperiment._get_runtime

    def runtime(*arguments):
        found = as_it_is(*arguments)
        return found if isinstance(found, RealTime) else OneObject(found)

    SupervisedExperiment._get_runtime = runtime
    tracker.RealtimeTrackerRuntime = RealTime
    cli.check_updates = lambda: (False, None)
    cli.main()


if __name__ == '__main__':
    main()
