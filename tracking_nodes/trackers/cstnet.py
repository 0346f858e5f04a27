"""
CSTNet: contrastive spatio-temporal aware network.

Yao, Zhang, Ren, Ma, Han and Cao, "Robust Online Tracking via Contrastive Spatio-Temporal Aware
Network", IEEE Transactions on Image Processing 30, 2021. The Spatial ConvNet is here; the
Temporal ConvNet is an option of every tracker by detection, see `online.temporal_stream`, and on
by default in this one. The configurations of the paper are settings: see `Cstnet.ablation`.
"""
from dataclasses import dataclass, replace

from tracking_nodes.online.classifier import ClassifierSettings, OnlineClassifier
from tracking_nodes.online.features import FeatureExtractor, tap_names
from tracking_nodes.online.spatial_weights import load_spatial_weights
from tracking_nodes.parameters import setting
from tracking_nodes.trackers.detection import DetectionSettings, DetectionTracker
from tracking_nodes.trackers.updates import Due


@dataclass(frozen=True)
class CstnetSettings(ClassifierSettings, DetectionSettings):
    """Parameters of CSTNet; the classifiers of both streams share theirs."""

    temporal: bool = setting(True, 'whether there is a temporal stream', source='Fig. 10')
    spatial_weights: str = setting(
        '', 'weights file of the spatial stream trained offline; empty for the usual one of the '
        'backbone if there is one, none to learn from nothing but the first frame')
    regressed_size: float = setting(
        0.07, 'share of the change of size by regression that the search goes on from; its change '
        'of place is not fed back', minimum=0.0, maximum=1.0, live=True,
        source='measured: 0 stays too large on targets that shrink, .3 shrinks when covered')
    update_every: int = setting(10, 'frames between long-term updates', minimum=1,
                                maximum=100000, source='MDNet', live=True)


class Cstnet(DetectionTracker):
    """CSTNet and, by its settings, SNet, STNet and the other rows of the paper's tables."""

    settings_class = CstnetSettings
    ablation = {
        'SNet': {'temporal': False, 'mining': 'ohem'},
        'STNet': {'mining': 'ohem'},
        'CSTNet': {},
        'CSTNet focal': {'mining': 'focal'},
        'CSTNet ref1': {'refinement': 'ref1'},
        'SNet AlexNet': {'temporal': False, 'mining': 'ohem', 'backbone': 'alexnet'},
        'SNet VGG-M': {'temporal': False, 'mining': 'ohem', 'backbone': 'vggm'},
        'SNet VGG-16': {'temporal': False, 'mining': 'ohem', 'backbone': 'vgg16'},
        'SNet ResNet-18': {'temporal': False, 'mining': 'ohem', 'backbone': 'resnet18'},
    }

    def _load_features(self):
        settings = self.settings
        self._trained = trained = load_spatial_weights(
            settings.spatial_weights, settings.backbone, tap_names(settings), self.runtime.models)
        if trained.has_backbone:
            settings = replace(settings, weights=trained.origin)
        return FeatureExtractor(settings, self.runtime, trained.projection)

    def _begin(self, positives, negatives, target):
        self._classifier = OnlineClassifier(
            positives, negatives, self.settings, self._rng, self._generator, self._trained.head,
            self._trained.origin, self.runtime.graphs)

    def _scores(self, features):
        return self._classifier.logits(features)

    def _collect(self, positives, negatives, target):
        self._classifier.collect(positives, negatives)

    def _due(self):
        """
        Follow MDNet's schedule.

        Long-term every so many frames, short-term in every frame in which the target is not
        believed present.
        """
        if self._believed and self._index % self.settings.update_every:
            return []
        return [Due('learning', self._classifier, {'recent': not self._believed})]

    def _temporal_learning(self):
        return self.settings

    def _reset(self):
        super()._reset()
        self._classifier = None
