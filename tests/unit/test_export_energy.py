"""The body of an energy answer, against values written by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from market.channel import MeterKind
from market.ean import Ean
from market.quality import GasFactor, Quality
from services.export.domain.access import Detail
from services.export.domain.permissions import MeterPeriod, PointFacts, SubHeadPoint
from services.export.energy.columns import Block
from services.export.energy.headpoint import write_energy
from services.export.energy.series import Body, Wanted
from tests.energy_blocks import RECORDED_AT, micros, packed
from tests.examples import FACTORY, GAS_METER, HOUSE_METER, MARCH_DAY, OCTOBER_DAY, ORDINARY_DAY
from tests.export_examples import GAS_HOME, HOME

FETCHED = datetime(2026, 11, 21, 10, 0, 0, 500_000, tzinfo=UTC)
QUARTERS, DAILY = "OFFTAKE_ACTIVE_QUARTER_HOURLY", "OFFTAKE_ACTIVE_{}_DAILY"
PLANT = replace(HOME, ean=FACTORY)
SUB = Ean("541448800000000048")


def utc(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


NEW_YEAR, YEARS_END = utc(1, 1, 0), utc(12, 31, 0)


def body(
    facts: PointFacts,
    blocks: list[Block],
    *,
    first: datetime = NEW_YEAR,
    last: datetime = YEARS_END,
    days: tuple[date, date] | None = None,
    details: tuple[Detail, ...] = tuple(Detail),
    subs: dict[Ean, list[Block]] | None = None,
    **wanted: Any,
) -> Body | None:
    own = [each.day for each in blocks]
    asked = Wanted(
        intervals=dict.fromkeys(details, ((first, last),)),
        first_day=days[0] if days else min(own),
        last_day=days[1] if days else max(own),
        **wanted,
    )
    return write_energy(facts, {facts.ean: blocks, **(subs or {})}, asked, fetched_at=FETCHED)


def headpoint(facts: PointFacts, blocks: list[Block], **more: Any) -> dict[str, Any]:
    found = body(facts, blocks, **more)
    assert found is not None
    point: dict[str, Any] = json.loads(found.json)["data"]["headpoint"]
    return point


def of_meter(facts: PointFacts, blocks: list[Block], **more: Any) -> dict[str, Any]:
    [meter] = headpoint(facts, blocks, **more)["physicalMeters"]
    assert isinstance(meter, dict)
    return meter


def kwh(value: float, state: str = "READ", **more: str) -> dict[str, Any]:
    return {"value": value, "unit": "kWh", "validationState": state, **more}


def test_a_digital_meter_as_the_contract_prints_it() -> None:
    meters = (MeterPeriod(meter_id=HOUSE_METER, sequence_number=3, installed_at=utc(1, 1, 0)),)
    blocks = [
        packed(DAILY.format("DAY"), OCTOBER_DAY, 0),
        packed(DAILY.format("NIGHT"), OCTOBER_DAY, 9412),
        packed("INJECTION_ACTIVE_DAY_DAILY", OCTOBER_DAY, 0),
        packed("INJECTION_ACTIVE_NIGHT_DAILY", OCTOBER_DAY, 1107),
        packed(QUARTERS, OCTOBER_DAY, [83, *[None] * 99]),
    ]
    found = body(replace(HOME, meters=meters), blocks)
    assert found is not None
    assert found.json.startswith(
        b'{"_meta":{"fetchTime":"2026-11-21T10:00:00Z"},"data":{"headpoint":{"$type":"metering-on-meter","ean":'
    )
    assert found.value_count == 5
    assert json.loads(found.json) == {
        "_meta": {"fetchTime": "2026-11-21T10:00:00Z"},
        "data": {
            "headpoint": {
                "$type": "metering-on-meter",
                "ean": "541448800000000017",
                "energyType": "E",
                "physicalMeters": [
                    {
                        "seqNumber": "3",
                        "meterID": "1SAG0000000001",
                        "dailyEnergy": [
                            {
                                "start": "2026-10-24T22:00:00Z",
                                "end": "2026-10-25T23:00:00Z",
                                "measurements": [
                                    {
                                        "offtake": {"day": kwh(0), "night": kwh(9.412)},
                                        "injection": {"day": kwh(0), "night": kwh(1.107)},
                                    }
                                ],
                            }
                        ],
                        "quarterHourlyEnergy": [
                            {
                                "start": "2026-10-24T22:00:00Z",
                                "end": "2026-10-24T22:15:00Z",
                                "measurements": [{"offtake": {"total": kwh(0.083)}}],
                            }
                        ],
                    }
                ],
            }
        },
    }


def test_the_october_day_has_a_hundred_quarters_and_its_registers_are_their_sum() -> None:
    meter = of_meter(HOME, [packed(QUARTERS, OCTOBER_DAY, list(range(100)))])
    quarters = meter["quarterHourlyEnergy"]
    assert (len(quarters), quarters[-1]["end"]) == (100, "2026-10-25T23:00:00Z")
    assert [each["start"] for each in quarters[1:]] == [each["end"] for each in quarters[:-1]]
    [day] = meter["dailyEnergy"]
    assert (day["start"], day["end"]) == ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")
    # A Sunday is night tariff; 0 + 1 + ... + 99 Wh.
    assert day["measurements"] == [{"offtake": {"day": kwh(0), "night": kwh(4.95)}}]


def test_an_ordinary_thursday_is_split_at_seven_and_twenty_two() -> None:
    meter = of_meter(HOME, [packed(QUARTERS, ORDINARY_DAY, [1] * 28 + [10] * 60 + [1] * 8)])
    assert meter["dailyEnergy"][0]["measurements"] == [{"offtake": {"day": kwh(0.6), "night": kwh(0.036)}}]


def test_a_delivered_pair_wins_over_the_quarters() -> None:
    blocks = [packed(DAILY.format("DAY"), ORDINARY_DAY, 5), packed(DAILY.format("NIGHT"), ORDINARY_DAY, 7)]
    meter = of_meter(HOME, [*blocks, packed(QUARTERS, ORDINARY_DAY, 1)])
    assert meter["dailyEnergy"][0]["measurements"] == [{"offtake": {"day": kwh(0.005), "night": kwh(0.007)}}]


def test_a_day_with_a_hole_is_left_out_and_so_is_a_missing_quarter() -> None:
    meter = of_meter(HOME, [packed(QUARTERS, ORDINARY_DAY, [1] * 95 + [None])])
    assert "dailyEnergy" not in meter
    assert len(meter["quarterHourlyEnergy"]) == 95


def test_a_missing_direction_is_left_out_and_never_zero() -> None:
    blocks = [
        packed(QUARTERS, ORDINARY_DAY, [41, None, 41, None] * 24),
        packed("INJECTION_ACTIVE_QUARTER_HOURLY", ORDINARY_DAY, [None, 7, 7, None] * 24),
    ]
    first, second, third, fourth = of_meter(HOME, blocks)["quarterHourlyEnergy"][:4]
    assert first["measurements"] == [{"offtake": {"total": kwh(0.041)}}]
    assert second["measurements"] == [{"injection": {"total": kwh(0.007)}}]
    assert third["measurements"] == [{"offtake": {"total": kwh(0.041)}, "injection": {"total": kwh(0.007)}}]
    assert fourth["start"] == "2026-11-19T00:00:00Z"


@pytest.mark.parametrize(
    ("first", "last", "starts"),
    [
        (utc(11, 19, 10), utc(11, 19, 10, 30), ["2026-11-19T10:00:00Z", "2026-11-19T10:15:00Z"]),
        (utc(11, 19, 10, 1), utc(11, 19, 10, 44), ["2026-11-19T10:15:00Z"]),
        (utc(11, 19, 10) + timedelta(microseconds=1), utc(11, 19, 10, 30), ["2026-11-19T10:15:00Z"]),
        (utc(11, 19, 10), utc(11, 19, 10, 30) - timedelta(microseconds=1), ["2026-11-19T10:00:00Z"]),
    ],
)
def test_a_slice_is_in_only_if_it_lies_wholly_inside(first: datetime, last: datetime, starts: list[str]) -> None:
    meter = of_meter(HOME, [packed(QUARTERS, ORDINARY_DAY, 1)], first=first, last=last)
    assert [each["start"] for each in meter["quarterHourlyEnergy"]] == starts
    assert "dailyEnergy" not in meter


def test_nothing_inside_is_nothing_at_all() -> None:
    assert body(HOME, [packed(QUARTERS, ORDINARY_DAY, 1)], first=utc(11, 19, 10, 1), last=utc(11, 19, 10, 14)) is None


@pytest.mark.parametrize(
    ("quality", "state"),
    [
        (Quality.MEASURED, "READ"),
        (Quality.ESTIMATED, "EST"),
        (Quality.ESTIMATED_VALIDATED, "EST"),
        (Quality.MEASURED_VALIDATED, "VAL"),
    ],
)
def test_a_digital_meter_says_read_est_or_val(quality: Quality, state: str) -> None:
    meter = of_meter(HOME, [packed(QUARTERS, ORDINARY_DAY, 1, quality=quality)])
    assert meter["quarterHourlyEnergy"][0]["measurements"] == [{"offtake": {"total": kwh(0.001, state)}}]


def test_a_derived_day_is_as_weak_as_its_weakest_quarter() -> None:
    quality = [Quality.MEASURED] * 50 + [Quality.ESTIMATED] + [Quality.MEASURED] * 45
    meter = of_meter(HOME, [packed(QUARTERS, ORDINARY_DAY, 1, quality=quality)])
    # The estimate lies at 12:30 local: in the day register.
    assert meter["dailyEnergy"][0]["measurements"] == [{"offtake": {"day": kwh(0.06, "EST"), "night": kwh(0.036)}}]


def gas(day: date, volume: list[int] | int, energy: list[int] | int, factor: GasFactor) -> list[Block]:
    return [
        packed("OFFTAKE_GAS_VOLUME_HOURLY", day, volume, meter_id=GAS_METER),
        packed("OFFTAKE_GAS_ENERGY_HOURLY", day, energy, meter_id=GAS_METER, factor=factor),
    ]


def test_a_gas_hour_has_cubic_metres_first_and_then_kwh_with_its_factor() -> None:
    meter = of_meter(GAS_HOME, gas(ORDINARY_DAY, 412, 4672, GasFactor.PROVISIONAL))
    assert meter["hourlyEnergy"][0] == {
        "start": "2026-11-19T05:00:00Z",
        "end": "2026-11-19T06:00:00Z",
        "measurements": [
            {"offtake": {"total": {"value": 0.412, "unit": "m3", "validationState": "READ"}}},
            {"offtake": {"total": kwh(4.672, gasConversionFactor="P")}},
        ],
    }


@pytest.mark.parametrize(
    ("day", "hours", "start", "end"),
    [
        (date(2026, 3, 28), 23, "2026-03-28T05:00:00Z", "2026-03-29T04:00:00Z"),
        (date(2026, 10, 24), 25, "2026-10-24T04:00:00Z", "2026-10-25T05:00:00Z"),
    ],
)
def test_a_gas_day_of_23_or_25_hours_sums_all_of_them(day: date, hours: int, start: str, end: str) -> None:
    meter = of_meter(GAS_HOME, gas(day, 100, 1000, GasFactor.DEFINITIVE))
    assert len(meter["hourlyEnergy"]) == hours
    assert meter["dailyEnergy"] == [
        {
            "start": start,
            "end": end,
            "measurements": [
                {"offtake": {"total": {"value": hours / 10, "unit": "m3", "validationState": "READ"}}},
                {"offtake": {"total": kwh(float(hours), gasConversionFactor="D")}},
            ],
        }
    ]


def test_a_gas_value_without_a_factor_says_none() -> None:
    meter = of_meter(GAS_HOME, [packed("OFFTAKE_GAS_ENERGY_HOURLY", ORDINARY_DAY, 1, factor=GasFactor.NONE)])
    assert meter["hourlyEnergy"][0]["measurements"] == [{"offtake": {"total": kwh(0.001)}}]


def test_the_spring_day_has_92_quarters() -> None:
    meter = of_meter(HOME, [packed(QUARTERS, MARCH_DAY, 1)])
    assert len(meter["quarterHourlyEnergy"]) == 92
    assert meter["dailyEnergy"][0]["measurements"] == [{"offtake": {"day": kwh(0), "night": kwh(0.092)}}]


def test_only_what_was_recorded_after_the_one_instant_and_not_after_the_other() -> None:
    later = [RECORDED_AT + timedelta(seconds=n) for n in range(96)]
    span = (micros(RECORDED_AT + timedelta(seconds=1)), micros(RECORDED_AT + timedelta(seconds=3)))
    meter = of_meter(HOME, [packed(QUARTERS, ORDINARY_DAY, 1, recorded_at=later)], changed=span)
    starts = [each["start"] for each in meter["quarterHourlyEnergy"]]
    assert starts == ["2026-11-18T23:30:00Z", "2026-11-18T23:45:00Z"]
    assert "dailyEnergy" not in meter
    span = (micros(RECORDED_AT + timedelta(seconds=94)), micros(RECORDED_AT + timedelta(seconds=95)))
    assert len(of_meter(HOME, [packed(QUARTERS, ORDINARY_DAY, 1, recorded_at=later)], changed=span)["dailyEnergy"]) == 1


def test_a_swap_within_the_day_gives_two_meters_that_each_sum_their_own_part() -> None:
    noon = utc(11, 19, 11)
    meters = (
        MeterPeriod(meter_id="old", sequence_number=1, installed_at=utc(1, 1, 0), removed_at=noon),
        MeterPeriod(meter_id="new", sequence_number=2, installed_at=noon),
    )
    blocks = [
        packed(QUARTERS, ORDINARY_DAY, [1] * 48 + [None] * 48, meter_id="old"),
        packed(QUARTERS, ORDINARY_DAY, [None] * 48 + [2] * 48, meter_id="new"),
    ]
    old, new = headpoint(replace(HOME, meters=meters), blocks)["physicalMeters"]
    assert (old["seqNumber"], old["meterID"], new["seqNumber"], new["meterID"]) == ("1", "old", "2", "new")
    # 07:00 to 12:00 is 20 quarters at day tariff, 12:00 to 22:00 is 40.
    assert old["dailyEnergy"][0]["measurements"] == [{"offtake": {"day": kwh(0.02), "night": kwh(0.028)}}]
    assert new["dailyEnergy"][0]["measurements"] == [{"offtake": {"day": kwh(0.08), "night": kwh(0.016)}}]
    assert (len(old["quarterHourlyEnergy"]), len(new["quarterHourlyEnergy"])) == (48, 48)


def test_readings_that_name_no_meter_are_of_the_points_only_one() -> None:
    meters = (MeterPeriod(meter_id=HOUSE_METER, sequence_number=1, installed_at=utc(1, 1, 0)),)
    meter = of_meter(replace(HOME, meters=meters), [packed(QUARTERS, ORDINARY_DAY, 1, meter_id="")])
    assert (meter["seqNumber"], meter["meterID"]) == ("1", HOUSE_METER)


def test_great_values_keep_their_three_decimals() -> None:
    values = [2_147_483_647, 10_000_000, 9_999_999, 20_000_001, 0, 1] + [1] * 90
    quarters = of_meter(HOME, [packed(QUARTERS, ORDINARY_DAY, values)])["quarterHourlyEnergy"]
    got = [each["measurements"][0]["offtake"]["total"]["value"] for each in quarters[:6]]
    assert got == [2_147_483.647, 10_000.0, 9_999.999, 20_000.001, 0.0, 0.001]


def amr(quantity: str, values: list[int | None] | int, **more: Any) -> Block:
    name = f"OFFTAKE_{quantity}_QUARTER_HOURLY"
    return packed(name, ORDINARY_DAY, values, meter_id="", kind=MeterKind.AMR, **more)


def test_an_amr_point_has_its_series_on_the_head_and_production_behind_it() -> None:
    behind = SubHeadPoint(
        ean=SUB, kind="PRODUCTION", sequence_number=1, installation_id="G10000001", production_type="PV"
    )
    production = packed("PRODUCTION_ACTIVE_QUARTER_HOURLY", ORDINARY_DAY, 0, meter_id="", kind=MeterKind.AMR)
    blocks = [amr("ACTIVE", 41_250, quality=Quality.MEASURED_VALIDATED), amr("INDUCTIVE", 6_500), amr("CAPACITIVE", 0)]
    point = headpoint(replace(PLANT, sub_head_points=(behind,)), blocks, subs={SUB: [production]}, has_reactive=True)
    assert list(point) == ["$type", "ean", "energyType", "dailyEnergy", "quarterHourlyEnergy", "subHeadpoints"]
    assert point["$type"] == "metering-on-headpoint"
    kvarh = {"unit": "kVArh", "validationState": "NVAL"}
    assert point["quarterHourlyEnergy"][0]["measurements"] == [
        {
            "offtake": {
                "total": kwh(41.25, "VAL"),
                "reactive": {"value": 0.0, **kvarh},
                "inductive": {"value": 6.5, **kvarh},
                "capacitive": {"value": 0.0, **kvarh},
            }
        }
    ]
    assert point["dailyEnergy"][0]["measurements"][0]["offtake"]["total"] == kwh(3960.0, "VAL")
    [sub] = point["subHeadpoints"]
    assert {name: sub[name] for name in ("$type", "ean", "seqNumber", "vregId", "type")} == {
        "$type": "submetering-production",
        "ean": SUB,
        "seqNumber": "1",
        "vregId": "G10000001",
        "type": "PV",
    }
    assert sub["quarterHourlyEnergy"][0]["measurements"] == [{"production": {"total": kwh(0, "NVAL")}}]


def test_reactive_is_given_only_where_it_is_asked_for() -> None:
    blocks = [amr("ACTIVE", 100), amr("INDUCTIVE", 60), amr("CAPACITIVE", 10)]
    [first, *_] = headpoint(PLANT, blocks)["quarterHourlyEnergy"]
    assert list(first["measurements"][0]["offtake"]) == ["total"]
    point = headpoint(PLANT, blocks, has_active=False, has_reactive=True)
    offtake = point["quarterHourlyEnergy"][0]["measurements"][0]["offtake"]
    # 60 + 10 - 0.484 x 100 = 21.6 varh, rounded at the end only: 96 x 21.6 = 2073.6.
    assert (list(offtake), offtake["reactive"]["value"]) == (["reactive", "inductive", "capacitive"], 0.022)
    assert point["dailyEnergy"][0]["measurements"][0]["offtake"]["reactive"]["value"] == 2.074
    assert body(HOME, [packed(QUARTERS, ORDINARY_DAY, 1)], has_active=False, has_reactive=True) is None


def test_a_meter_change_from_amr_to_digital_gives_both_kinds() -> None:
    digital = packed(QUARTERS, date(2026, 11, 20), 1)
    point = headpoint(PLANT, [amr("ACTIVE", 1), digital])
    assert point["$type"] == "metering-on-headpoint-and-meter"
    assert len(point["quarterHourlyEnergy"]) == 96
    assert len(point["physicalMeters"]) == 1
