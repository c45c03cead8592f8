"""The running platform as a person types and clicks at it, for the tests in a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Route

DATA = Path(__file__).parent / "data"
KWARTIER = Path(sys.executable).parent / "kwartier"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that runs; its portal, export and sign-in by their addresses."""

    state: Path
    portal: str
    export: str
    oidc: str

    def kwartier(self, *arguments: str) -> str:
        """Type a command against this platform and return what it prints."""
        return kwartier(*arguments, "--state", str(self.state))

    def address(self, service: str) -> str:
        """Where a service answers."""
        return str(json.loads((self.state / "endpoints.json").read_text())[service])

    def process_id(self, name: str) -> int:
        """The id of one of its processes."""
        processes = json.loads(self.kwartier("status", "--json"))["processes"]
        return next(int(each["pid"]) for each in processes if each["name"] == name)

    def operator(self, *scopes: str) -> dict[str, str]:
        """Headers with a token of the operator's machine."""
        machine = json.loads((self.state / "credentials.json").read_text())["operator"]
        form = {"grant_type": "client_credentials", "scope": " ".join(scopes)}
        credentials = (machine["client_id"], machine["client_secret"])
        answer = httpx.post(machine["token_url"], data=form, auth=credentials, trust_env=False)
        return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}


@dataclass(slots=True)
class Watched:
    """A page, and what it said and asked for that it should not have."""

    page: Page
    faults: list[str] = field(default_factory=list)
    expects_errors: bool = False


def kwartier(*arguments: str) -> str:
    """Type a command and return what it prints; somebody else's servers are not for these tests."""
    environment = {name: value for name, value in os.environ.items() if name not in ("KAFKA_BOOTSTRAP", "DATABASE_URL")}
    done = subprocess.run(
        [KWARTIER, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"kwartier {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


def sign_in(page: Page, platform: Platform, name: str = "operator", *, path: str = "/") -> None:
    """Through the provider's own page, as a person does."""
    page.goto(f"{platform.portal}{path}")
    page.locator("a.button").click()
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_selector("form.account", state="attached")


def watch(context: BrowserContext, platform: Platform, *, beside: str = "none:") -> Watched:
    """Note errors of scripts, refusals by policy, and requests of the portal's pages to another host.

    Addresses that begin with `beside` may be gone to as well.
    """
    watched = Watched(context.new_page())

    def noted(route: Route, request: Request) -> None:
        is_ours = request.url.startswith((platform.portal, platform.oidc, beside))
        if not is_ours and not request.frame.url.startswith(platform.oidc):
            watched.faults.append(f"asked for {request.url}")
        route.continue_() if is_ours else route.abort()

    def said(message: ConsoleMessage) -> None:
        is_ours = message.location["url"].startswith(platform.portal)
        is_answer = message.text.startswith("Failed to load resource: the server responded")
        if is_ours and message.type in ("error", "warning") and not (is_answer and watched.expects_errors):
            watched.faults.append(message.text)

    context.route("**/*", noted)
    watched.page.on("console", said)
    watched.page.on("pageerror", lambda error: watched.faults.append(str(error)))
    return watched


def rows(page: Page) -> list[list[str]]:
    """The cells of the table's body as text."""
    found: list[list[str]] = page.eval_on_selector_all(
        "#readings tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return found
