"""Pairs behind a frozen backbone: what it says of them is computed only once."""
import torch
from tqdm import tqdm

from tracking_nodes.training.distillation import disturb


class KeptFeatures:
    """
    Features of pairs in memory, in bfloat16; 0.2 MB a pair behind layer3 of ResNet-18.

    The same pairs come in every epoch, each changed in colour and sharpness once.
    """

    def __init__(self, pairs, count, batch, seen, seed, workers=0):
        """
        Compute the features.

        :param pairs: a `DrawnByNumber` of templates, boxes in them, search images, and what is
            to be answered, one tensor or more.
        :param count: how many of them are kept, from number 0 on.
        :param batch: how many go through the backbone at once.
        :param seen: function of templates (N, 3, T, T), boxes (N, 4) and searches (N, 3, S, S)
            that returns the features to keep, a tuple of (N, ...) tensors.
        :param seed: of the changes.
        :param workers: processes that make the pairs.
        """
        generator = torch.Generator().manual_seed(seed)
        self._parts, filled = [], 0
        loader = pairs.loader(torch.arange(count), batch, workers)
        for templates, boxes, searches, *answers in tqdm(loader, desc='features', unit='batch'):
            features = seen(disturb(templates.float(), generator), boxes,
                            disturb(searches.float(), generator))
            rows = [*(one.bfloat16().cpu() for one in features), *answers]
            # In their final place at once: twice the memory would be needed to join them later.
            self._parts = self._parts or [one.new_empty(count, *one.shape[1:]) for one in rows]
            for part, one in zip(self._parts, rows):
                part[filled:filled + len(one)] = one
            filled += len(templates)

    def batches(self, order, batch):
        """
        Yield lists of the features of pairs, in full precision, and what is to be answered.

        :param order: (M,) int64, numbers of pairs.
        :param batch: how many at once, but for the last.
        """
        for numbers in order.split(batch):
            yield [part[numbers].float() for part in self._parts]
