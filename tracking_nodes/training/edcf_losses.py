"""
The losses of EDCF's training (Wang et al., IJCAI 2018, eq. 2, 4, 8 and 15).

The paper adds sums of squares over cells and over pixels without weights; each term is divided
here by what an empty answer would cost, so that 1 is the loss of having learned nothing.
"""
import torch
from torch.nn import functional

POSITIVE_RADIUS = 2.0       # cells of 8 pixels: SiamFC's 16 pixels


def semantic_labels(shifts, cells, stride):
    """
    Return where the semantic response should be positive (SiamFC section 2.2).

    :param shifts: (N, 2) down and across, pixels from the middle to the target.
    :param cells: per side of the response, odd.
    :param stride: pixels per cell.
    :return: (N, cells, cells) of +1 and -1.
    """
    places = torch.arange(cells, dtype=torch.float32) - cells // 2
    down = places[None, :, None] - shifts[:, 0, None, None] / stride
    across = places[None, None, :] - shifts[:, 1, None, None] / stride
    near = down.square() + across.square() <= POSITIVE_RADIUS ** 2
    return torch.where(near, 1.0, -1.0)


def tracking_loss_high(logits, labels):
    """
    Return eq. 4, positive and negative cells of a response weighing the same.

    :param logits: (N, R, R).
    :param labels: (N, R, R) of +1 and -1, some of each in every response.
    """
    costs = functional.softplus(-labels * logits)
    positive = (labels > 0).float()
    halves = [(costs * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))
              for mask in (positive, 1 - positive)]
    return (0.5 * sum(halves)).mean()


def tracking_loss_low(responses, labels):
    """
    Return eq. 8 in units of the label's energy.

    :param responses: (N, H, W), g.
    :param labels: (N, H, W), y.
    """
    errors = (responses - labels).square().sum(dim=(1, 2))
    return (errors / labels.square().sum(dim=(1, 2))).mean()


def reconstruction_loss(pictures, truth):
    """
    Return eq. 2 for one kind of patch, in units of the patches' variance.

    :param pictures: (N, 3, H, W), the decoder's.
    :param truth: (N, 3, H, W), normalised patches.
    """
    return (pictures - truth).square().mean() / truth.var().clamp_min(1e-3)
