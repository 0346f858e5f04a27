"""What all tests share: a DDS domain of their own, and the way to real data."""
import os
from pathlib import Path

import pytest

# Before rclpy is imported anywhere: nobody else's nodes, on this machine or another, are seen.
os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
if os.environ.get('ROS_DISTRO') == 'humble':
    os.environ['ROS_LOCALHOST_ONLY'] = '1'
else:
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'


@pytest.fixture(scope='session')
def tracking_data():
    """Return the folder of real sequences, or skip the test where there is none."""
    folder = os.environ.get('TRACKING_DATA')
    if not folder:
        pytest.skip('TRACKING_DATA is not set')
    return Path(folder)
