"""Extrapolated boxes against one least squares over all answers, and the camera's own motion."""
import cv2
from hypothesis import given, settings, strategies
import numpy as np
import pytest

from tracking_nodes.geometry import cxcywh_to_xywh, iou, xywh_to_cxcywh
from tracking_nodes.online.camera_motion import CameraFlow
from tracking_nodes.online.extrapolation import Extrapolator, LIMIT, MotionFilter, MotionNoise

SECOND = 1_000_000_000
NOISE = MotionNoise(position=0.04, acceleration=1.3, velocity=1.7, growth=0.4)


def moving(stamps, velocity=(90.0, -40.0), growth=0.2, begin=(100.0, 200.0, 40.0, 30.0)):
    """Return the boxes of a target of constant velocity, px/s, whose log size grows per s."""
    seconds = (np.asarray(stamps) - stamps[0]) / SECOND
    rows = np.array(begin) * np.ones((len(seconds), 1))
    rows[:, :2] += seconds[:, None] * velocity
    rows[:, 2:] *= np.exp(growth * seconds)[:, None]
    return cxcywh_to_xywh(rows)


def faded(seconds):
    """Return the integral of the velocity's share, in steps that are too short to matter."""
    middles = (np.arange(10_000) + 0.5) * seconds / 10_000
    return np.exp(-middles / 0.2).mean() * seconds


def least_squares(stamps, boxes, noise):
    """
    Return position and rate, (4, 2), of the last stamp that fit all answers best.

    One weighted least squares over the states of all stamps at once: each answer, each step of
    the motion and what is known of the velocity at the start is a row. NaN rows are no answers.
    """
    count, share = len(stamps), (1, 1, noise.growth, noise.growth)
    scales, side = [], None
    for box in boxes:
        side = side if np.isnan(box).any() else np.sqrt(box[2] * box[3])
        scales.append((side, side, 1, 1))
    rows = xywh_to_cxcywh(boxes)
    measured = np.concatenate([rows[:, :2], np.log(rows[:, 2:])], axis=1)
    found = np.zeros((4, 2))
    for coordinate in range(4):
        left, right = [], []

        def add(state, weights, value):
            line = np.zeros((len(weights), 2 * count))
            for index, block in state.items():
                line[:, 2 * index:2 * index + 2] = weights @ block
            left.append(line)
            right.append(weights @ value)

        unit = scales[0][coordinate]
        add({0: np.eye(2)}, np.diag([1 / (noise.position * unit),
                                     1 / (noise.velocity * share[coordinate] * unit)]),
            np.array([measured[0, coordinate], 0.0]))
        for index in range(1, count):
            unit = scales[index - 1][coordinate]
            step = (stamps[index] - stamps[index - 1]) / SECOND
            spread = (noise.acceleration * share[coordinate] * unit) ** 2 * np.array(
                [[step ** 3 / 3, step ** 2 / 2], [step ** 2 / 2, step]])
            whiten = np.linalg.inv(np.linalg.cholesky(spread))
            add({index - 1: -np.array([[1, step], [0, 1]]), index: np.eye(2)}, whiten,
                np.zeros(2))
            if not np.isnan(boxes[index]).any():
                weight = 1 / (noise.position * scales[index][coordinate])
                add({index: np.array([[1.0, 0.0], [0.0, 0.0]])}, np.array([[weight, 0.0]]),
                    np.array([measured[index, coordinate], 0.0]))
        solution = np.linalg.lstsq(np.concatenate(left), np.concatenate(right), rcond=None)[0]
        found[coordinate] = solution[-2:]
    return found


@settings(max_examples=60, deadline=None)
@given(gaps=strategies.lists(strategies.integers(5, 120), min_size=1, max_size=12),
       seed=strategies.integers(0, 2 ** 16), data=strategies.data())
