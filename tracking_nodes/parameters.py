"""
One typed definition of every parameter.

A group of parameters is a frozen dataclass that inherits `Settings`, each field made by
`setting(...)`. The command line, the ROS parameters with their descriptors, `config/*.yaml` and
the documentation are all read from it through `specs`.
"""
import dataclasses
from dataclasses import dataclass
import difflib
import math
from typing import ClassVar

from tracking_nodes.errors import SettingError


@dataclass(frozen=True)
class Spec:
    """What is known of one parameter: its name, kind, default, range, meaning and source."""

    name: str
    kind: type
    default: object
    meaning: str
    source: str
    minimum: float | None
    maximum: float | None
    choices: tuple
    live: bool


def setting(default, meaning, *, minimum=None, maximum=None, choices=(), source='', live=False):
    """
    Return a dataclass field for one parameter.

    :param default: bool, int, float or str; it also fixes the type.
    :param meaning: one sentence, with the unit.
    :param minimum: smallest value allowed, inclusive.
    :param maximum: largest value allowed, inclusive.
    :param choices: the only values allowed.
    :param source: where the default comes from: a paper's section or equation, or the reason.
    :param live: whether it may change while a target is tracked.
    """
    return dataclasses.field(default=default, metadata={
        'meaning': meaning, 'minimum': minimum, 'maximum': maximum, 'choices': tuple(choices),
        'source': source, 'live': live})


@dataclass(frozen=True)
class Settings:
    """
    Base of every group of parameters; values are checked when an object is made.

    presets: {name: {parameter: value}}, defaults that count instead of the parameters' own where
    the parameter `preset` has that name.
    """

    presets: ClassVar[dict] = {}

    def __post_init__(self):
        for spec in specs(type(self)):
            object.__setattr__(self, spec.name, checked(spec, getattr(self, spec.name)))

    @classmethod
    def parse(cls, values=None):
        """
        Return settings with some values replaced.

        :param values: mapping of name to value; strings are converted to the parameter's type.
        :raises SettingError: unknown name, wrong type or out of range.
        """
        values = dict(values or {})
        known = {spec.name: spec for spec in specs(cls)}
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=3)
                hint = f'did you mean {", ".join(near)}?' if near else (
                    f'known: {", ".join(sorted(known))}')
                raise SettingError(f'{cls.__name__} has no parameter {name!r}; {hint}')
        chosen = values.get('preset', known['preset'].default if 'preset' in known else '')
        values = {**cls.presets.get(chosen, {}), **values}
        return cls(**{name: checked(known[name], value) for name, value in values.items()})

    def as_dict(self):
        """Return all values by name."""
        return dataclasses.asdict(self)


def specs(cls):
    """Return the `Spec` of every parameter of a `Settings` class, in the order defined."""
    return [Spec(name=field.name, kind=type(field.default), default=field.default,
                 **field.metadata)
            for field in dataclasses.fields(cls)]


def checked(spec, value):
    """
    Return the value in the parameter's type.

    :raises SettingError: naming the parameter, the value and what is allowed.
    """
    converted = _convert(spec, value)
    if spec.choices and converted not in spec.choices:
        raise SettingError(f'{spec.name} = {value!r} is not one of '
                           f'{", ".join(str(choice) for choice in spec.choices)}')
    if spec.kind in (int, float):
        if not math.isfinite(converted):
            raise SettingError(f'{spec.name} = {value!r} is not a finite number')
        low = -math.inf if spec.minimum is None else spec.minimum
        high = math.inf if spec.maximum is None else spec.maximum
        if not low <= converted <= high:
            raise SettingError(f'{spec.name} = {converted:g} is outside of [{low:g}, {high:g}]')
    return converted


def _convert(spec, value):
    try:
        if spec.kind is bool:
            if isinstance(value, str):
                return {'true': True, '1': True, 'yes': True, 'on': True,
                        'false': False, '0': False, 'no': False, 'off': False}[value.lower()]
            if isinstance(value, bool):
                return value
            raise ValueError
        if spec.kind is int:
            if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
                raise ValueError
            return int(value)
        if spec.kind is float:
            if isinstance(value, bool):
                raise ValueError
            return float(value)
        return str(value)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise SettingError(f'{spec.name} = {value!r} is not of type {spec.kind.__name__}; '
                           f'the default is {spec.default!r}') from error
