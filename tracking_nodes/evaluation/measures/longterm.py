"""
Precision, recall and F-score of long-term tracking, where the target may be gone.

Lukežič et al.: Performance Evaluation Methodology for Long-Term Single-Object Tracking, IEEE
Transactions on Cybernetics 2021 (VOT-LT); Kalal et al.: Tracking-Learning-Detection, PAMI 2012.
"""
import numpy as np

RESOLUTION = 100


def thresholds(confidence, resolution=RESOLUTION):
    """
    Return the confidences at which the Python toolkit evaluates, highest first.

    :param confidence: (N,) of all frames of all sequences; NaN is left out.
    :param resolution: number of thresholds at most, infinity at both ends included.
    :return: (K,) float64.
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    ordered = np.sort(confidence[~np.isnan(confidence)])[::-1]
    if len(ordered) > resolution - 2:
        step = len(ordered) // (resolution - 2)
        places = np.round(np.linspace(step, len(ordered) - step, resolution - 2)).astype(int)
        ordered = ordered[places]
    return np.concatenate([[np.inf], ordered, [-np.inf]])


def precision_recall(overlaps, confidence, visible, limits):
    """
    Return precision and recall at each confidence threshold.

    Precision is the mean overlap of all frames whose confidence reaches the threshold, 1 where
    none does; recall is the sum of these overlaps divided by the number of visible frames.

    :param overlaps: (N,) in [0, 1], 0 where the target is gone.
    :param confidence: (N,).
    :param visible: how many frames show the target.
    :param limits: (K,) thresholds.
    :return: precision (K,), recall (K,).
    """
    order = np.argsort(-np.asarray(confidence), kind='stable')
    sums = np.concatenate([[0], np.asarray(overlaps, dtype=np.float64)[order].cumsum()])
    counts = np.searchsorted(-np.asarray(confidence)[order], -np.asarray(limits), side='right')
    precision = np.where(counts > 0, sums[counts] / np.maximum(counts, 1), 1)
    return precision, sums[counts] / visible


def best_f_score(precision, recall):
    """Return the highest F-score over the thresholds, with precision and recall there."""
    with np.errstate(invalid='ignore'):
        f_scores = 2 * precision * recall / (precision + recall)
    f_scores = np.where(np.isnan(f_scores), 0, f_scores)
    best = int(np.argmax(f_scores))
    return float(f_scores[best]), float(precision[best]), float(recall[best])


def detection_scores(overlaps, present, visible, threshold=0.5):
    """
    Return precision, recall and F-score of a tracker that says itself when the target is gone.

    A frame is right when the target is said to be present and overlaps by more than the
    threshold (TLD).

    :param overlaps: (N,) in [0, 1], 0 where the target is gone.
    :param present: (N,) bool, as the tracker says.
    :param visible: (N,) bool, as the ground truth says.
    :param threshold: of overlap.
    :return: precision (NaN when it never said so), recall, F-score.
    """
    right = np.count_nonzero(present & (np.asarray(overlaps) > threshold))
    said, there = np.count_nonzero(present), np.count_nonzero(visible)
    precision = right / said if said else np.nan
    return precision, right / there, 2 * right / (said + there)
