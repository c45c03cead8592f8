"""Who sees which points and permissions: net users, holders and operators, in a real browser."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from itertools import pairwise

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from services.portal.wording import Language, wording
from tests.browser_room import PHONE, Platform, Watched, sign_in
from tests.browser_world import DAYS_OF_ANOUK, DAYS_OF_EARLIER, GAS_HOME, HOME, LEFT, SHARED, SOMEBODYS, World, days_ago

pytestmark = pytest.mark.browser

SEEN_WITHIN_SECONDS = 30.0
Open = Callable[..., Watched]


def signed_in_as(open_page: Open, platform: Platform, name: str, **more: object) -> Page:
    """A page of somebody who signed in."""
    watched = open_page(is_signed_in=False, **more)
    watched.expects_errors = True
    sign_in(watched.page, platform, name)
    return watched.page


@pytest.fixture(scope="session")
def allowed(world: World) -> str:
    """The reference under which the holder may read Anouk's home."""
    world.consent("SEEN-1", [HOME])
    return "SEEN-1"


def until_there(page: Page, found: Locator) -> None:
    """Load the page again until it shows `found`: export hears of a mandate a moment after it was given."""
    deadline = time.monotonic() + SEEN_WITHIN_SECONDS
    while found.count() == 0:
        assert time.monotonic() < deadline, "not there within the deadline"
        page.reload()


def eans_of(page: Page, selector: str) -> list[str]:
    texts: list[str] = page.locator(selector).all_inner_texts()
    return [re.sub(r"\D", "", text) for text in texts]


def test_a_net_user_sees_only_their_own_points(platform: Platform, world: World, open_page: Open) -> None:
    page = signed_in_as(open_page, platform, "anouk")
    expect(page.locator("h1")).to_have_text("Mijn punten")
    assert eans_of(page, ".own h2 .ean") == [HOME, GAS_HOME, SHARED, LEFT]
    expect(page.locator(f"#p{LEFT}")).to_contain_text("Netgebruiker van")
    page.goto(f"{platform.portal}/points")
    assert eans_of(page, ".points .ean") == [HOME]
    for path in (f"/points/{SOMEBODYS}", f"/points/{SOMEBODYS}/day/{days_ago(2)}", "/points/541448800000000017"):
        answer = page.goto(f"{platform.portal}{path}")
        assert answer is not None
        assert answer.status == 404
        expect(page.locator("h1")).to_have_text("Dit punt is niet bij de uwe")
    cookies = {each["name"]: each["value"] for each in page.context.cookies(platform.portal)}
    query = {"view": "day", "day": days_ago(2).isoformat(), "granularity": "quarter"}
    with httpx.Client(trust_env=False, cookies=cookies) as client:
        assert client.get(f"{platform.portal}/points/{SOMEBODYS}/csv", params=query).status_code == 404


def test_the_days_of_the_earlier_occupant_do_not_show(platform: Platform, world: World, open_page: Open) -> None:
    page = signed_in_as(open_page, platform, "anouk")
    page.get_by_role("link", name=f"Bekijk meetwaarden van {HOME}").click()
    page.wait_for_url(re.compile(f"/points/{HOME}/day/{days_ago(1)}"))
    expect(page.locator("#readings tbody tr").first).to_contain_text("0,050")
    page.goto(f"{platform.portal}/points/{HOME}/day/{days_ago(DAYS_OF_ANOUK[0])}")
    expect(page.locator("#readings tbody tr").first).to_contain_text("0,050")
    for days in DAYS_OF_EARLIER:
        page.goto(f"{platform.portal}/points/{HOME}/day/{days_ago(days)}")
        expect(page.locator("#no-data")).to_have_text("Geen meetwaarden in deze periode")
    for month in {days_ago(days).replace(day=1) for days in DAYS_OF_EARLIER}:
        page.goto(f"{platform.portal}/points/{HOME}/month/{month}")
        expect(page.locator("main")).not_to_contain_text("2,400")  # a day of 96 quarters of 25 Wh


def test_a_holder_sees_its_permissions_and_what_it_may_read(
    platform: Platform, world: World, allowed: str, open_page: Open
) -> None:
    page = signed_in_as(open_page, platform, "energiecoach")
    expect(page.locator("h1")).to_have_text("Toestemmingen")
    mine = page.locator("#active + .permissions .permission", has_text=allowed)
    expect(mine).to_contain_text("Kwartierwaarden en dagtotalen")
    expect(mine).to_contain_text("waarop de klant er netgebruiker is")
    world.wait_until_readable(HOME)
    page.reload()
    mine.get_by_role("link").click()
    page.wait_for_url(re.compile(f"/points/{HOME}/day/{days_ago(1)}"))
    expect(page.locator("#readings tbody tr").first).to_contain_text("0,050")
    page.goto(f"{platform.portal}/points/{HOME}/day/{days_ago(DAYS_OF_EARLIER[0])}")
    expect(page.locator("#no-data")).to_be_visible()
    page.goto(f"{platform.portal}/points/{SOMEBODYS}")
    expect(page.locator("h1")).to_have_text("Dit punt is niet bij de uwe")
    page.get_by_role("link", name="Meetwaarden", exact=True).click()
    expect(page.locator(f".points a[href='/points/{HOME}']")).to_be_visible()
    assert SOMEBODYS not in eans_of(page, ".points .ean")


