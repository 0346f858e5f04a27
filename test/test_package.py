"""That package.xml and setup.py say the truth about the code and about each other."""
import ast
from importlib import import_module
from pathlib import Path
import re
import sys
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Import name: (distribution on the package index, rosdep key). Messages need no row.
DECLARED_AS = {
    'cv2': ('opencv-contrib-python-headless', 'python3-opencv'),
    'cv_bridge': (None, 'cv_bridge'),
    'google': ('protobuf', 'python3-protobuf'),
    'jinja2': ('jinja2', 'python3-jinja2'),
    'matplotlib': ('matplotlib', 'python3-matplotlib'),
    'numpy': ('numpy', 'python3-numpy'),
    'rclpy': ('ros-rclpy', 'rclpy'),
    'rosbags': ('rosbags', 'python3-rosbags-pip'),
    # Where there is a distribution, its cv_bridge does this.
    'rosbags.image': ('rosbags-image', 'cv_bridge'),
    # rosdep has no key for it: README.md says how to install it on a robot.
    'safetensors': ('safetensors', None),
    'scipy': ('scipy', 'python3-scipy'),
    'torch': ('torch', 'python3-pytorch-pip'),
    'torchvision': ('torchvision', 'python3-pytorch-pip'),
    'tqdm': ('tqdm', 'python3-tqdm'),
    'yaml': ('pyyaml', 'python3-yaml'),
}
# What only some users need. Import name: (distribution on the package index, extra of setup.py).
OPTIONAL = {'got10k': ('got10k', 'got10k'), 'ray': ('ray', 'ray'), 'trax': ('vot-trax', 'vot')}
# Message packages that ros-rclpy and ros-sensor-msgs bring, or that interfaces/ generates.
BROUGHT = {'builtin_interfaces', 'geometry_msgs', 'lifecycle_msgs', 'rcl_interfaces',
           'rosgraph_msgs', 'std_msgs', 'vision_msgs'}


@pytest.fixture
def setup(monkeypatch):
    """Return what setup.py declares."""
    monkeypatch.chdir(ROOT)
    # From Python 3.12 on it is setuptools that brings distutils, once imported.
    import_module('setuptools')
    return import_module('distutils.core').run_setup('setup.py', stop_after='init')


@pytest.fixture
def manifest():
    """Return the root element of package.xml."""
    return ElementTree.parse(ROOT / 'package.xml').getroot()


def foreign_imports():
    """Return the import names of everything the package uses beside the standard library."""
    found = set()
    for path in [*(ROOT / 'tracking_nodes').rglob('*.py'), *(ROOT / 'launch').glob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module)
    names = {name if name.startswith('rosbags.image') else name.split('.')[0] for name in found}
    return sorted(names - set(sys.stdlib_module_names) - {'tracking_nodes'})


def distribution_names(requirements):
    """Return the names of requirement lines without versions and extras."""
    return {re.match(r'[A-Za-z0-9_.-]+', line).group().lower() for line in requirements}


@pytest.mark.parametrize('name', foreign_imports())
def test_every_import_is_declared_for_both_worlds(name, setup, manifest):
    if name in OPTIONAL:
        on_index, extra = OPTIONAL[name]
        assert on_index in distribution_names(setup.extras_require[extra])
        return
    on_index, key = DECLARED_AS.get(name, (f'ros-{name.replace("_", "-")}', name))
    keys = {element.text for element in manifest.iter('exec_depend')}
    assert key is None or key in keys, f'{name}: no <exec_depend>{key}</exec_depend>'
    if name in BROUGHT or on_index is None or name in ('launch', 'launch_ros'):
        return
    required = distribution_names(setup.install_requires + setup.extras_require['ros'])
    assert on_index in required, f'{name}: {on_index} is not in setup.py'


def test_nothing_is_declared_that_is_not_imported(setup, manifest):
    imported = [name for name in foreign_imports() if name not in OPTIONAL]
    rows = [DECLARED_AS.get(name, (None, name)) for name in imported]
    keys = {element.text for element in manifest.iter('exec_depend')}
    # A transport that image topics need at run time, never imported.
    assert keys - {key for _, key in rows} == {'compressed_image_transport'}
    assert distribution_names(setup.install_requires) == {
        name for name, _ in rows if name and not name.startswith('ros-')}


def test_name_version_and_licence_agree(setup, manifest):
    assert manifest.get('format') == '3'
    assert manifest.findtext('name') == setup.get_name() == 'tracking_nodes'
    assert manifest.findtext('version') == setup.get_version()
    assert manifest.findtext('license') == setup.get_license() == 'Apache-2.0'
    assert manifest.find('license').get('file') == 'LICENSE' and (ROOT / 'LICENSE').exists()
    assert manifest.findtext('export/build_type') == 'ament_python'


def test_console_scripts_can_be_called(setup):
    scripts = dict(re.split(r'\s*=\s*', line) for line in setup.entry_points['console_scripts'])
    assert {'tracker_node', 'bag_evaluator', 'bag_player', 'detection_recorder',
            'dataset_to_bag', 'tracking_benchmark'} == set(scripts)
    for target in scripts.values():
        module, function = target.split(':')
        assert callable(getattr(import_module(module), function))


def test_all_data_files_are_installed(setup):
    installed = {folder: set(files) for folder, files in setup.data_files}
    assert installed['share/ament_index/resource_index/packages'] == {'resource/tracking_nodes'}
    assert installed['share/tracking_nodes'] == {'package.xml'}
    for folder in ('config', 'config/foxglove', 'config/profiles', 'config/rviz', 'launch',
                   'models'):
        here = {f'{folder}/{path.name}' for path in (ROOT / folder).iterdir()
                if path.is_file() and not path.name.startswith('.')}
        assert here and installed[f'share/tracking_nodes/{folder}'] == here
    for files in installed.values():
        assert all((ROOT / file).is_file() for file in files)


def test_every_folder_of_code_is_installed(setup):
    folders = {'.'.join(path.parent.relative_to(ROOT).parts)
               for path in (ROOT / 'tracking_nodes').rglob('*.py')}
    assert set(setup.packages) == folders


def test_scripts_land_where_ros2_run_looks(setup, monkeypatch):
    setup.parse_config_files([ROOT / 'setup.cfg'])
    expected = '$base/lib/tracking_nodes'
    assert setup.get_option_dict('develop')['script_dir'][1] == expected
    assert setup.get_option_dict('install')['install_scripts'][1] == expected
