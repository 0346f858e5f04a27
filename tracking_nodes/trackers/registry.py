"""
Trackers by name: those of the package, and those that other installed packages offer.

Another package names its trackers as entry points of the group `tracking_nodes.trackers`. A
tracker's module is imported only when asked for.
"""
from dataclasses import dataclass
import functools
import importlib
from importlib import metadata

from tracking_nodes.errors import SettingError

GROUP = 'tracking_nodes.trackers'


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


def names(own=False):
    """
    Return the names of all trackers.

    :param own: only of those of this package.
    :raises SettingError: two packages offer a tracker of one name.
    """
    return list(_ENTRIES if own else _all())


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
    if getattr(settings, 'preset', 'paper') == 'robust':
        from tracking_nodes.trackers.robust import Robust

        tracker = Robust(tracker)
    if not getattr(settings, 'redetection', False):
        return tracker
    # The detector's code and weights only where they are asked for.
    from tracking_nodes.trackers.redetection import Redetecting

    return Redetecting(tracker)


def learns(name, values=None):
    """
    Return whether the model of a tracker, or what is put around it, changes while it tracks.

    :param name: as of `create`.
    :param values: as of `create`.
    """
    cls = tracker_class(name)
    settings = cls.settings_class.parse(values)
    return cls.learns or (getattr(settings, 'preset', 'paper') == 'robust'
                          and settings.robust_filter)


def _entry(name):
    known = _all()
    if name not in known:
        raise SettingError(f'no tracker {name!r}; known: {", ".join(known)}')
    return known[name]


def _all():
    return {**_ENTRIES, **_offered()}


@functools.cache
def _offered():
    """Return the trackers of other packages; what is installed is looked through once."""
    offered = {}
    for point in metadata.entry_points(group=GROUP):
        package = point.dist.name if point.dist else point.module
        entry = Entry(point.module, point.attr, f'of the package {package}')
        # Seen twice where a folder stands twice on the path.
        if point.name in _ENTRIES or offered.get(point.name, entry) != entry:
            raise SettingError(f'{package} offers a tracker {point.name!r}, but there is another '
                               'of that name; rename it in its entry points or uninstall it')
        offered[point.name] = entry
    return offered
