"""The typed definition: conversion, ranges, names, and that every tracker's is whole."""
from dataclasses import dataclass, FrozenInstanceError
from typing import ClassVar

import numpy as np
import pytest

from tracking_nodes.errors import SettingError
from tracking_nodes.parameters import checked, setting, Settings, specs
from tracking_nodes.trackers import registry


@dataclass(frozen=True)
class Engine(Settings):
    """One parameter of each type."""

    valves: int = setting(16, 'number of valves', minimum=2, maximum=48, source='the drawing')
    power: float = setting(74.5, 'power, kW', minimum=0.0, live=True)
    turbo: bool = setting(False, 'whether there is a turbo')
    fuel: str = setting('petrol', 'what it burns', choices=('petrol', 'diesel'))


@dataclass(frozen=True)
class Marine(Engine):
    """Parameters are inherited and can get another default."""

    power: float = setting(300.0, 'power, kW', minimum=0.0)
    propellers: int = setting(1, 'number of propellers', minimum=1)


@dataclass(frozen=True)
class Tuned(Engine):
    """Another default of some parameters, where the preset says so."""

    presets: ClassVar[dict] = {'race': {'power': 200.0, 'turbo': True}}

    preset: str = setting('road', 'what it is made for', choices=('road', 'race'))


def test_specs_tell_all_of_each_parameter_in_order():
    assert [spec.name for spec in specs(Engine)] == ['valves', 'power', 'turbo', 'fuel']
    valves, power, turbo, fuel = specs(Engine)
    assert (valves.kind, valves.default, valves.minimum, valves.maximum) == (int, 16, 2, 48)
    assert (valves.meaning, valves.source) == ('number of valves', 'the drawing')
    assert (power.kind, power.maximum, power.live) == (float, None, True)
    assert (turbo.kind, turbo.live) == (bool, False)
    assert (fuel.kind, fuel.choices) == (str, ('petrol', 'diesel'))


def test_a_group_inherits():
    assert [spec.name for spec in specs(Marine)] == [
        'valves', 'power', 'turbo', 'fuel', 'propellers']
    assert Marine().power == 300.0 and Engine().power == 74.5


@pytest.mark.parametrize('values, expected', [
    ({'valves': '8'}, 8), ({'valves': 8.0}, 8), ({'valves': np.int64(8)}, 8),
    ({'power': 3}, 3.0), ({'power': '1e2'}, 100.0), ({'power': np.float32(0.5)}, 0.5),
    ({'turbo': 'true'}, True), ({'turbo': 'Off'}, False), ({'turbo': '1'}, True),
    ({'fuel': 'diesel'}, 'diesel')])
def test_values_are_converted_to_the_type(values, expected):
    (name, _), = values.items()
    value = getattr(Engine.parse(values), name)
    assert value == expected and type(value) is type(expected)
    assert Engine.parse(values).as_dict() == {**Engine().as_dict(), name: expected}


@pytest.mark.parametrize('name, value, said', [
    ('valves', 1, r'valves = 1 is outside of \[2, 48\]'),
    ('valves', 49, r'valves = 49 is outside of \[2, 48\]'),
    ('valves', 2.5, 'valves = 2.5 is not of type int; the default is 16'),
    ('valves', '2.5', "valves = '2.5' is not of type int"),
    ('valves', True, 'valves = True is not of type int'),
    ('valves', float('inf'), 'valves = inf is not of type int'),
    ('valves', None, 'valves = None is not of type int'),
    ('power', -0.1, r'power = -0.1 is outside of \[0, inf\]'),
    ('power', float('nan'), 'power = nan is not a finite number'),
    ('power', 'inf', "power = 'inf' is not a finite number"),
    ('power', 'much', "power = 'much' is not of type float"),
    ('power', True, 'power = True is not of type float'),
    ('turbo', 1, 'turbo = 1 is not of type bool'),
    ('turbo', 'maybe', "turbo = 'maybe' is not of type bool"),
    ('fuel', 'coal', "fuel = 'coal' is not one of petrol, diesel")])
