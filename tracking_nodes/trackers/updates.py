"""Updates of what a tracker learns: whose turn it is, and how they run beside the frames."""
from dataclasses import dataclass, field

from tracking_nodes.online.learner import Learner


@dataclass(frozen=True)
class Due:
    """
    A learner whose turn it is.

    stage: that its time counts for. learner: what has an `update`. how: arguments of that.
    made_up: whether a turn that was skipped is taken in a later frame, as one that comes seldom
    beside one that comes in every frame has to be.
    """

    stage: str
    learner: Learner
    how: dict = field(default_factory=dict)
    made_up: bool = False


class JointUpdate:
    """What is due in one frame, in the steps of `BackgroundLearner.submit`."""

    def __init__(self, due, seed):
        """
        Prepare; nothing is copied yet.

        :param due: list of `Due`.
        :param seed: tuple of integers, of all draws.
        """
        self._due, self._seed = due, seed

    def snapshot(self):
        """Return what each learner knows now."""
        return [each.learner.snapshot((*self._seed, number))
                for number, each in enumerate(self._due)]

    def train(self, snapshots):
        """Let the snapshots learn, and return them."""
        for taken, each in zip(snapshots, self._due):
            taken.detach()
            taken.update(**each.how)
        return snapshots

    def adopt(self, trained):
        """Let each learner go on with what its snapshot has learned."""
        for each, taken in zip(self._due, trained):
            each.learner.adopt(taken)
