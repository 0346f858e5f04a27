"""
What has no benchmark's files: TLD's `gt.txt`, videos and folders of images.

Beside a video, `<name>.txt` has x,y,w,h of every frame, `<name>.mot.txt` the boxes of several
targets. Pixels count from 0.
"""
from functools import partial

from tracking_nodes.errors import SequenceError
from tracking_nodes.sequences.folder import FolderSequence
from tracking_nodes.sequences.ground_truth import (fit_to_video, no_ground_truth,
                                                   read_ground_truth)
from tracking_nodes.sequences.layouts.layout import (annotated_sequence, find_images,
                                                     image_folder, Layout)
from tracking_nodes.sequences.layouts.mot import find_targets_of_video
from tracking_nodes.sequences.lazy import LazySequence, list_or_stand_in
from tracking_nodes.sequences.video import count_frames, VIDEO_SUFFIXES, VideoSequence


def find_tld(folder):
    """Return the one sequence of a folder with `gt.txt` (x1,y1,x2,y2; NaN while absent)."""
    return [LazySequence(folder.name, folder, _read_tld, folder)]


def find_video(video, ground_truth=None):
    """
    Return the sequences of a video, one per target.

    :param video: path of the video.
    :param ground_truth: path of another ground-truth file, x,y,w,h, 0-based.
    :return: list of sequences; without ground truth the boxes are NaN.
    """
    if ground_truth is None and (video.parent / 'gt.txt').exists():
        return find_tld(video.parent)
    several = video.with_suffix('.mot.txt')
    if ground_truth is None and several.exists() and not video.with_suffix('.txt').exists():
        return find_targets_of_video(video, several)
    return [LazySequence(video.stem, video, _read_video, video, ground_truth)]


def find_images_only(folder, ground_truth=None):
    """Return the one sequence of a folder of images, with a ground-truth file or without."""
    return [LazySequence(folder.name, folder, _read_images, folder, ground_truth)]


def _read_tld(folder):
    truth, videos = read_ground_truth(folder / 'gt.txt', form='xyxy'), video_files(folder)
    if len(videos) > 1:
        raise SequenceError(f'{folder} has one gt.txt and {len(videos)} videos; keep one')
    if not videos:
        return annotated_sequence(folder.name, find_images(folder), truth)
    truth = fit_to_video(truth, count_frames(videos[0], expected=len(truth)))
    return VideoSequence(folder.name, videos[0], truth)


def _read_video(video, ground_truth):
    file = ground_truth or video.with_suffix('.txt')
    if ground_truth is None and not file.exists():
        return VideoSequence(video.stem, video, no_ground_truth(count_frames(video)))
    truth = read_ground_truth(file)
    truth = fit_to_video(truth, count_frames(video, expected=len(truth)))
    return VideoSequence(video.stem, video, truth)


def _read_images(folder, ground_truth):
    files = find_images(folder)
    if ground_truth is None:
        return FolderSequence(folder.name, files, no_ground_truth(len(files)))
    return annotated_sequence(folder.name, files, read_ground_truth(ground_truth))


def video_files(folder):
    """Return the video files of a folder, sorted."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES)


def _find_videos(folder):
    return [sequence for video in video_files(folder)
            for sequence in list_or_stand_in(video.stem, video, partial(find_video, video))]


TLD = Layout('tld', 'TLD: a video or images, gt.txt',
             lambda folder: (folder / 'gt.txt').exists(), find_tld)
VIDEOS = Layout('videos', 'videos, each with NAME.txt (x,y,w,h) or NAME.mot.txt, or without',
                lambda folder: bool(video_files(folder)), _find_videos)
IMAGES = Layout('images', 'a folder of images, without ground truth or with --ground-truth-file',
                lambda folder: image_folder(folder) is not None, find_images_only)
