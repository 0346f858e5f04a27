"""Evaluate trackers on bags with the offline node; it ends when they are done."""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from tracking_nodes.nodes.bag_evaluator import EvaluatorSettings
from tracking_nodes.parameters import specs


def generate_launch_description():
    """Return the arguments and the node."""
    options = specs(EvaluatorSettings)
    arguments = [
        DeclareLaunchArgument(
            'bags', description="bags, sequence folders or videos, as in ['one', 'two']"),
        DeclareLaunchArgument(
            'trackers', default_value="['edcf']",
            description="trackers, NAME or NAME:LABEL, as in ['edcf', 'csrt']"),
        DeclareLaunchArgument(
            'settings', default_value="['']",
            description='tracker settings, KEY=VALUE or LABEL.KEY=VALUE, as a list'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='namespace of the node and its topics'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            description='what the node says: debug, info, warn, error or fatal'),
    ]
    arguments += [DeclareLaunchArgument(
        spec.name, default_value=str(spec.default).lower() if spec.type is bool
        else str(spec.default), description=spec.help) for spec in options]
    values = {spec.name: ParameterValue(LaunchConfiguration(spec.name), value_type=spec.type)
              for spec in options}
    lists = {name: ParameterValue(LaunchConfiguration(name), value_type=list[str])
             for name in ('bags', 'trackers', 'settings')}
    node = Node(
        package='tracking_nodes', executable='bag_evaluator', output='screen',
        namespace=LaunchConfiguration('namespace'), parameters=[values | lists],
        arguments=['--ros-args', '--log-level', LaunchConfiguration('log_level')])
    return LaunchDescription([*arguments, node])