def test_bad_values_are_refused_in_words(name, value, said):
    with pytest.raises(SettingError, match=said):
        Engine.parse({name: value})
    with pytest.raises(SettingError, match=said):
        Engine(**{name: value})


@pytest.mark.parametrize('values, expected', [
    ({}, (74.5, False)), ({'preset': 'road'}, (74.5, False)), ({'power': 90}, (90.0, False)),
    ({'preset': 'race'}, (200.0, True)),
    # What is given counts, even where it is the parameter's plain default.
    ({'preset': 'race', 'power': 90}, (90.0, True)),
    ({'preset': 'race', 'power': '74.5', 'turbo': 'off'}, (74.5, False))])
def test_a_presets_defaults_count_for_what_is_not_given(values, expected):
    found = Tuned.parse(values)
    assert (found.power, found.turbo) == expected
    assert found.preset == values.get('preset', 'road') and found.valves == 16
    # Written down whole, it is the same again.
    assert Tuned.parse(found.as_dict()) == found


def test_an_unknown_preset_is_refused_and_none_counts_where_there_is_no_such_parameter():
    with pytest.raises(SettingError, match="preset = 'rally' is not one of road, race"):
        Tuned.parse({'preset': 'rally'})
    with pytest.raises(SettingError, match="no parameter 'preset'"):
        Engine.parse({'preset': 'race'})


@pytest.mark.parametrize('name', registry.names())
def test_presets_of_a_tracker_name_parameters_of_it_with_values_that_are_allowed(name):
    cls = registry.tracker_class(name).settings_class
    known = {spec.name: spec for spec in specs(cls)}
    for preset, changes in cls.presets.items():
        assert preset in known['preset'].choices and preset != known['preset'].default
        for key, value in changes.items():
            assert checked(known[key], value) == value and key != 'preset'
        assert cls.parse({'preset': preset}).as_dict() == {
            **cls().as_dict(), 'preset': preset, **changes}


def test_bounds_themselves_are_allowed():
    assert Engine.parse({'valves': 2}).valves == 2
    assert Engine.parse({'valves': 48, 'power': 0}).power == 0.0


def test_an_unknown_name_gets_the_nearest_known_or_all():
    with pytest.raises(SettingError, match="no parameter 'vavles'; did you mean valves"):
        Engine.parse({'vavles': 8})
    with pytest.raises(SettingError, match='known: fuel, power, turbo, valves'):
        Engine.parse({'xyzzy': 8})


def test_settings_do_not_change_once_made():
    engine = Engine()
    with pytest.raises(FrozenInstanceError):
        engine.valves = 8


@pytest.mark.parametrize('name', registry.names())
def test_every_parameter_of_a_tracker_is_explained_and_its_default_allowed(name):
    for spec in specs(registry.tracker_class(name).settings_class):
        assert spec.kind in (bool, int, float, str)
        assert spec.meaning and '\n' not in spec.meaning + spec.source
        assert checked(spec, spec.default) == spec.default
        if spec.kind in (int, float):
            assert spec.minimum is not None and spec.maximum is not None, spec.name
            for bound in (spec.minimum, spec.maximum):
                assert type(checked(spec, bound)) is spec.kind


@pytest.mark.parametrize('name', registry.names())
def test_settings_of_a_tracker_survive_text(name):
    defaults = registry.tracker_class(name).settings_class()
    written = {key: str(value) for key, value in defaults.as_dict().items()}
    assert type(defaults).parse(written) == defaults


def test_an_unknown_tracker_gets_the_known_ones():
    with pytest.raises(SettingError, match="no tracker 'rmann'; known: static, rman"):
        registry.create('rmann')


@pytest.mark.parametrize('name', registry.names())
def test_a_tracker_refuses_foreign_parameters(name):
    with pytest.raises(SettingError, match='xyzzy'):
        registry.create(name, {'xyzzy': 1})
