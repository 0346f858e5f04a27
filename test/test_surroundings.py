"""What a record says of the code, the libraries and the GPU that made a result."""
import subprocess

import pytest

from tracking_nodes.evaluation import surroundings as module


def git(folder, *words):
    subprocess.run(['git', '-C', str(folder), '-c', 'user.name=x', '-c', 'user.email=x@y', *words],
                   check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, 'init', '-q')
    (tmp_path / 'code.py').write_text('1\n')
    git(tmp_path, 'add', '.')
    git(tmp_path, 'commit', '-qm', 'first')
    return tmp_path


def test_a_checkout_has_its_commit_and_whether_it_was_changed(checkout):
    commit = module.git_commit(checkout)
    assert len(commit) == 40 and set(commit) <= set('0123456789abcdef')
    module.git_commit.cache_clear()
    (checkout / 'code.py').write_text('2\n')
    assert module.git_commit(checkout) == f'{commit} and changes'


def test_a_folder_inside_of_another_checkout_has_none(checkout):
    (checkout / 'installed').mkdir()
    assert module.git_commit(checkout / 'installed') == ''


def test_libraries_that_decide_numbers_are_named():
    assert {'python', 'machine', 'numpy', 'scipy', 'rosbags'} <= set(module.surroundings())


def test_a_gpu_has_the_versions_of_cuda_and_driver(tmp_path, monkeypatch):
    file = tmp_path / 'version'
    file.write_text('NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar 5\n'
                    'GCC version:  gcc version 12.2.0\n')
    monkeypatch.setattr(module, '_DRIVER', file)
    monkeypatch.setattr('tracking_nodes.nn.device.cuda_version', lambda: '12.4')
    assert module.gpu_versions() == {'cuda': '12.4', 'driver': '550.54.15'}
    monkeypatch.setattr(module, '_DRIVER', tmp_path / 'none')
    assert module.gpu_versions() == {'cuda': '12.4'}