def test_the_filter_is_the_least_squares_over_all_answers(gaps, seed, data):
    stamps = 7 * SECOND + np.cumsum([0, *gaps]) * 1_000_000
    missing = [False] + data.draw(strategies.lists(
        strategies.booleans(), min_size=len(gaps), max_size=len(gaps)))
    boxes = moving(stamps, velocity=(30, -20), growth=0.05)
    boxes += np.random.default_rng(seed).normal(0, 0.3, boxes.shape)
    boxes[missing] = np.nan
    motion = MotionFilter(NOISE)
    for stamp, box in zip(stamps, boxes):
        motion.update(int(stamp), box)
    expected = least_squares(stamps, boxes, NOISE)
    np.testing.assert_allclose(motion._mean, expected, rtol=1e-6, atol=1e-6)
    # The filter's own position where the last answer is missing, otherwise the answer.
    row = xywh_to_cxcywh(boxes[-1])
    begin = expected[:, 0] if missing[-1] else np.concatenate([row[:2], np.log(row[2:])])
    later = begin + faded(0.1) * expected[:, 1]
    np.testing.assert_allclose(
        motion.at(int(stamps[-1]) + SECOND // 10),
        cxcywh_to_xywh(np.concatenate([later[:2], np.exp(later[2:])])), rtol=1e-6)


def test_irregular_stamps_are_what_counts_not_the_number_of_images():
    stamps = SECOND + np.cumsum(np.random.default_rng(1).integers(5, 90, 60)) * 1_000_000
    boxes = moving(stamps)
    motion = MotionFilter()
    for stamp, box in zip(stamps, boxes):
        motion.update(int(stamp), box)
    later = moving([stamps[0], stamps[-1] + SECOND // 12])[1]
    assert iou(motion.at(int(stamps[-1]) + SECOND // 12), later) > 0.93
    assert iou(boxes[-1], later) < 0.75


@pytest.mark.parametrize('kept', [slice(None, None, 3), slice(0, 0)])
def test_time_may_be_cut_into_any_number_of_images_without_the_target(kept):
    stamps = np.arange(1, 32) * SECOND // 30
    boxes = moving(stamps)
    whole, cut = MotionFilter(), MotionFilter()
    for motion, chosen in ((whole, slice(None)), (cut, kept)):
        for stamp, box in list(zip(stamps, boxes))[:10]:
            motion.update(int(stamp), box)
        for stamp in stamps[10:][chosen]:
            motion.update(int(stamp), None)
        motion.update(int(stamps[-1]), None)
    np.testing.assert_allclose(whole.at(2 * SECOND), cut.at(2 * SECOND), rtol=1e-12)
    np.testing.assert_allclose(whole._covariance, cut._covariance, rtol=1e-9)


def test_a_jump_is_a_target_found_elsewhere_and_gives_no_velocity():
    motion = MotionFilter()
    stamps = [SECOND + index * SECOND // 30 for index in range(10)]
    for stamp in stamps:
        motion.update(stamp, np.array([100.0, 100, 40, 40]))
    elsewhere = np.array([400.0, 300, 40, 40])
    motion.update(stamps[-1] + SECOND // 30, elsewhere)
    np.testing.assert_allclose(motion.at(stamps[-1] + SECOND), elsewhere)


def test_stamps_that_step_back_begin_anew():
    motion = MotionFilter()
    for stamp, box in zip([5 * SECOND, 6 * SECOND], moving([5 * SECOND, 6 * SECOND])):
        motion.update(stamp, box)
    box = np.array([10.0, 20, 30, 40])
    motion.update(SECOND, box)
    np.testing.assert_allclose(motion.at(2 * SECOND), box)
    motion.update(SECOND // 2, None)
    assert not motion.started


@pytest.mark.parametrize('box', [None, [np.nan] * 4, [1, 2, 0, 4], [1, 2, np.inf, 4]])
def test_what_is_no_box_is_no_answer(box):
    stamps = np.arange(1, 6) * SECOND // 10
    motion, expected = MotionFilter(), MotionFilter()
    for stamp, answer in zip(stamps, moving(stamps)):
        motion.update(int(stamp), answer)
        expected.update(int(stamp), answer)
    motion.update(SECOND, None if box is None else np.array(box, dtype=np.float64))
    expected.update(SECOND, None)
    np.testing.assert_array_equal(motion.at(2 * SECOND), expected.at(2 * SECOND))
    first = MotionFilter()
    first.update(SECOND, None if box is None else np.array(box, dtype=np.float64))
    assert not first.started


def test_extrapolation_ends_at_the_limit_after_the_target_was_seen_last():
    stamps = np.arange(1, 31) * SECOND // 30
    boxes = moving(stamps)
    ahead = Extrapolator()
    for stamp, box in zip(stamps, boxes):
        ahead.add(int(stamp), box, True)
    limit = int(stamps[-1]) + round(LIMIT * SECOND)
    box, stamp = ahead.at(int(stamps[-1]) + SECOND)
    assert stamp == limit
    np.testing.assert_allclose(box[:2] + box[2:] / 2 - boxes[-1, :2] - boxes[-1, 2:] / 2,
                               faded(LIMIT) * np.array([90, -40]), rtol=0.02)
    # In doubt for less than that, a box moves on; for longer, it stays where the tracker says.
    said = np.array([1.0, 2, 30, 40])
    for later, step in ((0.5, faded(0.04) * np.array([90, -40])), (1.5, np.zeros(2))):
        at = int(stamps[-1]) + round(later * LIMIT * SECOND)
        ahead.add(at, said, False)
        box, stamp = ahead.at(at + SECOND // 25)
        assert stamp == at + (SECOND // 25 if step.any() else 0)
        np.testing.assert_allclose((box[:2] + box[2:] / 2) - (16, 22), step, atol=0.05)
    ahead.reset()
    ahead.add(10 * SECOND, said, False)
    np.testing.assert_array_equal(ahead.at(11 * SECOND)[0], said)


def textured(seed, height=260, width=420):
    noise = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def similarity(degrees, zoom, shift, centre=(160, 120)):
    """Return (2, 3) in the coordinates of boxes, around a centre."""
    matrix = cv2.getRotationMatrix2D(centre, degrees, zoom)
    matrix[:, 2] += shift
    return matrix


def seen_through(scene, matrix, size=(320, 240)):
    """Return the image of a scene after a motion in the coordinates of boxes."""
    centres = matrix.copy()
    # warpAffine counts pixel centres from 0, boxes pixel corners.
    centres[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(scene, centres, size, flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize('scale', [1, 3])
@pytest.mark.parametrize('motion', [
    similarity(0, 1, (4.3, -2.6)), similarity(2, 1, (0, 0)), similarity(-1, 1.03, (-3, 5))])
def test_flow_finds_the_motion_of_the_background_beside_a_target_that_goes_its_own_way(
        motion, scale):
    scene, target = textured(1), textured(2, 100, 100)[:90, :80]
    box = np.array([120.0, 70, 80, 90])

    def picture(matrix, x, y):
        image = seen_through(scene, matrix)
        image[y:y + 90, x:x + 80] = target
        return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)

    flow = CameraFlow()
    assert flow.step(picture(similarity(0, 1, (0, 0)), 120, 70), box * scale) is None
    found = flow.step(picture(motion, 105, 80), box * scale)
    points = np.array([[20, 20], [300, 20], [20, 220], [300, 220.0]])
    expected = points @ motion[:, :2].T + motion[:, 2]
    np.testing.assert_allclose((scale * points) @ found[:, :2].T + found[:, 2], scale * expected,
                               atol=0.3 * scale)


def test_flow_repeats_itself_bit_by_bit_whatever_the_global_generator():
    images = [seen_through(textured(3), similarity(0.5 * index, 1, (3 * index, -index)))
              for index in range(4)]
    runs = []
    for seed in (1, 2):
        cv2.setRNGSeed(seed)
        flow = CameraFlow()
        runs.append([flow.step(image, np.full(4, np.nan)) for image in images][1:])
    np.testing.assert_array_equal(*runs)


def test_flow_says_nothing_where_there_is_nothing_to_follow():
    flow, box = CameraFlow(), np.array([10.0, 10, 20, 20])
    grey = np.full((240, 320, 3), 128, np.uint8)
    assert flow.step(grey, box) is None and flow.step(grey, box) is None
    image = seen_through(textured(1), similarity(0, 1, (0, 0)))
    assert flow.step(image, box) is None and flow.step(image, box) is not None
    assert flow.step(cv2.resize(image, (640, 480)), box) is None
    flow.reset()
    assert flow.step(cv2.resize(image, (640, 480)), box) is None
    everything = np.array([-5.0, -5, 900, 900])
    assert flow.step(image, everything) is None and flow.step(image, everything) is None


def pan(speed, count=40):
    """Return stamps, boxes of a target at rest on the ground and the motions of a camera."""
    stamps = np.arange(1, count + 1) * SECOND // 30
    boxes = np.tile([150.0, 100, 120, 100], (count, 1))
    boxes[:, 0] -= np.cumsum(speed) / 30
    motions = [np.array([[1.0, 0, -step / 30], [0, 1, 0]]) for step in speed]
    return stamps, boxes, motions


def test_over_the_background_a_camera_that_begins_to_turn_is_followed_at_once():
    speed = np.where(np.arange(40) < 20, 0.0, 120.0)
    stamps, boxes, motions = pan(speed)
    errors = {}
    for name, known in (('kalman', [None] * 40), ('flow', motions)):
        motion = MotionFilter()
        late = []
        for index in range(39):
            motion.update(int(stamps[index]), boxes[index], known[index])
            late.append(abs(motion.at(int(stamps[index + 1])) - boxes[index + 1])[0])
        errors[name] = np.array(late)
    # The image in which the turn begins cannot be foreseen; after it the error falls as the mean
    # of the camera's velocity over 0.1 s takes the turn in.
    expected = 4 - 120 * faded(1 / 30) * (1 - np.exp(-np.arange(1, 20) / 30 / 0.1))
    np.testing.assert_allclose(errors['flow'][20:], expected, atol=1e-6)
    assert errors['flow'][:19].max() < 1e-9 and errors['flow'][19] == pytest.approx(4)
    assert errors['kalman'][21:25].mean() > 1.3 * errors['flow'][21:25].mean()


def test_the_camera_may_turn_and_zoom_between_two_answers():
    matrix = similarity(3, 1.02, (2, -1))
    motion, still = MotionFilter(), MotionFilter()
    row = np.array([200.0, 90, 40, 30])
    for index in range(30):
        motion.update(index * SECOND // 30 + SECOND, cxcywh_to_xywh(row),
                      matrix if index else None)
        still.update(index * SECOND // 30 + SECOND, cxcywh_to_xywh(row))
        last, row = row, np.concatenate([matrix[:, :2] @ row[:2] + matrix[:, 2], 1.02 * row[2:]])
    # A target that the camera alone moves has no velocity over the ground.
    np.testing.assert_allclose(motion._mean[:, 1], 0, atol=1e-6)
    after = motion.at(29 * SECOND // 30 + SECOND + SECOND // 30)
    np.testing.assert_allclose(after, cxcywh_to_xywh(row), rtol=1e-2)
    assert iou(after, cxcywh_to_xywh(row)) > iou(cxcywh_to_xywh(last), cxcywh_to_xywh(row))


def test_after_a_zoom_the_filter_is_that_of_images_zoomed_from_the_start():
    matrix = np.array([[2.0, 0, 7], [0, 2, -11]])
    stamps = np.arange(1, 14) * SECOND // 30
    rows = xywh_to_cxcywh(moving(stamps))
    rows[:, :2] += np.random.default_rng(0).normal(0, 1, (13, 2))
    zoomed = np.concatenate([rows[:, :2] @ matrix[:, :2].T + matrix[:, 2], 2 * rows[:, 2:]], 1)
    motion, expected = MotionFilter(), MotionFilter()
    for index, stamp in enumerate(stamps):
        # The target is not seen in the first zoomed image.
        row = rows[index] if index < 8 else np.full(4, np.nan) if index == 8 else zoomed[index]
        motion.update(int(stamp), cxcywh_to_xywh(row), matrix if index == 8 else None)
        expected.update(int(stamp), None if index == 8 else cxcywh_to_xywh(zoomed[index]))
    np.testing.assert_allclose(motion._mean, expected._mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(motion._covariance, expected._covariance, rtol=1e-9)
