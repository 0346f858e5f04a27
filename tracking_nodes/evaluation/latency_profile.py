"""
How long a tracker takes, stage by stage, on a device: a YAML file that a run writes or reads.

The stages, all in milliseconds: `start` on the first box; `locate` in a frame; `learn`, a call
that changed the model; `gather`, a call of learn that did not, such as one that only collected
samples. In a row of learning in the background `learn` is an update in its thread, `locate` and
`gather` are those beside an update; a frame without one takes what the row of learning inline
says, where there is one. `docs/latency.md` shows the file.
"""
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import LEARNING

import yaml

STAGES = ('start', 'locate', 'learn', 'gather')
ANY = 'any'


@dataclass(frozen=True)
class Duration:
    """A time in milliseconds: its mean and, where it jitters, its standard deviation."""

    mean: float
    std: float = 0.0

    def draw(self, random):
        """
        Return one time in nanoseconds.

        Computing times have a floor and a long tail, so they are drawn from the log-normal
        distribution of this mean and standard deviation.

        :param random: a `numpy.random.Generator`; not used where there is no jitter.
        """
        if not self.std:
            return round(1e6 * self.mean)
        spread = np.log1p((self.std / self.mean) ** 2)
        return round(1e6 * random.lognormal(np.log(self.mean) - spread / 2, np.sqrt(spread)))


@dataclass(frozen=True)
class Row:
    """
    The stages of one tracker.

    tracker: name in the registry or of OpenCV's, or 'any'. settings: those that the times hold
    for; a tracker fits whose settings have these values. stages: {stage: `Duration`}. learning:
    'inline' or 'background', that the times hold for.
    """

    tracker: str
    settings: dict
    stages: dict
    learning: str = 'inline'

    def fits(self, tracker, learning):
        """Return whether the times hold for a tracker that learns in this way."""
        if learning != self.learning:
            return False
        if self.tracker == ANY:
            return True
        cls = PEERS.get(self.tracker) or registry.tracker_class(self.tracker)
        values = tracker.settings.as_dict()
        # Times that do not tell were measured without searches of the whole image.
        searches = self.settings.get('redetection', False)
        return (tracker.method is cls and values.get('redetection', False) == searches
                and self.settings.items() <= values.items())


@dataclass(frozen=True)
class Profile:
    """
    The latencies of one device.

    name: as on the command line. device: what was measured, in words. camera: `Duration` from the
    stamp of an image to its arrival at the tracker. rows: the first that fits a tracker counts.
    """

    name: str
    device: str
    camera: Duration = Duration(0.0)
    rows: tuple = ()

    def stages(self, tracker):
        """
        Return {stage: `Duration`} of a tracker.

        :raises SettingError: the profile has no times of this tracker with its settings and its
            way of learning.
        """
        stages = self._stages(tracker, tracker.runtime.learning)
        if stages is not None:
            return stages
        known = ', '.join(f'{row.tracker}, {row.learning} {row.settings}' for row in self.rows)
        raise SettingError(f'profile {self.name} has no row for {tracker.method.__name__}, '
                           f'learning {tracker.runtime.learning}, with '
                           f'{tracker.settings.as_dict()}; it has {known or "none"}. Measure it '
                           'on that device with `tracking_benchmark profile`')

    def stages_alone(self, tracker):
        """
        Return the same where no update runs beside the frame: of learning inline, if it is there.

        :raises SettingError: as of `stages`.
        """
        return self._stages(tracker, 'inline') or self.stages(tracker)

    def _stages(self, tracker, learning):
        return next((row.stages for row in self.rows if row.fits(tracker, learning)), None)


def package_profiles():
    """
    Return the package's own folder of profiles, in a source tree or an installation.

    :raises SettingError: there is none above this file.
    """
    for parent in Path(__file__).resolve().parents:
        for folder in (parent, parent / 'share' / 'tracking_nodes'):
            if (folder / 'config' / 'profiles').is_dir():
                return folder / 'config' / 'profiles'
    raise SettingError(f'no config/profiles above {__file__}; install the package again')


