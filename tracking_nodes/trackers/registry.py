"""The trackers of the package by name; a tracker's module is imported only when asked for."""
from dataclasses import dataclass
import importlib

from tracking_nodes.errors import SettingError


@dataclass(frozen=True)
class Entry:
    """Where a tracker lives and what it is."""

    module: str
    cls: str
    summary: str


_ENTRIES = {
    'static': Entry('tracking_nodes.trackers.static', 'StaticTracker',
                    'the first box, never moved: example and test double'),
    'rman': Entry('tracking_nodes.trackers.rman', 'Rman',
                  'LSTM memory and recurrent memory activation (Pu et al., TIP 2020)'),
    'cstnet': Entry('tracking_nodes.trackers.cstnet', 'Cstnet',
                    'contrastive spatio-temporal network (Yao et al., TIP 2021)'),
    'tsn': Entry('tracking_nodes.trackers.tsn', 'Tsn',
                 'tuple learning, Temporal Net and Spatial Net (Teng et al., ICCV 2017)'),
    'edcf': Entry('tracking_nodes.trackers.edcf', 'Edcf',
                  'encoder-decoder correlation filter, for CPUs too (Wang et al., IJCAI 2018)'),
    'gstp': Entry('tracking_nodes.trackers.gstp', 'Gstp',
                  'global search and motion model, long-term (Li et al., ICIP 2020)'),
}


def names():
    """Return the names of all trackers."""
    return list(_ENTRIES)


def summary(name):
    """Return one line about a tracker."""
    return _entry(name).summary


def tracker_class(name):
    """
    Return the class of a tracker, importing its module.

    :raises SettingError: unknown name; the message lists the known ones.
    """
    entry = _entry(name)
    return getattr(importlib.import_module(entry.module), entry.cls)


def create(name, values=None, runtime=None):
    """
    Make a tracker, with re-detection around it where its settings ask for that.

    :param name: one of `names()`.
    :param values: mapping of parameter name to value, for those that differ from the defaults.
    :param runtime: a `Runtime`.
    :raises SettingError: unknown tracker or parameter, or a value out of range.
    """
    cls = tracker_class(name)
    settings = cls.settings_class.parse(values)
    tracker = cls(settings, runtime)
    if not getattr(settings, 'redetection', False):
        return tracker
    # The detector's code and weights only where they are asked for.
    from tracking_nodes.trackers.redetection import Redetecting

    return Redetecting(tracker)


def _entry(name):
    if name not in _ENTRIES:
        raise SettingError(f'no tracker {name!r}; known: {", ".join(_ENTRIES)}')
    return _ENTRIES[name]
