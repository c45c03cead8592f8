"""Holders' clients on a real database: credentials, tokens by every way there is, and who is let in how often."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from fastapi import Depends, FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import Engine, func, insert, select, text

from eventlog import event_store
from eventlog.database import create_engine, create_tables
from eventlog.problems import answer_problems
from eventlog.trust import answer_refusals
from services.export import tables
from services.export.assertions import ASSERTION_TYPE
from services.export.credentials_api import CredentialDesk, credentials_router
from services.export.holders import Holder, Holders
from services.export.limits import RateLimit
from services.export.tables import contract, used_assertion
from services.export.tokens import TokenSigner, read_keys
from services.export.tokens_api import TokenDesk, tokens_router
from tests.callers import authenticator, machine
from tests.examples import CONTRACT, HOLDER_KBO, NOON, OTHER_KBO

pytestmark = pytest.mark.integration

OPERATOR = machine("kwartier", role="operator", audience="export", scope="credentials.write")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SIGNING_KEYS = json.dumps({"keys": [ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True)]})
SECRET, SUBSCRIPTION_KEY = "s" * 43, "k" * 32
TENANT, CLIENT = "tenant-1", "client-1"


def certificate(key: Any = KEY) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a holder")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = builder.serial_number(1).not_valid_before(NOON).not_valid_after(NOON + timedelta(days=1))
    return dated.sign(key, hashes.SHA256())


CERTIFICATE = certificate()
PEM = CERTIFICATE.public_bytes(serialization.Encoding.PEM).decode()
GIVEN = {
    "holder_kbo": HOLDER_KBO,
    "contract_number": CONTRACT,
    "tenant_id": TENANT,
    "client_id": CLIENT,
    "client_secret": SECRET,
    "subscription_key": SUBSCRIPTION_KEY,
    "certificate": PEM,
}


@dataclass
class Room:
    """Export's doors in this process; `now` is what its clock shows."""

    engine: Engine
    client: httpx.AsyncClient = field(init=False)
    now: datetime = NOON

    async def issue(self, **changes: Any) -> httpx.Response:
        return await self.client.post("/credentials", json={**GIVEN, **changes}, headers=OPERATOR)

    async def token(self, *, auth: Any = None, tenant: str = TENANT, **form: str) -> httpx.Response:
        given = {"grant_type": "client_credentials", "scope": "api://kwartier-live/.default", **form}
        more = {} if auth is None else {"auth": auth}
        return await self.client.post(f"/{tenant}/oauth2/v2.0/token", data=given, **more)

    async def call(self, token: str, key: str = SUBSCRIPTION_KEY) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "Ocp-Apim-Subscription-Key": key}
        return await self.client.get("/who", headers=headers)

    async def let_in(self, **changes: Any) -> str:
        """Issue a client with a secret, sign its contract, and return a token for it."""
        await self.issue(**changes)
        self.sign()
        client_id = changes.get("client_id", CLIENT)
        answer = await self.token(client_id=client_id, client_secret=SECRET)
        return str(answer.json()["access_token"])

    def sign(self, kbo: str = HOLDER_KBO, *, ended_on: date | None = None) -> None:
        row = {"contract_number": CONTRACT, "holder_kbo": kbo, "valid_from": date(2026, 1, 1), "ended_on": ended_on}
        with self.engine.begin() as tx:
            tx.execute(text("delete from contract"))
            tx.execute(insert(contract).values(row))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    yield engine
    engine.dispose()


@pytest.fixture
async def room(engine: Engine) -> AsyncIterator[Room]:
    room = Room(engine)
    key = b"c" * 32
    signer = TokenSigner(read_keys(SIGNING_KEYS), "http://export.test")

    def clock() -> datetime:
        return room.now.astimezone(UTC)

    limit = RateLimit(per_second=1, burst=3, monotonic=lambda: room.now.timestamp())
    holders = Holders(engine=engine, signer=signer, credential_key=key, limit=limit, clock=clock)
    app = FastAPI()
    answer_problems(app)
    answer_refusals(app)
    tokens = TokenDesk(engine=engine, signer=signer, credential_key=key, clock=clock, new_id=uuid4)
    desk = CredentialDesk(engine=engine, credential_key=key, clock=clock, new_id=uuid4)
    app.include_router(tokens_router(tokens))
    app.include_router(credentials_router(desk, authenticator("export")))
    asked = Depends(holders.require("live"))

    @app.get("/who")
    async def who(holder: Holder = asked) -> dict[str, str]:
        return {"kbo": holder.kbo, "contract_number": holder.contract_number, "client_id": holder.client_id}

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://export.test") as room.client:
        yield room


