"""The layouts for RViz and Foxglove: they show topics and fields that the node really has."""
from dataclasses import fields
from importlib import import_module
import json
from pathlib import Path
import re

from node_harness import Bench
import pytest
from std_msgs.msg import Header

from tracking_nodes.nodes.markers import target_markers

import yaml

CONFIG = Path(__file__).resolve().parent.parent / 'config'
# What the displays of RViz and the panels of Foxglove take.
TYPES = {'rviz_default_plugins/Image': 'sensor_msgs/msg/Image',
         'rviz_default_plugins/MarkerArray': 'visualization_msgs/msg/MarkerArray',
         'Image': 'sensor_msgs/msg/Image', '3D': 'visualization_msgs/msg/MarkerArray',
         'DiagnosticSummary': 'diagnostic_msgs/msg/DiagnosticArray',
         'StateTransitions': 'std_msgs/msg/String',
         'Plot': 'vision_msgs/msg/Detection2DArray'}


# Classes and properties of RViz's Jazzy branch, as its sources name them. What RViz does not know
# it passes over without a word.
COMMON = {'Class', 'Name', 'Enabled'}
QOS = {'Value', 'Depth', 'Durability Policy', 'History Policy', 'Reliability Policy'}
RVIZ = {
    'rviz_common/Displays': COMMON, 'rviz_common/Time': COMMON, 'rviz_common/Views': COMMON,
    'rviz_default_plugins/Image': COMMON | {
        'Topic', 'Normalize Range', 'Min Value', 'Max Value', 'Median window'},
    'rviz_default_plugins/MarkerArray': COMMON | {'Topic', 'Namespaces'},
    'rviz_default_plugins/Axes': COMMON | {'Reference Frame', 'Length', 'Radius'},
    'rviz_default_plugins/MoveCamera': COMMON, 'rviz_default_plugins/FocusCamera': COMMON,
    'rviz_default_plugins/Orbit': COMMON | {
        'Distance', 'Yaw', 'Pitch', 'Focal Point', 'Target Frame', 'Invert Z Axis'},
}
POLICIES = {'Durability Policy': {'Volatile', 'Transient Local', 'System Default'},
            'History Policy': {'Keep Last', 'Keep All', 'System Default'},
            'Reliability Policy': {'Reliable', 'Best Effort', 'System Default'}}
# The panels of a layout file, and the configurations that Foxglove's own package has for them.
PANELS = {'Image': 'ImageConfig', '3D': 'ThreeDeeConfig', 'Plot': 'PlotConfig',
          'StateTransitions': 'StateTransitionsConfig',
          'DiagnosticSummary': 'DiagnosticsSummaryConfig'}


def published():
    """Return {topic: type} of a node named /tracker, as the node itself has them."""
    with Bench() as bench:
        return {publisher.topic_name: type_name(publisher.msg_type)
                for publisher in bench.node.publishers}


def type_name(kind):
    """Return a message class as package/msg/Name."""
    package, *_ = kind.__module__.split('.')
    return f'{package}/msg/{kind.__name__}'


def message_class(name):
    """Return the class of a type written as package/msg/Name."""
    package, _, kind = name.split('/')
    return getattr(import_module(f'{package}.msg'), kind)


def type_of_field(kind, path):
    """Return the type of a field given as in a Foxglove message path, such as a[0].b."""
    for part in path.split('.'):
        name, index = re.fullmatch(r'(\w+)(\[\d+\])?', part).groups()
        kind = message_class(kind).get_fields_and_field_types()[name]
        if index:
            kind = re.fullmatch(r'sequence<(.*)>', kind).group(1)
        if '/' in kind:
            kind = '{}/msg/{}'.format(*kind.split('/'))
    return kind


def test_rviz_shows_topics_of_the_node_with_the_reliability_they_are_offered_with():
    layout = yaml.safe_load((CONFIG / 'rviz' / 'tracker.rviz').read_text())
    shown = {display['Class']: display['Topic']
             for display in layout['Visualization Manager']['Displays'] if 'Topic' in display}
    topics = published()
    assert set(shown) == {'rviz_default_plugins/Image', 'rviz_default_plugins/MarkerArray'}
    for display, topic in shown.items():
        assert topics[topic['Value']] == TYPES[display]
        assert (topic['Reliability Policy'], topic['Durability Policy']) == (
            'Reliable', 'Volatile')


def test_rviz_knows_every_class_and_property_of_its_layout():
    layout = yaml.safe_load((CONFIG / 'rviz' / 'tracker.rviz').read_text())
    manager = layout['Visualization Manager']
    parts = [*layout['Panels'], *manager['Displays'], *manager['Tools'],
             manager['Views']['Current']]
    for part in parts:
        assert set(part) <= RVIZ[part['Class']], part
    assert set(manager['Global Options']) <= {'Background Color', 'Fixed Frame', 'Frame Rate'}
    for topic in (part['Topic'] for part in parts if 'Topic' in part):
        assert set(topic) == QOS
        assert all(topic[policy] in allowed for policy, allowed in POLICIES.items())


def test_rviz_shows_the_namespace_of_the_markers():
    layout = yaml.safe_load((CONFIG / 'rviz' / 'tracker.rviz').read_text())
    (shown,) = (display['Namespaces'] for display in layout['Visualization Manager']['Displays']
                if 'Namespaces' in display)
    (clear,) = target_markers(Header(), None, None, None, '').markers
    assert shown == {clear.ns: True}


def test_foxglove_knows_every_panel_and_setting_of_its_layout():
    layouts = pytest.importorskip('foxglove.layouts', reason='foxglove-sdk is not installed')
    layout = json.loads((CONFIG / 'foxglove' / 'tracker.json').read_text())
    for panel, config in layout['configById'].items():
        known = fields(getattr(layouts, PANELS[panel.split('!')[0]]))
        words = {re.sub('_(.)', lambda found: found[1].upper(), field.name) for field in known}
        assert set(config) <= words | {'foxglovePanelTitle'}, panel


def test_foxglove_shows_topics_and_fields_of_the_node():
    layout = json.loads((CONFIG / 'foxglove' / 'tracker.json').read_text())
    named = {panel.split('!')[0]: config for panel, config in layout['configById'].items()}
    topics = published()
    image = named['Image']['imageMode']['imageTopic']
    assert topics[image] == TYPES['Image']
    for topic in named['3D']['topics']:
        assert topics[topic] == TYPES['3D']
    assert topics[named['DiagnosticSummary']['topicToRender']] == TYPES['DiagnosticSummary']
    for panel, kind in (('StateTransitions', 'string'), ('Plot', 'double')):
        (path,) = named[panel]['paths']
        topic, fields = path['value'].split('.', 1)
        assert topics[topic] == TYPES[panel]
        assert type_of_field(topics[topic], fields) == kind


def test_every_panel_of_the_foxglove_layout_has_its_place():
    layout = json.loads((CONFIG / 'foxglove' / 'tracker.json').read_text())

    def places(part):
        if isinstance(part, str):
            return [part]
        return places(part['first']) + places(part['second'])

    assert sorted(places(layout['layout'])) == sorted(layout['configById'])
