"""What the launch files share: arguments made from parameters, and the tracker's action."""
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from tracking_nodes.nodes.parameters import NodeSettings
from tracking_nodes.parameters import specs

# Parameters that are worth an argument; they win over the files, which hold all the others.
PARAMETERS = ('tracker', 'device', 'models', 'autostart', 'init_box', 'image_transport',
              'image_qos', 'state_file')


def parameter_arguments(settings_class, names=None, **defaults):
    """
    Return a launch argument for each parameter, with its help, default and choices.

    :param settings_class: a class derived from `Settings`.
    :param names: of the parameters; None: all.
    :param defaults: values by name that replace the parameter's own default.
    """
    return [DeclareLaunchArgument(
        spec.name, default_value=_text(defaults.get(spec.name, spec.default)),
        description=spec.meaning,
        choices=['true', 'false'] if spec.kind is bool else list(spec.choices) or None)
        for spec in _chosen(settings_class, names)]


def parameter_values(settings_class, names=None):
    """Return the values that `parameter_arguments` leave, for `parameters` of a Node action."""
    return {spec.name: ParameterValue(LaunchConfiguration(spec.name), value_type=spec.kind)
            for spec in _chosen(settings_class, names)}


def common_arguments():
    """Return the arguments that every launch file has."""
    return [
        DeclareLaunchArgument(
            'namespace', default_value='', description='namespace of the node and its topics'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            description='what the node says: debug, info, warn, error or fatal')]


def log_arguments():
    """Return the `arguments` of a Node action that say how much it logs."""
    return ['--ros-args', '--log-level', LaunchConfiguration('log_level')]


def tracker_arguments(config, parameters=PARAMETERS, image='image', candidates='candidates',
                      **defaults):
    """
    Return the arguments that `tracker_node` takes its values from.

    :param config: the package's folder of parameter files, a Path.
    :param parameters: those of the node that are arguments.
    :param image: default of the argument of this name.
    :param candidates: default of the argument of this name.
    :param defaults: of parameters, where they differ from the node's own.
    """
    return [
        *parameter_arguments(NodeSettings, parameters, **defaults),
        DeclareLaunchArgument('name', default_value='tracker', description='name of the node'),
        DeclareLaunchArgument(
            'image', default_value=image,
            description='topic of the camera; its compressed form and its camera_info are found '
            'by themselves'),
        DeclareLaunchArgument(
            'candidates', default_value=candidates,
            description='vision_msgs/Detection2DArray topic of a detector that may start targets'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=['true', 'false'],
            description='take the time from /clock, as when a bag is played'),
        DeclareLaunchArgument(
            'params_file', default_value=str(config / 'tracker_node.yaml'),
            description="YAML file of all other parameters, the trackers' own included"),
        DeclareLaunchArgument(
            'tracker_params_file', default_value=LaunchConfiguration('params_file'),
            description="YAML file of the tracker's own parameters, such as a changed copy of "
            'config/<tracker>.yaml; it wins over params_file'),
        *common_arguments()]


def tracker_node(action=Node, parameters=PARAMETERS, namespace=None, **fixed):
    """
    Return the action that starts a tracker node by its arguments.

    :param action: `Node`, or `LifecycleNode` where the launch file changes the state.
    :param parameters: as of `tracker_arguments`.
    :param namespace: substitutions; None: the argument of this name.
    :param fixed: parameters that are no arguments.
    """
    values = parameter_values(NodeSettings, parameters)
    values['use_sim_time'] = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    return action(
        package='tracking_nodes', executable='tracker_node', output='screen',
        name=LaunchConfiguration('name'),
        namespace=LaunchConfiguration('namespace') if namespace is None else namespace,
        parameters=[LaunchConfiguration('params_file'),
                    LaunchConfiguration('tracker_params_file'), values | fixed],
        remappings=[('image', LaunchConfiguration('image')),
                    ('candidates', LaunchConfiguration('candidates'))],
        arguments=log_arguments())


def _chosen(settings_class, names):
    return [spec for spec in specs(settings_class) if names is None or spec.name in names]


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)
