"""Series as JSON: exact numbers, states as the kind of meter shows them, instants in UTC."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from market.channel import Energy, MeterKind
from market.quality import GasFactor, Quality
from services.export.domain.assembly import assemble
from services.export.domain.question import Found, Point, Question
from services.export.domain.series import Block, Granularity
from services.export.readings_json import decimal_text, wire_state, write_points, write_readings
from tests.examples import GAS_HOUSE, GAS_METER, HOUSE, ORDINARY_DAY, block


def written(energy: Energy, kind: MeterKind, *blocks: Block, granularity: Granularity) -> dict[str, object]:
    question = Question(
        ean=HOUSE if energy is Energy.ELECTRICITY else GAS_HOUSE,
        first_day=ORDINARY_DAY,
        last_day=ORDINARY_DAY,
        granularity=granularity,
    )
    series = assemble(
        blocks, granularity=granularity, first_day=ORDINARY_DAY, last_day=ORDINARY_DAY, today=date(2027, 1, 1)
    )
    found = Found(question=question, energy=energy, meter_kind=kind, series=series)
    answer: dict[str, object] = json.loads(write_readings(found), parse_float=str)
    return answer


def test_a_day_of_quarters() -> None:
    values: list[int | None] = [41, None] + [0] * 94
    answer = written(
        Energy.ELECTRICITY,
        MeterKind.DIGITAL,
        block("OFFTAKE_ACTIVE_QUARTER_HOURLY", ORDINARY_DAY, values),
        granularity=Granularity.QUARTER,
    )
    series = answer.pop("series")
    assert answer == {
        "ean": "541448800000000017",
        "energy": "E",
        "meter_kind": "DIGITAL",
        "from": "2026-11-19",
        "to": "2026-11-19",
        "granularity": "quarter",
    }
    assert isinstance(series, list)
    [entry] = series
    slices = entry.pop("slices")
    assert entry == {
        "channel": "OFFTAKE_ACTIVE_QUARTER_HOURLY",
        "meter_id": "1SAG0000000001",
        "unit": "kWh",
        "total": "0.041",
        "expected": 96,
        "present": 95,
        "missing": 1,
        "estimated": 0,
        "weakest": "READ",
    }
    assert slices[:2] == [
        {
            "start": "2026-11-18T23:00:00Z",
            "end": "2026-11-18T23:15:00Z",
            "value": "0.041",
            "state": "READ",
            "factor": None,
        },
        {"start": "2026-11-18T23:15:00Z", "end": "2026-11-18T23:30:00Z", "value": None, "state": None, "factor": None},
    ]


def test_a_gas_hour_names_its_factor() -> None:
    answer = written(
        Energy.GAS,
        MeterKind.DIGITAL,
        block("OFFTAKE_GAS_ENERGY_HOURLY", ORDINARY_DAY, 4672, meter_id=GAS_METER, factor=GasFactor.PROVISIONAL),
        granularity=Granularity.HOUR,
    )
    assert answer["series"][0]["slices"][0] == {  # type: ignore[index]
        "start": "2026-11-19T05:00:00Z",
        "end": "2026-11-19T06:00:00Z",
        "value": "4.672",
        "state": "READ",
        "factor": "P",
    }


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (0, "0.0"),
        (1, "0.001"),
        (41, "0.041"),
        (250, "0.25"),
        (1000, "1.0"),
        (2147483647, "2147483.647"),
        (None, "null"),
    ],
)
def test_numbers_are_exact(stored: int | None, text: str) -> None:
    assert decimal_text(stored) == text


@for_all(st.integers(0, 10**15))
def test_a_number_is_a_thousandth_of_what_is_stored(stored: int) -> None:
    text = decimal_text(stored)
    assert Decimal(text) * 1000 == stored
    assert len(text.partition(".")[2]) <= 3


@pytest.mark.parametrize(
    ("kind", "quality", "state"),
    [
        (MeterKind.DIGITAL, Quality.MEASURED, "READ"),
        (MeterKind.DIGITAL, Quality.ESTIMATED, "EST"),
        (MeterKind.DIGITAL, Quality.MEASURED_VALIDATED, "VAL"),
        (MeterKind.AMR, Quality.MEASURED_VALIDATED, "VAL"),
        (MeterKind.AMR, Quality.ESTIMATED_VALIDATED, "VAL"),
        (MeterKind.AMR, Quality.MEASURED_NOT_VALIDATED, "NVAL"),
        (MeterKind.AMR, Quality.MISSING, None),
    ],
)
def test_states_are_those_of_the_kind_of_meter(kind: MeterKind, quality: Quality, state: str | None) -> None:
    assert wire_state(quality, kind) == state


def test_points_are_listed_with_their_days() -> None:
    point = Point(
        ean=HOUSE,
        energy=Energy.ELECTRICITY,
        meter_kind="DIGITAL",
        first_day=date(2026, 1, 1),
        last_day=ORDINARY_DAY,
    )
    assert json.loads(write_points([point])) == {
        "points": [
            {
                "ean": "541448800000000017",
                "energy": "E",
                "meter_kind": "DIGITAL",
                "first_day": "2026-01-01",
                "last_day": "2026-11-19",
            }
        ]
    }