def assertion(jti: str = "one", **changes: Any) -> dict[str, str]:
    now = int(NOON.timestamp())
    claims = {"iss": CLIENT, "sub": CLIENT, "aud": f"https://x/{TENANT}/v2.0", "jti": jti, "nbf": now, "exp": now + 600}
    x5t = CERTIFICATE.fingerprint(hashes.SHA1())  # noqa: S303
    pem = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    header = {"alg": "RS256", "kid": x5t.hex().upper()}
    text = jwt.encode(header, {**claims, **changes}, RSAKey.import_key(pem))
    return {"client_id": CLIENT, "client_assertion": text, "client_assertion_type": ASSERTION_TYPE}


async def test_a_client_gets_a_token_by_secret_in_the_body_or_by_basic(room: Room) -> None:
    assert (await room.issue()).status_code == 201
    in_body = await room.token(client_id=CLIENT, client_secret=SECRET)
    by_basic = await room.token(auth=(CLIENT, SECRET))
    for answer in (in_body, by_basic):
        assert answer.status_code == 200, answer.text
        assert {name: answer.json()[name] for name in ("token_type", "expires_in", "ext_expires_in")} == {
            "token_type": "Bearer",
            "expires_in": 3600,
            "ext_expires_in": 3600,
        }
        assert answer.headers["cache-control"] == "no-store"


