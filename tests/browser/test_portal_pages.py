"""The portal as an operator sees it, in a real browser, on the whole running platform."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser_room import DATA, Platform, Watched, rows

pytestmark = pytest.mark.browser

REAL, REAL_GAS = "541448812345678905", "541448812345678912"
HOUSE, GAS_HOUSE, FACTORY = "541448800000000017", "541448800000000024", "541448800000000031"
OCTOBER_DAY = f"/points/{HOUSE}/day/2026-10-25"
Open = Callable[..., Watched]


def lines_of(file: Path, day: str, register: str) -> list[tuple[str, str, str]]:
    """Start, value and status of the lines of a file with that date and register, as printed."""
    text = file.read_text(encoding="utf-8-sig")
    lines = list(csv.reader(text.splitlines()[1:], delimiter=";"))
    return [(each[1][:5], each[8], each[10]) for each in lines if each[0] == day and each[7].startswith(register)]


def test_before_anything_was_imported_it_says_what_to_type(empty_page: tuple[str, Any]) -> None:
    assert "Er zijn nog geen meetwaarden" in empty_page[0]
    assert ".venv/bin/kwartier import bestand.csv" in empty_page[0]


def test_who_is_not_signed_in_signs_in_and_lands_where_they_were_going(platform: Platform, open_page: Open) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    page = watched.page
    answer = page.goto(f"{platform.portal}{OCTOBER_DAY}")
    assert answer is not None
    assert answer.status == 401
    expect(page.get_by_role("status")).to_have_text("Meld u aan om deze pagina te zien.")
    page.get_by_role("link", name="Aanmelden").click()
    page.get_by_role("button", name="operator", exact=True).click()
    page.wait_for_url(f"{platform.portal}{OCTOBER_DAY}")
    expect(page.locator("h2.period")).to_have_text("zondag 25 oktober 2026")


def test_a_point_is_found_by_part_of_its_ean(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}/")
    for ean in (REAL, REAL_GAS, HOUSE, GAS_HOUSE, FACTORY):
        expect(page.locator(f".points a[href='/points/{ean}']")).to_have_count(1)
    page.get_by_label("Zoek op EAN").fill("678905")
    page.get_by_role("button", name="Zoek").click()
    expect(page.locator(".points li")).to_have_count(1)
    page.locator(".points a").click()
    page.wait_for_url(f"{platform.portal}/points/{REAL}/day/2021-10-31")
    page.goto(f"{platform.portal}/?q=999999")
    expect(page.get_by_role("status")).to_contain_text("Geen punt met meetwaarden bevat 999999.")
    page.goto(f"{platform.portal}/?q={HOUSE}")
    page.wait_for_url(f"{platform.portal}/points/{HOUSE}/day/2026-10-25")


def test_the_october_day_shows_every_value_of_the_file_and_both_hours(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}{OCTOBER_DAY}")
    file = DATA / "portal_nl_digital_quarter_october.csv"
    offtake, injection = (lines_of(file, "25-10-2026", side) for side in ("Afname", "Injectie"))
    found = rows(page)
    assert len(found) == len(offtake) == 100
    # The file interleaves the hour that comes twice; the page is in order of time.
    assert sorted((cells[0][:5], cells[1]) for cells in found) == sorted((at, value or "–") for at, value, _ in offtake)
    assert sorted((cells[0][:5], cells[3]) for cells in found) == sorted(
        (at, value or "–") for at, value, _ in injection
    )
    assert [cells[0] for cells in found][8:16] == [
        f"02:{minute} {season}" for season in ("zomertijd", "wintertijd") for minute in ("00", "15", "30", "45")
    ]
    assert {cells[2] for cells in found} == {"uitgelezen", "geschat", "geen meting"}
    expect(page.locator(".note")).to_contain_text("deze dag telt 25 uur")


def test_the_march_day_has_92_rows(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}/points/{HOUSE}/day/2026-03-29")
    labels = [cells[0] for cells in rows(page)]
    assert (len(labels), labels[7], labels[8]) == (92, "01:45", "03:00")


def test_states_and_missing_values_of_a_real_file_are_shown_as_they_are(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}/points/{REAL}/day/2021-10-14")
    words = {"Gevalideerd": "gevalideerd", "Geschat": "geschat", "Geen verbruik": "geen meting"}
    file = DATA / "real" / "portal_nl_2021_electricity_quarter.csv"
    expected = [(at, value or "–", words[state]) for at, value, state in lines_of(file, "14-10-2021", "Afname")]
    assert [(cells[0], cells[1], cells[2]) for cells in rows(page)] == expected
    expect(page.locator(".totals li").first).to_contain_text(
        "Onvolledig: 72 van 96 kwartieren; 24 ontbreken; 36 geschat"
    )
    chart = page.locator(".plot svg.wide")
    expect(chart.locator(".missing_marks path")).to_have_count(3)
    expect(chart.locator(".estimated_offtake_marks path")).to_have_count(36)
    expect(chart.locator(".offtake_marks:not([class*=estimated]) path")).to_have_count(36)


def test_patterns_mark_gaps_and_estimates_besides_colour(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}/points/{REAL}/day/2021-10-14")
    for layer, pattern in (("missing", "missing"), ("estimated_offtake", "estimated_offtake")):
        shape = page.locator(f".plot svg.wide .{layer}_marks path").first
        assert shape.evaluate("each => getComputedStyle(each).fill") == f'url("#{pattern}")'
        assert page.locator(f"pattern#{pattern}").count() == 1


def test_a_month_tells_an_incomplete_day_from_an_empty_one(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}/points/{REAL}/month/2021-10-01")
    by_day = {cells[0]: cells[1:] for cells in rows(page)}
    assert len(by_day) == 31
    assert by_day["do 14 okt"][:2] == ["1,628", "onvolledig: 36 van 60 kwartieren"]
    assert by_day["vr 1 okt"][:2] == ["–", "geen meting"]
    assert by_day["ma 25 okt"][:2] == ["0,455", "geschat"]
    page.get_by_role("link", name="do 14 okt").click()
    page.wait_for_url(f"{platform.portal}/points/{REAL}/day/2021-10-14")


def test_a_week_runs_from_monday_to_sunday_and_neighbours_are_one_click_away(
    platform: Platform, open_page: Open
) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}/points/{REAL}/week/2021-10-20")
    expect(page.locator("h2.period")).to_have_text("Week 42, 18 oktober 2021 tot en met 24 oktober 2021")
    assert [cells[0] for cells in rows(page)][::6] == ["ma 18 okt", "zo 24 okt"]
    page.get_by_role("link", name="Vorige week").click()
    page.wait_for_url(f"{platform.portal}/points/{REAL}/week/2021-10-11")
    page.get_by_role("link", name="Maand", exact=True).click()
    page.wait_for_url(f"{platform.portal}/points/{REAL}/month/2021-10-01")


def test_gas_is_shown_in_hours_of_the_gas_day_in_kwh_and_m3(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}/points/{REAL_GAS}/day/2022-01-10")
    found = rows(page)
    assert (len(found), found[0][0], found[-1][0]) == (24, "06:00", "05:00")
    assert found[1] == ["07:00", "5,445", "gevalideerd, voorlopig", "0,495", "gevalideerd"]
    assert found[0][1:] == ["–", "geen meting", "–", "geen meting"]
    expect(page.locator("figure.chart h3")).to_have_text(["Energie gas", "Volume gas"])
    page.goto(f"{platform.portal}/points/{GAS_HOUSE}/day/2026-10-24")
    assert [cells[0] for cells in rows(page)][19:23] == ["01:00", "02:00 zomertijd", "02:00 wintertijd", "03:00"]


def test_an_amr_point_has_a_chart_for_each_quantity(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}/points/{FACTORY}/day/2026-10-25")
    expect(page.locator("figure.chart h3")).to_have_text(
        ["Actieve energie", "Reactieve energie", "Inductieve energie", "Capacitieve energie"]
    )
    assert len(rows(page)) == 100


@pytest.mark.parametrize("day", ["2020-01-01", "2026-10-24", "2099-12-31"])
def test_where_there_is_nothing_it_says_where_the_data_lies(platform: Platform, open_page: Open, day: str) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}/points/{HOUSE}/day/{day}")
    panel = page.locator(".panel")
    expect(panel).to_contain_text("Dit punt heeft meetwaarden van 29 maart 2026 tot en met 25 oktober 2026.")
    panel.get_by_role("link").click()
    expect(page.locator("#readings")).to_be_visible()


def test_a_date_that_was_filled_in_is_shown(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}/points/{HOUSE}/month/2026-10-01")
    page.get_by_label("Ga naar datum").fill("2026-03-29")
    page.get_by_role("button", name="Toon").click()
    page.wait_for_url(f"{platform.portal}/points/{HOUSE}/month/2026-03-01")


@pytest.mark.parametrize(("language", "button"), [("nl", "CSV per kwartier"), ("en", "CSV per quarter-hour")])
def test_the_csv_is_the_file_of_export_byte_for_byte(
    platform: Platform, open_page: Open, language: str, button: str
) -> None:
    page = open_page(locale=language).page
    page.goto(f"{platform.portal}{OCTOBER_DAY}")
    with page.expect_download() as waiting:
        page.get_by_role("link", name=button).click()
    query = {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-25", "granularity": "quarter", "lang": language}
    expected = httpx.get(
        f"{platform.export}/files/portal-csv",
        params=query,
        headers=platform.operator("export/files.read"),
        trust_env=False,
    ).raise_for_status()
    assert waiting.value.path().read_bytes() == expected.content
    assert waiting.value.suggested_filename in expected.headers["content-disposition"]
    if language == "nl":
        assert expected.content == (DATA / "portal_nl_digital_quarter_october.csv").read_bytes()
