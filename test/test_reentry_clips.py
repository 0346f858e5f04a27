"""Clips in which the target leaves and comes back: boxes, absences, distractors, repeatability."""
import cv2
import numpy as np
import pytest

from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.compositing import Pose
from tracking_nodes.sequences.drawn_stills import drawn_stills
from tracking_nodes.sequences.folder_writer import write_folder
from tracking_nodes.sequences.reentry_clips import (
    Actor, POPPED_UP, reentry_clip, reentry_clips, ReentryClip, Scene, SIZE)
from tracking_nodes.sequences.stills import CutOut, Stills

WIDTH, HEIGHT = SIZE


@pytest.fixture(scope='module')
def clips():
    """Return ten clips of drawn pictures."""
    return reentry_clips(drawn_stills(np.random.default_rng(0), 6, 2), 5, 10)


def runs(flags):
    """Return (value, first, length) of each stretch of equal values."""
    edges = [0, *np.flatnonzero(np.diff(flags.astype(int))) + 1, len(flags)]
    return [(flags[first], first, stop - first) for first, stop in zip(edges, edges[1:])]


def touches(box):
    x, y, width, height = box
    return x == 0 or y == 0 or x + width == WIDTH or y + height == HEIGHT


def test_seed_and_number_decide_every_pixel(clips):
    again = reentry_clips(drawn_stills(np.random.default_rng(0), 6, 2), 5, 3)
    for one, other in zip(clips, again):
        assert one.name == other.name
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.distractors, other.distractors)
        for index in (239, 0, 120):
            np.testing.assert_array_equal(one.image(index), other.image(index))
    assert not np.array_equal(clips[0].image(0), clips[1].image(0))
    short = reentry_clip(drawn_stills(np.random.default_rng(1), 3, 1), np.random.default_rng(0),
                         frames=20, size=(320, 240))
    for index, image in enumerate(short.images()):
        assert image.shape == (240, 320, 3) and image.dtype == np.uint8
        np.testing.assert_array_equal(image, short.image(index))
    assert index == 19


def test_the_target_stays_away_for_fifteen_to_sixty_frames_several_times(clips):
    absences = 0
    for clip in clips:
        assert len(clip) == len(clip.boxes) == 240
        stretches = runs(np.isfinite(clip.boxes[:, 0]))
        assert stretches[0][0], 'the target is in the first frame'
        for there, first, length in stretches[:-1]:
            assert length >= 20 if there else 15 <= length <= 60
        away = sum(not there for there, _, _ in stretches[:-1])
        assert 1 <= away <= 4
        absences += away
    assert absences >= 2 * len(clips)


def test_it_leaves_across_a_border_and_comes_back_across_one_or_inside(clips):
    back = {True: 0, False: 0}
    for clip in clips:
        for there, first, length in runs(np.isfinite(clip.boxes[:, 0])):
            if there:
                continue
            assert touches(clip.boxes[first - 1])
            if first + length < len(clip):
                inside = clip.tags[POPPED_UP][first + length]
                assert touches(clip.boxes[first + length]) != inside
                back[inside] += 1
        assert not clip.tags[POPPED_UP][np.isnan(clip.boxes[:, 0])].any()
    assert min(back.values()) >= 5
    assert sum(clip.tags[POPPED_UP].sum() for clip in clips) == back[True]


def test_the_target_moves_smoothly_and_has_forty_to_ninety_pixels(clips):
    for clip in clips:
        whole = np.array([np.isfinite(box[0]) and not touches(box) for box in clip.boxes])
        sides = np.sqrt(clip.boxes[whole, 2:].prod(axis=1))
        assert 38 < sides.min() and sides.max() < 92
        centres = clip.boxes[:, :2] + clip.boxes[:, 2:] / 2
        steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)[whole[1:] & whole[:-1]]
        assert steps.max() < 25 and np.median(steps) > 2


def test_two_to_four_distractors_are_there_all_the_time(clips):
    assert {len(clip.distractors) for clip in clips} == {2, 3, 4}
    for clip in clips:
        assert np.isfinite(clip.distractors).all()
        centres = clip.distractors[..., :2] + clip.distractors[..., 2:] / 2
        steps = np.linalg.norm(np.diff(centres, axis=1), axis=2)
        assert steps.max() < 15 and (np.ptp(centres, axis=1).max(axis=1) > 90).all()


