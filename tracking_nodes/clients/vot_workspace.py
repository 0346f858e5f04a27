"""The file of a VOT workspace that tells the toolkit how to run the package's trackers."""
import configparser
from pathlib import Path
import re
import shlex
import sys

from tracking_nodes.errors import SettingError

# Seconds that the toolkit waits for an answer; some trackers take long for their first frame.
_TIMEOUT = 600


def write_trackers(workspace, contenders):
    """
    Write contenders into `trackers.ini` of a VOT workspace; other trackers in it are kept.

    :param workspace: the workspace's folder, as `vot initialize` made it.
    :param contenders: list of `Contender`; their labels are the toolkit's identifiers.
    :return: path of the file.
    :raises SettingError: the folder is missing, a label cannot be an identifier of the toolkit, or
        the file is damaged.
    """
    path = Path(workspace) / 'trackers.ini'
    if not path.parent.is_dir():
        raise SettingError(f'{workspace} is not a folder; make it with `vot initialize STACK '
                           f'--workspace {workspace}`')
    # The toolkit reads the file with interpolation, so a percent sign is doubled.
    content = configparser.ConfigParser(interpolation=None)
    try:
        content.read(path, encoding='utf-8')
    except configparser.Error as error:
        raise SettingError(f'{path} cannot be read: {error}') from error
    for contender in contenders:
        if not re.fullmatch('[A-Za-z0-9_-]+', contender.label):
            raise SettingError(f'label {contender.label!r} cannot be an identifier of the VOT '
                               'toolkit; use letters, digits, - and _')
        content[contender.label] = {
            'label': contender.label, 'protocol': 'trax', 'timeout': str(_TIMEOUT),
            'command': shlex.join(command(contender)).replace('%', '%%')}
    with open(path, 'w', encoding='utf-8') as file:
        content.write(file)
    return path


def command(contender):
    """Return the program and arguments that serve a contender through TraX."""
    runtime = contender.runtime
    words = [sys.executable, '-m', 'tracking_nodes.clients.trax',
             '--tracker', f'{contender.tracker}:{contender.label}',
             '--seed', str(runtime.seed), '--device', runtime.device,
             '--learning', runtime.learning]
    for key, value in contender.values.items():
        words += ['--set', f'{key}={value}']
    if runtime.half:
        words.append('--half')
    if runtime.models:
        # The toolkit starts trackers in a folder of its own.
        words += ['--models', str(Path(runtime.models).resolve())]
    return words
