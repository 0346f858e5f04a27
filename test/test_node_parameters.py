"""The node's parameters: descriptors, what may change live, what is refused and why."""
from node_harness import Bench, FrameCodeSettings
import pytest
from rcl_interfaces.srv import DescribeParameters
from rclpy.exceptions import InvalidParameterValueException
from small_trackers import quick, ROBUST

from tracking_nodes.errors import SettingError
from tracking_nodes.nodes.parameters import NodeSettings
from tracking_nodes.parameters import specs
from tracking_nodes.trackers.redetection import Redetecting
from tracking_nodes.trackers.robust import Robust


def described(bench, names):
    """Return the descriptors of parameters by name."""
    request = DescribeParameters.Request(names=names)
    return dict(zip(names, bench.call(
        DescribeParameters, 'describe_parameters', request).descriptors))


def test_every_parameter_is_declared_with_help_range_and_kind():
    with Bench(active=False) as bench:
        table = specs(NodeSettings)
        found = described(bench, [spec.name for spec in table])
        for spec in table:
            message = found[spec.name]
            assert message.description.startswith(spec.meaning)
            assert message.read_only == (spec.name in ('autostart', 'diagnostics_period'))
            frozen = 'unconfigured' in message.additional_constraints
            assert frozen == (not spec.live and not message.read_only)
            ranges = list(message.integer_range) + list(message.floating_point_range)
            assert bool(ranges) == (spec.minimum is not None)
            if ranges:
                assert (ranges[0].from_value, ranges[0].to_value) == (spec.minimum, spec.maximum)
            for choice in spec.choices:
                assert choice in message.additional_constraints


def test_the_trackers_parameters_are_declared_under_its_name():
    with Bench(active=False) as bench:
        found = described(bench, [f'frame_code.{spec.name}' for spec in specs(FrameCodeSettings)])
        assert found['frame_code.delay'].description == 'time to locate, seconds'
        assert found['frame_code.delay'].floating_point_range[0].from_value == 0.0


def test_live_parameters_count_from_the_next_image_on():
    with Bench(init_box='100,80,40,30') as bench:
        bench.ask(1)
        assert bench.ask(2, score=0.3).box is not None
        assert bench.client.states[-1] == 'uncertain'
        assert bench.set_parameters(lost_after=1).successful
        assert bench.ask(3, score=0.3).box is None
        assert bench.set_parameters(score_low=0.1, score_high=0.2).successful
        assert bench.ask(4, score=0.3).box is not None
        assert bench.set_parameters(frame_code__fail_on=5).successful
        bench.send(5)
        bench.diagnosed(lambda level, words, _: 'told to fail on frame 5' in words)


@pytest.mark.parametrize('change, reason', [
    ({'score_low': 0.9}, 'above score_high'),
    ({'candidates_policy': 'sometimes'}, 'not one of never, idle, lost'),
    ({'max_age': -1}, 'outside of [0, 60]'),
    ({'init_box': '1, 2, 3'}, 'four numbers'),
    ({'init_box': '1, 2, 3, 0'}, 'no area'),
    ({'frame_code__delay': -0.5}, 'range'),
    ({'device': 'cpu'}, 'clean up'),
    ({'tracker': 'static'}, 'clean up'),
    ({'frame_code__frozen': 2}, 'clean up'),
    ({'autostart': False}, 'read-only'),
])
def test_wrong_changes_are_refused_with_the_reason(change, reason):
    with Bench() as bench:
        before = bench.node.settings
        result = bench.set_parameters(**change)
        assert not result.successful and reason in result.reason
        assert bench.node.settings == before
        assert bench.ask(1).box is None


def test_an_integer_is_taken_for_a_float():
    with Bench() as bench:
        assert bench.set_parameters(max_age=2).successful
        assert bench.node.settings.max_age == 2.0


def test_half_applied_changes_do_not_exist():
    with Bench() as bench:
        assert not bench.set_parameters(lost_after=3, score_low=0.9).successful
        assert bench.node.settings.lost_after == 10
        assert bench.node.get_parameter('lost_after').value == 10


def robust_tsn(**values):
    """Return the parameters of a quick TSN with the robust preset around it."""
    given = {**quick('tsn'), **ROBUST, **values}
    return {'tracker': 'tsn', 'device': 'cpu', 'learning': 'inline', 'init_box': '140,90,60,50',
            **{f'tsn.{key}': value for key, value in given.items()}}


def test_a_presets_defaults_count_in_the_node_and_live_parameters_change_on_top_of_them():
    with Bench(**robust_tsn()) as bench:
        bench.ask(1)
        # The preset turns re-detection on, which goes around all else of it.
        outer = bench.node._worker._target.tracker
        assert type(outer) is Redetecting
        tracker = outer._tracker
        assert type(tracker) is Robust and tracker.settings.backbone == 'resnet18'
        # ROS still has the plain default, which counts as not given.
        assert bench.node.get_parameter('tsn.backbone').value == 'vggm'
        assert bench.set_parameters(tsn__robust_places=1).successful
        bench.ask(2)
        assert tracker.settings.robust_places == 1 and len(tracker.opinions.boxes) == 2
        assert tracker.settings.backbone == 'resnet18'
        refused = bench.set_parameters(tsn__preset='paper')
        assert not refused.successful and 'tsn.preset is read when' in refused.reason


def test_what_is_given_wins_over_a_preset_in_the_node():
    with Bench(**robust_tsn(backbone='alexnet')) as bench:
        assert bench.node._worker.tracker_settings.backbone == 'alexnet'


def test_everything_can_change_while_unconfigured():
    with Bench() as bench:
        assert bench.transition('deactivate') and bench.transition('cleanup')
        assert bench.set_parameters(
            tracker='static', buffer_seconds=0.5, image_qos='reliable').successful
        assert bench.transition('configure') and bench.transition('activate')
        assert bench.node.settings.tracker == 'static'
        assert bench.ask(1).box is None


def test_a_value_out_of_range_at_the_start_ends_the_node():
    with pytest.raises(InvalidParameterValueException):
        Bench(lost_after=0)
    with pytest.raises(SettingError):
        Bench(score_low=0.9)
