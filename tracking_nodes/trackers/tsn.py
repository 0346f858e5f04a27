"""
TSN: temporal and spatial deep networks.

Teng, Xing, Wang, Lang, Feng and Jin, "Robust Object Tracking based on Temporal and Spatial Deep
Networks", ICCV 2017. No offline training: the Temporal Net rates candidates by their similarity
to a tuple of past targets, the Spatial Net moves the best of them. The rows of the paper's
ablation (Fig. 4) are settings: see `Tsn.ablation`.
"""
from dataclasses import dataclass

import numpy as np
import torch

from tracking_nodes.errors import SettingError
from tracking_nodes.geometry import cxcywh_to_xywh, iou, xywh_to_cxcywh
from tracking_nodes.nn.device import to_device
from tracking_nodes.nn.similarity_net import SimilarityNetwork
from tracking_nodes.online import sampling
from tracking_nodes.online.learner import Learner
from tracking_nodes.online.response_learning import (
    importances, refine, SpatialLearner, SpatialSettings)
from tracking_nodes.online.sample_memory import FrameSamples, SampleMemory
from tracking_nodes.online.tsn_losses import LOSSES, overlap_loss
from tracking_nodes.online.tuple_learning import TargetPool
from tracking_nodes.parameters import setting
from tracking_nodes.trackers.detection import DetectionSettings, DetectionTracker, Estimate
from tracking_nodes.trackers.stages import stage
from tracking_nodes.trackers.updates import Due


@dataclass(frozen=True)
class TsnSettings(SpatialSettings, DetectionSettings):
    """Parameters of TSN; sections and equations are the paper's."""

    temporal_net: bool = setting(True, 'whether the Temporal Net chooses the candidates; off '
                                 'leaves the last box, in best_candidates sizes',
                                 source='Fig. 4')
    spatial_net: bool = setting(True, 'whether the Spatial Net refines the candidates',
                                source='Fig. 4')
    loss: str = setting('l1', 'distance from the true overlaps in eq. 2', choices=LOSSES,
                        source='Fig. 4')
    pool_targets: int = setting(16, 'past targets in the pool, the first one among them',
                                minimum=2, maximum=256, source='not in the paper')
    tuple_length: int = setting(4, 'targets of a tuple, the first one among them',
                                minimum=1, maximum=64, source='not in the paper')
    sparsity: float = setting(
        0.1, 'lambda of eq. 1, as a share of the smallest that makes all coefficients zero',
        minimum=0.001, maximum=0.999, source='not in the paper')
    hidden: int = setting(512, 'units of the first two layers of the Temporal Net', minimum=1,
                          maximum=4096, source='section 3.2.2')
    dropout: float = setting(0.5, 'share of units dropped in training', minimum=0.0,
                             maximum=0.95, source='the paper gives none; usual')
    first_positives: int = setting(
        500, 'samples of the first frame that overlap the target by positive_overlap',
        minimum=16, maximum=5000, source='section 4.1: 5000 in all')
    first_negatives: int = setting(4500, 'other samples of the first frame', minimum=16,
                                   maximum=20000, source='section 4.1: 5000 in all')
    positive_overlap: float = setting(
        0.5, 'overlap from which a sample is of the first half of a batch', minimum=0.0,
        maximum=1.0, source='the labels are overlaps: no range is left out')
    negative_overlap: float = setting(
        0.5, 'overlap up to which a sample is of the second half of a batch', minimum=0.0,
        maximum=1.0, source='the labels are overlaps: no range is left out')
    pairs: int = setting(32, 'samples of each half of a batch', minimum=1, maximum=1024,
                         source='as in RMAN')
    batch_frames: int = setting(8, 'frames that each half of a batch is drawn from', minimum=1,
                                maximum=1024, source='speed: one tuple per frame')
    first_iterations: int = setting(100, 'iterations of the Temporal Net in the first frame',
                                    minimum=1, maximum=10000, source='not in the paper')
    update_every: int = setting(10, 'frames between updates of the Temporal Net', minimum=1,
                                maximum=100000, source='section 3.2.2', live=True)
    update_iterations: int = setting(15, 'iterations of an update of the Temporal Net',
                                     minimum=1, maximum=10000, source='not in the paper',
                                     live=True)
    rate: float = setting(1e-4, 'learning rate of the Temporal Net', minimum=0.0, maximum=10.0,
                          source='section 4.1')
    momentum: float = setting(0.9, 'momentum of SGD', minimum=0.0, maximum=0.9999,
                              source='section 4.1')
    gradient_norm: float = setting(100.0, 'largest norm of a gradient', minimum=1e-6,
                                   maximum=1e9, source='not in the paper')

    def __post_init__(self):
        super().__post_init__()
        if not self.temporal_net and not self.spatial_net:
            raise SettingError('temporal_net = False and spatial_net = False leave no tracker; '
                               'keep one of them')


