"""
What the tracking-by-detection systems share: draw candidates, score, regress, collect samples.

A subclass brings the classifier: how it is built and trained on samples, how it scores
candidates, and when it is updated.
"""
from abc import abstractmethod
import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from tracking_nodes.errors import SettingError
from tracking_nodes.geometry import clip_box, cxcywh_to_xywh, xywh_to_cxcywh
from tracking_nodes.nn.device import read_back, to_device
from tracking_nodes.online import sampling
from tracking_nodes.online.background import BackgroundLearner
from tracking_nodes.online.box_regression import BoxRegressor
from tracking_nodes.online.classifier import ClassifierSettings
from tracking_nodes.online.features import FeatureExtractor, FeatureSettings
from tracking_nodes.online.refinement import refined_scores
from tracking_nodes.online.sample_memory import MemorySettings
from tracking_nodes.online.temporal_stream import TemporalSettings, TemporalStream
from tracking_nodes.parameters import setting
from tracking_nodes.trackers.base import Location, Tracker
from tracking_nodes.trackers.probability import ProbabilitySettings
from tracking_nodes.trackers.redetection import RedetectionSettings
from tracking_nodes.trackers.robust import ROBUST_ABLATION, RobustSettings
from tracking_nodes.trackers.stages import stage
from tracking_nodes.trackers.together import Looker
from tracking_nodes.trackers.updates import Due, JointUpdate


@dataclass(frozen=True)
class DetectionSettings(RobustSettings, RedetectionSettings, ProbabilitySettings,
                        TemporalSettings, MemorySettings, FeatureSettings):
    """Candidates, labels and box regression of tracking by detection, and all it builds on."""

    presets: ClassVar[dict] = {'robust': {
        'backbone': 'resnet18', 'weights': 'gstp_siamrcnn_resnet18.safetensors',
        'redetection': True}}

    candidates: int = setting(
        256, 'candidates drawn in every frame', minimum=8, maximum=4096,
        source='RMAN section V.A, TSN section IV', live=True)
    candidate_sampling: str = setting(
        'gaussian', 'how candidates are drawn: normal or uniform around the last box, or over '
        'the whole image (crop path only)', choices=('gaussian', 'uniform', 'whole'),
        source='MDNet')
    candidate_translation: float = setting(
        0.6, "spread of the candidates' centres, in mean sides of the target", minimum=0.01,
        maximum=4.0, source='MDNet', live=True)
    candidate_scale: float = setting(
        1.0, "spread of the candidates' sizes, in powers of 1.05", minimum=0.0, maximum=10.0,
        source='MDNet', live=True)
    candidate_aspect: float = setting(
        0.0, "spread of the candidates' aspect ratios, in powers of 1.05", minimum=0.0,
        maximum=10.0, source='MDNet: the aspect ratio of the first frame stays', live=True)
    best_candidates: int = setting(
        5, 'best candidates whose mean is the target', minimum=1, maximum=64,
        source='MDNet; 1 is RMAN as written', live=True)
    present_threshold: float = setting(
        0.5, 'score from which the target is believed present and is learned from', minimum=0.0,
        maximum=1.0, source="the classifier's own point of doubt", live=True)
    positive_overlap: float = setting(
        0.7, 'overlap from which a sample is positive', minimum=0.0, maximum=1.0,
        source='RMAN section V.A, tau_1; CSTNet eq. 1')
    negative_overlap: float = setting(
        0.3, 'overlap up to which a sample is negative', minimum=0.0, maximum=1.0,
        source='RMAN section V.A, tau_2')
    first_positives: int = setting(
        500, 'positive samples of the first frame', minimum=16, maximum=5000,
        source='RMAN: N_1 = 5500 in all; split as in MDNet')
    first_negatives: int = setting(
        5000, 'negative samples of the first frame', minimum=16, maximum=20000,
        source='RMAN: N_1 = 5500 in all; split as in MDNet')
    positives: int = setting(
        50, 'positive samples of a later frame', minimum=1, maximum=1000, source='MDNet')
    negatives: int = setting(
        206, 'negative samples of a later frame', minimum=1, maximum=4000,
        source='RMAN: N_2 = 256 in all')
    box_regression: bool = setting(
        True, 'whether the chosen box is refined by regression', source='RMAN section IV.B')
    regression_samples: int = setting(
        1000, 'samples of the regression, first frame only', minimum=10, maximum=10000,
        source='MDNet')
    regression_overlap: float = setting(
        0.4, 'overlap from which a sample joins the regression', minimum=0.0, maximum=1.0,
        source='measured; R-CNN has 0.6')
    regressed_size: float = setting(
        0.0, 'share of the change of size by regression that the search goes on from; its change '
        'of place is not fed back', minimum=0.0, maximum=1.0,
        source="measured; 0 is R-CNN's regression of the output alone", live=True)
    regression_ridge: float = setting(
        1e5, 'ridge penalty of the regression, for features of rms 3', minimum=0.0,
        maximum=1e12, source='measured; R-CNN has 1000 on its own features')

    def __post_init__(self):
        super().__post_init__()
        if self.candidate_sampling == 'whole' and self.feature_path == 'shared':
            raise SettingError('candidate_sampling = whole needs feature_path = crop: the shared '
                               'search region does not show the whole image')
        if self.candidate_sampling == 'whole' and self.temporal:
            raise SettingError('candidate_sampling = whole goes without temporal: the clip shows '
                               'only what is around the target')


