"""A real workspace of the VOT toolkit, run through TraX in processes of its own."""
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tracking_nodes.cli import main
from tracking_nodes.errors import ImageError
from tracking_nodes.evaluation import protocols
from tracking_nodes.evaluation.measures import reset
from tracking_nodes.evaluation.measures.regions import region_overlaps
from tracking_nodes.evaluation.ope import run_ope
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.evaluation.protocols.reset import _RealTimeWorker, RealTime
from tracking_nodes.evaluation.results import Result
from tracking_nodes.evaluation.run import FAILED, SKIPPED, STARTED
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers.static import StaticTracker

from vot_runs import needs_toolkit, toolkit, trajectory, write_sequence, write_workspace

TRACKERS = {'stay': StaticTracker, 'kcf': PEERS['kcf']}
EAO_INTERVAL = (10, 40)
# So fast that KCF is late now and then.
FPS = 1000
STACK = """
title: tiny
experiments:
  baseline:
    type: supervised
    repetitions: 15
    skip_initialize: 5
    analyses:
    - type: supervised_average_ar
      sensitivity: 30
    - type: supervised_eao_score
      low: 10
      high: 40
  realtime:
    type: supervised
    realtime: {grace: 3}
    repetitions: 1
    skip_initialize: 5
  unsupervised:
    type: unsupervised
    repetitions: 1
    analyses:
    - type: average_accuracy
"""


@pytest.fixture(scope='module')
def workspace(tmp_path_factory):
    """Return a workspace of two clips in which both trackers were run and analysed."""
    folder = tmp_path_factory.mktemp('vot') / 'workspace'
    for seed, corners in enumerate([False, True]):
        write_sequence(folder / 'sequences' / f'clip{seed}', SyntheticSequence(45, seed), corners,
                       FPS)
    write_workspace(folder, STACK, ['clip0', 'clip1'])
    assert main(['vot-trackers', '--tracker', 'static:stay', '--tracker', 'kcf',
                 str(folder)]) == 0
    toolkit('evaluate', folder, *TRACKERS)
    toolkit('analysis', folder, '--format', 'json', '--name', 'found', *TRACKERS)
    return folder


def sequences(workspace):
    """Return the workspace's sequences as the package reads them."""
    return open_sequences(workspace / 'sequences')


@pytest.fixture(scope='module')
def analysis(workspace):
    """Return {experiment: list of results} of the toolkit's analysis."""
    content = json.loads((workspace / 'analysis' / 'found.json').read_text())
    assert list(content['trackers']) == list(TRACKERS)
    return {name: part['results'] for name, part in content['results'].items()}


@needs_toolkit
@pytest.mark.parametrize('tracker', TRACKERS)
def test_unsupervised_boxes_are_those_of_one_pass_evaluation(workspace, tracker):
    for clip in sequences(workspace):
        found, codes = trajectory(workspace, tracker, 'unsupervised', clip.name)
        expected = run_ope(TRACKERS[tracker](), clip)
        assert codes.tolist() == [1] + [0] * (len(clip) - 1)
        np.testing.assert_allclose(found[1:], expected.boxes[1:], atol=1e-4)


@needs_toolkit
@pytest.mark.parametrize('tracker', TRACKERS)
def test_confidence_is_the_score_or_presence_where_there_is_none(workspace, tracker):
    [clip, _] = sequences(workspace)
    file = (workspace / 'results' / tracker / 'baseline' / clip.name
            / f'{clip.name}_001_confidence.value')
    protocol = protocols.get('vot')
    expected = protocol.run(TRACKERS[tracker](), clip, protocol.trials(clip)[0])
    ran = ~np.isin(expected.events, [SKIPPED, STARTED])
    found = [float(line or 'nan') for line in file.read_text().split('\n')[:len(clip)]]
    np.testing.assert_allclose(found, np.where(ran, expected.confidence, np.nan))


@needs_toolkit
@pytest.mark.parametrize('tracker', TRACKERS)
def test_reset_based_runs_fail_and_start_in_the_same_frames(workspace, tracker):
    protocol = protocols.get('vot')
    for clip in sequences(workspace):
        found, codes = trajectory(workspace, tracker, 'baseline', clip.name)
        expected = protocol.run(TRACKERS[tracker](), clip, protocol.trials(clip)[0])
        for code in (STARTED, FAILED):
            np.testing.assert_array_equal(codes == code, expected.events == code)
        ran = np.isfinite(found).all(axis=1)
        np.testing.assert_allclose(found[ran], expected.boxes[ran], atol=1e-4)


@needs_toolkit
@pytest.mark.parametrize('tracker', TRACKERS)
def test_in_real_time_boxes_are_those_the_package_has_at_the_same_times(
        workspace, tracker, monkeypatch):
    account, protocol = _RealTimeWorker._fall_behind, RealTime(rate=FPS)
    for clip in sequences(workspace):
        found, codes = trajectory(workspace, tracker, 'realtime', clip.name)
        file = (workspace / 'results' / tracker / 'realtime' / clip.name
                / f'{clip.name}_001_time.value')
        times = [float(line or 'nan') for line in file.read_text().split('\n')]

        def at_these_times(worker, index, stages, times=times):
            worker.recorder.seconds[index] = times[index]
            account(worker, index, stages)

        monkeypatch.setattr(_RealTimeWorker, '_fall_behind', at_these_times)
        expected = protocol.run(TRACKERS[tracker](), clip, protocol.trials(clip)[0])
        for code in (STARTED, FAILED):
            np.testing.assert_array_equal(codes == code, expected.events == code)
        ran = np.isfinite(found).all(axis=1)
        np.testing.assert_allclose(found[ran], expected.boxes[ran], atol=1e-4)
        if tracker == 'kcf':
            # A frame that was late has no time of its own.
            assert (np.array(times)[:len(clip)] == 0).sum() > 3


