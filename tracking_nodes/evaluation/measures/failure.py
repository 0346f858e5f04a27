"""
How well a score tells a lost target from a held one, and how soon a loss is noticed.

A target is held where the box overlaps the ground truth by `HELD` or more, and lost where it does
by less than `LOST`; what lies between is neither.
"""
import numpy as np

HELD, LOST = 0.5, 0.2


def failure_auc(scores, overlaps):
    """
    Return the area under the ROC curve of the score telling lost frames from held ones.

    It is the share of pairs of a held and a lost frame in which the held one has the higher
    score, equal scores counting half (Mann and Whitney, 1947): 1 for a score that always knows,
    0.5 for one that says nothing.

    :param scores: (N,), higher where the target is believed to be held.
    :param overlaps: (N,) IoU with the ground truth; NaN where there is none.
    :return: in [0, 1]; NaN where no frame is held or none is lost.
    """
    scores, overlaps = np.asarray(scores), np.asarray(overlaps)
    held, lost = scores[overlaps >= HELD], np.sort(scores[overlaps < LOST])
    if not len(held) or not len(lost):
        return float('nan')
    # Halves are counted as wholes here, so that the sum is exact.
    wins = sum(int(np.searchsorted(lost, held, side).sum()) for side in ('left', 'right'))
    return wins / (2 * len(held) * len(lost))


def find_losses(overlaps, patience):
    """
    Return the losses of a run.

    A loss begins in the first of `patience` frames in a row with an overlap below `LOST` and ends
    before the next frame that is held, or with the run. Frames without ground truth end a row but
    no loss.

    :param overlaps: (N,) IoU with the ground truth; NaN where there is none.
    :param patience: number of frames, as shorter lapses need no notice.
    :return: list of (first, end), frames, the end not included.
    """
    losses, begin, row = [], None, 0
    for frame, overlap in enumerate(overlaps):
        row = row + 1 if overlap < LOST else 0
        if begin is None and row == patience:
            begin = frame + 1 - patience
        elif begin is not None and overlap >= HELD:
            losses.append((begin, frame))
            begin = None
    return losses + [(begin, len(overlaps))] * (begin is not None)


def loss_delays(losses, noticed):
    """
    Return how long each loss went unnoticed.

    :param losses: as from `find_losses`.
    :param noticed: (N,) bool, the frames in which the target was said to be lost.
    :return: frames from the first of each loss to the first noticed one in it, 0 where it was
        said to be lost before; None for a loss that was never noticed.
    """
    return [int(np.argmax(noticed[first:end])) if noticed[first:end].any() else None
            for first, end in losses]
