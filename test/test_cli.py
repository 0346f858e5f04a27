"""`tracking_benchmark` as a user calls it, on small sequences written to disk."""
import json
import os
import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from tracking_nodes.cli import main
from tracking_nodes.sequences.synthetic import SyntheticSequence


def write_otb(folder, clip):
    """Write a clip in the layout of OTB, whose boxes count from 1."""
    (folder / clip.name / 'img').mkdir(parents=True)
    for index, image in enumerate(clip.images()):
        cv2.imwrite(str(folder / clip.name / 'img' / f'{index + 1:04d}.jpg'), image)
    np.savetxt(folder / clip.name / 'groundtruth_rect.txt', clip.boxes + [1, 1, 0, 0],
               fmt='%.4f', delimiter=',')


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """Return a folder of three sequences of 20 frames."""
    folder = tmp_path_factory.mktemp('dataset')
    for seed in range(3):
        write_otb(folder, SyntheticSequence(20, seed, f'clip{seed}'))
    return folder


def summary(folder):
    return json.loads((folder / 'summary.json').read_text())


def test_run_writes_the_agreed_files_and_prints_the_table(dataset, tmp_path, capsys):
    out = tmp_path / 'out'
    assert main(['run', '--tracker', 'static', '--device', 'cpu', '--out', str(out),
                 str(dataset)]) == 0
    found = summary(out)['static']
    assert set(found['sequences']) == {'clip0', 'clip1', 'clip2'}
    assert found['overall']['frames'] == 60
    lines = (out / 'static' / 'clip2.txt').read_text().splitlines()
    np.testing.assert_allclose([float(value) for value in lines[19].split(',')],
                               SyntheticSequence(20).boxes[0], atol=1e-3)
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ['tracker', 'sequences', 'frames', 'AUC', 'DP20', 'OS0.5', 'CLE', 'px',
                            'fps', 'failure', 'AUC']
    assert row.split()[:4] == ['static', '3', '60', f'{found["overall"]["auc"]:.3f}']
    # Its score never changes, so it says nothing.
    assert row.split()[-1] == '0.500'
    assert (out / 'static' / 'clip0_score.txt').read_text().split() == ['1.000000'] * 20


def test_compare_report_and_video(dataset, tmp_path, capsys):
    out = tmp_path / 'out'
    assert main(['compare', '--tracker', 'static:still', '--peer', 'kcf', '--peer', 'nano',
                 '--models', str(tmp_path), '--out', str(out), str(dataset / 'clip0')]) == 0
    captured = capsys.readouterr()
    assert 'nano skipped: nanotrackv2_backbone.onnx' in captured.err
    assert set(summary(out)) == {'still', 'kcf'}
    page = (out / 'report.html').read_text()
    for words in ('still', 'kcf', 'variant <b>visible</b>', 'runtime.seed = 0', 'success AUC'):
        assert words in page
    assert not re.search(r'<link|<script[^>]* src|@import', page)
    for name in ('success', 'precision'):
        assert cv2.imread(str(out / f'{name}.png')).shape[1] > 600
        assert '<svg' in (out / f'{name}.svg').read_text()

    assert main(['report', '--variant', 'otb', str(out)]) == 0
    assert 'variant <b>otb</b>' in (out / 'report.html').read_text()

    assert main(['video', '--results', str(out), str(dataset / 'clip0')]) == 0
    video = cv2.VideoCapture(str(out / 'video' / 'clip0.mp4'))
    frames = [video.read()[1] for _ in range(20)]
    assert not video.read()[0]
    still = frames[10].astype(int) - SyntheticSequence(20).image(10)
    x, y, width, height = SyntheticSequence(20).boxes[0].round().astype(int)
    left_edge = still[y + 4:y + height - 4, x]
    assert np.abs(left_edge).mean() > 3 * np.abs(still[200:, 250:]).mean()


def shown(path):
    """Return the frames of a video."""
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(read[1].astype(int))
    return frames