@needs_toolkit
def test_the_toolkit_computes_the_numbers_of_the_package(workspace, analysis):
    protocol = protocols.get('vot')
    clips = sequences(workspace)
    ar, eao = analysis['baseline']
    for row, (tracker, cls) in enumerate(TRACKERS.items()):
        trials = {clip.name: {trial.name: Result.of(protocol.run(cls(), clip, trial), clip, {})
                              for trial in protocol.trials(clip)[:3]} for clip in clips}
        found = protocol.score({tracker: trials})[tracker].overall
        accuracy, failures, (reliability, _), frames = ar[row]
        assert found['accuracy'] == pytest.approx(accuracy, abs=1e-6)
        assert found['failures'] == pytest.approx(failures, abs=1e-9)
        assert found['reliability'] == pytest.approx(reliability, abs=1e-6)
        assert frames == len(clips[0])
        outcomes = [[reset.Outcome(region_overlaps(one.run.boxes, one.regions,
                                                   one.run.image_size, 'toolkit'),
                                   one.run.events) for one in rows.values()]
                    for rows in trials.values()]
        expected = reset.toolkit_eao(reset.toolkit_curve(outcomes), EAO_INTERVAL)
        assert eao[row][0] == pytest.approx(expected, abs=1e-6)
    # Otherwise nothing was reset.
    assert ar[0][1] > 0 and ar[1][0] > ar[0][0]


@needs_toolkit
def test_other_trackers_of_a_workspace_are_kept(tmp_path, capsys):
    ini = tmp_path / 'trackers.ini'
    ini.write_text('[other]\ncommand = run 100%% of it\nprotocol = trax\n')
    assert main(['vot-trackers', '--tracker', 'static:a', str(tmp_path)]) == 0
    assert main(['vot-trackers', '--tracker', 'static:b', '--seed', '7', str(tmp_path)]) == 0
    from vot.tracker import Registry

    registry = Registry([str(ini)])
    assert registry.identifiers() == ['a', 'b', 'other']
    assert '--tracker static:b --seed 7' in registry['b'].describe()['command']
    assert registry['other'].describe()['command'] == 'run 100% of it'


@pytest.mark.parametrize('arguments, message', [
    (['--tracker', 'static:a.b'], 'cannot be an identifier'),
    (['--tracker', 'unknown'], "no tracker 'unknown'"),
    (['--tracker', 'static', '--set', 'speed=3'], "no parameter 'speed'")])
def test_a_tracker_the_toolkit_could_not_start_is_refused(tmp_path, capsys, arguments, message):
    assert main(['vot-trackers', *arguments, str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'trackers.ini').exists()


def test_a_workspace_that_is_not_there_is_refused(tmp_path, capsys):
    assert main(['vot-trackers', '--tracker', 'static', str(tmp_path / 'no')]) == 1
    assert 'vot initialize' in capsys.readouterr().err


@needs_toolkit
def test_images_arrive_as_files_as_pixels_and_as_bytes(tmp_path):
    from trax import BufferImage, FileImage, MemoryImage

    from tracking_nodes.clients.trax import to_image

    image = np.random.default_rng(0).integers(0, 256, (24, 31, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'image.png'), image)
    data = cv2.imencode('.png', image)[1].tobytes()
    for sent in (FileImage.create(str(tmp_path / 'image.png')), BufferImage.create(data),
                 MemoryImage.create(image[..., ::-1])):
        np.testing.assert_array_equal(to_image({'color': sent}), image)
    grey = np.ascontiguousarray(image[..., 0])
    found = to_image({'color': MemoryImage.create(grey)})
    np.testing.assert_array_equal(found, np.repeat(grey[..., None], 3, axis=2))
    with pytest.raises(ImageError, match='no colour image, only depth'):
        to_image({'depth': sent})
    with pytest.raises(ImageError, match='gone.jpg'):
        to_image({'color': FileImage.create(str(tmp_path / 'gone.jpg'))})


@needs_toolkit
def test_regions_become_boxes():
    from trax import Polygon, Rectangle

    from tracking_nodes.clients.trax import to_box

    np.testing.assert_array_equal(to_box(Rectangle.create(3.5, 4, 10.25, 20)), [3.5, 4, 10.25, 20])
    corners = [(10.0, 7.0), (30.5, 5.0), (33.0, 25.0), (12.0, 26.5)]
    np.testing.assert_array_equal(to_box(Polygon.create(corners)), [10, 5, 23, 21.5])


@needs_toolkit
def test_a_client_that_cannot_start_says_why():
    result = subprocess.run(
        [sys.executable, '-m', 'tracking_nodes.clients.trax', '--tracker', 'static', '--set',
         'speed=3'], capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "no parameter 'speed'" in result.stderr
