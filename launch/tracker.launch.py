"""Start a tracker node on a camera topic."""
from pathlib import Path

from launch import LaunchDescription

from tracking_nodes.nodes.launching import tracker_arguments, tracker_node

CONFIG = Path(__file__).resolve().parent.parent / 'config'


def generate_launch_description():
    """Return the arguments and the node."""
    return LaunchDescription([*tracker_arguments(CONFIG), tracker_node()])
