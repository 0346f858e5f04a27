"""Replay a bag or a sequence into a tracker node and look at it in RViz, where there is one."""
from pathlib import Path
import shutil

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument, ExecuteProcess, LogInfo, OpaqueFunction, Shutdown)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from tracking_nodes.nodes.demo import first_box, sample_bag
from tracking_nodes.nodes.launching import (
    common_arguments, log_arguments, parameter_arguments, parameter_values)
from tracking_nodes.nodes.parameters import NodeSettings
from tracking_nodes.nodes.replay import open_sequence

CONFIG = Path(__file__).resolve().parent.parent / 'config'
PARAMETERS = ('tracker', 'device', 'models')


def generate_launch_description():
    """Return the arguments, the player, the tracker node and RViz."""
    return LaunchDescription([
        *parameter_arguments(NodeSettings, PARAMETERS),
        DeclareLaunchArgument(
            'sequence', default_value='', description='bag or sequence with ground truth in its '
            'first frame; empty: a sample made by the package in ./out/sample'),
        DeclareLaunchArgument('image_topic', default_value='',
                              description="the bag's image topic; empty: its only one"),
        DeclareLaunchArgument('rate', default_value='0.0',
                              description='images per second; 0: as recorded'),
        DeclareLaunchArgument(
            'rviz', default_value='true', choices=['true', 'false'],
            description='start RViz; without it, or where it is not installed, the launch ends '
            'with the last image'),
        *common_arguments(),
        OpaqueFunction(function=_nodes)])


def _nodes(context):
    sequence = LaunchConfiguration('sequence').perform(context)
    topic = LaunchConfiguration('image_topic').perform(context)
    # A launch may be left open for long; a link or a relative path may not mean the same later.
    sequence = Path(sequence or sample_bag(None)).resolve()
    rviz, said = _rviz(LaunchConfiguration('rviz').perform(context) == 'true')
    namespace = LaunchConfiguration('namespace')
    player = Node(
        package='tracking_nodes', executable='bag_player', output='screen', namespace=namespace,
        parameters=[{
            'sequence': str(sequence), 'image_topic': topic, 'clock': True,
            'rate': ParameterValue(LaunchConfiguration('rate'), value_type=float)}],
        remappings=[('image', 'camera/image')], arguments=log_arguments(),
        on_exit=[] if rviz else [Shutdown(reason='the last image was sent')])
    tracker = Node(
        package='tracking_nodes', executable='tracker_node', output='screen', name='tracker',
        namespace=namespace, remappings=[('image', 'camera/image')], arguments=log_arguments(),
        parameters=[parameter_values(NodeSettings, PARAMETERS), {
            'init_box': first_box(open_sequence(sequence, topic)),
            'use_sim_time': True, 'image_qos': 'reliable'}])
    return [*said, tracker, player, *rviz]


def _rviz(wanted):
    """Return what shows the picture, and what is said where that is missing."""
    if not wanted:
        return [], []
    if shutil.which('rviz2') is None:
        return [], [LogInfo(msg='rviz2 is not installed here, so there is no picture; on a '
                            'distribution: apt install ros-$ROS_DISTRO-rviz2')]
    file = CONFIG / 'rviz' / 'tracker.rviz'
    return [ExecuteProcess(
        cmd=['rviz2', '-d', str(file), '--ros-args', '-p', 'use_sim_time:=true'],
        output='screen', on_exit=[Shutdown(reason='RViz was closed')])], []
