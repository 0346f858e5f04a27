"""
RMAN: recurrent memory activation networks.

Pu, Song, Ma, Zhang and Yang, "Learning Recurrent Memory Activation Networks for Visual Tracking",
IEEE Transactions on Image Processing 29, 2020. No offline training: the network behind the frozen
features is learned in the first frame and updated online. The rows of the paper's ablation (Fig.
6) are settings: see `Rman.ablation`.
"""
from dataclasses import dataclass

import torch

from tracking_nodes.nn.memory_activation import ACTIVATIONS, RecurrentMemoryNetwork
from tracking_nodes.online.coherence_losses import (
    classification_loss, coherence_loss, compactness_loss)
from tracking_nodes.online.learner import Learner
from tracking_nodes.online.sample_memory import FrameSamples, SampleMemory
from tracking_nodes.parameters import setting
from tracking_nodes.trackers.detection import DetectionSettings, DetectionTracker
from tracking_nodes.trackers.updates import Due


@dataclass(frozen=True)
class RmanSettings(DetectionSettings):
    """Parameters of RMAN; defaults are those of section V.A unless said otherwise."""

    lstm: bool = setting(True, 'whether an LSTM makes the memory; off is a linear layer',
                         source='Fig. 6')
    activation: str = setting('memory', 'how past states join in: none, memory activation or '
                              'average pooling', choices=ACTIVATIONS, source='Fig. 6')
    loss_a: bool = setting(True, 'whether L_a of eq. 5 is used', source='Fig. 6')
    loss_b: bool = setting(True, 'whether L_b of eq. 6 is used', source='Fig. 6')
    hidden: int = setting(512, 'units of the LSTM', minimum=1, maximum=4096,
                          source='section V.A')
    memory_length: int = setting(5, 'past target patches in a sequence, K', minimum=1,
                                 maximum=64, source='section V.A')
    margin: float = setting(1.0, 'tau of eq. 5', minimum=0.0, maximum=1e6,
                            source='section V.A')
    weight_a: float = setting(2.0, 'lambda_1 of eq. 7', minimum=0.0, maximum=1e6,
                              source='section V.A')
    weight_b: float = setting(5e-4, 'lambda_2 of eq. 7', minimum=0.0, maximum=1e6,
                              source='section V.A')
    pairs: int = setting(32, 'positive-negative pairs of a batch, N', minimum=1, maximum=1024,
                         source='section V.A')
    batch_frames: int = setting(8, 'frames that each half of a batch is drawn from', minimum=1,
                                maximum=1024, source='speed: one memory per frame')
    first_iterations: int = setting(50, 'iterations in the first frame', minimum=1,
                                    maximum=10000, source='section V.A')
    first_rate: float = setting(2e-4, 'learning rate in the first frame', minimum=0.0,
                                maximum=10.0, source='section V.A')
    update_every: int = setting(10, 'frames between updates, N_3', minimum=1, maximum=100000,
                                source='section V.A', live=True)
    update_iterations: int = setting(15, 'iterations of an update', minimum=1, maximum=10000,
                                     source='section V.A', live=True)
    update_rate: float = setting(3e-4, 'learning rate of an update', minimum=0.0, maximum=10.0,
                                 source='section V.A', live=True)
    rate_scale: float = setting(
        10.0, 'factor on both learning rates', minimum=0.0, maximum=1e4,
        source="measured: the paper's rates suit the scale of its own VGG-M features")
    momentum: float = setting(0.9, 'momentum of SGD', minimum=0.0, maximum=0.9999,
                              source='not in the paper; as in MDNet')
    weight_decay: float = setting(5e-4, 'weight decay of SGD', minimum=0.0, maximum=1.0,
                                  source='not in the paper; as in MDNet')
    gradient_norm: float = setting(10.0, 'largest norm of a gradient', minimum=1e-6,
                                   maximum=1e9, source='not in the paper; as in MDNet')


class RmanLearner(Learner):
    """The network of RMAN, learned by eq. 7 from samples and the patches before them."""

    def __init__(self, first, settings, rng, generator, graphs=False):
        """
        Learn the first frame.

        :param first: its `FrameSamples`; the context is the (K, D) features of past patches.
        :param settings: a `RmanSettings`.
        :param rng: numpy Generator of the batches.
        :param generator: torch Generator of the initial weights.
        :param graphs: whether a GPU replays steps as CUDA graphs.
        """
        self._settings = settings
        network = RecurrentMemoryNetwork(first.context.shape[1], settings.hidden, settings.lstm,
                                         settings.activation, generator).to(first.context.device)
        memory = SampleMemory(first, settings.long_memory, settings.short_memory,
                              settings.first_kept)
        super().__init__(network, memory, rng, momentum=settings.momentum,
                         gradient_norm=settings.gradient_norm,
                         weight_decay=settings.weight_decay, graphs=graphs)
        self.update(settings.first_iterations, settings.first_rate)

    def update(self, iterations, rate):
        """Train on what is in memory, by a learning rate that is still to be scaled."""
        self._descend(iterations, rate * self._settings.rate_scale, self._batch, self.loss)

    def loss(self, batch):
        """Return eq. 7 with the terms the settings ask for."""
        settings, network = self._settings, self.network
        memory = network.remember(batch.contexts)
        positive = network.represent(batch.positives, memory.at(batch.positive_frame))
        negative = network.represent(batch.negatives, memory.at(batch.negative_frame))
        loss = classification_loss(network.classifier(positive.full),
                                   network.classifier(negative.full))
        if settings.activation != 'none':
            if settings.loss_a:
                loss = loss + settings.weight_a * coherence_loss(positive, negative,
                                                                 settings.margin)
            if settings.loss_b:
                loss = loss + settings.weight_b * compactness_loss(positive.full, negative.full)
        return loss

    def _batch(self):
        settings = self._settings
        return self.memory.draw(self._rng, settings.pairs, settings.pairs,
                                min(settings.batch_frames, settings.pairs), padded=self.replays)


class Rman(DetectionTracker):
    """RMAN and, by its settings, every row of the paper's ablation."""

    settings_class = RmanSettings
    ablation = {
        'baseline': {'lstm': False, 'activation': 'none'},
        'baseline+lstm': {'activation': 'none'},
        'baseline+lstm+mal': {'loss_a': False, 'loss_b': False},
        'baseline+lstm+mal+la': {'loss_b': False},
        'baseline+lstm+mal+la+lb': {},
        'baseline+mal+la+lb': {'lstm': False},
        'baseline+lstm+apl+la+lb': {'activation': 'average'},
    }

    def _begin(self, positives, negatives, target):
        # In the first frame every patch of a sequence is from that frame (section IV.A).
        self._patches = target.repeat(self.settings.memory_length, 1)
        self._learner = RmanLearner(FrameSamples(positives, negatives, self._patches),
                                    self.settings, self._rng, self._generator,
                                    self.runtime.graphs)

    def _scores(self, features):
        network = self._learner.network
        logits = network(features, network.remember(self._patches[None]))
        return logits[:, 1] - logits[:, 0]

    def _collect(self, positives, negatives, target):
        self._learner.memory.add(FrameSamples(positives, negatives, self._patches))
        self._patches = torch.cat([self._patches[1:], target])

    def _due(self):
        settings = self.settings
        if self._index % settings.update_every or len(self._learner.memory) < 2:
            return []
        return [Due('learning', self._learner, {'iterations': settings.update_iterations,
                                                'rate': settings.update_rate})]

    def _reset(self):
        super()._reset()
        self._learner = self._patches = None
