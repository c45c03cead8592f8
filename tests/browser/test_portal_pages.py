"""The portal as an operator sees it, in a real browser, on the whole running platform."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser_room import DATA, PHONE, Platform, Watched

pytestmark = pytest.mark.browser

REAL, REAL_GAS = "541448812345678905", "541448812345678912"
HOUSE, GAS_HOUSE, FACTORY = "541448800000000017", "541448800000000024", "541448800000000031"
OCTOBER_DAY = f"/points/{HOUSE}/day/2026-10-25"
Open = Callable[..., Watched]


def rows(page: Page) -> list[list[str]]:
    """The cells of the table's body as text."""
    found: list[list[str]] = page.eval_on_selector_all(
        "#readings tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return found


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
    expect(page.locator(".points li")).to_have_count(5)
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


def test_the_cursor_says_the_values_by_keys(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}{OCTOBER_DAY}")
    plot, readout = page.locator(".plot"), page.locator(".readout")
    expect(readout).to_have_attribute("aria-live", "polite")
    plot.focus()
    first, second, last = (rows(page)[index] for index in (0, 1, 99))

    def says(cells: list[str]) -> None:
        at, offtake, of_state, injection, in_state = cells
        expect(readout).to_have_text(
            f"{at} · Afname: {offtake} kWh, {of_state} · Injectie: {injection} kWh, {in_state}"
        )

    for key, cells in (
        ("ArrowRight", first),
        ("ArrowRight", second),
        ("ArrowLeft", first),
        ("End", last),
        ("Home", first),
    ):
        page.keyboard.press(key)
        says(cells)
    expect(page.locator(".plot svg.wide .band")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".plot svg.wide .band")).to_be_hidden()


def test_the_cursor_follows_the_mouse(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}{OCTOBER_DAY}")
    bar = page.locator(".plot svg.wide .offtake_marks path").nth(63)
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    at, value, *_ = [cells for cells in rows(page) if cells[2] == "uitgelezen"][63]
    expect(page.locator(".readout")).to_contain_text(f"{at} · Afname: {value} kWh, uitgelezen")


def test_the_cursor_follows_a_finger_on_a_phone(platform: Platform, open_page: Open) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True).page
    page.goto(f"{platform.portal}{OCTOBER_DAY}")
    bar = page.locator(".plot svg.narrow .offtake_marks path").nth(40)
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    at, value, *_ = [cells for cells in rows(page) if cells[2] == "uitgelezen"][40]
    expect(page.locator(".readout")).to_contain_text(f"{at} · Afname: {value} kWh, uitgelezen")


def test_it_works_without_script(platform: Platform, open_page: Open) -> None:
    page = open_page(is_signed_in=False, java_script_enabled=False).page
    page.goto(f"{platform.portal}/")
    page.get_by_role("link", name="Aanmelden").click()
    page.get_by_role("button", name="operator", exact=True).click()
    page.wait_for_url(f"{platform.portal}/")
    page.get_by_role("link", name=re.compile("0000 ?0000 ?17|0000000017")).click()
    expect(page.locator(".plot svg.wide")).to_be_visible()
    expect(page.locator(".readout")).to_be_hidden()
    expect(page.locator("#readings tbody tr")).to_have_count(100)
    page.get_by_role("link", name="Week", exact=True).click()
    expect(page.locator("#readings tbody tr")).to_have_count(7)


PATHS = [
    "/",
    "/?q=999999",
    OCTOBER_DAY,
    f"/points/{FACTORY}/day/2026-10-25",
    f"/points/{REAL}/week/2021-10-18",
    f"/points/{REAL}/month/2021-10-01",
    f"/points/{REAL_GAS}/day/2022-01-12",
    f"/points/{HOUSE}/day/2027-01-01",
    "/points/541448800000000055",
    "/no/such/page",
]


@pytest.mark.parametrize("locale", ["nl-BE", "en-GB", "fr-BE"])
def test_a_phone_never_scrolls_sideways(platform: Platform, open_page: Open, locale: str) -> None:
    watched = open_page(viewport=PHONE, locale=locale)
    watched.expects_errors = True
    page = watched.page
    for path in PATHS:
        page.goto(f"{platform.portal}{path}")
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, path
        assert page.locator("html").get_attribute("lang") == locale[:2]
        assert page.locator("h1").count() == 1
    page.goto(f"{platform.portal}{OCTOBER_DAY}")
    assert page.locator(".scroller").evaluate("each => each.scrollWidth > each.clientWidth")


def test_the_language_is_that_of_the_browser_until_one_is_chosen(platform: Platform, open_page: Open) -> None:
    page = open_page(locale="fr-BE").page
    page.goto(f"{platform.portal}{OCTOBER_DAY}")
    expect(page.locator("h2.period")).to_have_text("dimanche 25 octobre 2026")
    value = rows(page)[5][1]
    page.get_by_role("link", name="English").click()
    page.wait_for_url(f"{platform.portal}{OCTOBER_DAY}")
    expect(page.locator("h2.period")).to_have_text("Sunday 25 October 2026")
    assert rows(page)[5][1] == value.replace(",", ".")
    assert "," in value


def test_it_prints_the_chart_and_the_table_without_what_only_a_screen_needs(
    platform: Platform, open_page: Open
) -> None:
    page = open_page(viewport=PHONE).page
    page.goto(f"{platform.portal}{OCTOBER_DAY}")
    page.emulate_media(media="print")
    expect(page.locator(".plot svg.wide")).to_be_visible()
    expect(page.locator("#readings")).to_be_visible()
    for hidden in (".tools", ".periods", ".download", ".plot svg.narrow"):
        expect(page.locator(hidden)).to_be_hidden()


def test_everything_can_be_reached_and_has_a_name(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    for path in ("/", OCTOBER_DAY):
        page.goto(f"{platform.portal}{path}")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        nameless = page.eval_on_selector_all(
            "a, button, input:not([type=hidden]), svg[role=img]",
            "all => all.filter(each => !(each.ariaLabel || each.innerText || each.labels?.length)).length",
        )
        assert nameless == 0
        levels = [
            int(each[1]) for each in page.eval_on_selector_all("h1,h2,h3", "all => all.map(each => each.tagName)")
        ]
        assert levels[0] == 1
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/no/such/page", "Deze pagina bestaat niet"),
        ("/points/541448800000000018", "Dit is geen geldige EAN"),
        ("/points/541448800000000055", "Dit punt heeft geen meetwaarden"),
        (f"/points/{HOUSE}/day/2026-02-30", "Deze datum bestaat niet"),
        (f"/points/{HOUSE}/year/2026-02-01", "Deze pagina bestaat niet"),
    ],
)
def test_a_wrong_address_says_what_is_wrong_with_it(platform: Platform, open_page: Open, path: str, words: str) -> None:
    watched = open_page()
    watched.expects_errors = True
    answer = watched.page.goto(f"{platform.portal}{path}")
    assert answer is not None
    assert answer.status == 404
    expect(watched.page.locator("h1")).to_have_text(words)
