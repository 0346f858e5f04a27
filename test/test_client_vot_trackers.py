"""Every tracker of the package, run by the real VOT toolkit in processes of their own."""
import numpy as np
import pytest
from small_trackers import moving, REAL

from tracking_nodes.cli import main
from tracking_nodes.evaluation.ope import run_ope
from tracking_nodes.evaluation.run import STARTED
from tracking_nodes.sequences.catalog import open_sequences
from tracking_nodes.sequences.synthetic import SyntheticSequence
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime

from vot_runs import needs_toolkit, toolkit, trajectory, write_sequence, write_workspace

STACK = """
title: one_pass
experiments:
  unsupervised:
    type: unsupervised
    repetitions: 1
"""
FRAMES = 8


@pytest.fixture(scope='module')
def workspace(tmp_path_factory):
    """Return a workspace in which the toolkit ran every tracker over one clip, and the clip."""
    folder = tmp_path_factory.mktemp('vot') / 'workspace'
    write_sequence(folder / 'sequences' / 'clip', SyntheticSequence(FRAMES))
    write_workspace(folder, STACK, ['clip'])
    words = [word for name in REAL for word in ('--tracker', name)]
    words += [word for name in REAL for key, value in moving(name).items()
              for word in ('--set', f'{name}.{key}={value}')]
    assert main(['vot-trackers', *words, '--device', 'cpu', str(folder)]) == 0
    toolkit('evaluate', folder, *REAL)
    return folder, open_sequences(folder / 'sequences')[0]


@needs_toolkit
@pytest.mark.parametrize('name', REAL)
def test_the_toolkit_gets_the_boxes_of_the_packages_own_runner(workspace, name):
    folder, clip = workspace
    found, codes = trajectory(folder, name, 'unsupervised', 'clip')
    assert codes.tolist() == [STARTED] + [0] * (FRAMES - 1)
    expected = run_ope(registry.create(name, moving(name), Runtime(device='cpu')), clip).boxes
    # TraX has 32 bits for a number.
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-6, atol=1e-4)
    # Otherwise any tracker would do.
    assert len(np.unique(expected, axis=0)) > FRAMES // 2
