"""Who may import whom: the arrows of the package, read from every module's imports."""
import ast
from pathlib import Path
import subprocess
import sys

import pytest

import tracking_nodes

PACKAGE = Path(tracking_nodes.__file__).parent
# A part imports only parts of a lower number, and itself.
LEVELS = {
    'errors': 0, 'image_headers': 0, 'geometry': 1, 'imaging': 1, 'parameters': 1, 'nn': 2,
    'online': 3,
    'sequences': 4, 'trackers': 4, 'evaluation': 5, 'training': 6, 'clients': 6, 'nodes': 6,
    'commands': 7, 'cli': 8,
}
ROS = {
    'rclpy', 'builtin_interfaces', 'diagnostic_msgs', 'geometry_msgs', 'lifecycle_msgs',
    'rcl_interfaces', 'rosgraph_msgs', 'sensor_msgs', 'std_msgs', 'std_srvs', 'vision_msgs',
    'visualization_msgs', 'launch', 'launch_ros',
}
WITHOUT_TORCH = ('errors', 'evaluation', 'geometry', 'parameters', 'sequences')
MODULES = sorted(path for path in PACKAGE.rglob('*.py') if path.parent != PACKAGE
                 or path.name != '__init__.py')


def part_of(path):
    """Return the part a file belongs to: its folder in the package, or its own name."""
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


def imports_of(path):
    """Return the absolute names of all modules a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}:{node.lineno} has a relative import'
            assert all(alias.name != '*' for alias in node.names), f'{path}:{node.lineno} import *'
            found.add(node.module)
            if node.module.split('.')[0] == 'tracking_nodes':
                found.update(f'{node.module}.{alias.name}' for alias in node.names)
    return found


def test_every_module_belongs_to_a_known_part():
    assert {part_of(path) for path in MODULES} == set(LEVELS)


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path):
    own = part_of(path)
    for name in imports_of(path):
        parts = name.split('.')
        if parts[0] == 'tracking_nodes' and len(parts) > 1 and parts[1] != own:
            assert parts[1] in LEVELS, f'{path} imports {name}, which is no part of the package'
            assert LEVELS[parts[1]] < LEVELS[own], f'{own} must not import {parts[1]}: {path}'


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_foreign_libraries_stay_in_their_parts(path):
    own, names = part_of(path), imports_of(path)
    roots = {name.split('.')[0] for name in names}
    if own != 'nodes':
        assert not roots & ROS, f'ROS belongs into nodes: {path} imports {roots & ROS}'
    if own != 'sequences':
        bags = {name for name in names if name.split('.')[0] == 'rosbags'}
        if own == 'imaging':
            bags = {name for name in bags if name.split('.')[:2] != ['rosbags', 'image']}
        assert not bags, f'rosbags belongs into sequences: {path} imports {bags}'
    if own in WITHOUT_TORCH:
        assert not roots & {'torch', 'torchvision'}, f'{path} imports torch'


@pytest.mark.parametrize('module', ['tracking_nodes.cli', 'tracking_nodes.evaluation.benchmark',
                                    'tracking_nodes.sequences.catalog'])
def test_library_imports_without_ros_and_torch(module):
    # A fresh interpreter, since this one has imported everything already.
    code = (f'import sys, {module}\n'
            'print(*{"rclpy", "sensor_msgs", "torch"} & set(sys.modules))')
    result = subprocess.run([sys.executable, '-c', code], check=True, text=True,
                            stdout=subprocess.PIPE)
    assert result.stdout.split() == []
