"""Pairs for SiamRCNN behind a frozen backbone: what it says of them is computed only once."""
import torch
from tqdm import tqdm

from tracking_nodes.training.distillation import disturb


class KeptFeatures:
    """
    Features of pairs in memory, in bfloat16; 0.2 MB a pair behind ResNet-18.

    The same pairs come in every epoch, each changed in colour and sharpness once.
    """

    def __init__(self, pairs, count, batch, seen, seed, workers=0):
        """
        Compute the features.

        :param pairs: `SearchPairs`.
        :param count: how many of them are kept, from number 0 on.
        :param batch: how many go through the backbone at once.
        :param seen: function of templates (N, 3, T, T), boxes (N, 4) and searches (N, 3, S, S)
            that returns the objects' and the search images' features.
        :param seed: of the changes.
        :param workers: processes that make the pairs.
        """
        generator = torch.Generator().manual_seed(seed)
        kept = []
        loader = pairs.loader(torch.arange(count), batch, workers)
        for templates, boxes, searches, truths in tqdm(loader, desc='features', unit='batch'):
            objects, features = seen(disturb(templates.float(), generator), boxes,
                                     disturb(searches.float(), generator))
            kept.append((objects.bfloat16().cpu(), features.bfloat16().cpu(), truths))
        self._parts = [torch.cat(parts) for parts in zip(*kept)]

    def batches(self, order, batch):
        """
        Yield objects' features, search images' features (N, C, H, W) and truths (N, 4).

        :param order: (M,) int64, numbers of pairs.
        :param batch: N, of all but the last.
        """
        for numbers in order.split(batch):
            objects, features, truths = (part[numbers] for part in self._parts)
            yield objects.float(), features.float(), truths