class SimilarityLearner(Learner):
    """The Temporal Net of TSN, learned by eq. 2 from samples that end in their true overlap."""

    def __init__(self, first, settings, rng, generator, graphs=False):
        """
        Learn the first frame.

        :param first: its `FrameSamples`; the context is the (S, D) tuple of the target pool.
        :param settings: a `TsnSettings`.
        :param rng: numpy Generator of the batches.
        :param generator: torch Generator of the initial weights and of the units that are
            dropped.
        :param graphs: whether a GPU replays steps as CUDA graphs.
        """
        self._settings, self._generator = settings, generator
        length, features = first.context.shape
        network = SimilarityNetwork(features, length, settings.hidden, settings.dropout,
                                    generator).to(first.context.device)
        memory = SampleMemory(first, settings.long_memory, settings.short_memory,
                              settings.first_kept)
        super().__init__(network, memory, rng, momentum=settings.momentum,
                         gradient_norm=settings.gradient_norm, graphs=graphs)
        self.update(settings.first_iterations)

    def snapshot(self, seed):
        """Return a learner with draws of its own, as every `Learner` does."""
        taken = super().snapshot(seed)
        taken._generator = torch.Generator().manual_seed(int(taken._rng.integers(2 ** 63 - 1)))
        return taken

    def update(self, iterations):
        """Train on what is in memory."""
        self._descend(iterations, self._settings.rate, self._batch, self.loss)

    def loss(self, batch):
        """Return eq. 2 over a batch."""
        samples = torch.cat([batch.positives, batch.negatives])
        frames = torch.cat([batch.positive_frame, batch.negative_frame])
        remembered = self.network.remember(batch.contexts)
        logits = self.network(samples[:, :-1], remembered[frames], batch.kept)
        return overlap_loss(logits.sigmoid(), samples[:, -1], self._settings.loss)

    def _batch(self):
        settings = self._settings
        batch = self.memory.draw(self._rng, settings.pairs, settings.pairs,
                                 min(settings.batch_frames, settings.pairs), padded=self.replays)
        kept = self.network.kept(2 * settings.pairs, self._generator)
        return batch if kept is None else batch._replace(
            kept=to_device(kept.numpy(), batch.positives.device))


