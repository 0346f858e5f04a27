"""Each tracker's config and docs are those of its definition, and ROS reads them."""
from pathlib import Path

import pytest
import rclpy
from rclpy.node import Node

from tracking_nodes.nodes.parameters import declare, read
from tracking_nodes.nodes.reference import files, main
from tracking_nodes.parameters import specs
from tracking_nodes.trackers import registry

import yaml

ROOT = Path(__file__).parents[1]
CONFIGURED = [name for name in registry.names(own=True)
              if specs(registry.tracker_class(name).settings_class)]


@pytest.mark.parametrize('name', files())
def test_generated_files_are_current(name):
    assert (ROOT / name).read_text(encoding='utf-8') == files()[name], (
        f'{name} is not current: run python -m tracking_nodes.nodes.reference')


def test_no_file_is_left_of_a_tracker_that_is_gone():
    pages = {path.stem for path in (ROOT / 'docs' / 'trackers').glob('*.md')}
    assert pages == set(CONFIGURED)


def test_the_command_writes_all_of_them(tmp_path):
    main(['--root', str(tmp_path)])
    written = {str(path.relative_to(tmp_path)): path.read_text(encoding='utf-8')
               for path in tmp_path.rglob('*') if path.is_file()}
    assert written == files()


@pytest.mark.parametrize('name', CONFIGURED)
def test_every_parameter_is_commented_with_help_range_and_source(name):
    lines = files()[f'config/{name}.yaml'].splitlines()
    page = files()[f'docs/trackers/{name}.md']
    for spec in specs(registry.tracker_class(name).settings_class):
        where, = [number for number, line in enumerate(lines)
                  if line.strip().startswith(f'{spec.name}:')]
        comment = lines[where - 1]
        for text in (spec.meaning, spec.source, *map(str, spec.choices)):
            assert text in comment and text in page
        if spec.minimum is not None and spec.maximum is not None:
            assert f'({spec.minimum:g} to {spec.maximum:g})' in comment
        assert ('[live]' in comment) == spec.live


@pytest.mark.parametrize('name', CONFIGURED)
def test_ros_reads_the_configuration_as_the_defaults(name):
    settings_class = registry.tracker_class(name).settings_class
    path = ROOT / 'config' / f'{name}.yaml'
    values = yaml.safe_load(path.read_text(encoding='utf-8'))['/**']['ros__parameters']
    assert values == {'tracker': name, name: settings_class().as_dict()}
    context = rclpy.Context()
    rclpy.init(args=['--ros-args', '--params-file', str(path)], context=context)
    node = Node('reader', context=context)
    try:
        node.declare_parameter('tracker', '')
        declare(node, settings_class, f'{name}.')
        assert node.get_parameter('tracker').value == name
        assert read(node, settings_class, f'{name}.') == settings_class()
        # Not only equal to the defaults: what the file says is what arrives.
        overrides = rclpy.parameter.parameter_dict_from_yaml_file(str(path), True)
        assert set(overrides) == {'tracker'} | {f'{name}.{key}' for key in values[name]}
    finally:
        node.destroy_node()
        context.try_shutdown()
