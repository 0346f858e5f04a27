"""A tracker as it enters a benchmark: under a label, with its settings, on a device."""
from dataclasses import asdict, dataclass, field, replace
import hashlib
import inspect
from pathlib import Path
import platform
import sys

import cv2

from tracking_nodes.errors import SettingError
from tracking_nodes.evaluation.peers import PEERS
from tracking_nodes.evaluation.surroundings import gpu_versions
from tracking_nodes.parameters import specs
from tracking_nodes.trackers import registry
from tracking_nodes.trackers.base import Runtime

# Stands for every tracker of the package that is meant to be good.
ALL = 'all'
_TEST_DOUBLES = ('static',)


@dataclass(frozen=True)
class Contender:
    """
    One row of a benchmark's table.

    label: name of its results. tracker: a name of the registry or of `PEERS`. values: settings
    that differ from the defaults. runtime: device and seed.
    """

    label: str
    tracker: str
    values: dict = field(default_factory=dict)
    runtime: Runtime = Runtime()

    def create(self):
        """Return a new tracker."""
        if self.tracker not in PEERS:
            return registry.create(self.tracker, self.values, self.runtime)
        cls = PEERS[self.tracker]
        return cls(cls.settings_class.parse(self.values), self.runtime)

    def under(self, protocol):
        """
        Return the contender as it runs under a protocol.

        :param protocol: a `Protocol`; its `tracker_settings` count where the tracker has them and
            none was given to this contender.
        :raises SettingError: unknown tracker.
        """
        known = {spec.name for spec in specs(self._class().settings_class)}
        usual = {name: value for name, value in protocol.tracker_settings.items()
                 if name in known}
        return replace(self, values={**usual, **self.values})

    def identity(self):
        """
        Return all that decides the boxes but the sequence: results are mixed only if it agrees.

        :raises SettingError: unknown tracker or setting.
        """
        code = f'opencv {cv2.__version__}' if self.tracker in PEERS else code_hash(
            self._class())
        return {'tracker': self.tracker,
                'settings': self._class().settings_class.parse(self.values).as_dict(),
                'runtime': asdict(self.runtime), 'code': code}

    def place(self):
        """
        Return what it computes on here, once created.

        :return: 'device', the model of the GPU or CPU; 'threads'; of a GPU 'cuda' and 'driver'.
        """
        # A tracker that has not even loaded PyTorch, as OpenCV's, computes on the CPU.
        if self.tracker in PEERS or 'torch' not in sys.modules:
            return {'device': _cpu_name(), 'threads': cv2.getNumThreads()}
        from tracking_nodes.nn import device

        gpu = device.device_name(self.runtime.device)
        return {'device': gpu or _cpu_name(), 'threads': device.threads(),
                **(gpu_versions() if gpu else {})}

    def _class(self):
        return PEERS.get(self.tracker) or registry.tracker_class(self.tracker)


def parse_contenders(names, assignments, runtime):
    """
    Return the contenders of a command line.

    :param names: 'tracker' or 'tracker:label' each, or 'all'.
    :param assignments: 'key=value' for all of them or 'label.key=value' for one.
    :param runtime: a `Runtime` for all.
    :raises SettingError: a label twice, or an assignment that is not of this form.
    """
    labels = {}
    every = [name for name in registry.names() if name not in _TEST_DOUBLES]
    for name in [part for name in names for part in (every if name == ALL else [name])]:
        tracker, _, label = name.partition(':')
        label = label or tracker
        if label in labels:
            raise SettingError(f'tracker label {label!r} twice; give one another label, as in '
                               f'{tracker}:other')
        if Path(label).name != label or label.startswith('.'):
            raise SettingError(f'label {label!r} cannot name a folder')
        labels[label] = (tracker, {})
    for assignment in assignments:
        key, equals, value = assignment.partition('=')
        label, dot, name = key.rpartition('.')
        if not equals or (dot and label not in labels):
            raise SettingError(f'{assignment!r} is neither key=value nor LABEL.key=value with a '
                               f'label of {", ".join(labels)}')
        for values in [labels[label][1]] if dot else [row[1] for row in labels.values()]:
            values[name] = value
    return [Contender(label, tracker, values, runtime)
            for label, (tracker, values) in labels.items()]


def peer_contenders(names, runtime):
    """
    Return OpenCV's trackers as contenders, and why some cannot run here.

    :param names: of `PEERS`.
    :param runtime: a `Runtime` for all.
    :return: list of `Contender`, {name: what is missing, in words}.
    :raises SettingError: unknown name.
    """
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise SettingError(f'no peer {unknown[0]!r}; known: {", ".join(PEERS)}')
    missing = {name: PEERS[name].missing(runtime) for name in names}
    return ([Contender(name, name, {}, runtime) for name in names if not missing[name]],
            {name: words for name, words in missing.items() if words})


def with_seeds(contenders, count):
    """
    Return every contender with several seeds, from its own on.

    OpenCV's trackers take no seed and are left as they are.

    :param contenders: list of `Contender`.
    :param count: how many seeds.
    :return: {label: list of `Contender`}, the label with the seed at its end.
    """
    return {one.label: [one] if one.tracker in PEERS else [
        replace(one, label=f'{one.label}_seed{seed}', runtime=replace(one.runtime, seed=seed))
        for seed in range(one.runtime.seed, one.runtime.seed + count)] for one in contenders}


def code_hash(tracker_class):
    """Return a digest of the code that trackers are made of, and the module of somebody else's."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for folder in ('trackers', 'online', 'nn'):
        for path in sorted((package / folder).rglob('*.py')):
            digest.update(path.read_bytes())
    source = Path(inspect.getfile(tracker_class))
    if package not in source.parents:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _cpu_name():
    """Return the model of the CPU, which only Linux tells in full."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()
