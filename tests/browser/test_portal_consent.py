"""From a holder's link to its client's readings, and back: in a real browser, on the whole running platform."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from market.channel import Energy
from market.local_time import day_start
from tests.browser_room import Platform, Watched, sign_in
from tests.browser_world import DAYS_OF_ANOUK, GAS_HOME, HOME, SHARED, SOMEBODYS, World, days_ago

pytestmark = pytest.mark.browser

SEEN_WITHIN_SECONDS = 30.0
Open = Callable[..., Watched]


def path_of(link: str) -> str:
    return f"/verbruik/dienstverlener?id={link}"


def choose(page: Page, *eans: str) -> None:
    """Tick these points."""
    for ean in eans:
        page.locator(f"input[name=ean][value='{ean}']").check()


def agree(page: Page, *eans: str) -> None:
    """Pick the points, say yes."""
    choose(page, *eans)
    page.get_by_label("Ik ga ermee akkoord").check()
    page.get_by_role("button", name="Toestemming geven").click()


def ask_until(world: World, client: httpx.Client, ean: str, status: int) -> httpx.Response:
    """Ask as the holder's client until the answer has that status."""
    headers, deadline = world.client_headers(), time.monotonic() + SEEN_WITHIN_SECONDS
    while (answer := world.energy(client, ean, headers)).status_code != status:
        assert time.monotonic() < deadline, f"still {answer.status_code}, not {status}: {answer.text[:300]}"
        time.sleep(0.01)
    return answer


