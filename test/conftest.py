"""What all tests share: a DDS domain of their own, and the way to real data."""
import fcntl
import os
from pathlib import Path
import tempfile

import pytest


def reserve_domain():
    """Return a DDS domain and an open file, while which no other run of tests here has it."""
    for number in range(os.getpid(), os.getpid() + 100):
        domain = 1 + number % 100
        file = open(Path(tempfile.gettempdir()) / f'tracking_nodes_domain_{domain}', 'w')
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
        else:
            return domain, file
    raise RuntimeError('all DDS domains from 1 to 100 are taken by other runs of these tests')


# Before rclpy is imported anywhere: nobody else's nodes, on this machine or another, are seen.
DOMAIN, _DOMAIN_FILE = reserve_domain()
os.environ['ROS_DOMAIN_ID'] = str(DOMAIN)
if os.environ.get('ROS_DISTRO') == 'humble':
    os.environ['ROS_LOCALHOST_ONLY'] = '1'
else:
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'

# Before torch is imported: the small networks of the tests gain nothing from more threads, and
# on a busy machine threads that wait for each other make them many times slower.
os.environ.setdefault('OMP_NUM_THREADS', '1')


@pytest.fixture
def own_domain(monkeypatch):
    """Let the nodes of this test see none of an earlier test, of which DDS tells for a while."""
    domain, file = reserve_domain()
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    yield
    file.close()


@pytest.fixture(scope='session')
def tracking_data():
    """Return the folder of real sequences, or skip the test where there is none."""
    folder = os.environ.get('TRACKING_DATA')
    if not folder:
        pytest.skip('TRACKING_DATA is not set')
    return Path(folder)


@pytest.fixture
def teacher_file(tmp_path, monkeypatch):
    """Give torchvision a cached ResNet-18, random, so that nothing is downloaded."""
    import torch
    import torchvision

    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.delenv('TRACKING_MODELS', raising=False)
    url = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    file = tmp_path / 'torch' / 'hub' / 'checkpoints' / url.rsplit('/', 1)[-1]
    file.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), file)


@pytest.fixture
def gate(monkeypatch):
    """Return the gate that all updates of this test go through."""
    from learning_gate import Gate

    from tracking_nodes.online import background

    gate, original = Gate(), background._train
    monkeypatch.setattr(background, '_train', lambda train, taken, stream, ready: original(
        gate.hold(train), taken, stream, ready))
    yield gate
    gate.opened.set()
