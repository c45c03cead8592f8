"""The page of arrivals, in a real browser: it climbs while readings come in, and goes on after the watch was away."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, expect

from market.local_time import BRUSSELS
from tests.browser_room import PHONE, Platform, Watched
from tests.metering_room import new_ean

pytestmark = pytest.mark.browser

Open = Callable[..., Watched]
YESTERDAY = datetime.now(BRUSSELS).date() - timedelta(days=1)


def line(value: int | None) -> str:
    """A reading of yesterday of a point of its own."""
    reading = {
        "source_at": datetime.now(UTC).isoformat(),
        "ean": new_ean(),
        "meter_kind": "DIGITAL",
        "channel": "OFFTAKE_ACTIVE_DAILY",
        "day": YESTERDAY.isoformat(),
        "values": [value],
    }
    return json.dumps(reading) + "\n"


def counts(row: Locator) -> tuple[int, int, int]:
    """The blocks of a day that the page shows now: begun, complete, open."""
    if row.count() == 0:
        return 0, 0, 0
    begun, complete, still_open = (row.get_by_role("cell").nth(place).inner_text() for place in (1, 2, 3))
    return int(begun), int(complete.split()[0]), int(still_open)


def test_what_arrives_shows_without_loading_again(
    platform: Platform, open_page: Open, tmp_path_factory: pytest.TempPathFactory
) -> None:
    watched = open_page(locale="en-GB")
    page = watched.page
    page.goto(f"{platform.portal}/live")
    expect(page.get_by_role("heading", name="What arrives", level=1)).to_be_visible()
    row = page.get_by_role("row").filter(has_text=f"{YESTERDAY.day} {YESTERDAY:%b}").filter(has_text="Electricity")
    begun, complete, still_open = counts(row)  # other tests have brought readings of that day too
    file = tmp_path_factory.mktemp("arriving") / "day.ndjson"
    file.write_text(line(7) + line(0) + line(None))
    platform.kwartier("import", str(file))
    expect(row.get_by_role("cell").nth(1)).to_have_text(str(begun + 3), timeout=20_000)
    expect(row.get_by_role("cell").nth(2)).to_have_text(re.compile(rf"^{complete + 2} "))
    expect(row.get_by_role("cell").nth(3)).to_have_text(str(still_open + 1))
    expect(page.get_by_role("row").filter(has_text="kwartier")).to_contain_text("just now")
    expect(page.get_by_text("Oldest gap · Electricity")).to_be_visible()


@pytest.mark.parametrize(
    ("locale", "title"), [("nl-BE", "Wat er binnenkomt"), ("en-GB", "What arrives"), ("fr-BE", "Ce qui arrive")]
)
def test_it_fits_a_phone_in_each_language(platform: Platform, open_page: Open, locale: str, title: str) -> None:
    page = open_page(locale=locale, viewport=PHONE).page
    page.goto(f"{platform.portal}/live")
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_while_the_watch_is_away_the_page_says_so_and_goes_on_by_itself(platform: Platform, open_page: Open) -> None:
    page = open_page(locale="en-GB").page
    page.goto(f"{platform.portal}/live")
    expect(page.get_by_text("In the last hour").first).to_be_visible()
    watch = platform.process_id("metering-watch")
    os.kill(watch, signal.SIGSTOP)
    try:
        expect(page.get_by_text("What arrives cannot be seen just now")).to_be_visible(timeout=40_000)
    finally:
        os.kill(watch, signal.SIGCONT)
    expect(page.get_by_text("In the last hour").first).to_be_visible(timeout=40_000)


def test_it_is_for_operators_alone(platform: Platform, open_page: Open) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    answer = watched.page.goto(f"{platform.portal}/live/stream")
    assert answer is not None
    assert answer.status == 401
