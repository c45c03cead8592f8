"""Coming in, going out, and what happens when something behind the portal is away."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable

import httpx
import psycopg
import pytest
from playwright.sync_api import expect

from tests.browser_room import Platform, Watched, sign_in

pytestmark = pytest.mark.browser

HOUSE_DAY = "/points/541448800000000017/day/2026-10-25"
Open = Callable[..., Watched]


def test_who_signs_out_is_out(platform: Platform, open_page: Open) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    page = watched.page
    sign_in(page, platform)
    session = next(each for each in page.context.cookies() if each["name"] == "kwartier_session")
    assert (session["httpOnly"], session["sameSite"]) == (True, "Lax")
    page.get_by_role("button", name="Afmelden").click()
    expect(page.get_by_role("status")).to_have_text("U bent afgemeld.")
    old = {"kwartier_session": session["value"]}
    with httpx.Client(trust_env=False, cookies=old) as thief:
        assert thief.get(f"{platform.portal}{HOUSE_DAY}").status_code == 401


def test_a_session_that_ended_says_so_and_leads_back(platform: Platform, open_page: Open) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    page = watched.page
    sign_in(page, platform)
    database = json.loads((platform.state / "endpoints.json").read_text())["database"]
    with psycopg.connect(database) as connection:
        newest = "select id_hash from portal.session order by started_at desc limit 1"
        connection.execute(f"update portal.session set expires_at = now() where id_hash = ({newest})")
    page.goto(f"{platform.portal}{HOUSE_DAY}")
    expect(page.get_by_role("status")).to_contain_text("Uw sessie is verlopen.")
    page.get_by_role("link", name="Aanmelden").click()
    page.get_by_role("button", name="operator", exact=True).click()
    page.wait_for_url(f"{platform.portal}{HOUSE_DAY}")


def test_a_person_without_the_role_is_told_so(platform: Platform, open_page: Open) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    page = watched.page
    page.goto(f"{platform.portal}/")
    page.locator("a.button").click()
    page.locator("input[name=sub]").fill("visitor")
    page.get_by_role("button", name="Authorize").click()
    expect(page.locator("h1")).to_have_text("U hebt hier geen toegang toe")
    page.get_by_role("button", name="Afmelden").click()
    expect(page.get_by_role("status")).to_have_text("U bent afgemeld.")


def test_who_declines_at_the_provider_may_try_again(platform: Platform, open_page: Open) -> None:
    watched = open_page(is_signed_in=False)
    watched.expects_errors = True
    page = watched.page
    page.goto(f"{platform.portal}/")
    page.locator("a.button").click()
    page.get_by_role("button", name="Deny").click()
    expect(page.locator("h1")).to_have_text("Aanmelden is niet gelukt")


def test_a_form_of_another_site_signs_nobody_out(platform: Platform, open_page: Open) -> None:
    page = open_page(is_signed_in=False).page
    sign_in(page, platform)
    cookies = {each["name"]: each["value"] for each in page.context.cookies(platform.portal)}
    with httpx.Client(trust_env=False, cookies=cookies) as other:
        assert other.post(f"{platform.portal}/sign-out", data={"form_token": "guessed"}).status_code == 403
        assert other.get(f"{platform.portal}/").status_code == 200


def test_an_answer_of_the_provider_serves_only_the_browser_that_asked(platform: Platform, open_page: Open) -> None:
    assert open_page is not None
    with httpx.Client(trust_env=False) as client, httpx.Client(trust_env=False) as victim:
        left = client.get(f"{platform.portal}/sign-in")
        chosen = client.post(left.headers["location"], data={"sub": "operator"})
        back = chosen.headers["location"]
        assert victim.get(back).status_code == 400
        assert client.get(back).status_code == 400  # spent by the attempt


def test_nobody_is_led_elsewhere(platform: Platform, open_page: Open) -> None:
    assert open_page is not None
    with httpx.Client(trust_env=False) as client:
        answer = client.get(f"{platform.portal}/language/fr", params={"to": "//elsewhere.example/"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_export_away_is_a_page_that_says_to_try_again(platform: Platform, open_page: Open) -> None:
    watched = open_page(locale="fr-BE")
    watched.expects_errors = True
    page = watched.page
    os.kill(platform.process_id("export"), signal.SIGKILL)
    answer = page.goto(f"{platform.portal}{HOUSE_DAY}")
    assert answer is not None
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    expect(page.locator("h1")).to_have_text("Les mesures sont momentanément inaccessibles")
    platform.kwartier("up", "--empty", "--detach")
    page.get_by_role("link", name="Réessayer").click()
    expect(page.locator("#readings tbody tr")).to_have_count(100)


def test_no_log_holds_an_ean_a_token_or_a_session(platform: Platform, open_page: Open) -> None:
    page = open_page().page
    page.goto(f"{platform.portal}{HOUSE_DAY}")
    sessions = [each["value"] for each in page.context.cookies(platform.portal) if "session" in each["name"]]
    logs = list((platform.state / "logs").glob("*.log"))
    assert "portal.log" in {log.name for log in logs}
    for log in logs:
        text = log.read_text(errors="replace")
        assert not re.search(r"(?<!\d)5414\d{14}(?!\d)", text), log.name
        assert "eyJ" not in text, log.name
        assert not any(session in text for session in sessions), log.name
    metrics = httpx.get(f"{platform.portal}/metrics", trust_env=False).text
    assert 'route="/points/{ean}/{view}/{day}"' in metrics
    assert "5414488" not in metrics
