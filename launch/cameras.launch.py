"""Start a tracker node for each of several cameras, each in the namespace of its camera."""
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from tracking_nodes.nodes.launching import PARAMETERS, tracker_arguments, tracker_node

CONFIG = Path(__file__).resolve().parent.parent / 'config'
# A box, or a file to save the target in, is of one camera.
SHARED = tuple(name for name in PARAMETERS if name not in ('init_box', 'state_file'))


def generate_launch_description():
    """Return the arguments and one node for each camera."""
    return LaunchDescription([
        DeclareLaunchArgument(
            'cameras', description='namespaces of the cameras, separated by commas, as in '
            'front,rear; the topics image and candidates are relative to each'),
        *tracker_arguments(CONFIG, SHARED, image='image_raw'),
        OpaqueFunction(function=_trackers)])


def _trackers(context):
    text = LaunchConfiguration('cameras').perform(context)
    cameras = [name.strip().strip('/') for name in text.split(',')]
    if not all(cameras) or len(set(cameras)) < len(cameras):
        raise RuntimeError(f'cameras:={text} has an empty or a repeated name; give namespaces '
                           'separated by commas, as in cameras:=front,rear')
    return [tracker_node(parameters=SHARED,
                         namespace=[LaunchConfiguration('namespace'), f'/{camera}'])
            for camera in cameras]