def find_profile(name):
    """
    Read a profile by the name of one that the package brings, or by its path.

    :raises SettingError: there is none, or it cannot be read.
    """
    path = Path(name) if name.endswith('.yaml') else package_profiles() / f'{name}.yaml'
    if not path.is_file():
        known = ', '.join(sorted(file.stem for file in package_profiles().glob('*.yaml')))
        raise SettingError(f'no latency profile {name!r}; give one of {known}, or the path of a '
                           '.yaml file')
    return read_profile(path)


def read_profile(path):
    """
    Read a profile; its name is that of the file.

    :raises SettingError: the file is not of the form in `docs/latency.md`; the message says where.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError) as error:
        raise SettingError(f'{path} cannot be read: {error}') from error
    content = _mapping(content, ('device', 'camera', 'trackers'), ('device', 'trackers'), path)
    if not isinstance(content['trackers'], list):
        raise SettingError(f'{path}: trackers is not a list')
    rows = tuple(_row(row, f'{path}, tracker {number}')
                 for number, row in enumerate(content['trackers'], 1))
    return Profile(path.stem, str(content['device']),
                   _duration(content.get('camera', 0), f'{path}, camera'), rows)


def write_profile(path, profile):
    """Write a profile as YAML that `read_profile` reads; its name is that of the file."""
    content = {'device': profile.device, 'camera': _written(profile.camera), 'trackers': [
        {'tracker': row.tracker,
         **({'learning': row.learning} if row.learning != 'inline' else {}),
         **({'settings': row.settings} if row.settings else {}),
         **{stage: _written(duration) for stage, duration in row.stages.items()}}
        for row in profile.rows]}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('# Milliseconds; what the keys mean: docs/latency.md.\n'
                    + yaml.safe_dump(content, sort_keys=False, default_flow_style=None),
                    encoding='utf-8')


def _row(content, place):
    content = _mapping(content, ('tracker', 'settings', 'learning', *STAGES),
                       ('tracker', 'start', 'locate', 'learn'), place)
    # Trackers that do not tell the two apart in their times need one number only.
    stages = {stage: _duration(content.get(stage, 0), f'{place}, {stage}') for stage in STAGES}
    settings = content.get('settings', {})
    if not isinstance(settings, dict):
        raise SettingError(f'{place}: settings = {settings!r} is not a mapping')
    learning = content.get('learning', 'inline')
    if learning not in LEARNING:
        raise SettingError(f'{place}: learning = {learning!r} is not one of '
                           f'{", ".join(LEARNING)}')
    return Row(str(content['tracker']), settings, stages, learning)


def _duration(content, place):
    values = content if isinstance(content, dict) else {'mean': content}
    values = _mapping(values, ('mean', 'std'), ('mean',), place)
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not (
                0 <= value < np.inf):
            raise SettingError(f'{place}: {key} = {value!r} is not a time in ms, 0 or more')
    duration = Duration(float(values['mean']), float(values.get('std', 0)))
    if duration.std and not duration.mean:
        raise SettingError(f'{place}: std = {duration.std:g} with a mean of 0')
    return duration


def _mapping(content, known, needed, place):
    if not isinstance(content, dict):
        raise SettingError(f'{place}: {content!r} is not a mapping with {", ".join(needed)}')
    for key in content:
        if key not in known:
            raise SettingError(f'{place}: unknown key {key!r}; known: {", ".join(known)}')
    for key in needed:
        if key not in content:
            raise SettingError(f'{place}: no {key}')
    return content


def _written(duration):
    # Four digits: a time near 0 must not become 0 beside a deviation that is not.
    mean, std = (float(f'{part:.4g}') for part in (duration.mean, duration.std))
    return {'mean': mean, 'std': std} if std else mean