def test_one_distractor_at_least_has_the_picture_of_the_target():
    colours = [(0, 0, 250), (0, 250, 0), (250, 0, 0)]
    stills = Stills([CutOut(np.full((60, 60, 3), colour, np.uint8),
                            np.full((60, 60), 255, np.uint8)) for colour in colours],
                    [np.full((200, 200, 3), 40, np.uint8)])
    seen = set()
    for clip in reentry_clips(stills, 0, 12):
        away = int(np.flatnonzero(np.isnan(clip.boxes[:, 0]))[0]) + 7
        kinds = [colour_at(clip.image(away), box) for box in clip.distractors[:, away]]
        own = colour_at(clip.image(0), clip.boxes[0])
        # The first is drawn first, so that another may hide it.
        assert own in kinds or len(kinds) > 2
        seen |= {kind == own for kind in kinds}
    assert seen == {True, False}


def colour_at(image, box):
    x, y = (box[:2] + box[2:] / 2).astype(int)
    return int(image[y, x].argmax())


def plain_clip(poses, picture=0, gain=1.0, offset=0.0, blur=0.0):
    """Return a clip of 100x80: a white square of 20 over a black one, before one grey value."""
    count = len(poses)
    scene = Scene(np.full((80, 100, 3), picture, np.uint8), 1.0, np.zeros((count, 2)),
                  *(np.full(count, value) for value in (gain, offset, blur)))
    white, black = (Actor(CutOut(np.full((20, 20, 3), value, np.uint8),
                                 np.full((20, 20), 255, np.uint8)), poses) for value in (255, 0))
    return ReentryClip('plain', (100, 80), scene, white, [black], np.zeros(count, bool))


def test_boxes_are_around_the_pixels_and_missing_below_a_quarter():
    poses = [Pose(np.array([x, 40.3]), 1.1, angle)
             for x, angle in ((50.0, 0.0), (30.2, 0.5), (97.0, 0.2), (103.5, 0.0), (106.0, 0.0),
                              (140.0, 0.0))]
    clip = plain_clip([*poses, None])
    shown = []
    for image, box, other in zip(clip.images(), clip.boxes, clip.distractors[0]):
        bright = image[..., 0] > 127
        shown.append(np.isfinite(box[0]))
        assert shown[-1] == (bright.sum() > 0.25 * 22 ** 2)
        if shown[-1]:
            rows, columns = np.nonzero(bright)
            assert box.tolist() == [columns.min(), rows.min(), np.ptp(columns) + 1,
                                    np.ptp(rows) + 1]
        np.testing.assert_array_equal(box, other)
    assert shown == [True, True, True, True, False, False, False]


def test_light_and_blur_are_those_of_the_scene():
    poses = [Pose(np.array([49.5, 39.5]), 1.0, 0.0)]
    image = plain_clip(poses, picture=100, gain=0.8, offset=-5.0).image(0)
    assert (image[0, 0] == 75).all() and (image[40, 50] == int(0.8 * 255 - 5)).all()
    assert (plain_clip(poses, picture=10, offset=-12.0).image(0)[0, 0] == 0).all()
    sharp, soft = (plain_clip(poses, blur=blur).image(0).astype(int) for blur in (-1.0, 1.2))
    assert np.abs(np.diff(sharp, axis=1)).max() == 255
    assert 50 < np.abs(np.diff(soft, axis=1)).max() < 120


def test_drawn_pictures_are_large_and_differ():
    stills = drawn_stills(np.random.default_rng(3), 12, 2)
    for cut_out in stills.cut_outs:
        assert cut_out.pixels.shape == (*cut_out.mask.shape, 3)
        assert set(np.unique(cut_out.mask)) == {0, 255}
        assert cv2.boundingRect(cut_out.mask) == (0, 0, *cut_out.mask.shape[::-1])
        assert cut_out.mask.mean() / 255 > 0.3 and min(cut_out.mask.shape) > 30
    means = [cut_out.pixels[cut_out.mask > 0].mean(axis=0) for cut_out in stills.cut_outs]
    assert np.ptp(means, axis=0).min() > 40
    assert [picture.shape for picture in stills.backgrounds] == [(480, 640, 3)] * 2


def test_a_clip_written_as_a_folder_is_read_again(tmp_path):
    clip = plain_clip([Pose(np.array([x, 39.5]), 1.0, 0.0) for x in (49.5, 70, 140, 60)], 90)
    write_folder(clip, tmp_path / 'clip')
    sequence, = open_sequences(tmp_path)
    assert sequence.name == 'clip'
    np.testing.assert_allclose(sequence.boxes, clip.boxes, atol=1e-3)
    assert np.isnan(clip.boxes[2]).all()
    for image, again in zip(clip.images(), sequence.images(), strict=True):
        assert np.abs(image.astype(int) - again).max() < 12
