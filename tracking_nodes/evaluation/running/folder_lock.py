"""One benchmark at a time writes into a results folder."""
from contextlib import contextmanager
import fcntl
from functools import wraps
from pathlib import Path

from tracking_nodes.errors import SettingError


@contextmanager
def locked(folder):
    """
    Hold a results folder, made when missing.

    The operating system lets go of it when the process ends, however it ends.

    :raises SettingError: another process holds it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / '.lock', 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingError(f'another benchmark is writing into {folder}; wait for it, or '
                               'give a new folder') from error
        yield


def alone(command):
    """Return a subcommand that holds the folder `--out` while it runs, as a benchmark does."""
    @wraps(command)
    def held(options):
        with locked(options.out):
            return command(options)

    return held
