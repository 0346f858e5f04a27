"""The figure of response maps, and the command that draws it."""
import cv2
import numpy as np
import pytest

from tracking_nodes import cli
from tracking_nodes.errors import SequenceError
from tracking_nodes.evaluation.response_figure import maps_on_frame, response_figure
from tracking_nodes.sequences.bags import write_bag
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime


def test_maps_lie_over_the_search_patch_around_the_last_ground_truth():
    sequence = SyntheticSequence(6)
    tracker = registry.create('edcf', {}, Runtime('cpu'))
    patch, response = maps_on_frame(tracker, sequence, 4)
    assert patch.shape == (255, 255, 3) and response.shape == (125, 125)
    box, before = sequence.boxes[4], sequence.boxes[3]
    scale = 255 / (4 * np.sqrt(before[2] * before[3]))
    moved = (box[:2] + box[2:] / 2 - before[:2] - before[2:] / 2) * scale
    row, column = divmod(int(response.argmax()), 125)
    assert np.abs(np.array([column - 62, row - 62]) * 2 - moved).max() < 10


@pytest.mark.parametrize('frame', [0, 6, -1])
def test_a_frame_that_is_not_there_is_refused(frame):
    with pytest.raises(SequenceError, match='not one of 1 to 5'):
        maps_on_frame(registry.create('edcf', {}, Runtime('cpu')), SyntheticSequence(6), frame)


def test_a_figure_has_a_row_per_image_and_a_column_per_tracker():
    patch, response = np.zeros((255, 255, 3), np.uint8), np.eye(125)
    figure = response_figure({'one': (patch, {'a': response, 'b': response}),
                              'two': (patch, {'a': response, 'b': response})})
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes] == ['one', 'a', 'b', 'two', 'a', 'b']
    assert np.array_equal(figure.axes[1].images[0].get_array(), response)


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    path = tmp_path_factory.mktemp('bag') / 'synthetic'
    write_bag(SyntheticSequence(6), path)
    return str(path)


def test_the_command_draws_the_rows_asked_for(bag, tmp_path, capsys):
    file = tmp_path / 'figures' / 'responses.png'
    assert cli.main(['responses', '--row', 'CACFNet', '--row', 'EDCF', '--frame', '3', '--out',
                     str(file), bag]) == 0
    assert str(file) in capsys.readouterr().out
    height, width = cv2.imread(str(file)).shape[:2]
    assert width > 2 * height       # an image and two maps side by side


@pytest.mark.parametrize('arguments, said', [
    (['--tracker', 'static', '--out', 'a.png'], 'static has no response map'),
    (['--row', 'nonsense', '--out', 'a.png'], "no row 'nonsense'"),
    (['--out', 'a.gif'], 'no .png, .svg or .pdf')])
def test_what_cannot_be_drawn_is_refused(arguments, said, bag, capsys):
    assert cli.main(['responses', *arguments, bag]) == 1
    assert said in capsys.readouterr().err