def test_videos_of_any_protocol_show_the_trial_that_is_asked_for(dataset, tmp_path, capsys):
    out, clip = tmp_path / 'out', str(dataset / 'clip0')
    part = ['--every', '2', '--frames', '8', clip]
    assert main(['run', '--tracker', 'static', '--device', 'cpu', '--protocol', 'sre',
                 '--protocol', 'latency:camera_30ms', '--trials', '2', '--out', str(out),
                 *part]) == 0
    video = ['video', '--results', str(out), '--protocol']
    assert main([*video, 'sre', *part]) == main([*video, 'sre', '--trial', 'right', *part]) == 0
    assert main([*video, 'latency:camera_30ms', *part]) == 0
    folder = out / 'sre' / 'video'
    left, right = (shown(folder / f'clip0.{name}.mp4') for name in ('left', 'right'))
    assert len(left) == len(right) == 8
    # The two start a fifth of the target apart.
    assert np.abs(left[3] - right[3]).max() > 100
    aged = shown(out / 'latency_camera_30ms' / 'video' / 'clip0.online.mp4')
    assert len(aged) == 8 and np.abs(aged[3][:40] - left[3][:40]).max() > 100
    capsys.readouterr()
    for wrong, words in ((['sre', '--trial', 'up', *part], 'no results of clip0.up'),
                         (['sre', '--trial', 'nowhere', *part], "no trial 'nowhere'"),
                         (['longterm', *part], 'the target is never absent'),
                         (['sre', clip], 'has 8 boxes for the 20 frames')):
        assert main([*video, *wrong]) == 1
        assert words in capsys.readouterr().err


@pytest.mark.parametrize('arguments, words', [
    (['--tracker', 'nobody'], "no tracker 'nobody'; known: static"),
    (['--tracker', 'static', '--set', 'speed=1'], "has no parameter 'speed'"),
    (['--tracker', 'static', '--device', 'cpu', 'nowhere'], 'nowhere'),
])
def test_mistakes_end_with_a_message_and_status_1(dataset, tmp_path, capsys, arguments, words):
    assert main(['run', *arguments, str(dataset), '--out', str(tmp_path / 'out')]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_reports_need_results(tmp_path, capsys):
    assert main(['report', str(tmp_path)]) == 1
    assert 'holds no results' in capsys.readouterr().err


def test_list_names_trackers_and_settings(capsys):
    assert main(['list']) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ('static', 'rman', 'csrt', 'kcf', 'mil'))


@pytest.mark.parametrize('command', ['list', 'run', 'compare', 'report', 'failures', 'calibrate',
                                     'video', 'convert'])
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        main([command, '--help'])
    assert stopped.value.code == 0
    assert len(capsys.readouterr().out) > 100


def test_help_needs_no_heavy_library():
    code = ('import sys\nfrom tracking_nodes.cli import main\n'
            'try:\n    main(["--help"])\nexcept SystemExit:\n    pass\n'
            'heavy = {"torch", "cv2", "matplotlib", "rclpy", "rosbags"} & set(sys.modules)\n'
            'assert not heavy, heavy\n')
    subprocess.run([sys.executable, '-c', code], check=True, capture_output=True)


@pytest.mark.parametrize('jobs', ['1', '2'])
def test_an_interrupted_run_keeps_what_is_done_and_goes_on(tmp_path, jobs):
    for seed in range(3):
        write_otb(tmp_path / 'data', SyntheticSequence(30, seed, f'clip{seed}'))
    out = tmp_path / 'out'
    command = [sys.executable, '-m', 'tracking_nodes.cli', 'run', '--tracker', 'mil', '--jobs',
               jobs, '--out', str(out), str(tmp_path / 'data')]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment,
                               start_new_session=True)
    end = time.monotonic() + 60
    while not list(out.glob('mil/*_run.json')) and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert 'interrupted; what is done is kept' in errors and 'Traceback' not in errors
    done = {path.name: path.read_bytes() for path in out.glob('mil/*.txt')}
    assert 3 <= len(done) < 9
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 0
    assert len(summary(out)['mil']['sequences']) == 3
    assert all((out / 'mil' / name).read_bytes() == content for name, content in done.items())
