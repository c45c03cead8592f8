"""The table beside a chart, and incomplete days in it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from market.channel import Energy, Resolution
from services.portal.charts import Gap, Look, charts_of
from services.portal.partial_days import days_to_complete, with_partial_days
from services.portal.periods import Period, View
from services.portal.readings import Partial, Point, Readings, Unreadable, read_points, read_readings
from services.portal.tables import Table, table_of
from services.portal.wording import Language, wording
from tests.portal_examples import INJECTION, OFFTAKE, OFFTAKE_DAY, OFFTAKE_NIGHT, readings, series

DAY = date(2026, 11, 19)  # a Thursday
OCTOBER_DAY = date(2026, 10, 25)
MARCH_DAY = date(2026, 3, 29)


def table(found: Readings, language: Language = Language.NL) -> Table:
    return table_of(found, charts_of(found.series), wording(language), "periode")


def test_a_value_and_its_state_stand_side_by_side_and_a_missing_one_says_so() -> None:
    found = table(readings(series(OFFTAKE, DAY, ["0.041", None, "0.5"], estimated=[2])))
    cells = [row.cells[0] for row in found.rows]
    assert [(row.label, cell.text, cell.state) for row, cell in zip(found.rows, cells, strict=True) if cell] == [
        ("00:00", "0,041", "uitgelezen"),
        ("00:15", "", "geen meting"),
        ("00:30", "0,500", "geschat"),
    ]
    assert [cell.spoken for cell in cells if cell] == [
        "Afname: 0,041 kWh, uitgelezen",
        "Afname: geen meting",
        "Afname: 0,500 kWh, geschat",
    ]


def test_the_october_day_has_100_rows_and_both_hours_from_two_to_three() -> None:
    found = table(readings(series(OFFTAKE, OCTOBER_DAY, ["0.1"] * 100)))
    assert len(found.rows) == 100
    twice = [(row.label, row.note) for row in found.rows if row.note]
    assert twice == [(f"02:{m}", "zomertijd") for m in ("00", "15", "30", "45")] + [
        (f"02:{m}", "wintertijd") for m in ("00", "15", "30", "45")
    ]


def test_the_march_day_has_92_rows_and_no_hour_from_two_to_three() -> None:
    found = table(readings(series(OFFTAKE, MARCH_DAY, ["0.1"] * 92)))
    labels = [row.label for row in found.rows]
    assert len(labels) == 92
    assert labels[7:9] == ["01:45", "03:00"]


def test_columns_are_told_apart_by_direction_and_by_meter_where_there_are_two() -> None:
    lines = [series(OFFTAKE, DAY, ["1"], meter_id=meter) for meter in ("A", "B")] + [series(INJECTION, DAY, ["1"])]
    assert [column.title for column in table(readings(*lines[:2])).columns] == ["Afname A", "Afname B"]
    assert [column.title for column in table(readings(lines[0], lines[2])).columns] == [
        "Afname A",
        "Injectie 1SAG0000000001",
    ]
    assert [column.title for column in table(readings(lines[0])).columns] == ["Afname"]


def test_a_series_that_was_not_due_leaves_its_cells_empty() -> None:
    found = table(readings(series(OFFTAKE, DAY, ["1", "2"]), series(INJECTION, DAY, ["3"])))
    assert found.rows[1].cells[1] is None


def test_days_are_rows_with_their_own_name_and_link() -> None:
    found = table(readings(series(OFFTAKE_DAY, DAY, ["1", "2"])), Language.FR)
    assert [(row.label, row.day) for row in found.rows] == [
        ("jeu 19 nov", date(2026, 11, 19)),
        ("ven 20 nov", date(2026, 11, 20)),
    ]


def test_a_gas_day_row_is_the_day_it_began_on() -> None:
    gas = readings(series("OFFTAKE_GAS_ENERGY_DAILY", OCTOBER_DAY, ["1", "2"]), energy=Energy.GAS)
    assert [row.day for row in table(gas).rows] == [date(2026, 10, 25), date(2026, 10, 26)]


def test_an_incomplete_day_shows_what_there_is_by_register() -> None:
    # A Thursday of a digital meter: 28 quarters of night, 60 of day, 8 of night.
    quarters = ["0.010"] * 28 + ["0.100"] * 30 + [None] * 30 + [None] * 8
    days = readings(series(OFFTAKE_DAY, DAY, [None]), series(OFFTAKE_NIGHT, DAY, [None]))
    found = with_partial_days(days, readings(series(OFFTAKE, DAY, quarters)))
    assert [line.slices[0].partial for line in found.series] == [
        Partial(Decimal("3.000"), 30, 60, Resolution.QUARTER_HOURLY),
        Partial(Decimal("0.280"), 28, 36, Resolution.QUARTER_HOURLY),
    ]
    assert [cell.state for cell in table(found).rows[0].cells if cell] == [
        "onvolledig: 30 van 60 kwartieren",
        "onvolledig: 28 van 36 kwartieren",
    ]
    (chart,) = charts_of(found.series)
    assert {bar.look for bar in chart.bars} == {Look.PARTIAL}
    assert chart.gaps == (Gap(0, 0, is_below=False),)


def test_a_complete_day_and_an_empty_day_stay_as_they_are() -> None:
    days = readings(series("OFFTAKE_ACTIVE_DAILY", DAY, ["5", None]))
    fine = readings(series(OFFTAKE, DAY, ["0.1"] * 96 + [None] * 96))
    assert with_partial_days(days, fine) == days


def test_only_missing_days_where_the_point_has_readings_are_looked_into() -> None:
    point = Point(
        ean="541448800000000017",
        energy=Energy.ELECTRICITY,
        meter_kind="DIGITAL",
        first_on=date(2026, 11, 3),
        last_on=date(2026, 11, 5),
    )
    month = Period(View.MONTH, date(2026, 11, 1), date(2026, 11, 30))
    days = readings(series("OFFTAKE_ACTIVE_DAILY", date(2026, 11, 1), [None, None, "1", None, None, None]))
    assert days_to_complete(days, point, month) == Period(View.MONTH, date(2026, 11, 4), date(2026, 11, 5))
    complete = readings(series("OFFTAKE_ACTIVE_DAILY", date(2026, 11, 1), [None, None, "1", "1", "1", None]))
    assert days_to_complete(complete, point, month) is None


def test_the_answer_of_export_is_read_exactly() -> None:
    body = b"""{"ean": "541448800000000017", "energy": "E", "meter_kind": "DIGITAL",
        "from": "2026-11-19", "to": "2026-11-19",
        "granularity": "quarter", "series": [{"channel": "OFFTAKE_ACTIVE_QUARTER_HOURLY", "meter_id": "", "unit": "kWh",
        "total": 0.041, "expected": 2, "present": 1, "missing": 1, "estimated": 0, "weakest": "READ", "slices": [
        {"start": "2026-11-18T23:00:00Z", "end": "2026-11-18T23:15:00Z",
        "value": 0.041, "state": "READ", "factor": null},
        {"start": "2026-11-18T23:15:00Z", "end": "2026-11-18T23:30:00Z", "value": null, "state": null, "factor": null}
        ]}]}"""
    (line,) = read_readings(body).series
    assert (line.total, line.slices[0].value, line.slices[1].value) == (Decimal("0.041"), Decimal("0.041"), None)
    assert line.slices[0].start.isoformat() == "2026-11-18T23:00:00+00:00"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"points": [{}]}', b'{"series": 1, "energy": "E"}', b"<html>"])
def test_an_answer_of_another_shape_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_points(body)
    with pytest.raises(Unreadable):
        read_readings(body)
