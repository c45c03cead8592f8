"""The platform with real files in it, and a real browser that looks at its portal."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browser_room import DATA, DESK, Platform, Watched, kwartier, sign_in, watch
from tests.browser_world import World, populate

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

    def open_one(*, is_signed_in: bool = True, locale: str = "nl-BE", beside: str = "none:", **more: Any) -> Watched:
        state = signed_in if is_signed_in else None
        context = browser.new_context(storage_state=state, locale=locale, **{"viewport": DESK, **more})
        watched = watch(context, platform, beside=beside)
        opened.append((context, watched))
        return watched

    yield open_one
    for context, watched in opened:
        context.close()
        assert watched.faults == []


@pytest.fixture(scope="session")
def world(platform: Platform, signed_in: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """People with points of their own, and a holder's client; next to the files."""
    assert signed_in is not None
    return populate(platform, tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def holders_site(world: World) -> Iterator[str]:
    """The root of a web site of the holder on this machine, where its links may lead back to."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>holder</title><h1>Back at the holder</h1>")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        root = f"http://127.0.0.1:{server.server_port}/"
        world.return_root(root)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield root
        server.shutdown()
