"""Figures and videos appear whole or not at all, also beside a benchmark that begins."""
import cv2
import numpy as np
import pytest
from result_folders import Plain

from tracking_nodes.evaluation import results
from tracking_nodes.evaluation.report import figures
from tracking_nodes.evaluation.report.plots import overlap_plot
from tracking_nodes.evaluation.run import Run
from tracking_nodes.evaluation.video import write_video


class Begun(Plain):
    """A sequence in whose fourth frame something else happens."""

    def __init__(self, count, happens):
        super().__init__('clip', count)
        self._happens = happens

    def images(self):
        for index, image in enumerate(super().images()):
            if index == 3:
                self._happens()
            yield image


def run_over(sequence):
    count = len(sequence)
    return Run(sequence.boxes, np.ones(count), np.ones(count, dtype=bool), np.ones(count),
               (160, 120))


def test_a_benchmark_that_begins_meanwhile_takes_no_video_away(tmp_path):
    clip = Begun(8, lambda: results.remove_partial_files(tmp_path))
    write_video(tmp_path / 'video' / 'clip.mp4', clip, {'one': run_over(clip)})
    video = cv2.VideoCapture(str(tmp_path / 'video' / 'clip.mp4'))
    assert [video.read()[0] for _ in range(9)] == [True] * 8 + [False]
    assert [path.name for path in (tmp_path / 'video').iterdir()] == ['clip.mp4']


def test_an_interrupted_video_leaves_the_one_before(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    path = tmp_path / 'clip.mp4'
    path.write_text('before')
    clip = Begun(8, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_video(path, clip, {'one': run_over(clip)})
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        ('clip.mp4', 'before')]


def test_an_interrupted_figure_leaves_the_one_before(tmp_path, monkeypatch):
    def interrupt(self, file, **_):
        file.write_text('half')
        raise KeyboardInterrupt

    plot = overlap_plot('clip', {'one': np.ones(3)})
    figures.save([plot], tmp_path, ['one'])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {'clip.svg', 'clip.png'}
    monkeypatch.setattr('matplotlib.figure.Figure.savefig', interrupt)
    with pytest.raises(KeyboardInterrupt):
        figures.save([plot], tmp_path, ['one'])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
