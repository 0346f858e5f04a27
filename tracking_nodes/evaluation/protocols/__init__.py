"""The protocols by name; a protocol's module is imported only when asked for."""
from dataclasses import dataclass
import importlib

from tracking_nodes.errors import SettingError


@dataclass(frozen=True)
class Entry:
    """Where a protocol lives: its module below this package and its class."""

    module: str
    cls: str


_ENTRIES = {
    'ope': Entry('ope', 'OnePass'),
    'tre': Entry('otb', 'TemporalRobustness'),
    'sre': Entry('otb', 'SpatialRobustness'),
    'vot': Entry('reset', 'ResetBased'),
    'vot_realtime': Entry('reset', 'RealTime'),
    'got10k': Entry('got10k', 'Got10k'),
    'longterm': Entry('longterm', 'LongTerm'),
    'latency': Entry('latency', 'Latency'),
}


def names():
    """Return the names of all protocols."""
    return list(_ENTRIES)


def get(name):
    """
    Return a protocol.

    :param name: one of `names()`, or 'NAME:OPTION' for one that takes an option.
    :raises SettingError: unknown name; the message lists the known ones.
    """
    known, colon, option = name.partition(':')
    if known not in _ENTRIES:
        raise SettingError(f'no protocol {name!r}; known: {", ".join(_ENTRIES)}')
    return _class(known).with_option(option) if colon else _class(known)()


def summary(name):
    """Return one line about a protocol."""
    return _class(name).summary


def _class(name):
    entry = _ENTRIES[name]
    return getattr(importlib.import_module(f'{__name__}.{entry.module}'), entry.cls)
