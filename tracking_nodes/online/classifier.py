"""
The classifier of a stream of CSTNet: learned in the first frame, updated online.

Both streams have one of their own. Their parameters are disjoint, so stepping on each one's
L + lambda L_C is stepping on the sum of eq. 14, L_S + L_T + lambda L_C.
"""
from dataclasses import dataclass

import torch

from tracking_nodes.errors import SettingError
from tracking_nodes.nn.two_way_head import TwoWayHead
from tracking_nodes.online.coherence_losses import classification_loss
from tracking_nodes.online.hard_mining import contrastive_loss, focal_loss, hardest_negatives
from tracking_nodes.online.learner import Learner
from tracking_nodes.online.sample_memory import FrameSamples, MemorySettings, SampleMemory
from tracking_nodes.parameters import setting

MINING = ('contrastive', 'ohem', 'focal')


@dataclass(frozen=True)
class ClassifierSettings(MemorySettings):
    """How a stream of CSTNet learns online."""

    hidden: int = setting(512, 'units of each fully connected layer', minimum=1, maximum=4096,
                          source='MDNet')
    mining: str = setting(
        'contrastive', 'how hard negatives are learned: OHEM with the contrastive loss, OHEM '
        'alone, or the focal loss', choices=MINING, source='Table V')
    batch_positives: int = setting(32, 'positives of a batch', minimum=1, maximum=1024,
                                   source='MDNet')
    batch_negatives: int = setting(256, 'negatives of a batch, of which the hard ones are found',
                                   minimum=2, maximum=4096, source='speed; MDNet has 1024')
    hard_negatives: int = setting(96, 'hard negatives of a batch, N_hn; the others are the easy '
                                  'ones', minimum=1, maximum=4095, source='MDNet')
    batch_frames: int = setting(8, 'frames that each half of a batch is drawn from', minimum=1,
                                maximum=1024, source='as in RMAN')
    contrastive_weight: float = setting(
        0.01, 'lambda of eq. 14; only in updates, not in the first frame', minimum=0.0,
        maximum=1e3, source='section V.A')
    contrastive_delta: float = setting(
        1.0, 'delta of eq. 13', minimum=1e-9, maximum=1e9,
        source='not in the paper; small beside the distances of the embedding')
    focal_gamma: float = setting(2.0, 'gamma of the focal loss', minimum=0.0, maximum=10.0,
                                 source='Lin et al., ICCV 2017')
    first_iterations: int = setting(50, 'iterations in the first frame', minimum=1,
                                    maximum=10000, source='not in the paper; as RMAN')
    first_rate: float = setting(
        3e-3, 'learning rate in the first frame', minimum=0.0, maximum=10.0,
        source='measured, for features of rms 3 and layers trained offline: docs/performance.md')
    update_iterations: int = setting(10, 'iterations of an update', minimum=1, maximum=10000,
                                     source='MDNet', live=True)
    update_rate: float = setting(3e-3, 'learning rate of an update', minimum=0.0, maximum=10.0,
                                 source='measured, as first_rate', live=True)
    momentum: float = setting(0.9, 'momentum of SGD', minimum=0.0, maximum=0.9999,
                              source='section V.A')
    weight_decay: float = setting(5e-4, 'weight decay of SGD', minimum=0.0, maximum=1.0,
                                  source='MDNet')
    gradient_norm: float = setting(10.0, 'largest norm of a gradient', minimum=1e-6,
                                   maximum=1e9, source='not in the paper; as in RMAN')

    def __post_init__(self):
        super().__post_init__()
        if self.hard_negatives >= self.batch_negatives:
            raise SettingError(f'hard_negatives = {self.hard_negatives} has to be smaller than '
                               f'batch_negatives = {self.batch_negatives}: the others are easy')


class OnlineClassifier(Learner):
    """A `TwoWayHead` that learns from the samples of one target."""

    def __init__(self, positives, negatives, settings, rng, generator, trained, origin,
                 graphs=False):
        """
        Learn the first frame; the contrastive loss is left to later updates.

        :param positives: (P, D) features.
        :param negatives: (M, D).
        :param settings: a `ClassifierSettings`.
        :param rng: numpy Generator of the batches.
        :param generator: torch Generator of the initial weights.
        :param trained: tensors `fc4.*` and `fc5.*` to start from; empty for random ones.
        :param origin: the file they are from, for messages.
        :param graphs: whether a GPU replays steps as CUDA graphs.
        :raises WeightsError: the trained tensors do not fit.
        """
        self._settings = settings
        head = TwoWayHead(positives.shape[1], settings.hidden, generator)
        if trained:
            head.load(trained, origin)
        memory = SampleMemory(FrameSamples(positives, negatives), settings.long_memory,
                              settings.short_memory, settings.first_kept)
        super().__init__(head.to(positives.device), memory, rng, momentum=settings.momentum,
                         gradient_norm=settings.gradient_norm,
                         weight_decay=settings.weight_decay, graphs=graphs)
        self._train(settings.first_iterations, settings.first_rate, False, False)

    @property
    def head(self):
        """Return the `TwoWayHead` in use."""
        return self.network

    def logits(self, features):
        """Return (N,) logits of being the target (eq. 3 and 8 before the sigmoid), of (N, D)."""
        with torch.no_grad():
            background, target = self.head(features).unbind(dim=1)
        return target - background

    def collect(self, positives, negatives):
        """Take in the samples of a believed frame, (P, D) and (M, D); either may be none."""
        self.memory.add(FrameSamples(positives, negatives))

    def update(self, recent):
        """
        Train on what is in memory.

        :param recent: whether positives are from the first and the latest frames only, MDNet's
            short-term update.
        """
        settings = self._settings
        self._train(settings.update_iterations, settings.update_rate, recent,
                    settings.mining == 'contrastive')

    def _train(self, iterations, rate, recent, contrast):
        settings = self._settings

        def batch():
            return self.memory.draw(
                self._rng, settings.batch_positives, settings.batch_negatives,
                min(settings.batch_frames, settings.batch_positives), recent,
                padded=self.replays)

        self._descend(iterations, rate, batch, self.loss, contrast)

    def loss(self, batch, contrast):
        """Return this stream's terms of eq. 14, with L_C where asked for."""
        settings, head = self._settings, self.head
        near, far = head.embed(batch.positives), head.embed(batch.negatives)
        positive, negative = head.fc6(near), head.fc6(far)
        if settings.mining == 'focal':
            return focal_loss(positive, negative, settings.focal_gamma)
        hard, easy = hardest_negatives(negative, settings.hard_negatives)
        loss = classification_loss(positive, negative[hard])
        if contrast:
            loss = loss + settings.contrastive_weight * contrastive_loss(
                far[hard], far[easy], near, settings.contrastive_delta)
        return loss
