"""How the portal is used: cursor, phone, no script, languages, paper, keyboard, wrong addresses."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.browser_room import PHONE, Platform, Watched, rows

pytestmark = pytest.mark.browser

REAL, REAL_GAS = "541448812345678905", "541448812345678912"
HOUSE, FACTORY = "541448800000000017", "541448800000000031"
OCTOBER_DAY = f"/points/{HOUSE}/day/2026-10-25"
Open = Callable[..., Watched]


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