class Tsn(DetectionTracker):
    """TSN and, by its settings, every row of the paper's ablation."""

    settings_class = TsnSettings
    ablation = {
        'tsn': {},
        'tsn-l2': {'loss': 'l2'},
        'without temporal': {'temporal_net': False},
        'without spatial': {'spatial_net': False},
    }

    def _begin(self, positives, negatives, target):
        settings = self.settings
        if settings.temporal_net:
            self._begin_temporal(positives, negatives, target[0])
        if settings.spatial_net:
            self._spatial = SpatialLearner(self._frame, self._box, settings, self._rng,
                                           self._generator, self.runtime.graphs)

    def _begin_temporal(self, positives, negatives, target):
        settings = self.settings
        self._pool = TargetPool(target, settings.pool_targets, settings.tuple_length,
                                settings.sparsity)
        self._similarity = SimilarityLearner(
            FrameSamples(positives, negatives, self._pool.tuple), settings, self._rng,
            self._generator, self.runtime.graphs)

    def _collect(self, positives, negatives, target):
        # Only frames that are believed come here.
        if self.settings.temporal_net:
            # The tuple that the frame was judged by, before its own target joins the pool.
            self._similarity.memory.add(FrameSamples(positives, negatives, self._pool.tuple))
            with stage('tuple learning'):
                self._pool.add(target[0], self._confidence)
        if self.settings.spatial_net:
            self._spatial.collect(self._frame, self._box)

    def _due(self):
        """
        Follow the paper's schedule: Spatial Net when needed, Temporal Net every ten frames.

        The target pool changes in every frame, in `_collect`.
        """
        settings, due = self.settings, []
        if settings.spatial_net and self._believed and self._peak < settings.spatial_enough:
            due.append(Due('spatial learning', self._spatial))
        if (settings.temporal_net and self._index % settings.update_every == 0
                and len(self._similarity.memory) > 1):
            # The Spatial Net's turn is in every frame: it would often be in the way of this one.
            due.append(Due('learning', self._similarity,
                           {'iterations': settings.update_iterations}, made_up=True))
        return due

    def _draw_candidates(self):
        settings = self.settings
        if settings.temporal_net:
            return super()._draw_candidates()
        # Nothing rates candidates: the last box stands in for the best, in several sizes.
        middle = (settings.best_candidates - 1) / 2
        steps = (np.arange(settings.best_candidates) - middle) / 2 * settings.candidate_scale
        row = xywh_to_cxcywh(self._box)
        sizes = row[2:] * sampling.SCALE_BASE ** steps[:, None]
        return cxcywh_to_xywh(np.concatenate([np.broadcast_to(row[:2], sizes.shape), sizes],
                                             axis=1))

    def _scores(self, features):
        if not self.settings.temporal_net:
            return features.new_zeros(len(features))
        network = self._similarity.network
        return network(features, network.remember(self._pool.tuple[None]))

    def _estimate(self, boxes, features, logits):
        plain = super()._estimate(boxes, features, logits)
        return self._refined_estimate(plain) if self.settings.spatial_net else plain

    def _settled(self, box, score, *noted):
        self._confidence = score
        if noted:
            self._peak = float(noted[0])
        if score >= self.settings.present_threshold:
            return box
        # In doubt the box still moves, or a target that moves on is never caught up with; but a
        # size that nobody believes in would shrink frame by frame.
        row = xywh_to_cxcywh(box)
        row[2:] = self._box[2:]
        return cxcywh_to_xywh(row)

    def _refined_estimate(self, plain):
        """Return what the Spatial Net makes of an `Estimate`, eq. 7 and 8."""
        settings = self.settings
        with stage('spatial net'):
            responses = self._spatial.respond(self._frame, plain.boxes)
        peaks = responses.amax(dim=(1, 2)).double()
        boxes = self._inside(refine(plain.boxes, responses, settings.spatial_scale))
        features = self._frame.of(boxes)
        with torch.no_grad():
            similarities = self._scores(features).sigmoid().double()
        score = plain.score
        if not settings.temporal_net:
            # 1 stays 1, and the peak of doubt becomes a half.
            score = peaks.max() ** (np.log(0.5) / np.log(settings.spatial_doubt))
        return Estimate(boxes, features, score, importances(similarities, peaks), (peaks.max(),))

    def _samples(self, box, positives, negatives):
        """Return features as the base has them, each with its overlap as a last column."""
        rows = []
        for boxes in self._sample_boxes(box, positives, negatives):
            # In random order: the memory keeps only the first ones of the first frame.
            boxes = self._rng.permutation(boxes)
            features = self._frame.of(boxes)
            overlaps = torch.from_numpy(iou(boxes, box)).to(features)
            rows.append(torch.cat([features, overlaps[:, None]], dim=1))
        return rows

    def _reset(self):
        super()._reset()
        self._similarity = self._pool = self._spatial = None
        self._confidence = self._peak = 0.0
