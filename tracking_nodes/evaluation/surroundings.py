"""What results are made with: versions of the code and the libraries, and the machine."""
from functools import cache
from importlib import metadata
from pathlib import Path
import platform
import subprocess

_LIBRARIES = ('tracking_nodes', 'torch', 'torchvision', 'numpy', 'scipy', 'rosbags',
              'opencv-python', 'opencv-python-headless', 'opencv-contrib-python',
              'opencv-contrib-python-headless')
_DRIVER = Path('/proc/driver/nvidia/version')
_CHECKOUT = Path(__file__).resolve().parents[2]


def surroundings():
    """Return versions and machine, for the record; it does not decide whether results mix."""
    known = {}
    for name in _LIBRARIES:
        try:
            known[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    commit = git_commit(_CHECKOUT)
    return {'python': platform.python_version(), 'machine': platform.platform(), **known,
            **({'commit': commit} if commit else {})}


@cache
def git_commit(folder):
    """
    Return the commit of a git checkout, with ' and changes' where its files differ from it.

    :param folder: where the checkout begins.
    :return: 40 hexadecimal digits; '' where the folder is no checkout, or git cannot read it.
    """
    # A folder inside of somebody else's checkout is not one itself.
    if not (folder / '.git').exists():
        return ''
    commit, changes = (_git(folder, *words) for words in (
        ('rev-parse', 'HEAD'), ('status', '--porcelain', '--untracked-files=no')))
    return f'{commit} and changes' if commit and changes else commit


def gpu_versions():
    """Return the versions of CUDA that PyTorch was built for and of the driver, where known."""
    # Only asked for where a tracker computes on a GPU, which has loaded PyTorch.
    from tracking_nodes.nn import device

    words = _DRIVER.read_text().split() if _DRIVER.exists() else []
    # NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  and the date.
    driver = next((word for word in words if word[0].isdigit()), None)
    found = {'cuda': device.cuda_version(), 'driver': driver}
    return {name: value for name, value in found.items() if value}


def _git(folder, *words):
    try:
        done = subprocess.run(['git', '-C', str(folder), *words], capture_output=True, text=True,
                              timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''
