"""The two local issuers as real processes: what they give is trusted, and they give nothing to strangers."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from eventlog.trust import Authenticator, NotAuthenticated, ServiceToken, TrustedIssuer
from stack.identity import client_entry
from stack.people import people_issuer
from stack.ports import free_ports

CLIENTS = [
    client_entry("export", "the secret of export", ["service"], ["metering/blocks.read", "metering/points.read"]),
    client_entry("kwartier", "the secret of kwartier", ["operator"], ["metering/readings.write", "export/files.read"]),
]


@dataclass(frozen=True)
class Identity:
    url: str
    state: Path
    process: subprocess.Popen[bytes]

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def trusted(self) -> TrustedIssuer:
        keys = f"{self.url}/.well-known/jwks.json"
        return TrustedIssuer(issuer=self.url, jwks_url=keys, roles=("service", "operator"))

    def ask(self, client: tuple[str, str], **form: str) -> httpx.Response:
        fields = {"grant_type": "client_credentials", **form}
        return httpx.post(self.token_url, data=fields, auth=client, trust_env=False)


def start(module: str, url: str, **environment: str) -> subprocess.Popen[bytes]:
    """A process of `module` that answers at `url`."""
    process = subprocess.Popen([sys.executable, "-m", module], env={**os.environ, **environment})
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return process
    process.kill()
    process.wait()
    raise AssertionError(f"{module} does not answer")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=20)


def start_identity(folder: Path, port: int) -> Identity:
    clients = folder / "clients.json"
    clients.write_text(json.dumps(CLIENTS), encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    environment = {
        "IDENTITY_PORT": str(port),
        "IDENTITY_CLIENTS_FILE": str(clients),
        "IDENTITY_STATE_DIR": str(folder / "state"),
    }
    return Identity(url, folder / "state", start("stack.identity", f"{url}/livez", **environment))


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Identity]:
    found = start_identity(tmp_path_factory.mktemp("identity"), free_ports(1)[0])
    yield found
    stop(found.process)


@pytest.fixture(scope="module")
def people_url() -> Iterator[str]:
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    process = start("stack.people", f"{url}/.well-known/openid-configuration", PEOPLE_PORT=str(port))
    yield url
    stop(process)


async def test_a_service_s_token_opens_the_service_it_asked_for(identity: Identity) -> None:
    token = await ServiceToken(identity.token_url, "export", "the secret of export").bearer("metering", "blocks.read")
    caller = await Authenticator([identity.trusted], "metering").authenticate(f"Bearer {token}")
    assert (caller.subject, caller.roles, caller.scopes) == ("export", {"service"}, {"blocks.read"})


async def test_a_service_s_token_opens_no_other_service(identity: Identity) -> None:
    token = await ServiceToken(identity.token_url, "export", "the secret of export").bearer("metering", "blocks.read")
    with pytest.raises(NotAuthenticated):
        await Authenticator([identity.trusted], "register").authenticate(f"Bearer {token}")


async def test_a_token_is_kept_per_audience_and_scope_until_a_minute_before_its_end(identity: Identity) -> None:
    seconds = 0.0
    tokens = ServiceToken(identity.token_url, "export", "the secret of export", monotonic=lambda: seconds)
    first = await tokens.bearer("metering", "blocks.read")
    seconds = 3539.0
    assert await tokens.bearer("metering", "blocks.read") == first
    assert await tokens.bearer("metering", "points.read") != first
    seconds = 3541.0
    assert await tokens.bearer("metering", "blocks.read") != first


async def test_a_wrong_secret_gets_no_token(identity: Identity) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await ServiceToken(identity.token_url, "export", "guessed").bearer("metering", "blocks.read")


@pytest.mark.parametrize(
    ("client", "form", "status", "error"),
    [
        (("nobody", ""), {"scope": "metering/blocks.read"}, 401, "invalid_client"),
        (("export", ""), {"scope": "metering/blocks.read"}, 401, "invalid_client"),
        (("export", "the secret of export"), {"scope": "metering/readings.write"}, 400, "invalid_scope"),
        (("export", "the secret of export"), {}, 400, "invalid_scope"),
        (
            ("kwartier", "the secret of kwartier"),
            {"scope": "metering/readings.write export/files.read"},
            400,
            "invalid_scope",
        ),
        (("export", "the secret of export"), {"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_only_what_a_client_may_have_is_given(
    identity: Identity, client: tuple[str, str], form: dict[str, str], status: int, error: str
) -> None:
    answer = identity.ask(client, **form)
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert answer.headers["cache-control"] == "no-store"


def test_credentials_may_come_in_the_body(identity: Identity) -> None:
    fields = {"client_id": "export", "client_secret": "the secret of export", "scope": "metering/blocks.read"}
    answer = httpx.post(identity.token_url, data={"grant_type": "client_credentials", **fields}, trust_env=False)
    assert {name: answer.json()[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "metering/blocks.read",
    }


def test_the_public_keys_hold_no_private_part_and_the_private_file_is_the_owner_s_alone(identity: Identity) -> None:
    keys = httpx.get(f"{identity.url}/.well-known/jwks.json", trust_env=False).json()["keys"]
    assert [sorted(key) for key in keys] == [["alg", "crv", "kid", "kty", "use", "x", "y"]]
    assert stat.S_IMODE((identity.state / "identity-key.json").stat().st_mode) == 0o600


async def test_tokens_outlive_a_restart_of_the_issuer(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    first = start_identity(tmp_path, port)
    token = await ServiceToken(first.token_url, "export", "the secret of export").bearer("metering", "blocks.read")
    first.process.kill()
    first.process.wait()
    second = start_identity(tmp_path, port)
    caller = await Authenticator([second.trusted], "metering").authenticate(f"Bearer {token}")
    stop(second.process)
    assert caller.subject == "export"


def sign_in(url: str, subject: str) -> dict[str, Any]:
    """What a portal gets when `subject` signs in: the answer of the token endpoint."""
    callback = "http://127.0.0.1:1/callback"
    query = {"client_id": "portal", "response_type": "code", "redirect_uri": callback, "scope": "openid profile"}
    page = httpx.post(f"{url}/oauth2/authorize", params=query, data={"sub": subject}, trust_env=False)
    code = parse_qs(urlsplit(page.headers["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback}
    answer = httpx.post(f"{url}/oauth2/token", data=form, auth=("portal", "any"), trust_env=False)
    found: dict[str, Any] = answer.json()
    return found


async def test_the_id_token_of_the_operator_opens_a_service_that_trusts_people(people_url: str) -> None:
    authenticator = Authenticator([people_issuer(people_url)], "export")
    caller = await authenticator.authenticate(f"Bearer {sign_in(people_url, 'operator')['id_token']}")
    assert (caller.subject, caller.roles, caller.scopes, caller.is_person) == ("operator", {"operator"}, set(), True)


async def test_someone_else_who_signs_in_has_no_role(people_url: str) -> None:
    authenticator = Authenticator([people_issuer(people_url)], "export")
    caller = await authenticator.authenticate(f"Bearer {sign_in(people_url, 'anna')['id_token']}")
    assert (caller.subject, caller.roles) == ("anna", set())


async def test_the_access_token_of_a_person_is_no_token_for_us(people_url: str) -> None:
    authenticator = Authenticator([people_issuer(people_url)], "export")
    with pytest.raises(NotAuthenticated):
        await authenticator.authenticate(f"Bearer {sign_in(people_url, 'operator')['access_token']}")


async def test_a_service_that_trusts_machines_only_refuses_a_person(identity: Identity, people_url: str) -> None:
    id_token = sign_in(people_url, "operator")["id_token"]
    with pytest.raises(NotAuthenticated):
        await Authenticator([identity.trusted], "metering").authenticate(f"Bearer {id_token}")


@pytest.mark.parametrize("module", ["stack.identity", "stack.people"])
def test_without_settings_a_line_says_which_to_set(module: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("IDENTITY_", "PEOPLE_"))}
    result = subprocess.run([sys.executable, "-m", module], env=clean, capture_output=True, check=False, timeout=60)
    assert result.returncode == 1
    assert len(result.stderr.decode().splitlines()) == 1
    assert "set " in result.stderr.decode()
