"""The reference users read is the one the code has."""
from pathlib import Path

from node_harness import Bench, wait
import pytest

from tracking_nodes.nodes.parameters import NodeSettings
from tracking_nodes.nodes.reference import (
    configuration, documentation, main, PUBLISHED, SERVICES, SUBSCRIBED)
from tracking_nodes.parameters import specs

import yaml

ROOT = Path(__file__).parents[1]
# Every node has these.
COMMON = ('/parameter_events', '/rosout', '/tracker/transition_event', '/clock')


@pytest.mark.parametrize('name, text', [
    ('docs/tracker_node.md', documentation), ('config/tracker_node.yaml', configuration)])
def test_generated_files_are_current(name, text):
    assert (ROOT / name).read_text(encoding='utf-8') == text(), (
        f'{name} is not current: run python -m tracking_nodes.nodes.reference')


def test_the_command_writes_both(tmp_path):
    main(['--root', str(tmp_path)])
    assert (tmp_path / 'docs/tracker_node.md').read_text() == documentation()
    assert (tmp_path / 'config/tracker_node.yaml').read_text() == configuration()


def test_configuration_holds_every_default():
    values = yaml.safe_load(configuration())['/**']['ros__parameters']
    assert values == {spec.name: spec.default for spec in specs(NodeSettings)}
    assert all(type(values[spec.name]) is spec.kind for spec in specs(NodeSettings))


def test_documented_topics_are_those_of_the_node(own_domain):
    with Bench() as bench:
        def named(rows):
            return {(row.name.replace('<image>', '/image').replace('~', '/tracker')
                     if row.name[0] in '<~/' else f'/{row.name}', row.interface) for row in rows}

        def on_graph(query):
            return {(name, kind) for name, kinds in query('tracker', '/') for kind in kinds
                    if name not in COMMON}

        # Compressed images are subscribed instead of raw ones.
        subscribed = {row for row in named(SUBSCRIBED) if row[0] != '/image/compressed'}
        client = bench.client
        wait(lambda: on_graph(client.get_subscriber_names_and_types_by_node) == subscribed)
        wait(lambda: on_graph(client.get_publisher_names_and_types_by_node) == named(PUBLISHED))
        services = on_graph(client.get_service_names_and_types_by_node)
        assert named(SERVICES) <= services
