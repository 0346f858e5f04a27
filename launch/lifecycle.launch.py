"""Start a tracker node whose lifecycle this launch file drives: configure, then activate."""
from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument, EmitEvent, LogInfo, RegisterEventHandler)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

from tracking_nodes.nodes.launching import PARAMETERS, tracker_arguments, tracker_node

CONFIG = Path(__file__).resolve().parent.parent / 'config'
DRIVEN = tuple(name for name in PARAMETERS if name != 'autostart')


def generate_launch_description():
    """Return the arguments, the node and what follows which of its transitions."""
    node = tracker_node(LifecycleNode, DRIVEN, autostart=False)
    activate = _change(node, Transition.TRANSITION_ACTIVATE,
                       condition=IfCondition(LaunchConfiguration('activate')))
    refused = LogInfo(msg='the tracker node stays unconfigured; its words are above')
    return LaunchDescription([
        *tracker_arguments(CONFIG, DRIVEN),
        DeclareLaunchArgument(
            'activate', default_value='true', choices=['true', 'false'],
            description='activate the node once it is configured; false: it is loaded and waits'),
        RegisterEventHandler(OnProcessStart(
            target_action=node, on_start=[_change(node, Transition.TRANSITION_CONFIGURE)])),
        RegisterEventHandler(OnStateTransition(
            target_lifecycle_node=node, start_state='configuring', goal_state='inactive',
            entities=[activate])),
        RegisterEventHandler(OnStateTransition(
            target_lifecycle_node=node, start_state='configuring', goal_state='unconfigured',
            entities=[refused])),
        node])


def _change(node, transition, **options):
    return EmitEvent(event=ChangeState(
        lifecycle_node_matcher=matches_action(node), transition_id=transition), **options)
