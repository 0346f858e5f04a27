"""Evaluate trackers on bags with the offline node; it ends when they are done."""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from tracking_nodes.nodes.bag_evaluator import EvaluatorSettings
from tracking_nodes.nodes.launching import (
    common_arguments, log_arguments, parameter_arguments, parameter_values)


def generate_launch_description():
    """Return the arguments and the node."""
    lists = {name: ParameterValue(LaunchConfiguration(name), value_type=list[str])
             for name in ('bags', 'trackers', 'settings')}
    return LaunchDescription([
        DeclareLaunchArgument(
            'bags', description="bags, sequence folders or videos, as in ['one', 'two']"),
        DeclareLaunchArgument(
            'trackers', default_value="['edcf']",
            description="trackers, NAME or NAME:LABEL, as in ['edcf', 'csrt']"),
        DeclareLaunchArgument(
            'settings', default_value="['']",
            description='tracker settings, KEY=VALUE or LABEL.KEY=VALUE, as a list'),
        *parameter_arguments(EvaluatorSettings),
        *common_arguments(),
        Node(package='tracking_nodes', executable='bag_evaluator', output='screen',
             namespace=LaunchConfiguration('namespace'),
             parameters=[parameter_values(EvaluatorSettings) | lists],
             arguments=log_arguments())])
