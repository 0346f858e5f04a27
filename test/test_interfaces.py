"""That the generated messages are those of the release, and what is said where they cannot be."""
import importlib.util
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / 'interfaces' / 'vision_msgs'
MESSAGES = {
    'BoundingBox2D', 'BoundingBox2DArray', 'BoundingBox3D', 'BoundingBox3DArray',
    'Classification', 'Detection2D', 'Detection2DArray', 'Detection3D', 'Detection3DArray',
    'LabelInfo', 'ObjectHypothesis', 'ObjectHypothesisWithPose', 'Point2D', 'Pose2D',
    'VisionClass', 'VisionInfo',
}


@pytest.fixture(scope='module')
def build():
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location('build', ROOT / 'interfaces' / 'build.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_messages_of_the_release_are_there():
    assert {path.stem for path in SOURCES.glob('msg/*.msg')} == MESSAGES
    vision_msgs = pytest.importorskip('vision_msgs.msg')
    assert MESSAGES <= set(dir(vision_msgs))


def test_installed_types_have_the_published_hashes(build):
    origin = build.installed_at('vision_msgs')
    if not origin.is_relative_to(sys.prefix):
        pytest.skip(f'vision_msgs comes from a distribution: {origin}')
    published = build.published_hashes(SOURCES)
    assert len(published) == 11
    installed = build.installed_hashes(Path(sys.prefix), 'vision_msgs')
    assert {name: installed[name] for name in published} == published


def test_fields_are_those_of_the_sources():
    vision_msgs = pytest.importorskip('vision_msgs.msg')
    for file in SOURCES.glob('msg/*.msg'):
        fields = getattr(vision_msgs, file.stem).get_fields_and_field_types()
        declared = [line.split() for line in file.read_text().splitlines()]
        assert list(fields) == [name for _, name in declared]
        assert len(declared) == len(fields)


def test_a_wrong_or_missing_hash_is_named(build):
    expected = {'vision_msgs/msg/Point2D': 'RIHS01_aa', 'vision_msgs/msg/Pose2D': 'RIHS01_bb'}
    wrong = build.wrong_hashes(expected, {'vision_msgs/msg/Point2D': 'RIHS01_cc'})
    assert wrong == ['vision_msgs/msg/Point2D is RIHS01_cc, must be RIHS01_aa',
                     'vision_msgs/msg/Pose2D is missing, must be RIHS01_bb']
    assert build.wrong_hashes(expected, {**expected, 'other': 'x'}) == []


def test_exported_folders_of_the_build_machine_are_replaced(build, tmp_path):
    file = tmp_path / 'share/std_msgs/cmake/export_std_msgs__rosidl_generator_pyExport.cmake'
    file.parent.mkdir(parents=True)
    file.write_text(
        'INTERFACE_INCLUDE_DIRECTORIES "/opt/python/cp311-cp311/include/python3.11;'
        '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include"\n')
    build.repair_exports(tmp_path, '/here/python', np.get_include())
    assert file.read_text() == (
        f'INTERFACE_INCLUDE_DIRECTORIES "/here/python;{np.get_include()}"\n')


def test_missing_tools_are_named_with_their_packages(build, monkeypatch):
    monkeypatch.setenv('PATH', '')
    with pytest.raises(build.BuildError, match='cmake, make, g.*apt install cmake make g'):
        build.check_machine()


def test_second_call_does_nothing():
    result = subprocess.run([sys.executable, ROOT / 'interfaces' / 'build.py'], check=True,
                            text=True, stdout=subprocess.PIPE, timeout=10)
    assert result.stdout.startswith(('vision_msgs: up to date', 'vision_msgs: provided by'))
