"""An app that requires a caller answers 401, 403 and 503 with nothing in the body, and lets the right ones in."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from pydantic_settings import BaseSettings

from eventlog.trust import Authenticator, Caller, TrustedIssuer, answer_refusals, require

MACHINES, PEOPLE = "http://identity.test", "http://people.test"
KEY = ECKey.generate_key("P-256", {"kid": "first"})
PEOPLE_KEY = RSAKey.generate_key(2048)


async def fetch(url: str) -> Any:
    key: Any = KEY if url.startswith(MACHINES) else PEOPLE_KEY
    return {"keys": [key.as_dict(private=False)]}


async def fetch_nothing(url: str) -> Any:
    raise httpx.ConnectError(url)


def create_client(fetcher: Any = fetch) -> httpx.AsyncClient:
    issuers = [
        TrustedIssuer(issuer=MACHINES, jwks_url=f"{MACHINES}/jwks", roles=("service", "operator")),
        TrustedIssuer(
            issuer=PEOPLE,
            jwks_url=f"{PEOPLE}/jwks",
            roles=("operator", "service"),
            kind="people",
            audiences=("portal",),
            algorithms=("RS256",),
        ),
    ]
    authenticator = Authenticator(issuers, "export", fetch=fetcher)
    app = FastAPI()
    answer_refusals(app)
    read_files = require(authenticator, roles=["operator"], scope="files.read")
    read_blocks = require(authenticator, roles=["service"], scope="blocks.read", subject="export")

    @app.get("/files")
    async def files(caller: Caller = Depends(read_files)) -> str:  # noqa: B008
        return caller.subject

    @app.get("/blocks")
    async def blocks(caller: Caller = Depends(read_blocks)) -> str:  # noqa: B008
        return caller.subject

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://export.test")


def machine(subject: str, role: str, scope: str) -> dict[str, str]:
    claims = {"iss": MACHINES, "aud": "export", "sub": subject, "roles": [role], "scope": scope}
    text = jwt.encode({"alg": "ES256", "kid": "first"}, {**claims, "exp": int(time.time()) + 3600}, KEY)
    return {"Authorization": f"Bearer {text}"}


def person(subject: str, role: str) -> dict[str, str]:
    claims = {"iss": PEOPLE, "aud": "portal", "sub": subject, "roles": [role], "exp": int(time.time()) + 3600}
    return {"Authorization": f"Bearer {jwt.encode({'alg': 'RS256'}, claims, PEOPLE_KEY)}"}


async def test_without_a_token_the_answer_is_an_empty_401_that_asks_for_one() -> None:
    async with create_client() as client:
        answer = await client.get("/files")
    assert (answer.status_code, answer.content, answer.headers["www-authenticate"]) == (401, b"", "Bearer")


async def test_two_tokens_at_once_are_none() -> None:
    header = machine("kwartier", "operator", "files.read")["Authorization"]
    async with create_client() as client:
        answer = await client.get("/files", headers=[("Authorization", header), ("Authorization", header)])
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/files", machine("kwartier", "operator", "files.read"), 200),
        ("/files", machine("kwartier", "operator", "readings.read"), 403),
        ("/files", machine("register", "service", "files.read"), 403),
        ("/files", person("anna", "operator"), 200),
        ("/files", person("anna", "net_user"), 403),
        ("/blocks", machine("export", "service", "blocks.read"), 200),
        ("/blocks", machine("portal", "service", "blocks.read"), 403),
        ("/blocks", machine("export", "operator", "blocks.read"), 403),
        ("/blocks", person("export", "service"), 403),
    ],
)
async def test_role_scope_and_name_decide(path: str, headers: dict[str, str], status: int) -> None:
    async with create_client() as client:
        answer = await client.get(path, headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.content == b""


async def test_an_issuer_that_never_answered_is_a_503_that_says_when_to_try_again() -> None:
    async with create_client(fetch_nothing) as client:
        answer = await client.get("/files", headers=person("anna", "operator"))
    assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (503, b"", "5")


class Trusting(BaseSettings):
    trusted_issuers: list[TrustedIssuer] = []


def test_issuers_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "TRUSTED_ISSUERS",
        '[{"issuer": "http://127.0.0.1:8407", "jwks_url": "http://127.0.0.1:8407/jwks", "roles": ["operator"],'
        ' "kind": "people", "audiences": ["portal"], "algorithms": ["RS256"]}]',
    )
    assert Trusting().trusted_issuers == [
        TrustedIssuer(
            issuer="http://127.0.0.1:8407",
            jwks_url="http://127.0.0.1:8407/jwks",
            roles=("operator",),
            kind="people",
            audiences=("portal",),
            algorithms=("RS256",),
        )
    ]
