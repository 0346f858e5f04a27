"""Start a tracker node on a camera topic."""
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from tracking_nodes.nodes.parameters import NodeSettings
from tracking_nodes.parameters import specs

CONFIG = Path(__file__).resolve().parent.parent / 'config' / 'tracker_node.yaml'
# Parameters that are worth an argument; they win over params_file, which holds all the others.
PARAMETERS = ('tracker', 'device', 'models', 'autostart', 'init_box', 'image_transport',
              'image_qos')


def generate_launch_description():
    """Return the arguments and the node."""
    chosen = [spec for spec in specs(NodeSettings) if spec.name in PARAMETERS]
    arguments = [DeclareLaunchArgument(
        spec.name, default_value=str(spec.default).lower() if spec.type is bool else spec.default,
        description=spec.help) for spec in chosen]
    arguments += [
        DeclareLaunchArgument('name', default_value='tracker', description='name of the node'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='namespace of the node and its topics'),
        DeclareLaunchArgument(
            'image', default_value='image',
            description='topic of the camera; its compressed form is found by itself'),
        DeclareLaunchArgument(
            'candidates', default_value='candidates',
            description='vision_msgs/Detection2DArray topic of a detector that may start targets'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false',
            description='take the time from /clock, as when a bag is played'),
        DeclareLaunchArgument(
            'params_file', default_value=str(CONFIG),
            description="YAML file of all other parameters, the trackers' own included"),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            description='what the node says: debug, info, warn, error or fatal'),
    ]
    values = {spec.name: ParameterValue(LaunchConfiguration(spec.name), value_type=spec.type)
              for spec in chosen}
    values['use_sim_time'] = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    node = Node(
        package='tracking_nodes', executable='tracker_node', output='screen',
        name=LaunchConfiguration('name'), namespace=LaunchConfiguration('namespace'),
        parameters=[LaunchConfiguration('params_file'), values],
        remappings=[('image', LaunchConfiguration('image')),
                    ('candidates', LaunchConfiguration('candidates'))],
        arguments=['--ros-args', '--log-level', LaunchConfiguration('log_level')])
    return LaunchDescription([*arguments, node])
