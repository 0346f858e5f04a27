"""The pictures of the documentation: made by the project's script, small, and shown."""
import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ('debug_image.png', 'success.png', 'report.png')
PAGES = [ROOT / 'README.md', *(ROOT / 'docs').rglob('*.md')]


@pytest.fixture(scope='module')
def script():
    """Return docs/make_pictures.py as a module."""
    spec = importlib.util.spec_from_file_location(
        'make_pictures', ROOT / 'docs' / 'make_pictures.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('name', PICTURES)
def test_each_picture_is_there_small_and_shown_in_a_page(name):
    path = ROOT / 'docs' / 'pictures' / name
    assert path.read_bytes().startswith(b'\x89PNG') and path.stat().st_size < 150_000
    assert cv2.imread(str(path)).std() > 10
    assert any(f'pictures/{name})' in page.read_text() for page in PAGES)


def test_no_picture_is_left_that_the_script_does_not_make():
    assert {path.name for path in (ROOT / 'docs' / 'pictures').iterdir()} == set(PICTURES)


def test_the_readme_shows_a_picture_in_its_first_screen():
    first = (ROOT / 'README.md').read_text().splitlines()[:12]
    assert any(line.startswith('![') for line in first)


def test_the_script_makes_them_and_says_what_it_lacks(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, 'BROWSERS', ('no-such-browser',))
    assert script.main(['--out', str(tmp_path), '--tracker', 'static', '--frames', '7']) == 1
    assert 'report.png is not made: no chromium here' in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {'debug_image.png', 'success.png'}
    shown = cv2.imread(str(tmp_path / 'debug_image.png'))
    assert shown.shape == (240, 960, 3)
    # The three differ: the target moves on.
    parts = np.split(shown.astype(np.int16), 3, axis=1)
    assert np.abs(parts[0] - parts[2]).mean() > 5


def test_the_page_is_photographed(script, tmp_path):
    if not any(map(script.shutil.which, script.BROWSERS)):
        pytest.skip('no chromium here (apt install chromium)')
    page = tmp_path / 'page.html'
    page.write_text('<body style="background: rgb(0, 80, 200)">')
    assert script.screenshot(page, tmp_path / 'page.png') == 0
    shown = cv2.imread(str(tmp_path / 'page.png'))
    assert shown.shape == (script.PAGE[1], script.PAGE[0], 3)
    assert np.abs(shown.astype(int) - [200, 80, 0]).max() < 10