async def test_an_assertion_is_good_once(room: Room) -> None:
    await room.issue()
    assert (await room.token(**assertion())).status_code == 200
    assert (await room.token(**assertion())).status_code == 401
    assert (await room.token(**assertion("two"))).status_code == 200
    room.now = NOON + timedelta(hours=2)
    assert (await room.token(**assertion("three"))).status_code == 401
    now = int(room.now.timestamp())
    assert (await room.token(**assertion("four", nbf=now, exp=now + 60))).status_code == 200
    with room.engine.begin() as tx:
        assert tx.execute(select(func.count()).select_from(used_assertion)).scalar_one() == 1


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_id": CLIENT, "client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody", "client_secret": SECRET}, 401, "invalid_client"),
        ({"client_id": "\0", "client_secret": SECRET}, 401, "invalid_client"),
        ({"client_id": CLIENT}, 401, "invalid_client"),
        ({"client_id": CLIENT, "client_secret": SECRET, "tenant": "another"}, 401, "invalid_client"),
        ({"client_id": CLIENT, "client_secret": SECRET, "grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": "other", **{k: v for k, v in assertion().items() if k != "client_id"}}, 401, "invalid_client"),
        ({**assertion(), "client_assertion_type": "jwt"}, 400, "invalid_request"),
        ({**assertion(), "client_assertion": "x.y.z"}, 401, "invalid_client"),
    ],
)
async def test_who_does_not_prove_who_he_is_gets_no_token(
    room: Room, form: dict[str, str], status: int, error: str
) -> None:
    await room.issue()
    answer = await room.token(**form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert SECRET not in answer.text


async def test_the_keys_of_tokens_are_published(room: Room) -> None:
    [key] = (await room.client.get("/.well-known/jwks.json")).json()["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("EC", "P-256", "ES256")
    assert "d" not in key


async def test_secrets_that_are_made_up_here_are_shown_once_and_not_kept(room: Room) -> None:
    body = {"holder_kbo": HOLDER_KBO, "contract_number": CONTRACT}
    issued = (await room.client.post("/credentials", json=body, headers=OPERATOR)).json()
    assert issued["outcome"] == "issued"
    assert (len(issued["client_secret"]), len(issued["subscription_key"])) == (43, 43)
    answer = await room.token(
        tenant=issued["tenant_id"], client_id=issued["client_id"], client_secret=issued["client_secret"]
    )
    assert answer.status_code == 200
    with room.engine.begin() as tx:
        kept = str(tx.execute(text("select * from credential")).all()) + str(
            event_store.load(tx, f"credential:{issued['client_id']}")
        )
    assert issued["client_secret"] not in kept
    assert issued["subscription_key"] not in kept


async def test_the_same_again_changes_nothing_and_others_are_refused(room: Room) -> None:
    assert (await room.issue()).json()["outcome"] == "issued"
    again = await room.issue()
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
    for changes in ({"client_secret": "t" * 43}, {"holder_kbo": OTHER_KBO}, {"environment": "sandbox"}):
        assert (await room.issue(**changes)).status_code == 409


@pytest.mark.parametrize(
    "changes",
    [
        {"holder_kbo": "0123456789"},
        {"contract_number": "1"},
        {"client_secret": "short"},
        {"environment": "test"},
        {"certificate": "no certificate"},
        {
            "certificate": certificate(rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505
            .public_bytes(serialization.Encoding.PEM)
            .decode()
        },
    ],
)
async def test_credentials_that_cannot_be_used_are_refused(room: Room, changes: dict[str, str]) -> None:
    answer = await room.issue(**changes)
    assert answer.status_code == 400
    assert "short" not in answer.text


async def test_only_an_operator_issues_and_revokes(room: Room) -> None:
    other = machine("kwartier", role="operator", audience="export", scope="readings.read")
    for headers, status in (({}, 401), (other, 403)):
        for path in ("/credentials", f"/credentials/{CLIENT}/revocation"):
            answer = await room.client.post(path, json=GIVEN, headers=headers)
            assert (answer.status_code, answer.content) == (status, b"")


async def test_a_holder_is_let_in_with_token_and_key(room: Room) -> None:
    token = await room.let_in()
    answer = await room.call(token)
    assert answer.json() == {"kbo": HOLDER_KBO, "contract_number": CONTRACT, "client_id": CLIENT}


async def test_another_client_of_the_same_holder_has_the_key_and_another_holder_does_not(room: Room) -> None:
    token = await room.let_in()
    await room.issue(client_id="second", subscription_key="2" * 32)
    await room.issue(client_id="stranger", subscription_key="3" * 32, holder_kbo=OTHER_KBO)
    assert (await room.call(token, "2" * 32)).status_code == 200
    answer = await room.call(token, "3" * 32)
    assert (answer.status_code, answer.content) == (401, b"")


async def test_a_sandbox_credential_never_reaches_live(room: Room) -> None:
    token = await room.let_in(environment="sandbox")
    answer = await room.call(token)
    assert (answer.status_code, answer.content) == (401, b"")


async def test_a_token_is_over_after_an_hour_and_at_once_when_it_is_revoked(room: Room) -> None:
    token = await room.let_in()
    assert (await room.call(token)).status_code == 200
    room.now = NOON + timedelta(hours=1)
    assert (await room.call(token)).status_code == 401
    room.now = NOON
    revoked = await room.client.post(f"/credentials/{CLIENT}/revocation", headers=OPERATOR)
    assert revoked.json() == {"client_id": CLIENT, "outcome": "revoked"}
    assert (await room.call(token)).status_code == 401
    again = await room.client.post(f"/credentials/{CLIENT}/revocation", headers=OPERATOR)
    assert again.json()["outcome"] == "unchanged"
    assert (await room.issue()).status_code == 409


async def test_without_a_contract_in_force_it_is_403_and_just_after_issuing_503(room: Room) -> None:
    token = await room.let_in()
    with room.engine.begin() as tx:
        tx.execute(text("delete from contract"))
    early = await room.call(token)
    assert (early.status_code, early.headers["retry-after"]) == (503, "1")
    room.now = NOON + timedelta(minutes=2)
    late = await room.call(token)
    assert (late.status_code, late.content) == (403, b"")
    for signed in ({"kbo": OTHER_KBO}, {"ended_on": date(2026, 11, 20)}):
        room.sign(**signed)  # type: ignore[arg-type]
        assert (await room.call(token)).status_code == 403


async def test_who_comes_too_often_is_told_when_to_come_again(room: Room) -> None:
    token = await room.let_in()
    assert [(await room.call(token)).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = await room.call(token)
    assert (answer.headers["retry-after"], answer.json()["Code"]) == ("1", "TooManyRequests")
    room.now = NOON + timedelta(seconds=1)
    assert (await room.call(token)).status_code == 200
