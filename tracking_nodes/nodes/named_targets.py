"""The targets that were given under an id of their own, beside the one without."""
import threading


class NamedTargets:
    """
    As many targets as there are trackers for, each under its id.

    Wishes come from any thread and are of bounded number: one for each tracker. What is in use
    is the worker's.
    """

    def __init__(self, pursuits=()):
        """
        Begin without a target.

        :param pursuits: list of `Pursuit`, one for each tracker.
        """
        self._lock = threading.Lock()
        self._all = tuple(pursuits)
        self._spare, self._named = list(pursuits), {}

    def __len__(self):
        return len(self._all)

    @property
    def pursuits(self):
        """Return the `Pursuit`s that have an id, longest given first."""
        with self._lock:
            return list(self._named.values())

    @property
    def names(self):
        """Return the ids in use."""
        with self._lock:
            return tuple(self._named)

    def start(self, name, request):
        """
        Ask for a target under an id; the one it has there is replaced.

        :return: whether there is a tracker for it.
        """
        with self._lock:
            if name not in self._named:
                if not self._spare:
                    return False
                self._named[name] = self._spare.pop()
                self._named[name].target.name = name
            self._named[name].requests.start(request)
        return True

    def forget(self, how, name=None):
        """
        Ask for the target of an id to be given up, or for all of them.

        :param how: a `Forget`.
        :param name: the id; None for all.
        :return: whether there is one.
        """
        with self._lock:
            meant = [pursuit for known, pursuit in self._named.items() if name in (None, known)]
            for pursuit in meant:
                pursuit.requests.forget(how)
        return bool(meant)

    def tidy(self):
        """Give back the trackers of ids that have no target and none asked for."""
        with self._lock:
            for name, pursuit in list(self._named.items()):
                if not pursuit.wanted and not pursuit.requests.pending:
                    self._spare.append(self._named.pop(name))


def too_many(origin, most):
    """
    Return in words that another target cannot be taken.

    :param origin: where its box came from.
    :param most: the parameter max_targets.
    """
    return (f'{origin}: there are max_targets = {most} targets already; give one up on ~/forget, '
            'give the box the id of the one that it is to replace, or raise max_targets')