def test_from_the_holders_link_to_its_clients_readings_and_to_the_first_refusal(
    platform: Platform, world: World, holders_site: str, open_page: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    watched = open_page(is_signed_in=False, beside=holders_site)
    watched.expects_errors = True
    page = watched.page
    success = f"{holders_site}done?customer=17&ok=yes%20sir"
    link = world.link("FLOW-1", returns=(success, f"{holders_site}failed"))
    with httpx.Client(trust_env=False, timeout=30) as client:
        refused_before = ask_until(world, client, HOME, 404)
        sign_in(page, platform, "anouk", path=path_of(link))
        page.wait_for_url(f"{platform.portal}{path_of(link)}")
        asked = "Energiecoach Voorbeeld BV KBO 0999.975.176 vraagt uw meetwaarden te mogen lezen"
        expect(page.locator("h1")).to_have_text(asked)
        expect(page.locator(".agree")).to_contain_text("Energiecoach Voorbeeld BV KBO 0999.975.176")
        expect(page.locator("main")).to_contain_text("FLOW-1")
        agree(page, HOME)
        page.wait_for_url(success)

        answer = ask_until(world, client, HOME, 200)
        (meter,) = answer.json()["data"]["headpoint"]["physicalMeters"]
        quarters = meter["quarterHourlyEnergy"]
        moved_in = day_start(Energy.ELECTRICITY, days_ago(DAYS_OF_ANOUK[0])).astimezone(UTC)
        assert datetime.fromisoformat(quarters[0]["start"]) == moved_in
        assert {each["measurements"][0]["offtake"]["total"]["value"] for each in quarters} == {0.05}

        page.goto(f"{platform.portal}/")
        page.locator(".permission", has_text="FLOW-1").get_by_role("link", name="intrekken").click()
        expect(page.locator("h1")).to_have_text("Toestemming intrekken?")
        with page.expect_response(lambda each: each.request.method == "POST"):
            page.get_by_role("button", name="Ja, trek in").click()
        withdrawn_at = time.monotonic()
        refused = ask_until(world, client, HOME, 404)
        took = time.monotonic() - withdrawn_at
        expect(page.locator("h1")).to_have_text("De toegang is meteen beëindigd")
        assert refused.json() == refused_before.json()
        assert refused.json()["Code"] == "NoData"
        for _ in range(20):
            assert ask_until(world, client, HOME, 404).status_code == 404
    with capsys.disabled():
        sys.stdout.write(f"\nthe first refused read came {took * 1000:.0f} ms after the answer to the click\n")


def test_a_link_serves_once_and_says_so_afterwards(platform: Platform, world: World, open_page: Open) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    page = watched.page
    link = world.link("ONCE-1", points=1)
    sign_in(page, platform, "anouk", path=path_of(link))
    agree(page, GAS_HOME)
    expect(page.locator("h1")).to_have_text("Uw toestemming is gegeven")
    page.reload()
    expect(page.locator("h1")).to_have_text("Uw toestemming is gegeven")
    answer = page.goto(f"{platform.portal}{path_of(link)}")
    assert answer is not None
    assert answer.status == 410
    expect(page.locator("h1")).to_have_text("Deze link is al gebruikt")
    page.goto(f"{platform.portal}/")
    expect(page.locator(".permission", has_text="ONCE-1")).to_have_count(1)


def test_who_refuses_gives_nothing(platform: Platform, world: World, holders_site: str, open_page: Open) -> None:
    watched = open_page(is_signed_in=False, beside=holders_site, java_script_enabled=False)
    watched.expects_errors = True
    page = watched.page
    failed = f"{holders_site}failed?why=no"
    link = world.link("NO-1", returns=(f"{holders_site}done", failed))
    sign_in(page, platform, "anouk", path=path_of(link))
    page.get_by_role("button", name="Weigeren").click()
    page.wait_for_url(failed)
    other = world.link("NO-2")
    page.goto(f"{platform.portal}{path_of(other)}")
    page.get_by_role("button", name="Weigeren").click()
    expect(page.locator("h1")).to_have_text("Er is niets gegeven")
    page.goto(f"{platform.portal}/")
    expect(page.locator("main")).not_to_contain_text("NO-1")
    expect(page.locator("main")).not_to_contain_text("NO-2")


def test_only_own_points_can_be_picked_and_no_more_than_asked(
    platform: Platform, world: World, open_page: Open
) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    page = watched.page
    link = world.link("PICK-1", points=2)
    sign_in(page, platform, "anouk", path=path_of(link))
    offered = page.locator("input[name=ean]").evaluate_all("all => all.map(each => each.value)")
    assert offered == [HOME, GAS_HOME]
    expect(page.locator(".others")).to_contain_text("U deelt dit punt met een andere netgebruiker")
    for ean, words in ((SHARED, "minstens één"), (SOMEBODYS, "minstens één")):
        page.locator("input[name=ean]").first.evaluate("(each, ean) => { each.value = ean }", ean)
        page.locator("input[name=ean]").first.check()
        page.get_by_label("Ik ga ermee akkoord").check()
        page.get_by_role("button", name="Toestemming geven").click()
        expect(page.get_by_role("alert")).to_contain_text(words)
    page.locator("input[name=agrees]").evaluate("each => { each.required = false }")
    choose(page, HOME)
    page.get_by_role("button", name="Toestemming geven").click()
    expect(page.get_by_role("alert")).to_contain_text("Vink aan dat u akkoord gaat")
    expect(page.locator(f"input[name=ean][value='{HOME}']")).to_be_checked()
    cookies = {each["name"]: each["value"] for each in page.context.cookies(platform.portal)}
    form = {"answer": "agree", "agrees": "yes", "ean": HOME, "form_token": "guessed"}
    with httpx.Client(trust_env=False, cookies=cookies) as other:
        assert other.post(f"{platform.portal}{path_of(link)}", data=form).status_code == 403
    page.goto(f"{platform.portal}/")
    expect(page.locator("main")).not_to_contain_text("PICK-1")


def test_a_link_for_one_point_takes_one(platform: Platform, world: World, open_page: Open) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    page = watched.page
    sign_in(page, platform, "anouk", path=path_of(world.link("ONE-1", points=1)))
    choose(page, HOME)
    page.locator("input[name=ean]").evaluate_all(
        "all => all.forEach(each => { each.type = 'checkbox'; each.checked = true })"
    )
    page.get_by_label("Ik ga ermee akkoord").check()
    page.get_by_role("button", name="Toestemming geven").click()
    expect(page.get_by_role("alert")).to_contain_text("meer punten dan gevraagd: hoogstens 1")


def test_a_link_that_is_too_old_or_never_was_changes_nothing(platform: Platform, world: World, open_page: Open) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    page = watched.page
    link = world.link("OLD-1")
    database = json.loads((platform.state / "endpoints.json").read_text())["database"]
    with psycopg.connect(database) as connection:
        expire = "update mandate.session set valid_to = now() - interval '1 hour' where session_id = %s"
        assert connection.execute(expire, [link]).rowcount == 1
    sign_in(page, platform, "anouk", path=path_of(link))
    expect(page.locator("h1")).to_have_text("Deze link is verlopen")
    for path in (path_of("a-link-that-never-was"), path_of(""), path_of("../x?"), "/verbruik/dienstverlener"):
        answer = page.goto(f"{platform.portal}{path}")
        assert answer is not None
        assert answer.status == 404
        expect(page.locator("h1")).to_have_text("Deze link bestaat niet")


@pytest.mark.parametrize(
    ("locale", "name", "title"),
    [
        ("nl-BE", "energiecoach", "Deze link is voor een netgebruiker"),
        ("en-GB", "operator", "This link is for a network user"),
        ("fr-BE", "energiecoach", "Ce lien est destiné à un utilisateur du réseau"),
    ],
)
def test_who_is_no_net_user_is_told_whom_the_link_is_for(
    platform: Platform, world: World, open_page: Open, locale: str, name: str, title: str
) -> None:
    watched = open_page(is_signed_in=False, locale=locale)
    watched.expects_errors = True
    sign_in(watched.page, platform, name, path=path_of(world.link("ROLE-1")))
    expect(watched.page.locator("h1")).to_have_text(title)
    expect(watched.page.locator("form.account button")).to_be_visible()


def test_a_person_without_a_point_is_told_what_to_do(platform: Platform, world: World, open_page: Open) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    page = watched.page
    sign_in(page, platform, "chloe", path=path_of(world.link("NONE-1")))
    expect(page.locator("main")).to_contain_text("Vraag dan uw energieleverancier")
    expect(page.locator("main")).to_contain_text("er wordt nu niets gegeven")
    expect(page.get_by_role("button", name="Toestemming geven")).to_have_count(0)
