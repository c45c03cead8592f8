"""Bars, gaps and what stands around them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.channel import BY_NAME
from services.portal.chart_spec import NARROW, WIDE, vega_lite
from services.portal.charts import Bar, Gap, Look, charts_of
from services.portal.figures import chart_title, legend, summary, totals
from services.portal.readings import Series
from services.portal.wording import Language, wording
from tests.portal_examples import GAS, INJECTION, OFFTAKE, OFFTAKE_DAY, OFFTAKE_NIGHT, readings, series

DAY = date(2026, 11, 19)
OCTOBER_DAY = date(2026, 10, 25)
WORDS = wording(Language.NL)


def test_offtake_goes_up_and_injection_down_in_one_chart() -> None:
    (chart,) = charts_of([series(INJECTION, DAY, ["0.300", "0"]), series(OFFTAKE, DAY, ["0.100", "0.200"])])
    assert list(chart.bars) == [
        Bar(0, Decimal(0), Decimal("0.100"), "offtake", Look.MEASURED),
        Bar(1, Decimal(0), Decimal("0.200"), "offtake", Look.MEASURED),
        Bar(0, Decimal("-0.300"), Decimal(0), "injection", Look.MEASURED),
        Bar(1, Decimal(0), Decimal(0), "injection", Look.MEASURED),
    ]
    assert chart.gaps == ()


def test_missing_slots_in_a_row_are_one_gap_on_their_own_side() -> None:
    lines = [series(OFFTAKE, DAY, ["0.1", None, None, "0.2", None]), series(INJECTION, DAY, ["0"] * 5)]
    (chart,) = charts_of(lines)
    assert chart.gaps == (Gap(1, 2, is_below=False), Gap(4, 4, is_below=False))


def test_an_estimate_has_a_look_of_its_own() -> None:
    (chart,) = charts_of([series(OFFTAKE, DAY, ["0.1", "0.2"], estimated=[1])])
    assert [bar.look for bar in chart.bars] == [Look.MEASURED, Look.ESTIMATED]


def test_the_day_register_stands_on_the_night_register() -> None:
    (chart,) = charts_of([series(OFFTAKE_DAY, DAY, ["3"]), series(OFFTAKE_NIGHT, DAY, ["2"])])
    assert [(bar.kind, bar.low, bar.high) for bar in chart.bars] == [
        ("offtake_night", Decimal(0), Decimal(2)),
        ("offtake", Decimal(2), Decimal(5)),
    ]


def test_a_day_total_is_not_stacked_on_its_own_registers() -> None:
    total = series("OFFTAKE_ACTIVE_DAILY", DAY, ["5"])
    (chart,) = charts_of([total, series(OFFTAKE_DAY, DAY, ["3"]), series(OFFTAKE_NIGHT, DAY, ["2"])])
    assert [entry.channel.name for entry in chart.series] == [OFFTAKE_DAY, OFFTAKE_NIGHT]
    (chart,) = charts_of([total, series(OFFTAKE_DAY, DAY, [None]), series(OFFTAKE_NIGHT, DAY, [None])])
    assert [entry.channel.name for entry in chart.series] == ["OFFTAKE_ACTIVE_DAILY"]


def test_registers_without_a_value_are_still_a_chart() -> None:
    (chart,) = charts_of([series(OFFTAKE_DAY, DAY, [None]), series(OFFTAKE_NIGHT, DAY, [None])])
    assert chart.gaps == (Gap(0, 0, is_below=False),)


def test_two_meters_of_a_swap_day_fill_each_others_gaps() -> None:
    lines = [
        series(OFFTAKE, DAY, ["0.1", None, None], meter_id="old"),
        series(OFFTAKE, DAY, [None, None, "0.3"], meter_id="new"),
    ]
    (chart,) = charts_of(lines)
    assert chart.gaps == (Gap(1, 1, is_below=False),)
    assert [(bar.slot, bar.high) for bar in sorted(chart.bars, key=lambda bar: bar.slot)] == [
        (0, Decimal("0.1")),
        (2, Decimal("0.3")),
    ]


def test_each_quantity_has_its_chart_energy_first() -> None:
    names = [
        "PRODUCTION_ACTIVE_QUARTER_HOURLY",
        "OFFTAKE_CAPACITIVE_QUARTER_HOURLY",
        "INJECTION_ACTIVE_QUARTER_HOURLY",
        "OFFTAKE_ACTIVE_QUARTER_HOURLY",
    ]
    found = charts_of([series(name, DAY, ["1"]) for name in names])
    assert [chart.name for chart in found] == ["active", "capacitive", "active_production"]
    assert [chart_title(chart, WORDS) for chart in found] == [
        "Actieve energie",
        "Capacitieve energie",
        "Productie actief",
    ]


@given(st.lists(st.one_of(st.none(), st.integers(0, 10**6)), min_size=1, max_size=100))
def test_every_slot_is_either_a_bar_or_in_a_gap(values: list[int | None]) -> None:
    line = series(OFFTAKE, OCTOBER_DAY, [None if value is None else str(Decimal(value) / 1000) for value in values])
    (chart,) = charts_of([line])
    bars = [bar.slot for bar in chart.bars]
    gaps = [slot for gap in chart.gaps for slot in range(gap.first, gap.last + 1)]
    assert sorted(bars + gaps) == list(range(len(values)))
    assert sum((bar.high - bar.low for bar in chart.bars), Decimal(0)) == (line.total or 0)


def test_instants_of_a_drawing_carry_z_and_its_hours_are_those_of_the_wall_clock() -> None:
    (chart,) = charts_of([series(OFFTAKE, OCTOBER_DAY, ["0.1"] * 100)])
    spec = vega_lite(chart, WORDS, NARROW)
    bars = next(layer for layer in spec["layer"] if layer["name"] == "offtake")["data"]["values"]
    assert (bars[0]["x"], bars[-1]["x2"]) == ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")
    assert spec["encoding"]["x"]["axis"]["values"] == [
        "2026-10-24T22:00:00Z",
        "2026-10-25T05:00:00Z",
        "2026-10-25T11:00:00Z",
        "2026-10-25T17:00:00Z",
        "2026-10-25T23:00:00Z",
    ]
    assert spec["encoding"]["x"]["axis"]["format"] == "%H:%M"


def test_the_change_of_the_clock_is_a_line_in_the_october_and_the_march_day_only() -> None:
    def names(day: date, count: int) -> set[str]:
        (chart,) = charts_of([series(OFFTAKE, day, ["0.1"] * count)])
        return {layer["name"] for layer in vega_lite(chart, WORDS, WIDE)["layer"]}

    assert "clock" in names(OCTOBER_DAY, 100)
    assert "clock" in names(date(2026, 3, 29), 92)
    assert "clock" not in names(DAY, 96)


def test_a_side_without_values_keeps_room_for_its_gaps() -> None:
    (chart,) = charts_of([series(OFFTAKE, DAY, ["0.6", "0"]), series(INJECTION, DAY, [None, None])])
    low, high = vega_lite(chart, WORDS, WIDE)["encoding"]["y"]["scale"]["domain"]
    assert low == pytest.approx(-0.1)
    assert high == pytest.approx(0.636)


def test_the_legend_names_what_is_drawn_and_no_more() -> None:
    (chart,) = charts_of([series(OFFTAKE, DAY, ["0.1", "0.2", None], estimated=[1]), series(INJECTION, DAY, ["0"] * 3)])
    assert [(entry.kind, entry.text) for entry in legend(chart, WORDS)] == [
        ("offtake", "Afname"),
        ("estimated_offtake", "Afname, geschat"),
        ("injection", "Injectie"),
        ("missing", "Geen meting"),
    ]


def test_the_summary_says_total_highest_and_missing() -> None:
    line = series(OFFTAKE, DAY, ["0.100", None, "0.250"])
    (chart,) = charts_of([line])
    assert summary(chart, readings(line), WORDS) == [
        "Afname: 0,350 kWh. Hoogste: 0,250 kWh (00:30). 1 kwartier zonder meting."
    ]
    nothing = series(OFFTAKE, DAY, [None, None])
    (chart,) = charts_of([nothing])
    assert summary(chart, readings(nothing), WORDS) == ["Afname: geen enkele meting."]


def test_a_total_travels_with_its_completeness() -> None:
    def total(line: Series) -> tuple[str, str, str]:
        (found,) = totals(charts_of([line]), WORDS)
        return found.value, found.label, found.completeness

    assert total(series(OFFTAKE, DAY, ["0.1", "0.2"])) == ("0,300", "Totaal", "Volledig: 2 van 2 kwartieren")
    assert total(series(OFFTAKE, DAY, ["0.1", None, "0.2"], estimated=[0])) == (
        "0,300",
        "Som van wat er is",
        "Onvolledig: 2 van 3 kwartieren; 1 ontbreekt; 1 geschat",
    )
    assert total(series(GAS, DAY, [None, None])) == ("", "Geen waarden", "Onvolledig: 0 van 2 uren; 2 ontbreken")


def test_day_and_night_are_one_total_that_names_both() -> None:
    lines = [series(OFFTAKE_DAY, DAY, ["3.5", "1"]), series(OFFTAKE_NIGHT, DAY, ["2", "0.25"])]
    (found,) = totals(charts_of(lines), WORDS)
    assert (found.title, found.value, found.label) == ("Afname", "6,750", "Totaal: dag 4,500 + nacht 2,250")
    assert found.completeness == "Volledig: 2 van 2 dagen"


def test_every_channel_can_be_drawn_in_every_language() -> None:
    for name in BY_NAME:
        line = series(name, DAY, ["1", None])
        for language in Language:
            (chart,) = charts_of([line])
            assert vega_lite(chart, wording(language), WIDE)["layer"]
            assert legend(chart, wording(language))
            assert summary(chart, readings(line, energy=line.channel.energy), wording(language))