@dataclass(frozen=True)
class Estimate:
    """
    The boxes whose weighted mean is the target; all on the device, read by nobody yet.

    boxes: (B, 4) float64. features: (B, D) of these boxes. score: () in [0, 1], 0.5 is the point
    of doubt. weights: (B,) float64, or None for the plain mean. noted: tensors that are read with
    the answer, for `DetectionTracker._settled`.
    """

    boxes: torch.Tensor
    features: torch.Tensor
    score: torch.Tensor
    weights: torch.Tensor | None = None
    noted: tuple = ()

    def mean_of(self, boxes):
        """Return the weighted mean (4,) of boxes (B, 4), one for each of the own."""
        if self.weights is None:
            return boxes.mean(dim=0)
        return (self.weights[:, None] * boxes).sum(dim=0) / self.weights.sum()


class DetectionTracker(Looker, Tracker):
    """Tracking by detection around a classifier that learns online."""

    settings_class = DetectionSettings
    robust_ablation = ROBUST_ABLATION
    learns = True

    def __init__(self, settings=None, runtime=None):
        super().__init__(settings, runtime)
        self._extractor = self._load_features()
        self.device = self._extractor.device
        if self.runtime.learning == 'background':
            self._background = BackgroundLearner(self.device)
        self._temporal = None
        if self.settings.temporal:
            self._temporal = TemporalStream(self.settings, self.settings,
                                            self._temporal_learning(), self.runtime)
        self._reset()

    @abstractmethod
    def _begin(self, positives, negatives, target):
        """
        Build and train the classifier on the first frame.

        :param positives: (P, D) features.
        :param negatives: (M, D).
        :param target: (1, D) features of the target's own box.
        """

    @abstractmethod
    def _scores(self, features):
        """Return (N,) logits of being the target, of candidates (N, D)."""

    @abstractmethod
    def _collect(self, positives, negatives, target):
        """Take in what a believed frame taught, as in `_begin`."""

    @abstractmethod
    def _due(self):
        """Return a list of `Due`, of the learners whose turn it is in this frame."""

    @property
    def looker(self):
        """Return itself, but on the crop path, where there is no one region to look at."""
        return None if self.settings.feature_path == 'crop' else self

    def views(self, image):
        """Return the search region around the last box."""
        self._region = self._extractor.region(image, self._box)
        return self._region.pixels[None]

    def see(self, views):
        """Return the backbone's maps."""
        return self._extractor.maps(views)

    def _load_features(self):
        """Return the `FeatureExtractor`."""
        return FeatureExtractor(self.settings, self.runtime)

    def _temporal_learning(self):
        """Return the `ClassifierSettings` of the temporal stream."""
        return ClassifierSettings()

    def _estimate(self, boxes, features, logits):
        """
        Return the `Estimate` that the best candidates lead to.

        :param boxes: (B, 4) float64 on the device, best first.
        :param features: (B, D).
        :param logits: (B,).
        """
        return Estimate(boxes, features, logits.mean().sigmoid())

    def _settled(self, box, score, *noted):
        """
        Return what an estimate comes to, now that its numbers are on the host.

        :param box: (4,) the mean of its boxes.
        :param score: a float.
        :param noted: arrays, what the estimate had noted.
        """
        return box

    def _start(self, image, box):
        settings = self.settings
        self._box, self._size = box, (image.shape[1], image.shape[0])
        self._frame = self._extractor.frame(image, box)
        self._projection = self._frame.projection
        self._begin(*self._samples(box, settings.first_positives, settings.first_negatives),
                    self._frame.of(box[None]))
        if self._temporal is not None:
            self._temporal.start(image, box, *self._sample_boxes(
                box, settings.first_positives, settings.first_negatives,
                settings.temporal_overlap))
        if settings.box_regression:
            self._fit_regressor(box)

    def _locate(self, image):
        settings = self.settings
        self._index += 1
        self._size = (image.shape[1], image.shape[0])
        with stage('features'):
            self._frame = self._extractor.frame(image, self._box, self._projection,
                                                self._look_around(image))
            candidates = to_device(self._inside(self._draw_candidates()), self.device)
            features = self._frame.of(candidates)
        with stage('scoring'), torch.no_grad():
            ranking = logits = self._scores(features)
        if self._temporal is not None:
            with stage('temporal stream'):
                self._temporal.see(image, self._box)
                ranking = self._refined(candidates, logits)
        best = ranking.topk(min(settings.best_candidates, len(candidates))).indices
        with stage('estimate'):
            estimate = self._estimate(candidates[best], features[best], logits[best])
        output, score, regressed = self._read(estimate)
        self._believed = score >= settings.present_threshold
        # The search goes on from the classifier's box, doubtful or not, or a target that moves
        # on is never caught up with; regressed places fed back drift.
        self._box = clip_box(output, *self._size)
        if self._believed and regressed is not None:
            self._box = clip_box(resized(output, regressed[2:], settings.regressed_size),
                                 *self._size)
            output = regressed
        return Location(clip_box(output, *self._size), settings.probability(score),
                        self._believed)

    def _read(self, estimate):
        """
        Bring an estimate to the host, the only numbers that `locate` reads of a device.

        :return: box (4,), score, and the regressed box (4,), None without regression. What is
            regressed is computed whether or not the target is believed: to ask first would be to
            read twice.
        """
        boxes = [estimate.mean_of(estimate.boxes)]
        if self._regressor is not None:
            with stage('box regression'):
                boxes.append(estimate.mean_of(
                    self._regressor.refine(estimate.features, estimate.boxes)))
        with stage('reading'):
            (box, *regressed), score, *noted = read_back(
                torch.stack(boxes), estimate.score, *estimate.noted)
        score = float(score)
        return self._settled(box, score, *noted), score, regressed[0] if regressed else None

    @property
    def extractor(self):
        """Return the `FeatureExtractor`."""
        return self._extractor

    @property
    def looked_at(self):
        """Return the region and maps of the frame located in last, or started on; shared path."""
        return self._frame.region, self._frame.maps

    def _judge(self, boxes):
        if self._frame is None:
            return super()._judge(boxes)
        with torch.no_grad():
            scores = self._scores(self._frame.of(self._inside(boxes)))
        return read_back(scores.sigmoid())[0]

    def _look_around(self, image):
        """Return the search region and its maps, or None on the crop path."""
        if self.looker is None:
            return None
        maps = self.look(image)
        return self._region, maps

    def _learn(self):
        # The first frame was learned when it was given.
        if self._frame is None or not self._index:
            return False
        if self._believed:
            with stage('gathering'):
                self._gather()
        # The maps of a frame are large; nothing needs them any more.
        self._frame = None
        due = self._due()
        if due and self._temporal is not None:
            # The temporal stream follows the schedule of its tracker.
            due.append(Due('temporal learning', self._temporal.classifier,
                           {'recent': not self._believed}))
        if self._background is not None:
            self._begin_update(due)
            return False
        for each in due:
            with stage(each.stage):
                each.learner.update(**each.how)
        return bool(due)

    def _begin_update(self, due):
        """Let what is due, and what is still to be made up for, learn beside the frames."""
        turns = {each.stage: each for each in (*self._missed, *due)}
        if not turns:
            return
        # By the frame, so that the draws do not depend on which updates were skipped before.
        update = JointUpdate(list(turns.values()), (self.runtime.seed, self._index))
        with stage('learning'):
            begun = self._submit(update.snapshot, update.train, update.adopt)
        self._missed = [] if begun else [each for each in turns.values()
                                         if each.made_up or self._background.put_off]

    def _gather(self):
        """Take samples of a believed frame into memory."""
        box, settings = self._box, self.settings
        self._collect(*self._samples(box, settings.positives, settings.negatives),
                      self._frame.of(box[None]))
        if self._temporal is not None:
            self._temporal.collect(box, *self._sample_boxes(
                box, settings.positives, settings.negatives, settings.temporal_overlap))

    def _probe(self):
        # Locating gives a tracker new attributes and leaves the old objects alone, all but two.
        probe = copy.copy(self)
        probe._rng = copy.deepcopy(self._rng)
        # The clip shows what is around the target so far: elsewhere its stream knows nothing, and
        # the classifier of single frames decides alone.
        probe._temporal = None
        return probe

    def _relocate(self, box):
        # Not cut to the last image: the next one may be larger.
        self._box, self._foreseen = box, None

    def _reset(self):
        seed = self.runtime.seed
        self._rng = np.random.default_rng(seed)
        self._generator = torch.Generator().manual_seed(seed)
        self._box = self._size = self._frame = self._projection = self._regressor = None
        self._region = self._foreseen = None
        self._believed = False
        self._missed = []
        self._index = 0
        if self._temporal is not None:
            self._temporal.reset()

    def _refined(self, boxes, logits):
        """Return (N,) scores that rank candidates by both streams, eq. 10 to 12 of CSTNet."""
        settings = self.settings
        scores = (each.sigmoid() for each in (logits, self._temporal.logits(boxes)))
        return refined_scores(*scores, boxes, settings.refinement, settings.refinement_weight,
                              settings.refinement_overlap)

    def _draw_candidates(self):
        settings = self.settings
        if settings.candidate_sampling == 'whole':
            return sampling.whole(self._rng, self._box, settings.candidates, *self._size,
                                  settings.candidate_scale)
        draw = sampling.gaussian if settings.candidate_sampling == 'gaussian' else sampling.uniform
        return draw(self._rng, self._box, settings.candidates, settings.candidate_translation,
                    settings.candidate_scale, settings.candidate_aspect)

    def _inside(self, boxes):
        return sampling.inside(boxes, *self._size)

    def _samples(self, box, positives, negatives):
        near, far = self._sample_boxes(box, positives, negatives)
        return self._frame.of(near), self._frame.of(far)

    def _sample_boxes(self, box, positives, negatives, most=None):
        """
        Return boxes (P, 4) on a target and (M, 4) off it or of another size.

        :param most: overlap up to which one is off it; None for negative_overlap.
        """
        settings, rng = self.settings, self._rng
        near = sampling.with_overlap(
            lambda n: self._inside(sampling.gaussian(rng, box, n, 0.1, 1.3, 0.65)),
            box, positives, settings.positive_overlap, 1)
        if not len(near):
            near = self._inside(box[None])
        reach = min(2.0, settings.search_scale / 2 - 0.5)
        # Boxes far off, boxes beside the target, and boxes on it of a wrong size: without the last
        # nothing tells the classifier that a part of the target is not the target.
        draws = (lambda n: sampling.uniform(rng, box, n, reach, 5.0, 1.0),
                 lambda n: sampling.gaussian(rng, box, n, 0.7, 2.0, 1.0),
                 lambda n: sampling.uniform(rng, box, n, 0.3, 20.0, 2.0))
        shares = np.diff(np.linspace(0, negatives, len(draws) + 1).astype(int))
        far = [sampling.with_overlap(lambda n: self._inside(draw(n)), box, share, 0,
                                     settings.negative_overlap if most is None else most)
               for draw, share in zip(draws, shares)]
        return near, np.concatenate(far)

    def _fit_regressor(self, box):
        settings = self.settings
        boxes = sampling.with_overlap(
            lambda n: self._inside(sampling.uniform(self._rng, box, n, 0.3, 5.0)),
            box, settings.regression_samples, settings.regression_overlap, 1)
        # A target smaller than the smallest candidate, or larger than the image, has none.
        if len(boxes):
            self._regressor = BoxRegressor(self._frame.of(boxes), boxes, box,
                                           settings.regression_ridge)


def resized(box, size, share):
    """
    Return a box about the same centre, its size moved towards another.

    :param box: (x, y, w, h).
    :param size: (w, h) to move towards.
    :param share: how far, on a logarithmic scale: 0 not at all, 1 all the way.
    """
    row = xywh_to_cxcywh(box)
    row[2:] *= (np.asarray(size) / row[2:]) ** share
    return cxcywh_to_xywh(row)
