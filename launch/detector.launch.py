"""Start a tracker node that takes its targets from a detector, and has them confirmed by it."""
from pathlib import Path

from launch import LaunchDescription

from tracking_nodes.nodes.launching import PARAMETERS, tracker_arguments, tracker_node

CONFIG = Path(__file__).resolve().parent.parent / 'config'
HANDED_OVER = (*PARAMETERS, 'candidates_policy', 'candidates_class', 'candidates_score',
               'candidates_region', 'candidates_confirm')


def generate_launch_description():
    """Return the arguments and the node."""
    return LaunchDescription([
        *tracker_arguments(CONFIG, HANDED_OVER, candidates='detections',
                           candidates_policy='lost', candidates_confirm=0.5),
        tracker_node(parameters=HANDED_OVER)])