def test_empty_pages_say_what_to_do_next(platform: Platform, world: World, open_page: Open) -> None:
    holder = signed_in_as(open_page, platform, "stroomspiegel")
    expect(holder.locator("#empty")).to_have_text("U hebt nog geen toestemmingen")
    expect(holder.locator(".command")).to_have_text("POST /esco-live/v3/api/shortUrlIdentifier")
    holder.goto(f"{platform.portal}/points")
    expect(holder.locator("#empty")).to_have_text("Er zijn nog geen meetwaarden te lezen")
    nobody = signed_in_as(open_page, platform, "chloe")
    expect(nobody.locator("#empty")).to_have_text("Er staat geen punt op uw naam")
    expect(nobody.locator("main")).to_contain_text("Vraag uw energieleverancier")


@pytest.mark.parametrize(
    ("name", "locale", "path", "words"),
    [
        ("anouk", "nl-BE", "/my-mandates", "Deze pagina is voor datatoegangshouders."),
        ("anouk", "en-GB", "/my-mandates", "This page is for data access holders."),
        ("energiecoach", "fr-BE", "/my-points", "Cette page est destinée aux utilisateurs du réseau."),
        ("operator", "en-GB", "/my-points", "This page is for network users."),
    ],
)
def test_a_page_of_another_role_says_whose_it_is(
    platform: Platform, world: World, open_page: Open, name: str, locale: str, path: str, words: str
) -> None:
    page = signed_in_as(open_page, platform, name, locale=locale)
    answer = page.goto(f"{platform.portal}{path}")
    assert answer is not None
    assert answer.status == 403
    expect(page.locator("main")).to_contain_text(words)


def test_nobody_withdraws_what_is_another_s(platform: Platform, world: World, allowed: str, open_page: Open) -> None:
    owner = signed_in_as(open_page, platform, "anouk")
    address = owner.locator(".permission", has_text=allowed).get_by_role("link").get_attribute("href")
    assert address is not None
    other = signed_in_as(open_page, platform, "bram")
    answer = other.goto(f"{platform.portal}{address}")
    assert answer is not None
    assert answer.status == 404
    expect(other.locator("h1")).to_have_text("Deze toestemming bestaat niet")
    for page, token, status in ((other, None, 404), (owner, "guessed", 403)):
        form_token = token or page.locator("input[name=form_token]").first.get_attribute("value") or ""
        cookies = {each["name"]: each["value"] for each in page.context.cookies(platform.portal)}
        with httpx.Client(trust_env=False, cookies=cookies) as client:
            posted = client.post(f"{platform.portal}{address}", data={"form_token": form_token})
            assert posted.status_code == status
    owner.reload()
    expect(owner.locator(".permission", has_text=allowed).locator(".badge")).to_have_text("actief")


def test_permissions_show_and_can_be_withdrawn_while_the_readings_are_away(
    platform: Platform, world: World, open_page: Open
) -> None:
    world.consent("AWAY-1", [GAS_HOME])
    page = signed_in_as(open_page, platform, "anouk")
    os.kill(platform.process_id("export"), signal.SIGKILL)
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("De meetwaarden zijn even niet bereikbaar.")
    page.locator(".permission", has_text="AWAY-1").get_by_role("link").click()
    page.get_by_role("button", name="Ja, trek in").click()
    expect(page.locator("h1")).to_have_text("De toegang is meteen beëindigd")
    platform.kwartier("up", "--empty", "--detach")
    page.goto(f"{platform.portal}/")
    expect(page.locator(f"#p{GAS_HOME} summary")).to_contain_text("beëindigde toestemming")


def test_day_totals_come_without_quarters_and_end_on_a_day_that_is_shown(
    platform: Platform, world: World, open_page: Open
) -> None:
    world.consent("DAYS-1", [SOMEBODYS], name="bram", kind="VH_dag")
    holder = signed_in_as(open_page, platform, "energiecoach")
    mine = holder.locator(".permission", has_text="DAYS-1").get_by_role("link")
    until_there(holder, mine)
    holder.goto(f"{platform.portal}/points/{SOMEBODYS}/week/{days_ago(2)}")
    expect(holder.locator(".download a")).to_have_count(1)
    expect(holder.locator(".download a")).to_have_attribute("href", re.compile("granularity=day"))
    giver = signed_in_as(open_page, platform, "bram")
    given = giver.locator(".permission", has_text="DAYS-1")
    expect(given.locator("h4")).to_have_text("Energiecoach Voorbeeld BV KBO 0999.975.176")
    given.get_by_role("link").click()
    giver.get_by_role("button", name="Ja, trek in").click()
    expect(giver.get_by_role("status")).to_contain_text("Energiecoach Voorbeeld BV KBO 0999.975.176 kan met deze")
    today = wording(Language.NL).plain_day(days_ago(0))
    expect(giver.locator(".facts")).to_contain_text(f"op {today}: ingetrokken door de netgebruiker")


@pytest.mark.parametrize("locale", ["nl-BE", "en-GB", "fr-BE"])
def test_no_page_about_permissions_scrolls_sideways_on_a_phone(
    platform: Platform, world: World, allowed: str, open_page: Open, locale: str
) -> None:
    link = f"/verbruik/dienstverlener?id={world.link('PHONE-1')}"
    for name, paths in {
        "anouk": ["/", link, "/points"],
        "energiecoach": ["/", "/points", link],
        "chloe": ["/", link],
    }.items():
        page = signed_in_as(open_page, platform, name, locale=locale, viewport=PHONE)
        found = page.locator(".permission a.button").first
        withdrawal = [found.get_attribute("href") or ""] if name == "anouk" else []
        for path in [*paths, *withdrawal]:
            page.goto(f"{platform.portal}{path}")
            wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            assert not wide, path
            assert page.locator("html").get_attribute("lang") == locale[:2]
            assert page.locator("h1").count() == 1
            levels = [
                int(each)
                for each in page.eval_on_selector_all("h1,h2,h3,h4", "all => all.map(each => each.tagName[1])")
            ]
            assert all(later - earlier <= 1 for earlier, later in pairwise(levels)), path
