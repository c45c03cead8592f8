"""Channels: codes and names that never change, units, and the portal's labels for them."""

from __future__ import annotations

from itertools import product

import pytest

from market.channel import (
    BY_CODE,
    BY_NAME,
    CHANNELS,
    Channel,
    Direction,
    Energy,
    MeterKind,
    Quantity,
    Register,
    Resolution,
)
from market.portal_file import register_label, registers, status_of
from market.portal_words import Language, Status
from market.quality import Quality


@pytest.mark.parametrize(
    ("name", "code", "unit", "stored_unit", "energy"),
    [
        ("OFFTAKE_ACTIVE_QUARTER_HOURLY", 0, "kWh", "Wh", Energy.ELECTRICITY),
        ("OFFTAKE_ACTIVE_DAY_DAILY", 6, "kWh", "Wh", Energy.ELECTRICITY),
        ("OFFTAKE_ACTIVE_NIGHT_DAILY", 10, "kWh", "Wh", Energy.ELECTRICITY),
        ("OFFTAKE_REACTIVE_QUARTER_HOURLY", 16, "kVArh", "varh", Energy.ELECTRICITY),
        ("OFFTAKE_GAS_VOLUME_HOURLY", 65, "m³", "dm³", Energy.GAS),
        ("OFFTAKE_GAS_ENERGY_HOURLY", 81, "kWh", "Wh", Energy.GAS),
        ("OFFTAKE_PEAK_MONTHLY", 99, "kW", "W", Energy.ELECTRICITY),
        ("OFFTAKE_GAS_PEAK_MONTHLY", 115, "kW", "W", Energy.GAS),
        ("INJECTION_ACTIVE_QUARTER_HOURLY", 128, "kWh", "Wh", Energy.ELECTRICITY),
        ("PRODUCTION_ACTIVE_QUARTER_HOURLY", 256, "kWh", "Wh", Energy.ELECTRICITY),
        ("AUXILIARY_ACTIVE_QUARTER_HOURLY", 384, "kWh", "Wh", Energy.ELECTRICITY),
    ],
)
def test_a_channel_keeps_its_name_code_and_unit(
    name: str, code: int, unit: str, stored_unit: str, energy: Energy
) -> None:
    channel = BY_NAME[name]
    assert (channel.code, channel.unit, channel.stored_unit, channel.energy) == (code, unit, stored_unit, energy)
    assert BY_CODE[code] is channel


def test_names_and_codes_are_unique_and_small() -> None:
    assert len(BY_NAME) == len(BY_CODE) == len(CHANNELS) == 54
    assert all(0 <= channel.code < 512 for channel in CHANNELS)


def test_electricity_has_no_hours_and_gas_no_quarters() -> None:
    found = {(channel.energy, channel.resolution) for channel in CHANNELS}
    assert (Energy.ELECTRICITY, Resolution.HOURLY) not in found
    assert (Energy.GAS, Resolution.QUARTER_HOURLY) not in found


@pytest.mark.parametrize(("language", "kind"), list(product(Language, (MeterKind.DIGITAL, MeterKind.AMR))))
def test_every_channel_has_a_label_of_its_own_and_is_found_by_it(language: Language, kind: MeterKind) -> None:
    for channel in CHANNELS:
        if kind is MeterKind.AMR and channel.quantity is Quantity.GAS_VOLUME:
            continue
        label = register_label(language, kind, channel, channel.register)
        if kind is MeterKind.DIGITAL and channel.name.endswith("_ACTIVE_QUARTER_HOURLY"):
            label = register_label(language, kind, channel, Register.NIGHT)
        table = registers(language, channel.energy, kind, channel.resolution)
        assert table[label, channel.unit][0] == channel


@pytest.mark.parametrize(
    ("kind", "name", "tariff", "label"),
    [
        (MeterKind.DIGITAL, "OFFTAKE_ACTIVE_QUARTER_HOURLY", Register.DAY, "Afname Dag"),
        (MeterKind.DIGITAL, "INJECTION_ACTIVE_NIGHT_DAILY", Register.NIGHT, "Injectie Nacht"),
        (MeterKind.AMR, "OFFTAKE_ACTIVE_QUARTER_HOURLY", Register.TOTAL, "Afname Actief"),
        (MeterKind.AMR, "OFFTAKE_ACTIVE_DAY_DAILY", Register.DAY, "Afname Actief Dag"),
        (MeterKind.AMR, "OFFTAKE_REACTIVE_DAILY", Register.TOTAL, "Afname Reactief"),
        (MeterKind.AMR, "PRODUCTION_INDUCTIVE_QUARTER_HOURLY", Register.TOTAL, "Productie Inductief"),
        (MeterKind.AMR, "AUXILIARY_ACTIVE_QUARTER_HOURLY", Register.TOTAL, "Hulpverbruik Actief"),
        (MeterKind.DIGITAL, "OFFTAKE_GAS_VOLUME_HOURLY", Register.TOTAL, "Afname"),
        (MeterKind.DIGITAL, "OFFTAKE_PEAK_MONTHLY", Register.TOTAL, "Piekvermogen"),
        (MeterKind.DIGITAL, "INJECTION_PEAK_MONTHLY", Register.TOTAL, "Piekvermogen Injectie"),
    ],
)
def test_dutch_labels_are_those_of_the_portal(kind: MeterKind, name: str, tariff: Register, label: str) -> None:
    assert register_label(Language.NL, kind, BY_NAME[name], tariff) == label


@pytest.mark.parametrize(
    ("quality", "digital", "amr"),
    [
        (Quality.MISSING, Status.NO_CONSUMPTION, Status.NO_DATA),
        (Quality.ESTIMATED_NOT_VALIDATED, Status.ESTIMATED, Status.NOT_VALIDATED),
        (Quality.ESTIMATED, Status.ESTIMATED, Status.NOT_VALIDATED),
        (Quality.ESTIMATED_VALIDATED, Status.ESTIMATED, Status.VALIDATED),
        (Quality.MEASURED_NOT_VALIDATED, Status.READ, Status.NOT_VALIDATED),
        (Quality.MEASURED, Status.READ, Status.NOT_VALIDATED),
        (Quality.MEASURED_VALIDATED, Status.VALIDATED, Status.VALIDATED),
    ],
)
def test_each_kind_of_meter_shows_its_own_states(quality: Quality, digital: Status, amr: Status) -> None:
    assert status_of(quality, MeterKind.DIGITAL) is digital
    assert status_of(quality, MeterKind.AMR) is amr


def test_only_listed_channels_exist() -> None:
    assert Channel(Direction.OFFTAKE, Quantity.PEAK, Register.DAY, Resolution.DAILY) not in CHANNELS
