"""The bytes of an energy answer, for any blocks, against the same answer built plainly from dicts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from market.channel import BY_NAME, Energy, MeterKind
from market.local_time import slice_bounds, slice_count
from market.portal_file import status_of
from market.portal_words import Status
from market.quality import GasFactor, Quality
from services.export.domain.access import Detail
from services.export.domain.assembly import assemble
from services.export.domain.series import Block as PlainBlock
from services.export.domain.series import Granularity, Series
from services.export.energy.headpoint import write_energy
from services.export.energy.series import Wanted
from tests.energy_blocks import packed
from tests.export_examples import GAS_HOME, HOME

FETCHED = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
STATES = {Status.READ: "READ", Status.ESTIMATED: "EST", Status.VALIDATED: "VAL", Status.NOT_VALIDATED: "NVAL"}
FACTORS = {GasFactor.PROVISIONAL: "P", GasFactor.DEFINITIVE: "D", GasFactor.CONSTANT: "C"}
DAYS = [date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)]
ELECTRICITY = [
    "OFFTAKE_ACTIVE_QUARTER_HOURLY",
    "INJECTION_ACTIVE_QUARTER_HOURLY",
    "OFFTAKE_ACTIVE_DAY_DAILY",
    "OFFTAKE_ACTIVE_NIGHT_DAILY",
]
GAS = ["OFFTAKE_GAS_VOLUME_HOURLY", "OFFTAKE_GAS_ENERGY_HOURLY", "OFFTAKE_GAS_ENERGY_DAILY"]
VALUES = st.one_of(st.integers(0, 300), st.integers(0, 2**31 - 1))
PRESENT = [quality for quality in Quality if quality is not Quality.MISSING]


@st.composite
def blocks(draw: st.DrawFn, names: list[str]) -> list[PlainBlock]:
    """Blocks of one meter over three days with the change of clocks; a few slices missing, estimated or great."""
    found = []
    for name in draw(st.sets(st.sampled_from(names), min_size=1)):
        channel = BY_NAME[name]
        for day in draw(st.sets(st.sampled_from(DAYS), min_size=1)):
            count = slice_count(channel.energy, channel.resolution, day)
            values: list[int | None] = [draw(VALUES)] * count
            for place in draw(st.sets(st.integers(0, count - 1), max_size=3)):
                values[place] = draw(st.none() | VALUES)
            weak = draw(st.sampled_from(PRESENT))
            quality = [weak if n == 0 else Quality.MEASURED for n in range(count)]
            factor = draw(st.sampled_from(GasFactor)) if "GAS_ENERGY" in name else None
            found.append(
                PlainBlock(
                    channel=channel,
                    meter_id="m",
                    meter_kind=MeterKind.DIGITAL,
                    day=day,
                    values=tuple(values),
                    quality=tuple(Quality.MISSING if v is None else q for v, q in zip(values, quality, strict=True)),
                    gas_factor=() if factor is None else tuple(GasFactor.NONE if v is None else factor for v in values),
                )
            )
    return found


def bounds() -> st.SearchStrategy[tuple[datetime, datetime]]:
    instant = st.datetimes(datetime(2026, 3, 27), datetime(2026, 4, 1), timezones=st.just(UTC))  # noqa: DTZ001
    return st.tuples(instant, instant).map(lambda pair: (min(pair), max(pair)))


@given(blocks(ELECTRICITY), bounds())
def test_electricity_is_what_plain_dicts_say(given_blocks: list[PlainBlock], span: tuple[datetime, datetime]) -> None:
    assert answered(Energy.ELECTRICITY, given_blocks, span) == plain(Energy.ELECTRICITY, given_blocks, span)


@given(blocks(GAS), bounds())
def test_gas_is_what_plain_dicts_say(given_blocks: list[PlainBlock], span: tuple[datetime, datetime]) -> None:
    assert answered(Energy.GAS, given_blocks, span) == plain(Energy.GAS, given_blocks, span)


def answered(energy: Energy, given_blocks: list[PlainBlock], span: tuple[datetime, datetime]) -> Any:
    facts = replace(HOME if energy is Energy.ELECTRICITY else GAS_HOME)
    sent = [
        packed(
            each.channel.name,
            each.day,
            each.values,
            meter_id="m",
            quality=each.quality,
            factor=each.gas_factor or None,
        )
        for each in given_blocks
    ]
    wanted = Wanted(intervals=dict.fromkeys(Detail, (span,)), first_day=DAYS[0], last_day=DAYS[-1])
    found = write_energy(facts, {facts.ean: sent}, wanted, fetched_at=FETCHED)
    if found is None:
        return None
    [meter] = json.loads(found.json)["data"]["headpoint"]["physicalMeters"]
    assert found.value_count == found.json.count(b'"value"')
    return {name: series for name, series in meter.items() if isinstance(series, list)}


def plain(energy: Energy, given_blocks: list[PlainBlock], span: tuple[datetime, datetime]) -> Any:
    """The same by the series of the portal's files, slice by slice."""
    fine = Granularity.QUARTER if energy is Energy.ELECTRICITY else Granularity.HOUR
    names = {
        "dailyEnergy": Granularity.DAY,
        "quarterHourlyEnergy" if energy is Energy.ELECTRICITY else "hourlyEnergy": fine,
    }
    found = {
        name: _slices(
            assemble(given_blocks, granularity=granularity, first_day=DAYS[0], last_day=DAYS[-1], today=DAYS[-1]), span
        )
        for name, granularity in names.items()
    }
    return {name: slices for name, slices in found.items() if slices} or None


def _slices(series: list[Series], span: tuple[datetime, datetime]) -> list[dict[str, Any]]:
    slices: dict[tuple[datetime, datetime], dict[str, dict[str, Any]]] = {}
    for entry in sorted(series, key=lambda each: each.channel.code):
        for each in entry.slices:
            if each.value is None or each.start < span[0] or each.end > span[1]:
                continue
            register: dict[str, Any] = {
                "value": each.value / 1000,
                "unit": entry.channel.unit.replace("m³", "m3"),
                "validationState": STATES[status_of(each.quality, MeterKind.DIGITAL)],
            }
            if each.factor is not GasFactor.NONE:
                register["gasConversionFactor"] = FACTORS[each.factor]
            unit = slices.setdefault((each.start, each.end), {}).setdefault(register["unit"], {})
            unit.setdefault(entry.channel.direction.name.lower(), {})[entry.channel.register.name.lower()] = register
    return [
        {
            "start": start.isoformat().replace("+00:00", "Z"),
            "end": end.isoformat().replace("+00:00", "Z"),
            "measurements": [units[unit] for unit in ("m3", "kWh") if unit in units],
        }
        for (start, end), units in sorted(slices.items())
    ]


def test_the_plain_answer_knows_the_clock() -> None:
    assert len(slice_bounds(Energy.ELECTRICITY, BY_NAME[ELECTRICITY[0]].resolution, DAYS[1])) == 93
    assert DAYS[1] - DAYS[0] == timedelta(days=1)
