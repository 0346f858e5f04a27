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

# Before torch is imported: the small networks of the tests gain nothing from more threads, and
# on a busy machine threads that wait for each other make them many times slower.
os.environ.setdefault('OMP_NUM_THREADS', '1')


@pytest.fixture(scope='session')
def tracking_data():
    """Return the folder of real sequences, or skip the test where there is none."""
    folder = os.environ.get('TRACKING_DATA')
    if not folder:
        pytest.skip('TRACKING_DATA is not set')
    return Path(folder)
