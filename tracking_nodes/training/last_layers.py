"""
The last layer while a network is trained offline, for its embeddings' sake; none is shipped.

CSTNet says of its training only that a 2-way output is trained by cross entropy (eq. 4, 9). One
layer shared by all targets can learn no more than what targets have in common. A layer of each
target's own, which MDNet keeps as a branch per video, is here solved from the episode's support
in closed form (Bertinetto et al., "Meta-learning with differentiable closed-form solvers", ICLR
2019), so that synthetic clips, each with a target of its own, teach as videos do.
"""
import torch
from torch import nn
from torch.nn import functional


class RidgeLayer(nn.Module):
    """Ridge regression from the support's embeddings to its labels, applied to the query's."""

    def __init__(self, embedding):
        """Make the learned numbers: penalty, gain and offset; `embedding` is not needed."""
        super().__init__()
        self.log_penalty = nn.Parameter(torch.tensor(-3.0))
        self.gain = nn.Parameter(torch.tensor(2.0))
        self.offset = nn.Parameter(torch.tensor(0.0))

    def forward(self, support, labels, query):
        """
        Return the logits of the query.

        :param support: (E, N, D) embeddings of E episodes.
        :param labels: (E, N), 1 target and 0 background; both weigh the same.
        :param query: (E, M, D).
        :return: (E, M) logits of being the target.
        """
        share = labels.mean(dim=1, keepdim=True)
        root = torch.where(labels > 0, 0.5 / share, 0.5 / (1 - share)).sqrt()[..., None]
        rows, signs = root * support, root * (2 * labels[..., None] - 1)
        gram = rows @ rows.transpose(1, 2)
        # In units of the embeddings' mean squared norm, or its size would have to be learned.
        scale = gram.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None]
        penalty = self.log_penalty.exp() * torch.eye(gram.shape[1], device=gram.device)
        weights = rows.transpose(1, 2) @ torch.linalg.solve(gram + scale * penalty, signs)
        return self.gain * (query @ weights)[..., 0] + self.offset


class SharedLayer(nn.Module):
    """One 2-way layer for the targets of all episodes."""

    def __init__(self, embedding):
        """Make the layer; `embedding` is the number of its inputs."""
        super().__init__()
        self.layer = nn.Linear(embedding, 2)

    def forward(self, support, labels, query):
        """Return the logits of the query, (E, M); the support is not looked at."""
        background, target = self.layer(query).unbind(dim=-1)
        return target - background


LAST_LAYERS = {'ridge': RidgeLayer, 'shared': SharedLayer}


def cross_entropy(logits, labels):
    """
    Return eq. 4 or 9 as a mean, target and background weighing the same.

    :param logits: (E, M) of being the target.
    :param labels: (E, M), 1 or 0.
    """
    share = labels.mean(dim=1, keepdim=True)
    weights = torch.where(labels > 0, 0.5 / share, 0.5 / (1 - share))
    return functional.binary_cross_entropy_with_logits(logits, labels, weights)


def ranking(logits, labels):
    """Return the mean over episodes of the area under the ROC curve."""
    areas = []
    for row, truth in zip(logits, labels):
        order = torch.sign(row[truth > 0][:, None] - row[truth == 0][None])
        areas.append((0.5 + 0.5 * order).mean())
    return torch.stack(areas).mean().item()
