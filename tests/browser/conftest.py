"""The platform with real files in it, and a real browser that looks at its portal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browser_room import DATA, DESK, Platform, Watched, kwartier, sign_in, watch

FILES = (
    DATA / "real" / "portal_nl_2021_electricity_quarter.csv",
    DATA / "real" / "portal_nl_2022_gas_hour.csv",
    DATA / "portal_nl_digital_quarter_october.csv",
    DATA / "portal_nl_digital_quarter_march.csv",
    DATA / "portal_nl_gas_hour_october.csv",
    DATA / "portal_nl_amr_quarter_october.csv",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform without a reading in it."""
    state = tmp_path_factory.mktemp("platform") / "state"
    kwartier("up", "--empty", "--detach", "--state", str(state))
    try:
        endpoints = json.loads((state / "endpoints.json").read_text())
        yield Platform(state, endpoints["portal"], endpoints["export"], endpoints["oidc"])
    finally:
        kwartier("down", "--state", str(state))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, or one that was installed otherwise."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(f"no browser: install chromium (looked for {', '.join(BROWSERS)})", pytrace=False)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def empty_page(platform: Platform, browser: Browser) -> tuple[str, Any]:
    """What the portal shows before anything was imported, and the cookies of who looked."""
    context = browser.new_context(locale="nl-BE")
    page = watch(context, platform).page
    sign_in(page, platform)
    found = page.locator("main").inner_text(), context.storage_state()
    context.close()
    return found


@pytest.fixture(scope="session")
def signed_in(platform: Platform, empty_page: tuple[str, Any]) -> Any:
    """The cookies of a signed-in operator, once the files can be queried."""
    platform.kwartier("import", *map(str, FILES))
    platform.kwartier("wait")
    return empty_page[1]


@pytest.fixture
def open_page(browser: Browser, platform: Platform, signed_in: Any) -> Iterator[Callable[..., Watched]]:
    """Open a page, signed in unless said otherwise. Afterwards no page may have broken its own rules."""
    opened: list[tuple[BrowserContext, Watched]] = []

    def open_one(*, is_signed_in: bool = True, locale: str = "nl-BE", **more: Any) -> Watched:
        state = signed_in if is_signed_in else None
        context = browser.new_context(storage_state=state, locale=locale, **{"viewport": DESK, **more})
        watched = watch(context, platform)
        opened.append((context, watched))
        return watched

    yield open_one
    for context, watched in opened:
        context.close()
        assert watched.faults == []
